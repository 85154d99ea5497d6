import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from ndauth.v1 import reason_pb2 as _reason_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Scope(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SCOPE_UNSPECIFIED: _ClassVar[Scope]
    SCOPE_RO: _ClassVar[Scope]
    SCOPE_RW: _ClassVar[Scope]

class Role(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ROLE_UNSPECIFIED: _ClassVar[Role]
    ROLE_RO: _ClassVar[Role]
    ROLE_RW: _ClassVar[Role]
    ROLE_ADMIN: _ClassVar[Role]

class TokenStatus(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    TOKEN_STATUS_UNSPECIFIED: _ClassVar[TokenStatus]
    TOKEN_STATUS_ACTIVE: _ClassVar[TokenStatus]
    TOKEN_STATUS_PENDING: _ClassVar[TokenStatus]
    TOKEN_STATUS_SUSPENDED: _ClassVar[TokenStatus]
    TOKEN_STATUS_EXPIRED: _ClassVar[TokenStatus]
    TOKEN_STATUS_REVOKED: _ClassVar[TokenStatus]

class TokenType(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    TOKEN_TYPE_UNSPECIFIED: _ClassVar[TokenType]
    TOKEN_TYPE_STANDARD: _ClassVar[TokenType]
    TOKEN_TYPE_LONG_LIVED: _ClassVar[TokenType]
    TOKEN_TYPE_READ_ONLY: _ClassVar[TokenType]

class SecretState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SECRET_STATE_UNSPECIFIED: _ClassVar[SecretState]
    SECRET_STATE_PENDING: _ClassVar[SecretState]
    SECRET_STATE_CURRENT: _ClassVar[SecretState]
    SECRET_STATE_RETIRING: _ClassVar[SecretState]
    SECRET_STATE_RETIRED: _ClassVar[SecretState]
    SECRET_STATE_EXPIRED: _ClassVar[SecretState]

class Retirement(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    RETIREMENT_UNSPECIFIED: _ClassVar[Retirement]
    RETIREMENT_STILL_USED: _ClassVar[Retirement]
    RETIREMENT_NEW_UNUSED: _ClassVar[Retirement]
    RETIREMENT_SAFE: _ClassVar[Retirement]
    RETIREMENT_TOO_SOON: _ClassVar[Retirement]

class RevocationReason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    REVOCATION_REASON_UNSPECIFIED: _ClassVar[RevocationReason]
    REVOCATION_REASON_NO_LONGER_NEEDED: _ClassVar[RevocationReason]
    REVOCATION_REASON_ROTATED_AWAY: _ClassVar[RevocationReason]
    REVOCATION_REASON_LEAKED: _ClassVar[RevocationReason]
    REVOCATION_REASON_OWNER_LEFT: _ClassVar[RevocationReason]
    REVOCATION_REASON_POLICY: _ClassVar[RevocationReason]
    REVOCATION_REASON_POSSESSION: _ClassVar[RevocationReason]

class TokenOrder(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    TOKEN_ORDER_UNSPECIFIED: _ClassVar[TokenOrder]
    TOKEN_ORDER_NAME: _ClassVar[TokenOrder]
    TOKEN_ORDER_EXPIRY: _ClassVar[TokenOrder]
    TOKEN_ORDER_LAST_USE: _ClassVar[TokenOrder]
    TOKEN_ORDER_CREATED: _ClassVar[TokenOrder]
SCOPE_UNSPECIFIED: Scope
SCOPE_RO: Scope
SCOPE_RW: Scope
ROLE_UNSPECIFIED: Role
ROLE_RO: Role
ROLE_RW: Role
ROLE_ADMIN: Role
TOKEN_STATUS_UNSPECIFIED: TokenStatus
TOKEN_STATUS_ACTIVE: TokenStatus
TOKEN_STATUS_PENDING: TokenStatus
TOKEN_STATUS_SUSPENDED: TokenStatus
TOKEN_STATUS_EXPIRED: TokenStatus
TOKEN_STATUS_REVOKED: TokenStatus
TOKEN_TYPE_UNSPECIFIED: TokenType
TOKEN_TYPE_STANDARD: TokenType
TOKEN_TYPE_LONG_LIVED: TokenType
TOKEN_TYPE_READ_ONLY: TokenType
SECRET_STATE_UNSPECIFIED: SecretState
SECRET_STATE_PENDING: SecretState
SECRET_STATE_CURRENT: SecretState
SECRET_STATE_RETIRING: SecretState
SECRET_STATE_RETIRED: SecretState
SECRET_STATE_EXPIRED: SecretState
RETIREMENT_UNSPECIFIED: Retirement
RETIREMENT_STILL_USED: Retirement
RETIREMENT_NEW_UNUSED: Retirement
RETIREMENT_SAFE: Retirement
RETIREMENT_TOO_SOON: Retirement
REVOCATION_REASON_UNSPECIFIED: RevocationReason
REVOCATION_REASON_NO_LONGER_NEEDED: RevocationReason
REVOCATION_REASON_ROTATED_AWAY: RevocationReason
REVOCATION_REASON_LEAKED: RevocationReason
REVOCATION_REASON_OWNER_LEFT: RevocationReason
REVOCATION_REASON_POLICY: RevocationReason
REVOCATION_REASON_POSSESSION: RevocationReason
TOKEN_ORDER_UNSPECIFIED: TokenOrder
TOKEN_ORDER_NAME: TokenOrder
TOKEN_ORDER_EXPIRY: TokenOrder
TOKEN_ORDER_LAST_USE: TokenOrder
TOKEN_ORDER_CREATED: TokenOrder

class Whose(_message.Message):
    __slots__ = ("mine", "org", "account")
    MINE_FIELD_NUMBER: _ClassVar[int]
    ORG_FIELD_NUMBER: _ClassVar[int]
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    mine: Mine
    org: str
    account: str
    def __init__(self, mine: _Optional[_Union[Mine, _Mapping]] = ..., org: _Optional[str] = ..., account: _Optional[str] = ...) -> None: ...

class Mine(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Which(_message.Message):
    __slots__ = ("name", "id", "prefix")
    NAME_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    PREFIX_FIELD_NUMBER: _ClassVar[int]
    name: str
    id: str
    prefix: str
    def __init__(self, name: _Optional[str] = ..., id: _Optional[str] = ..., prefix: _Optional[str] = ...) -> None: ...

class All(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Orgs(_message.Message):
    __slots__ = ("all", "only")
    ALL_FIELD_NUMBER: _ClassVar[int]
    ONLY_FIELD_NUMBER: _ClassVar[int]
    all: All
    only: OrgSet
    def __init__(self, all: _Optional[_Union[All, _Mapping]] = ..., only: _Optional[_Union[OrgSet, _Mapping]] = ...) -> None: ...

class OrgSet(_message.Message):
    __slots__ = ("slugs",)
    SLUGS_FIELD_NUMBER: _ClassVar[int]
    slugs: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, slugs: _Optional[_Iterable[str]] = ...) -> None: ...

class Services(_message.Message):
    __slots__ = ("all", "only")
    ALL_FIELD_NUMBER: _ClassVar[int]
    ONLY_FIELD_NUMBER: _ClassVar[int]
    all: All
    only: ServiceSet
    def __init__(self, all: _Optional[_Union[All, _Mapping]] = ..., only: _Optional[_Union[ServiceSet, _Mapping]] = ...) -> None: ...

class ServiceSet(_message.Message):
    __slots__ = ("names",)
    NAMES_FIELD_NUMBER: _ClassVar[int]
    names: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, names: _Optional[_Iterable[str]] = ...) -> None: ...

class Networks(_message.Message):
    __slots__ = ("all", "only")
    ALL_FIELD_NUMBER: _ClassVar[int]
    ONLY_FIELD_NUMBER: _ClassVar[int]
    all: All
    only: NetworkSet
    def __init__(self, all: _Optional[_Union[All, _Mapping]] = ..., only: _Optional[_Union[NetworkSet, _Mapping]] = ...) -> None: ...

class NetworkSet(_message.Message):
    __slots__ = ("cidrs",)
    CIDRS_FIELD_NUMBER: _ClassVar[int]
    cidrs: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, cidrs: _Optional[_Iterable[str]] = ...) -> None: ...

class Grants(_message.Message):
    __slots__ = ("all", "only")
    ALL_FIELD_NUMBER: _ClassVar[int]
    ONLY_FIELD_NUMBER: _ClassVar[int]
    all: All
    only: GrantSet
    def __init__(self, all: _Optional[_Union[All, _Mapping]] = ..., only: _Optional[_Union[GrantSet, _Mapping]] = ...) -> None: ...

class GrantSet(_message.Message):
    __slots__ = ("grants",)
    GRANTS_FIELD_NUMBER: _ClassVar[int]
    grants: _containers.RepeatedCompositeFieldContainer[Grant]
    def __init__(self, grants: _Optional[_Iterable[_Union[Grant, _Mapping]]] = ...) -> None: ...

class Grant(_message.Message):
    __slots__ = ("resource_type", "resource_id", "actions")
    RESOURCE_TYPE_FIELD_NUMBER: _ClassVar[int]
    RESOURCE_ID_FIELD_NUMBER: _ClassVar[int]
    ACTIONS_FIELD_NUMBER: _ClassVar[int]
    resource_type: str
    resource_id: str
    actions: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, resource_type: _Optional[str] = ..., resource_id: _Optional[str] = ..., actions: _Optional[_Iterable[str]] = ...) -> None: ...

class Permission(_message.Message):
    __slots__ = ("action", "resource_type", "resource_id")
    ACTION_FIELD_NUMBER: _ClassVar[int]
    RESOURCE_TYPE_FIELD_NUMBER: _ClassVar[int]
    RESOURCE_ID_FIELD_NUMBER: _ClassVar[int]
    action: str
    resource_type: str
    resource_id: str
    def __init__(self, action: _Optional[str] = ..., resource_type: _Optional[str] = ..., resource_id: _Optional[str] = ...) -> None: ...

class Never(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ExpiryChoice(_message.Message):
    __slots__ = ("lifetime", "at", "never")
    LIFETIME_FIELD_NUMBER: _ClassVar[int]
    AT_FIELD_NUMBER: _ClassVar[int]
    NEVER_FIELD_NUMBER: _ClassVar[int]
    lifetime: _duration_pb2.Duration
    at: _timestamp_pb2.Timestamp
    never: Never
    def __init__(self, lifetime: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., never: _Optional[_Union[Never, _Mapping]] = ...) -> None: ...

class Expiry(_message.Message):
    __slots__ = ("at", "never")
    AT_FIELD_NUMBER: _ClassVar[int]
    NEVER_FIELD_NUMBER: _ClassVar[int]
    at: _timestamp_pb2.Timestamp
    never: Never
    def __init__(self, at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., never: _Optional[_Union[Never, _Mapping]] = ...) -> None: ...

class Token(_message.Message):
    __slots__ = ("id", "name", "prefix", "scope", "grants", "orgs", "type", "status", "created_at", "expiry", "revoked_at", "last_use", "description", "services", "networks", "owner", "lifetime", "self_rotating_until", "suspensions", "secrets", "rotation", "revocation", "used_from", "policy_warnings")
    ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    PREFIX_FIELD_NUMBER: _ClassVar[int]
    SCOPE_FIELD_NUMBER: _ClassVar[int]
    GRANTS_FIELD_NUMBER: _ClassVar[int]
    ORGS_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    EXPIRY_FIELD_NUMBER: _ClassVar[int]
    REVOKED_AT_FIELD_NUMBER: _ClassVar[int]
    LAST_USE_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    SERVICES_FIELD_NUMBER: _ClassVar[int]
    NETWORKS_FIELD_NUMBER: _ClassVar[int]
    OWNER_FIELD_NUMBER: _ClassVar[int]
    LIFETIME_FIELD_NUMBER: _ClassVar[int]
    SELF_ROTATING_UNTIL_FIELD_NUMBER: _ClassVar[int]
    SUSPENSIONS_FIELD_NUMBER: _ClassVar[int]
    SECRETS_FIELD_NUMBER: _ClassVar[int]
    ROTATION_FIELD_NUMBER: _ClassVar[int]
    REVOCATION_FIELD_NUMBER: _ClassVar[int]
    USED_FROM_FIELD_NUMBER: _ClassVar[int]
    POLICY_WARNINGS_FIELD_NUMBER: _ClassVar[int]
    id: str
    name: str
    prefix: str
    scope: Scope
    grants: Grants
    orgs: Orgs
    type: TokenType
    status: TokenStatus
    created_at: _timestamp_pb2.Timestamp
    expiry: Expiry
    revoked_at: _timestamp_pb2.Timestamp
    last_use: LastUse
    description: str
    services: Services
    networks: Networks
    owner: Owner
    lifetime: Lifetime
    self_rotating_until: _timestamp_pb2.Timestamp
    suspensions: _containers.RepeatedCompositeFieldContainer[Suspension]
    secrets: _containers.RepeatedCompositeFieldContainer[TokenSecret]
    rotation: Rotation
    revocation: Revocation
    used_from: _containers.RepeatedCompositeFieldContainer[UsedFrom]
    policy_warnings: _containers.RepeatedCompositeFieldContainer[PolicyWarning]
    def __init__(self, id: _Optional[str] = ..., name: _Optional[str] = ..., prefix: _Optional[str] = ..., scope: _Optional[_Union[Scope, str]] = ..., grants: _Optional[_Union[Grants, _Mapping]] = ..., orgs: _Optional[_Union[Orgs, _Mapping]] = ..., type: _Optional[_Union[TokenType, str]] = ..., status: _Optional[_Union[TokenStatus, str]] = ..., created_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., expiry: _Optional[_Union[Expiry, _Mapping]] = ..., revoked_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., last_use: _Optional[_Union[LastUse, _Mapping]] = ..., description: _Optional[str] = ..., services: _Optional[_Union[Services, _Mapping]] = ..., networks: _Optional[_Union[Networks, _Mapping]] = ..., owner: _Optional[_Union[Owner, _Mapping]] = ..., lifetime: _Optional[_Union[Lifetime, _Mapping]] = ..., self_rotating_until: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., suspensions: _Optional[_Iterable[_Union[Suspension, _Mapping]]] = ..., secrets: _Optional[_Iterable[_Union[TokenSecret, _Mapping]]] = ..., rotation: _Optional[_Union[Rotation, _Mapping]] = ..., revocation: _Optional[_Union[Revocation, _Mapping]] = ..., used_from: _Optional[_Iterable[_Union[UsedFrom, _Mapping]]] = ..., policy_warnings: _Optional[_Iterable[_Union[PolicyWarning, _Mapping]]] = ...) -> None: ...

class PolicyWarning(_message.Message):
    __slots__ = ("org", "takes_hold_at", "reason", "message")
    ORG_FIELD_NUMBER: _ClassVar[int]
    TAKES_HOLD_AT_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    org: str
    takes_hold_at: _timestamp_pb2.Timestamp
    reason: _reason_pb2.Reason
    message: str
    def __init__(self, org: _Optional[str] = ..., takes_hold_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., reason: _Optional[_Union[_reason_pb2.Reason, str]] = ..., message: _Optional[str] = ...) -> None: ...

class Suspension(_message.Message):
    __slots__ = ("owner", "operator", "org", "since")
    OWNER_FIELD_NUMBER: _ClassVar[int]
    OPERATOR_FIELD_NUMBER: _ClassVar[int]
    ORG_FIELD_NUMBER: _ClassVar[int]
    SINCE_FIELD_NUMBER: _ClassVar[int]
    owner: All
    operator: All
    org: str
    since: _timestamp_pb2.Timestamp
    def __init__(self, owner: _Optional[_Union[All, _Mapping]] = ..., operator: _Optional[_Union[All, _Mapping]] = ..., org: _Optional[str] = ..., since: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class TokenSecret(_message.Message):
    __slots__ = ("prefix", "state", "minted_at", "ends_at", "last_use", "reused_at")
    PREFIX_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    MINTED_AT_FIELD_NUMBER: _ClassVar[int]
    ENDS_AT_FIELD_NUMBER: _ClassVar[int]
    LAST_USE_FIELD_NUMBER: _ClassVar[int]
    REUSED_AT_FIELD_NUMBER: _ClassVar[int]
    prefix: str
    state: SecretState
    minted_at: _timestamp_pb2.Timestamp
    ends_at: Expiry
    last_use: LastUse
    reused_at: _timestamp_pb2.Timestamp
    def __init__(self, prefix: _Optional[str] = ..., state: _Optional[_Union[SecretState, str]] = ..., minted_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., ends_at: _Optional[_Union[Expiry, _Mapping]] = ..., last_use: _Optional[_Union[LastUse, _Mapping]] = ..., reused_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class Rotation(_message.Message):
    __slots__ = ("pending_until", "overlap")
    PENDING_UNTIL_FIELD_NUMBER: _ClassVar[int]
    OVERLAP_FIELD_NUMBER: _ClassVar[int]
    pending_until: _timestamp_pb2.Timestamp
    overlap: Overlap
    def __init__(self, pending_until: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., overlap: _Optional[_Union[Overlap, _Mapping]] = ...) -> None: ...

class Overlap(_message.Message):
    __slots__ = ("prefix", "until", "retirement", "last_use")
    PREFIX_FIELD_NUMBER: _ClassVar[int]
    UNTIL_FIELD_NUMBER: _ClassVar[int]
    RETIREMENT_FIELD_NUMBER: _ClassVar[int]
    LAST_USE_FIELD_NUMBER: _ClassVar[int]
    prefix: str
    until: _timestamp_pb2.Timestamp
    retirement: Retirement
    last_use: LastUse
    def __init__(self, prefix: _Optional[str] = ..., until: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., retirement: _Optional[_Union[Retirement, str]] = ..., last_use: _Optional[_Union[LastUse, _Mapping]] = ...) -> None: ...

class Revocation(_message.Message):
    __slots__ = ("by", "reason", "note")
    BY_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    by: str
    reason: RevocationReason
    note: str
    def __init__(self, by: _Optional[str] = ..., reason: _Optional[_Union[RevocationReason, str]] = ..., note: _Optional[str] = ...) -> None: ...

class UsedFrom(_message.Message):
    __slots__ = ("address", "client", "first_at", "last_at", "reads", "writes")
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    CLIENT_FIELD_NUMBER: _ClassVar[int]
    FIRST_AT_FIELD_NUMBER: _ClassVar[int]
    LAST_AT_FIELD_NUMBER: _ClassVar[int]
    READS_FIELD_NUMBER: _ClassVar[int]
    WRITES_FIELD_NUMBER: _ClassVar[int]
    address: str
    client: str
    first_at: _timestamp_pb2.Timestamp
    last_at: _timestamp_pb2.Timestamp
    reads: int
    writes: int
    def __init__(self, address: _Optional[str] = ..., client: _Optional[str] = ..., first_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., last_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., reads: _Optional[int] = ..., writes: _Optional[int] = ...) -> None: ...

class Owner(_message.Message):
    __slots__ = ("account", "org")
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    ORG_FIELD_NUMBER: _ClassVar[int]
    account: OwnerAccount
    org: OwnerOrg
    def __init__(self, account: _Optional[_Union[OwnerAccount, _Mapping]] = ..., org: _Optional[_Union[OwnerOrg, _Mapping]] = ...) -> None: ...

class OwnerAccount(_message.Message):
    __slots__ = ("id", "handle")
    ID_FIELD_NUMBER: _ClassVar[int]
    HANDLE_FIELD_NUMBER: _ClassVar[int]
    id: str
    handle: str
    def __init__(self, id: _Optional[str] = ..., handle: _Optional[str] = ...) -> None: ...

class OwnerOrg(_message.Message):
    __slots__ = ("id", "slug")
    ID_FIELD_NUMBER: _ClassVar[int]
    SLUG_FIELD_NUMBER: _ClassVar[int]
    id: str
    slug: str
    def __init__(self, id: _Optional[str] = ..., slug: _Optional[str] = ...) -> None: ...

class Effective(_message.Message):
    __slots__ = ("org_id", "org_slug", "access", "role", "grants")
    ORG_ID_FIELD_NUMBER: _ClassVar[int]
    ORG_SLUG_FIELD_NUMBER: _ClassVar[int]
    ACCESS_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    GRANTS_FIELD_NUMBER: _ClassVar[int]
    org_id: str
    org_slug: str
    access: Scope
    role: Role
    grants: Grants
    def __init__(self, org_id: _Optional[str] = ..., org_slug: _Optional[str] = ..., access: _Optional[_Union[Scope, str]] = ..., role: _Optional[_Union[Role, str]] = ..., grants: _Optional[_Union[Grants, _Mapping]] = ...) -> None: ...

class Refused(_message.Message):
    __slots__ = ("reason", "factor", "message", "hint", "since", "missing_permissions", "missing_scope", "missing_role", "who_can_change_it")
    REASON_FIELD_NUMBER: _ClassVar[int]
    FACTOR_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    HINT_FIELD_NUMBER: _ClassVar[int]
    SINCE_FIELD_NUMBER: _ClassVar[int]
    MISSING_PERMISSIONS_FIELD_NUMBER: _ClassVar[int]
    MISSING_SCOPE_FIELD_NUMBER: _ClassVar[int]
    MISSING_ROLE_FIELD_NUMBER: _ClassVar[int]
    WHO_CAN_CHANGE_IT_FIELD_NUMBER: _ClassVar[int]
    reason: _reason_pb2.Reason
    factor: _reason_pb2.Factor
    message: str
    hint: str
    since: _timestamp_pb2.Timestamp
    missing_permissions: _containers.RepeatedCompositeFieldContainer[Permission]
    missing_scope: Scope
    missing_role: Role
    who_can_change_it: _reason_pb2.Who
    def __init__(self, reason: _Optional[_Union[_reason_pb2.Reason, str]] = ..., factor: _Optional[_Union[_reason_pb2.Factor, str]] = ..., message: _Optional[str] = ..., hint: _Optional[str] = ..., since: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., missing_permissions: _Optional[_Iterable[_Union[Permission, _Mapping]]] = ..., missing_scope: _Optional[_Union[Scope, str]] = ..., missing_role: _Optional[_Union[Role, str]] = ..., who_can_change_it: _Optional[_Union[_reason_pb2.Who, str]] = ...) -> None: ...

class Lifetime(_message.Message):
    __slots__ = ("at_most", "never")
    AT_MOST_FIELD_NUMBER: _ClassVar[int]
    NEVER_FIELD_NUMBER: _ClassVar[int]
    at_most: _duration_pb2.Duration
    never: Never
    def __init__(self, at_most: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., never: _Optional[_Union[Never, _Mapping]] = ...) -> None: ...

class OrgPolicy(_message.Message):
    __slots__ = ("longest_lifetime", "personal_tokens", "networks", "login_within", "suspend_on_reuse", "require_grants", "no_all_org_tokens")
    LONGEST_LIFETIME_FIELD_NUMBER: _ClassVar[int]
    PERSONAL_TOKENS_FIELD_NUMBER: _ClassVar[int]
    NETWORKS_FIELD_NUMBER: _ClassVar[int]
    LOGIN_WITHIN_FIELD_NUMBER: _ClassVar[int]
    SUSPEND_ON_REUSE_FIELD_NUMBER: _ClassVar[int]
    REQUIRE_GRANTS_FIELD_NUMBER: _ClassVar[int]
    NO_ALL_ORG_TOKENS_FIELD_NUMBER: _ClassVar[int]
    longest_lifetime: Lifetime
    personal_tokens: bool
    networks: Networks
    login_within: Lifetime
    suspend_on_reuse: bool
    require_grants: bool
    no_all_org_tokens: bool
    def __init__(self, longest_lifetime: _Optional[_Union[Lifetime, _Mapping]] = ..., personal_tokens: _Optional[bool] = ..., networks: _Optional[_Union[Networks, _Mapping]] = ..., login_within: _Optional[_Union[Lifetime, _Mapping]] = ..., suspend_on_reuse: _Optional[bool] = ..., require_grants: _Optional[bool] = ..., no_all_org_tokens: _Optional[bool] = ...) -> None: ...

class LastUse(_message.Message):
    __slots__ = ("at", "address")
    AT_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    at: _timestamp_pb2.Timestamp
    address: str
    def __init__(self, at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., address: _Optional[str] = ...) -> None: ...

class Account(_message.Message):
    __slots__ = ("id", "handle", "email", "name", "operator")
    ID_FIELD_NUMBER: _ClassVar[int]
    HANDLE_FIELD_NUMBER: _ClassVar[int]
    EMAIL_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    OPERATOR_FIELD_NUMBER: _ClassVar[int]
    id: str
    handle: str
    email: str
    name: str
    operator: bool
    def __init__(self, id: _Optional[str] = ..., handle: _Optional[str] = ..., email: _Optional[str] = ..., name: _Optional[str] = ..., operator: _Optional[bool] = ...) -> None: ...

class Session(_message.Message):
    __slots__ = ("id", "prefix", "created_at", "expiry", "device", "address", "last_seen_at", "current", "browser")
    ID_FIELD_NUMBER: _ClassVar[int]
    PREFIX_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    EXPIRY_FIELD_NUMBER: _ClassVar[int]
    DEVICE_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    LAST_SEEN_AT_FIELD_NUMBER: _ClassVar[int]
    CURRENT_FIELD_NUMBER: _ClassVar[int]
    BROWSER_FIELD_NUMBER: _ClassVar[int]
    id: str
    prefix: str
    created_at: _timestamp_pb2.Timestamp
    expiry: Expiry
    device: str
    address: str
    last_seen_at: _timestamp_pb2.Timestamp
    current: bool
    browser: bool
    def __init__(self, id: _Optional[str] = ..., prefix: _Optional[str] = ..., created_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., expiry: _Optional[_Union[Expiry, _Mapping]] = ..., device: _Optional[str] = ..., address: _Optional[str] = ..., last_seen_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., current: _Optional[bool] = ..., browser: _Optional[bool] = ...) -> None: ...

class Service(_message.Message):
    __slots__ = ("id", "name", "orgs", "states_address")
    ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    ORGS_FIELD_NUMBER: _ClassVar[int]
    STATES_ADDRESS_FIELD_NUMBER: _ClassVar[int]
    id: str
    name: str
    orgs: Orgs
    states_address: bool
    def __init__(self, id: _Optional[str] = ..., name: _Optional[str] = ..., orgs: _Optional[_Union[Orgs, _Mapping]] = ..., states_address: _Optional[bool] = ...) -> None: ...

class Membership(_message.Message):
    __slots__ = ("org_id", "slug", "name", "role")
    ORG_ID_FIELD_NUMBER: _ClassVar[int]
    SLUG_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    org_id: str
    slug: str
    name: str
    role: Role
    def __init__(self, org_id: _Optional[str] = ..., slug: _Optional[str] = ..., name: _Optional[str] = ..., role: _Optional[_Union[Role, str]] = ...) -> None: ...

class ResourceType(_message.Message):
    __slots__ = ("name", "description", "own", "actions")
    NAME_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    OWN_FIELD_NUMBER: _ClassVar[int]
    ACTIONS_FIELD_NUMBER: _ClassVar[int]
    name: str
    description: str
    own: bool
    actions: _containers.RepeatedCompositeFieldContainer[Action]
    def __init__(self, name: _Optional[str] = ..., description: _Optional[str] = ..., own: _Optional[bool] = ..., actions: _Optional[_Iterable[_Union[Action, _Mapping]]] = ...) -> None: ...

class Action(_message.Message):
    __slots__ = ("name", "description", "least_role", "formerly")
    NAME_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    LEAST_ROLE_FIELD_NUMBER: _ClassVar[int]
    FORMERLY_FIELD_NUMBER: _ClassVar[int]
    name: str
    description: str
    least_role: Role
    formerly: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, name: _Optional[str] = ..., description: _Optional[str] = ..., least_role: _Optional[_Union[Role, str]] = ..., formerly: _Optional[_Iterable[str]] = ...) -> None: ...

class IdsOrAll(_message.Message):
    __slots__ = ("all", "only")
    ALL_FIELD_NUMBER: _ClassVar[int]
    ONLY_FIELD_NUMBER: _ClassVar[int]
    all: All
    only: IdSet
    def __init__(self, all: _Optional[_Union[All, _Mapping]] = ..., only: _Optional[_Union[IdSet, _Mapping]] = ...) -> None: ...

class IdSet(_message.Message):
    __slots__ = ("ids",)
    IDS_FIELD_NUMBER: _ClassVar[int]
    ids: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, ids: _Optional[_Iterable[str]] = ...) -> None: ...
