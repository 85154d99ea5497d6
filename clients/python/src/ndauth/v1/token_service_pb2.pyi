import datetime

from google.api import annotations_pb2 as _annotations_pb2
from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from ndauth.v1 import http_pb2 as _http_pb2
from ndauth.v1 import reason_pb2 as _reason_pb2
from ndauth.v1 import types_pb2 as _types_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class LeakOutcome(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    LEAK_OUTCOME_UNSPECIFIED: _ClassVar[LeakOutcome]
    LEAK_OUTCOME_REVOKED: _ClassVar[LeakOutcome]
    LEAK_OUTCOME_RETIRED: _ClassVar[LeakOutcome]
    LEAK_OUTCOME_ROTATION_DROPPED: _ClassVar[LeakOutcome]
    LEAK_OUTCOME_SESSION_ENDED: _ClassVar[LeakOutcome]
    LEAK_OUTCOME_ALREADY_DEAD: _ClassVar[LeakOutcome]
    LEAK_OUTCOME_REUSE_RECORDED: _ClassVar[LeakOutcome]
    LEAK_OUTCOME_SERVICE_REPORTED: _ClassVar[LeakOutcome]
    LEAK_OUTCOME_UNKNOWN: _ClassVar[LeakOutcome]
    LEAK_OUTCOME_MALFORMED: _ClassVar[LeakOutcome]
LEAK_OUTCOME_UNSPECIFIED: LeakOutcome
LEAK_OUTCOME_REVOKED: LeakOutcome
LEAK_OUTCOME_RETIRED: LeakOutcome
LEAK_OUTCOME_ROTATION_DROPPED: LeakOutcome
LEAK_OUTCOME_SESSION_ENDED: LeakOutcome
LEAK_OUTCOME_ALREADY_DEAD: LeakOutcome
LEAK_OUTCOME_REUSE_RECORDED: LeakOutcome
LEAK_OUTCOME_SERVICE_REPORTED: LeakOutcome
LEAK_OUTCOME_UNKNOWN: LeakOutcome
LEAK_OUTCOME_MALFORMED: LeakOutcome

class CreateTokenRequest(_message.Message):
    __slots__ = ("owner", "token")
    OWNER_FIELD_NUMBER: _ClassVar[int]
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    owner: _types_pb2.Whose
    token: NewToken
    def __init__(self, owner: _Optional[_Union[_types_pb2.Whose, _Mapping]] = ..., token: _Optional[_Union[NewToken, _Mapping]] = ...) -> None: ...

class NewToken(_message.Message):
    __slots__ = ("name", "scope", "orgs", "grants", "expiry", "description", "services", "networks", "self_rotating_until", "pending")
    NAME_FIELD_NUMBER: _ClassVar[int]
    SCOPE_FIELD_NUMBER: _ClassVar[int]
    ORGS_FIELD_NUMBER: _ClassVar[int]
    GRANTS_FIELD_NUMBER: _ClassVar[int]
    EXPIRY_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    SERVICES_FIELD_NUMBER: _ClassVar[int]
    NETWORKS_FIELD_NUMBER: _ClassVar[int]
    SELF_ROTATING_UNTIL_FIELD_NUMBER: _ClassVar[int]
    PENDING_FIELD_NUMBER: _ClassVar[int]
    name: str
    scope: _types_pb2.Scope
    orgs: _types_pb2.Orgs
    grants: _types_pb2.Grants
    expiry: _types_pb2.ExpiryChoice
    description: str
    services: _types_pb2.Services
    networks: _types_pb2.Networks
    self_rotating_until: _types_pb2.ExpiryChoice
    pending: bool
    def __init__(self, name: _Optional[str] = ..., scope: _Optional[_Union[_types_pb2.Scope, str]] = ..., orgs: _Optional[_Union[_types_pb2.Orgs, _Mapping]] = ..., grants: _Optional[_Union[_types_pb2.Grants, _Mapping]] = ..., expiry: _Optional[_Union[_types_pb2.ExpiryChoice, _Mapping]] = ..., description: _Optional[str] = ..., services: _Optional[_Union[_types_pb2.Services, _Mapping]] = ..., networks: _Optional[_Union[_types_pb2.Networks, _Mapping]] = ..., self_rotating_until: _Optional[_Union[_types_pb2.ExpiryChoice, _Mapping]] = ..., pending: _Optional[bool] = ...) -> None: ...

class CreateTokenResponse(_message.Message):
    __slots__ = ("token", "secret", "changed", "sequence", "evaluated_at", "powerless")
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    SECRET_FIELD_NUMBER: _ClassVar[int]
    CHANGED_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    EVALUATED_AT_FIELD_NUMBER: _ClassVar[int]
    POWERLESS_FIELD_NUMBER: _ClassVar[int]
    token: _types_pb2.Token
    secret: str
    changed: bool
    sequence: int
    evaluated_at: _timestamp_pb2.Timestamp
    powerless: _types_pb2.Refused
    def __init__(self, token: _Optional[_Union[_types_pb2.Token, _Mapping]] = ..., secret: _Optional[str] = ..., changed: _Optional[bool] = ..., sequence: _Optional[int] = ..., evaluated_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., powerless: _Optional[_Union[_types_pb2.Refused, _Mapping]] = ...) -> None: ...

class ListTokensRequest(_message.Message):
    __slots__ = ("owner", "include_revoked", "page_size", "page_token", "unused_for", "expiring_within", "order", "reverse")
    OWNER_FIELD_NUMBER: _ClassVar[int]
    INCLUDE_REVOKED_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    UNUSED_FOR_FIELD_NUMBER: _ClassVar[int]
    EXPIRING_WITHIN_FIELD_NUMBER: _ClassVar[int]
    ORDER_FIELD_NUMBER: _ClassVar[int]
    REVERSE_FIELD_NUMBER: _ClassVar[int]
    owner: _types_pb2.Whose
    include_revoked: bool
    page_size: int
    page_token: str
    unused_for: _duration_pb2.Duration
    expiring_within: _duration_pb2.Duration
    order: _types_pb2.TokenOrder
    reverse: bool
    def __init__(self, owner: _Optional[_Union[_types_pb2.Whose, _Mapping]] = ..., include_revoked: _Optional[bool] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., unused_for: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., expiring_within: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., order: _Optional[_Union[_types_pb2.TokenOrder, str]] = ..., reverse: _Optional[bool] = ...) -> None: ...

class ListTokensResponse(_message.Message):
    __slots__ = ("tokens", "next_page_token", "evaluated_at")
    TOKENS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    EVALUATED_AT_FIELD_NUMBER: _ClassVar[int]
    tokens: _containers.RepeatedCompositeFieldContainer[_types_pb2.Token]
    next_page_token: str
    evaluated_at: _timestamp_pb2.Timestamp
    def __init__(self, tokens: _Optional[_Iterable[_Union[_types_pb2.Token, _Mapping]]] = ..., next_page_token: _Optional[str] = ..., evaluated_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class GetTokenRequest(_message.Message):
    __slots__ = ("owner", "which")
    OWNER_FIELD_NUMBER: _ClassVar[int]
    WHICH_FIELD_NUMBER: _ClassVar[int]
    owner: _types_pb2.Whose
    which: _types_pb2.Which
    def __init__(self, owner: _Optional[_Union[_types_pb2.Whose, _Mapping]] = ..., which: _Optional[_Union[_types_pb2.Which, _Mapping]] = ...) -> None: ...

class GetTokenResponse(_message.Message):
    __slots__ = ("token", "evaluated_at")
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    EVALUATED_AT_FIELD_NUMBER: _ClassVar[int]
    token: _types_pb2.Token
    evaluated_at: _timestamp_pb2.Timestamp
    def __init__(self, token: _Optional[_Union[_types_pb2.Token, _Mapping]] = ..., evaluated_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class UpdateTokenRequest(_message.Message):
    __slots__ = ("owner", "which", "description")
    OWNER_FIELD_NUMBER: _ClassVar[int]
    WHICH_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    owner: _types_pb2.Whose
    which: _types_pb2.Which
    description: str
    def __init__(self, owner: _Optional[_Union[_types_pb2.Whose, _Mapping]] = ..., which: _Optional[_Union[_types_pb2.Which, _Mapping]] = ..., description: _Optional[str] = ...) -> None: ...

class UpdateTokenResponse(_message.Message):
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

class RevokeTokenRequest(_message.Message):
    __slots__ = ("owner", "which", "reason", "note")
    OWNER_FIELD_NUMBER: _ClassVar[int]
    WHICH_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    owner: _types_pb2.Whose
    which: _types_pb2.Which
    reason: _types_pb2.RevocationReason
    note: str
    def __init__(self, owner: _Optional[_Union[_types_pb2.Whose, _Mapping]] = ..., which: _Optional[_Union[_types_pb2.Which, _Mapping]] = ..., reason: _Optional[_Union[_types_pb2.RevocationReason, str]] = ..., note: _Optional[str] = ...) -> None: ...

class RevokeTokenResponse(_message.Message):
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

class RotateTokenRequest(_message.Message):
    __slots__ = ("owner", "which", "overlap", "expiry")
    OWNER_FIELD_NUMBER: _ClassVar[int]
    WHICH_FIELD_NUMBER: _ClassVar[int]
    OVERLAP_FIELD_NUMBER: _ClassVar[int]
    EXPIRY_FIELD_NUMBER: _ClassVar[int]
    owner: _types_pb2.Whose
    which: _types_pb2.Which
    overlap: _duration_pb2.Duration
    expiry: _types_pb2.ExpiryChoice
    def __init__(self, owner: _Optional[_Union[_types_pb2.Whose, _Mapping]] = ..., which: _Optional[_Union[_types_pb2.Which, _Mapping]] = ..., overlap: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., expiry: _Optional[_Union[_types_pb2.ExpiryChoice, _Mapping]] = ...) -> None: ...

class RotateTokenResponse(_message.Message):
    __slots__ = ("token", "secret", "pending_until", "changed", "sequence", "evaluated_at")
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    SECRET_FIELD_NUMBER: _ClassVar[int]
    PENDING_UNTIL_FIELD_NUMBER: _ClassVar[int]
    CHANGED_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    EVALUATED_AT_FIELD_NUMBER: _ClassVar[int]
    token: _types_pb2.Token
    secret: str
    pending_until: _timestamp_pb2.Timestamp
    changed: bool
    sequence: int
    evaluated_at: _timestamp_pb2.Timestamp
    def __init__(self, token: _Optional[_Union[_types_pb2.Token, _Mapping]] = ..., secret: _Optional[str] = ..., pending_until: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., changed: _Optional[bool] = ..., sequence: _Optional[int] = ..., evaluated_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class ConfirmRotationRequest(_message.Message):
    __slots__ = ("owner", "which", "prefix")
    OWNER_FIELD_NUMBER: _ClassVar[int]
    WHICH_FIELD_NUMBER: _ClassVar[int]
    PREFIX_FIELD_NUMBER: _ClassVar[int]
    owner: _types_pb2.Whose
    which: _types_pb2.Which
    prefix: str
    def __init__(self, owner: _Optional[_Union[_types_pb2.Whose, _Mapping]] = ..., which: _Optional[_Union[_types_pb2.Which, _Mapping]] = ..., prefix: _Optional[str] = ...) -> None: ...

class ConfirmRotationResponse(_message.Message):
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

class DropRotationRequest(_message.Message):
    __slots__ = ("owner", "which")
    OWNER_FIELD_NUMBER: _ClassVar[int]
    WHICH_FIELD_NUMBER: _ClassVar[int]
    owner: _types_pb2.Whose
    which: _types_pb2.Which
    def __init__(self, owner: _Optional[_Union[_types_pb2.Whose, _Mapping]] = ..., which: _Optional[_Union[_types_pb2.Which, _Mapping]] = ...) -> None: ...

class DropRotationResponse(_message.Message):
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

class RetireSecretRequest(_message.Message):
    __slots__ = ("owner", "which", "anyway")
    OWNER_FIELD_NUMBER: _ClassVar[int]
    WHICH_FIELD_NUMBER: _ClassVar[int]
    ANYWAY_FIELD_NUMBER: _ClassVar[int]
    owner: _types_pb2.Whose
    which: _types_pb2.Which
    anyway: bool
    def __init__(self, owner: _Optional[_Union[_types_pb2.Whose, _Mapping]] = ..., which: _Optional[_Union[_types_pb2.Which, _Mapping]] = ..., anyway: _Optional[bool] = ...) -> None: ...

class RetireSecretResponse(_message.Message):
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

class RenewTokenRequest(_message.Message):
    __slots__ = ("owner", "which", "minimum", "automatic")
    OWNER_FIELD_NUMBER: _ClassVar[int]
    WHICH_FIELD_NUMBER: _ClassVar[int]
    MINIMUM_FIELD_NUMBER: _ClassVar[int]
    AUTOMATIC_FIELD_NUMBER: _ClassVar[int]
    owner: _types_pb2.Whose
    which: _types_pb2.Which
    minimum: _duration_pb2.Duration
    automatic: bool
    def __init__(self, owner: _Optional[_Union[_types_pb2.Whose, _Mapping]] = ..., which: _Optional[_Union[_types_pb2.Which, _Mapping]] = ..., minimum: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., automatic: _Optional[bool] = ...) -> None: ...

class RenewTokenResponse(_message.Message):
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

class SuspendTokenRequest(_message.Message):
    __slots__ = ("owner", "which")
    OWNER_FIELD_NUMBER: _ClassVar[int]
    WHICH_FIELD_NUMBER: _ClassVar[int]
    owner: _types_pb2.Whose
    which: _types_pb2.Which
    def __init__(self, owner: _Optional[_Union[_types_pb2.Whose, _Mapping]] = ..., which: _Optional[_Union[_types_pb2.Which, _Mapping]] = ...) -> None: ...

class SuspendTokenResponse(_message.Message):
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

class ResumeTokenRequest(_message.Message):
    __slots__ = ("owner", "which")
    OWNER_FIELD_NUMBER: _ClassVar[int]
    WHICH_FIELD_NUMBER: _ClassVar[int]
    owner: _types_pb2.Whose
    which: _types_pb2.Which
    def __init__(self, owner: _Optional[_Union[_types_pb2.Whose, _Mapping]] = ..., which: _Optional[_Union[_types_pb2.Which, _Mapping]] = ...) -> None: ...

class ResumeTokenResponse(_message.Message):
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

class RevokeAllTokensRequest(_message.Message):
    __slots__ = ("owner", "created_before", "all", "dry_run")
    OWNER_FIELD_NUMBER: _ClassVar[int]
    CREATED_BEFORE_FIELD_NUMBER: _ClassVar[int]
    ALL_FIELD_NUMBER: _ClassVar[int]
    DRY_RUN_FIELD_NUMBER: _ClassVar[int]
    owner: _types_pb2.Whose
    created_before: _timestamp_pb2.Timestamp
    all: _types_pb2.All
    dry_run: bool
    def __init__(self, owner: _Optional[_Union[_types_pb2.Whose, _Mapping]] = ..., created_before: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., all: _Optional[_Union[_types_pb2.All, _Mapping]] = ..., dry_run: _Optional[bool] = ...) -> None: ...

class RevokeAllTokensResponse(_message.Message):
    __slots__ = ("not_before", "tokens", "used_today", "used_today_count", "changed", "sequence", "evaluated_at")
    NOT_BEFORE_FIELD_NUMBER: _ClassVar[int]
    TOKENS_FIELD_NUMBER: _ClassVar[int]
    USED_TODAY_FIELD_NUMBER: _ClassVar[int]
    USED_TODAY_COUNT_FIELD_NUMBER: _ClassVar[int]
    CHANGED_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    EVALUATED_AT_FIELD_NUMBER: _ClassVar[int]
    not_before: _timestamp_pb2.Timestamp
    tokens: int
    used_today: _containers.RepeatedCompositeFieldContainer[_types_pb2.Token]
    used_today_count: int
    changed: bool
    sequence: int
    evaluated_at: _timestamp_pb2.Timestamp
    def __init__(self, not_before: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., tokens: _Optional[int] = ..., used_today: _Optional[_Iterable[_Union[_types_pb2.Token, _Mapping]]] = ..., used_today_count: _Optional[int] = ..., changed: _Optional[bool] = ..., sequence: _Optional[int] = ..., evaluated_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class RevokeSecretRequest(_message.Message):
    __slots__ = ("secret",)
    SECRET_FIELD_NUMBER: _ClassVar[int]
    secret: str
    def __init__(self, secret: _Optional[str] = ...) -> None: ...

class RevokeSecretResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ReportLeakedRequest(_message.Message):
    __slots__ = ("secrets",)
    SECRETS_FIELD_NUMBER: _ClassVar[int]
    secrets: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, secrets: _Optional[_Iterable[str]] = ...) -> None: ...

class ReportLeakedResponse(_message.Message):
    __slots__ = ("reports",)
    REPORTS_FIELD_NUMBER: _ClassVar[int]
    reports: _containers.RepeatedCompositeFieldContainer[LeakReport]
    def __init__(self, reports: _Optional[_Iterable[_Union[LeakReport, _Mapping]]] = ...) -> None: ...

class LeakReport(_message.Message):
    __slots__ = ("index", "prefix", "outcome")
    INDEX_FIELD_NUMBER: _ClassVar[int]
    PREFIX_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    index: int
    prefix: str
    outcome: LeakOutcome
    def __init__(self, index: _Optional[int] = ..., prefix: _Optional[str] = ..., outcome: _Optional[_Union[LeakOutcome, str]] = ...) -> None: ...

class ExplainTokenRequest(_message.Message):
    __slots__ = ("owner", "which", "secret", "planned", "org", "access", "permission", "service", "client_address")
    OWNER_FIELD_NUMBER: _ClassVar[int]
    WHICH_FIELD_NUMBER: _ClassVar[int]
    SECRET_FIELD_NUMBER: _ClassVar[int]
    PLANNED_FIELD_NUMBER: _ClassVar[int]
    ORG_FIELD_NUMBER: _ClassVar[int]
    ACCESS_FIELD_NUMBER: _ClassVar[int]
    PERMISSION_FIELD_NUMBER: _ClassVar[int]
    SERVICE_FIELD_NUMBER: _ClassVar[int]
    CLIENT_ADDRESS_FIELD_NUMBER: _ClassVar[int]
    owner: _types_pb2.Whose
    which: _types_pb2.Which
    secret: PresentedSecret
    planned: NewToken
    org: str
    access: _types_pb2.Scope
    permission: _types_pb2.Permission
    service: str
    client_address: str
    def __init__(self, owner: _Optional[_Union[_types_pb2.Whose, _Mapping]] = ..., which: _Optional[_Union[_types_pb2.Which, _Mapping]] = ..., secret: _Optional[_Union[PresentedSecret, _Mapping]] = ..., planned: _Optional[_Union[NewToken, _Mapping]] = ..., org: _Optional[str] = ..., access: _Optional[_Union[_types_pb2.Scope, str]] = ..., permission: _Optional[_Union[_types_pb2.Permission, _Mapping]] = ..., service: _Optional[str] = ..., client_address: _Optional[str] = ...) -> None: ...

class PresentedSecret(_message.Message):
    __slots__ = ("secret",)
    SECRET_FIELD_NUMBER: _ClassVar[int]
    secret: str
    def __init__(self, secret: _Optional[str] = ...) -> None: ...

class ExplainTokenResponse(_message.Message):
    __slots__ = ("explanations", "evaluated_at")
    EXPLANATIONS_FIELD_NUMBER: _ClassVar[int]
    EVALUATED_AT_FIELD_NUMBER: _ClassVar[int]
    explanations: _containers.RepeatedCompositeFieldContainer[Explanation]
    evaluated_at: _timestamp_pb2.Timestamp
    def __init__(self, explanations: _Optional[_Iterable[_Union[Explanation, _Mapping]]] = ..., evaluated_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class Explanation(_message.Message):
    __slots__ = ("org", "findings", "allowed", "refused")
    ORG_FIELD_NUMBER: _ClassVar[int]
    FINDINGS_FIELD_NUMBER: _ClassVar[int]
    ALLOWED_FIELD_NUMBER: _ClassVar[int]
    REFUSED_FIELD_NUMBER: _ClassVar[int]
    org: str
    findings: _containers.RepeatedCompositeFieldContainer[Finding]
    allowed: _types_pb2.Effective
    refused: _types_pb2.Refused
    def __init__(self, org: _Optional[str] = ..., findings: _Optional[_Iterable[_Union[Finding, _Mapping]]] = ..., allowed: _Optional[_Union[_types_pb2.Effective, _Mapping]] = ..., refused: _Optional[_Union[_types_pb2.Refused, _Mapping]] = ...) -> None: ...

class Finding(_message.Message):
    __slots__ = ("factor", "allows", "refused")
    FACTOR_FIELD_NUMBER: _ClassVar[int]
    ALLOWS_FIELD_NUMBER: _ClassVar[int]
    REFUSED_FIELD_NUMBER: _ClassVar[int]
    factor: _reason_pb2.Factor
    allows: str
    refused: _types_pb2.Refused
    def __init__(self, factor: _Optional[_Union[_reason_pb2.Factor, str]] = ..., allows: _Optional[str] = ..., refused: _Optional[_Union[_types_pb2.Refused, _Mapping]] = ...) -> None: ...
