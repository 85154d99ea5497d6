import datetime

from google.api import annotations_pb2 as _annotations_pb2
from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from ndauth.v1 import http_pb2 as _http_pb2
from ndauth.v1 import reason_pb2 as _reason_pb2
from ndauth.v1 import types_pb2 as _types_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Org(_message.Message):
    __slots__ = ("id", "slug", "name", "created_at", "members", "frozen_at")
    ID_FIELD_NUMBER: _ClassVar[int]
    SLUG_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    MEMBERS_FIELD_NUMBER: _ClassVar[int]
    FROZEN_AT_FIELD_NUMBER: _ClassVar[int]
    id: str
    slug: str
    name: str
    created_at: _timestamp_pb2.Timestamp
    members: int
    frozen_at: _timestamp_pb2.Timestamp
    def __init__(self, id: _Optional[str] = ..., slug: _Optional[str] = ..., name: _Optional[str] = ..., created_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., members: _Optional[int] = ..., frozen_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class Member(_message.Message):
    __slots__ = ("account_id", "handle", "role", "since")
    ACCOUNT_ID_FIELD_NUMBER: _ClassVar[int]
    HANDLE_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    SINCE_FIELD_NUMBER: _ClassVar[int]
    account_id: str
    handle: str
    role: _types_pb2.Role
    since: _timestamp_pb2.Timestamp
    def __init__(self, account_id: _Optional[str] = ..., handle: _Optional[str] = ..., role: _Optional[_Union[_types_pb2.Role, str]] = ..., since: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class CreateOrgRequest(_message.Message):
    __slots__ = ("slug", "name")
    SLUG_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    slug: str
    name: str
    def __init__(self, slug: _Optional[str] = ..., name: _Optional[str] = ...) -> None: ...

class CreateOrgResponse(_message.Message):
    __slots__ = ("org", "changed", "sequence", "evaluated_at")
    ORG_FIELD_NUMBER: _ClassVar[int]
    CHANGED_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    EVALUATED_AT_FIELD_NUMBER: _ClassVar[int]
    org: Org
    changed: bool
    sequence: int
    evaluated_at: _timestamp_pb2.Timestamp
    def __init__(self, org: _Optional[_Union[Org, _Mapping]] = ..., changed: _Optional[bool] = ..., sequence: _Optional[int] = ..., evaluated_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class GetOrgRequest(_message.Message):
    __slots__ = ("org",)
    ORG_FIELD_NUMBER: _ClassVar[int]
    org: str
    def __init__(self, org: _Optional[str] = ...) -> None: ...

class GetOrgResponse(_message.Message):
    __slots__ = ("org", "role")
    ORG_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    org: Org
    role: _types_pb2.Role
    def __init__(self, org: _Optional[_Union[Org, _Mapping]] = ..., role: _Optional[_Union[_types_pb2.Role, str]] = ...) -> None: ...

class ListMembersRequest(_message.Message):
    __slots__ = ("org", "page_size", "page_token")
    ORG_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    org: str
    page_size: int
    page_token: str
    def __init__(self, org: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListMembersResponse(_message.Message):
    __slots__ = ("members", "next_page_token")
    MEMBERS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    members: _containers.RepeatedCompositeFieldContainer[Member]
    next_page_token: str
    def __init__(self, members: _Optional[_Iterable[_Union[Member, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class AddMemberRequest(_message.Message):
    __slots__ = ("org", "handle", "role")
    ORG_FIELD_NUMBER: _ClassVar[int]
    HANDLE_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    org: str
    handle: str
    role: _types_pb2.Role
    def __init__(self, org: _Optional[str] = ..., handle: _Optional[str] = ..., role: _Optional[_Union[_types_pb2.Role, str]] = ...) -> None: ...

class AddMemberResponse(_message.Message):
    __slots__ = ("member", "changed", "sequence", "evaluated_at")
    MEMBER_FIELD_NUMBER: _ClassVar[int]
    CHANGED_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    EVALUATED_AT_FIELD_NUMBER: _ClassVar[int]
    member: Member
    changed: bool
    sequence: int
    evaluated_at: _timestamp_pb2.Timestamp
    def __init__(self, member: _Optional[_Union[Member, _Mapping]] = ..., changed: _Optional[bool] = ..., sequence: _Optional[int] = ..., evaluated_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class SetMemberRequest(_message.Message):
    __slots__ = ("org", "handle", "role")
    ORG_FIELD_NUMBER: _ClassVar[int]
    HANDLE_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    org: str
    handle: str
    role: _types_pb2.Role
    def __init__(self, org: _Optional[str] = ..., handle: _Optional[str] = ..., role: _Optional[_Union[_types_pb2.Role, str]] = ...) -> None: ...

class SetMemberResponse(_message.Message):
    __slots__ = ("member", "changed", "sequence", "evaluated_at")
    MEMBER_FIELD_NUMBER: _ClassVar[int]
    CHANGED_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    EVALUATED_AT_FIELD_NUMBER: _ClassVar[int]
    member: Member
    changed: bool
    sequence: int
    evaluated_at: _timestamp_pb2.Timestamp
    def __init__(self, member: _Optional[_Union[Member, _Mapping]] = ..., changed: _Optional[bool] = ..., sequence: _Optional[int] = ..., evaluated_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class RemoveMemberRequest(_message.Message):
    __slots__ = ("org", "handle")
    ORG_FIELD_NUMBER: _ClassVar[int]
    HANDLE_FIELD_NUMBER: _ClassVar[int]
    org: str
    handle: str
    def __init__(self, org: _Optional[str] = ..., handle: _Optional[str] = ...) -> None: ...

class RemoveMemberResponse(_message.Message):
    __slots__ = ("changed", "sequence", "evaluated_at")
    CHANGED_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    EVALUATED_AT_FIELD_NUMBER: _ClassVar[int]
    changed: bool
    sequence: int
    evaluated_at: _timestamp_pb2.Timestamp
    def __init__(self, changed: _Optional[bool] = ..., sequence: _Optional[int] = ..., evaluated_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class MembershipOffer(_message.Message):
    __slots__ = ("org", "org_name", "handle", "role", "made_by", "made_at", "ends_at")
    ORG_FIELD_NUMBER: _ClassVar[int]
    ORG_NAME_FIELD_NUMBER: _ClassVar[int]
    HANDLE_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    MADE_BY_FIELD_NUMBER: _ClassVar[int]
    MADE_AT_FIELD_NUMBER: _ClassVar[int]
    ENDS_AT_FIELD_NUMBER: _ClassVar[int]
    org: str
    org_name: str
    handle: str
    role: _types_pb2.Role
    made_by: str
    made_at: _timestamp_pb2.Timestamp
    ends_at: _timestamp_pb2.Timestamp
    def __init__(self, org: _Optional[str] = ..., org_name: _Optional[str] = ..., handle: _Optional[str] = ..., role: _Optional[_Union[_types_pb2.Role, str]] = ..., made_by: _Optional[str] = ..., made_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., ends_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class OfferMembershipRequest(_message.Message):
    __slots__ = ("org", "handle", "role")
    ORG_FIELD_NUMBER: _ClassVar[int]
    HANDLE_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    org: str
    handle: str
    role: _types_pb2.Role
    def __init__(self, org: _Optional[str] = ..., handle: _Optional[str] = ..., role: _Optional[_Union[_types_pb2.Role, str]] = ...) -> None: ...

class OfferMembershipResponse(_message.Message):
    __slots__ = ("offer", "changed", "sequence", "evaluated_at")
    OFFER_FIELD_NUMBER: _ClassVar[int]
    CHANGED_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    EVALUATED_AT_FIELD_NUMBER: _ClassVar[int]
    offer: MembershipOffer
    changed: bool
    sequence: int
    evaluated_at: _timestamp_pb2.Timestamp
    def __init__(self, offer: _Optional[_Union[MembershipOffer, _Mapping]] = ..., changed: _Optional[bool] = ..., sequence: _Optional[int] = ..., evaluated_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class ListMembershipOffersRequest(_message.Message):
    __slots__ = ("owner", "page_size", "page_token")
    OWNER_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    owner: _types_pb2.Whose
    page_size: int
    page_token: str
    def __init__(self, owner: _Optional[_Union[_types_pb2.Whose, _Mapping]] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListMembershipOffersResponse(_message.Message):
    __slots__ = ("offers", "next_page_token", "evaluated_at")
    OFFERS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    EVALUATED_AT_FIELD_NUMBER: _ClassVar[int]
    offers: _containers.RepeatedCompositeFieldContainer[MembershipOffer]
    next_page_token: str
    evaluated_at: _timestamp_pb2.Timestamp
    def __init__(self, offers: _Optional[_Iterable[_Union[MembershipOffer, _Mapping]]] = ..., next_page_token: _Optional[str] = ..., evaluated_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class AcceptMembershipOfferRequest(_message.Message):
    __slots__ = ("org", "role", "dry_run")
    ORG_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    DRY_RUN_FIELD_NUMBER: _ClassVar[int]
    org: str
    role: _types_pb2.Role
    dry_run: bool
    def __init__(self, org: _Optional[str] = ..., role: _Optional[_Union[_types_pb2.Role, str]] = ..., dry_run: _Optional[bool] = ...) -> None: ...

class AcceptMembershipOfferResponse(_message.Message):
    __slots__ = ("offer", "tokens", "changed", "sequence", "evaluated_at")
    OFFER_FIELD_NUMBER: _ClassVar[int]
    TOKENS_FIELD_NUMBER: _ClassVar[int]
    CHANGED_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    EVALUATED_AT_FIELD_NUMBER: _ClassVar[int]
    offer: MembershipOffer
    tokens: _containers.RepeatedCompositeFieldContainer[_types_pb2.Token]
    changed: bool
    sequence: int
    evaluated_at: _timestamp_pb2.Timestamp
    def __init__(self, offer: _Optional[_Union[MembershipOffer, _Mapping]] = ..., tokens: _Optional[_Iterable[_Union[_types_pb2.Token, _Mapping]]] = ..., changed: _Optional[bool] = ..., sequence: _Optional[int] = ..., evaluated_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class DeclineMembershipOfferRequest(_message.Message):
    __slots__ = ("org",)
    ORG_FIELD_NUMBER: _ClassVar[int]
    org: str
    def __init__(self, org: _Optional[str] = ...) -> None: ...

class DeclineMembershipOfferResponse(_message.Message):
    __slots__ = ("changed", "sequence", "evaluated_at")
    CHANGED_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    EVALUATED_AT_FIELD_NUMBER: _ClassVar[int]
    changed: bool
    sequence: int
    evaluated_at: _timestamp_pb2.Timestamp
    def __init__(self, changed: _Optional[bool] = ..., sequence: _Optional[int] = ..., evaluated_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class WithdrawMembershipOfferRequest(_message.Message):
    __slots__ = ("org", "handle")
    ORG_FIELD_NUMBER: _ClassVar[int]
    HANDLE_FIELD_NUMBER: _ClassVar[int]
    org: str
    handle: str
    def __init__(self, org: _Optional[str] = ..., handle: _Optional[str] = ...) -> None: ...

class WithdrawMembershipOfferResponse(_message.Message):
    __slots__ = ("changed", "sequence", "evaluated_at")
    CHANGED_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    EVALUATED_AT_FIELD_NUMBER: _ClassVar[int]
    changed: bool
    sequence: int
    evaluated_at: _timestamp_pb2.Timestamp
    def __init__(self, changed: _Optional[bool] = ..., sequence: _Optional[int] = ..., evaluated_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class GetOrgPolicyRequest(_message.Message):
    __slots__ = ("org",)
    ORG_FIELD_NUMBER: _ClassVar[int]
    org: str
    def __init__(self, org: _Optional[str] = ...) -> None: ...

class GetOrgPolicyResponse(_message.Message):
    __slots__ = ("policy", "set_at", "to_come", "evaluated_at", "generation")
    POLICY_FIELD_NUMBER: _ClassVar[int]
    SET_AT_FIELD_NUMBER: _ClassVar[int]
    TO_COME_FIELD_NUMBER: _ClassVar[int]
    EVALUATED_AT_FIELD_NUMBER: _ClassVar[int]
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    policy: _types_pb2.OrgPolicy
    set_at: _timestamp_pb2.Timestamp
    to_come: _containers.RepeatedCompositeFieldContainer[PolicyToCome]
    evaluated_at: _timestamp_pb2.Timestamp
    generation: int
    def __init__(self, policy: _Optional[_Union[_types_pb2.OrgPolicy, _Mapping]] = ..., set_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., to_come: _Optional[_Iterable[_Union[PolicyToCome, _Mapping]]] = ..., evaluated_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., generation: _Optional[int] = ...) -> None: ...

class PolicyToCome(_message.Message):
    __slots__ = ("policy", "set_at", "takes_hold_at")
    POLICY_FIELD_NUMBER: _ClassVar[int]
    SET_AT_FIELD_NUMBER: _ClassVar[int]
    TAKES_HOLD_AT_FIELD_NUMBER: _ClassVar[int]
    policy: _types_pb2.OrgPolicy
    set_at: _timestamp_pb2.Timestamp
    takes_hold_at: _timestamp_pb2.Timestamp
    def __init__(self, policy: _Optional[_Union[_types_pb2.OrgPolicy, _Mapping]] = ..., set_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., takes_hold_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class SetOrgPolicyRequest(_message.Message):
    __slots__ = ("org", "policy", "effective_in", "dry_run", "max_tokens", "expected_generation", "withdraw_announced")
    ORG_FIELD_NUMBER: _ClassVar[int]
    POLICY_FIELD_NUMBER: _ClassVar[int]
    EFFECTIVE_IN_FIELD_NUMBER: _ClassVar[int]
    DRY_RUN_FIELD_NUMBER: _ClassVar[int]
    MAX_TOKENS_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_GENERATION_FIELD_NUMBER: _ClassVar[int]
    WITHDRAW_ANNOUNCED_FIELD_NUMBER: _ClassVar[int]
    org: str
    policy: _types_pb2.OrgPolicy
    effective_in: _duration_pb2.Duration
    dry_run: bool
    max_tokens: int
    expected_generation: int
    withdraw_announced: bool
    def __init__(self, org: _Optional[str] = ..., policy: _Optional[_Union[_types_pb2.OrgPolicy, _Mapping]] = ..., effective_in: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., dry_run: _Optional[bool] = ..., max_tokens: _Optional[int] = ..., expected_generation: _Optional[int] = ..., withdraw_announced: _Optional[bool] = ...) -> None: ...

class SetOrgPolicyResponse(_message.Message):
    __slots__ = ("takes_hold_at", "impact", "generation", "changed", "sequence", "evaluated_at", "kept", "policy")
    TAKES_HOLD_AT_FIELD_NUMBER: _ClassVar[int]
    IMPACT_FIELD_NUMBER: _ClassVar[int]
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    CHANGED_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    EVALUATED_AT_FIELD_NUMBER: _ClassVar[int]
    KEPT_FIELD_NUMBER: _ClassVar[int]
    POLICY_FIELD_NUMBER: _ClassVar[int]
    takes_hold_at: _timestamp_pb2.Timestamp
    impact: PolicyImpact
    generation: int
    changed: bool
    sequence: int
    evaluated_at: _timestamp_pb2.Timestamp
    kept: _containers.RepeatedCompositeFieldContainer[PolicyToCome]
    policy: _types_pb2.OrgPolicy
    def __init__(self, takes_hold_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., impact: _Optional[_Union[PolicyImpact, _Mapping]] = ..., generation: _Optional[int] = ..., changed: _Optional[bool] = ..., sequence: _Optional[int] = ..., evaluated_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., kept: _Optional[_Iterable[_Union[PolicyToCome, _Mapping]]] = ..., policy: _Optional[_Union[_types_pb2.OrgPolicy, _Mapping]] = ...) -> None: ...

class PolicyImpact(_message.Message):
    __slots__ = ("tokens", "broken", "broken_in_use", "address_unknown", "by_reason", "broken_tokens")
    TOKENS_FIELD_NUMBER: _ClassVar[int]
    BROKEN_FIELD_NUMBER: _ClassVar[int]
    BROKEN_IN_USE_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_UNKNOWN_FIELD_NUMBER: _ClassVar[int]
    BY_REASON_FIELD_NUMBER: _ClassVar[int]
    BROKEN_TOKENS_FIELD_NUMBER: _ClassVar[int]
    tokens: int
    broken: int
    broken_in_use: int
    address_unknown: int
    by_reason: _containers.RepeatedCompositeFieldContainer[PolicyBreaks]
    broken_tokens: _containers.RepeatedCompositeFieldContainer[BrokenToken]
    def __init__(self, tokens: _Optional[int] = ..., broken: _Optional[int] = ..., broken_in_use: _Optional[int] = ..., address_unknown: _Optional[int] = ..., by_reason: _Optional[_Iterable[_Union[PolicyBreaks, _Mapping]]] = ..., broken_tokens: _Optional[_Iterable[_Union[BrokenToken, _Mapping]]] = ...) -> None: ...

class PolicyBreaks(_message.Message):
    __slots__ = ("reason", "tokens")
    REASON_FIELD_NUMBER: _ClassVar[int]
    TOKENS_FIELD_NUMBER: _ClassVar[int]
    reason: _reason_pb2.Reason
    tokens: int
    def __init__(self, reason: _Optional[_Union[_reason_pb2.Reason, str]] = ..., tokens: _Optional[int] = ...) -> None: ...

class BrokenToken(_message.Message):
    __slots__ = ("id", "name", "owner", "prefix", "last_use", "reason")
    ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    OWNER_FIELD_NUMBER: _ClassVar[int]
    PREFIX_FIELD_NUMBER: _ClassVar[int]
    LAST_USE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    id: str
    name: str
    owner: str
    prefix: str
    last_use: _types_pb2.LastUse
    reason: _reason_pb2.Reason
    def __init__(self, id: _Optional[str] = ..., name: _Optional[str] = ..., owner: _Optional[str] = ..., prefix: _Optional[str] = ..., last_use: _Optional[_Union[_types_pb2.LastUse, _Mapping]] = ..., reason: _Optional[_Union[_reason_pb2.Reason, str]] = ...) -> None: ...

class FreezeOrgRequest(_message.Message):
    __slots__ = ("org",)
    ORG_FIELD_NUMBER: _ClassVar[int]
    org: str
    def __init__(self, org: _Optional[str] = ...) -> None: ...

class FreezeOrgResponse(_message.Message):
    __slots__ = ("org", "changed", "sequence", "evaluated_at")
    ORG_FIELD_NUMBER: _ClassVar[int]
    CHANGED_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    EVALUATED_AT_FIELD_NUMBER: _ClassVar[int]
    org: Org
    changed: bool
    sequence: int
    evaluated_at: _timestamp_pb2.Timestamp
    def __init__(self, org: _Optional[_Union[Org, _Mapping]] = ..., changed: _Optional[bool] = ..., sequence: _Optional[int] = ..., evaluated_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class UnfreezeOrgRequest(_message.Message):
    __slots__ = ("org",)
    ORG_FIELD_NUMBER: _ClassVar[int]
    org: str
    def __init__(self, org: _Optional[str] = ...) -> None: ...

class UnfreezeOrgResponse(_message.Message):
    __slots__ = ("org", "changed", "sequence", "evaluated_at")
    ORG_FIELD_NUMBER: _ClassVar[int]
    CHANGED_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    EVALUATED_AT_FIELD_NUMBER: _ClassVar[int]
    org: Org
    changed: bool
    sequence: int
    evaluated_at: _timestamp_pb2.Timestamp
    def __init__(self, org: _Optional[_Union[Org, _Mapping]] = ..., changed: _Optional[bool] = ..., sequence: _Optional[int] = ..., evaluated_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class ListPersonalTokensRequest(_message.Message):
    __slots__ = ("org", "page_size", "page_token")
    ORG_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    org: str
    page_size: int
    page_token: str
    def __init__(self, org: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListPersonalTokensResponse(_message.Message):
    __slots__ = ("tokens", "next_page_token", "evaluated_at")
    TOKENS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    EVALUATED_AT_FIELD_NUMBER: _ClassVar[int]
    tokens: _containers.RepeatedCompositeFieldContainer[_types_pb2.Token]
    next_page_token: str
    evaluated_at: _timestamp_pb2.Timestamp
    def __init__(self, tokens: _Optional[_Iterable[_Union[_types_pb2.Token, _Mapping]]] = ..., next_page_token: _Optional[str] = ..., evaluated_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class SuspendPersonalTokenRequest(_message.Message):
    __slots__ = ("org", "id")
    ORG_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    org: str
    id: str
    def __init__(self, org: _Optional[str] = ..., id: _Optional[str] = ...) -> None: ...

class SuspendPersonalTokenResponse(_message.Message):
    __slots__ = ("token", "changed", "sequence", "evaluated_at")
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    CHANGED_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    EVALUATED_AT_FIELD_NUMBER: _ClassVar[int]
    token: _types_pb2.Token
    changed: bool
    sequence: int
    evaluated_at: _timestamp_pb2.Timestamp
    def __init__(self, token: _Optional[_Union[_types_pb2.Token, _Mapping]] = ..., changed: _Optional[bool] = ..., sequence: _Optional[int] = ..., evaluated_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class ResumePersonalTokenRequest(_message.Message):
    __slots__ = ("org", "id")
    ORG_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    org: str
    id: str
    def __init__(self, org: _Optional[str] = ..., id: _Optional[str] = ...) -> None: ...

class ResumePersonalTokenResponse(_message.Message):
    __slots__ = ("token", "changed", "sequence", "evaluated_at")
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    CHANGED_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    EVALUATED_AT_FIELD_NUMBER: _ClassVar[int]
    token: _types_pb2.Token
    changed: bool
    sequence: int
    evaluated_at: _timestamp_pb2.Timestamp
    def __init__(self, token: _Optional[_Union[_types_pb2.Token, _Mapping]] = ..., changed: _Optional[bool] = ..., sequence: _Optional[int] = ..., evaluated_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...
