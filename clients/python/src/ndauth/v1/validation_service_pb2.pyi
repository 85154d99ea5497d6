import datetime

from google.api import annotations_pb2 as _annotations_pb2
from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from ndauth.v1 import types_pb2 as _types_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Access(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ACCESS_UNSPECIFIED: _ClassVar[Access]
    ACCESS_RO: _ClassVar[Access]
    ACCESS_RW: _ClassVar[Access]
    ACCESS_IDENTITY: _ClassVar[Access]
ACCESS_UNSPECIFIED: Access
ACCESS_RO: Access
ACCESS_RW: Access
ACCESS_IDENTITY: Access

class ValidateTokenRequest(_message.Message):
    __slots__ = ("secret", "org", "required_access", "required_permission", "client_address", "client")
    SECRET_FIELD_NUMBER: _ClassVar[int]
    ORG_FIELD_NUMBER: _ClassVar[int]
    REQUIRED_ACCESS_FIELD_NUMBER: _ClassVar[int]
    REQUIRED_PERMISSION_FIELD_NUMBER: _ClassVar[int]
    CLIENT_ADDRESS_FIELD_NUMBER: _ClassVar[int]
    CLIENT_FIELD_NUMBER: _ClassVar[int]
    secret: str
    org: str
    required_access: Access
    required_permission: _types_pb2.Permission
    client_address: str
    client: str
    def __init__(self, secret: _Optional[str] = ..., org: _Optional[str] = ..., required_access: _Optional[_Union[Access, str]] = ..., required_permission: _Optional[_Union[_types_pb2.Permission, _Mapping]] = ..., client_address: _Optional[str] = ..., client: _Optional[str] = ...) -> None: ...

class ValidateTokenResponse(_message.Message):
    __slots__ = ("allowed", "refused", "sequence", "evaluated_at", "max_cache_age", "stale")
    ALLOWED_FIELD_NUMBER: _ClassVar[int]
    REFUSED_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    EVALUATED_AT_FIELD_NUMBER: _ClassVar[int]
    MAX_CACHE_AGE_FIELD_NUMBER: _ClassVar[int]
    STALE_FIELD_NUMBER: _ClassVar[int]
    allowed: Allowed
    refused: _types_pb2.Refused
    sequence: int
    evaluated_at: _timestamp_pb2.Timestamp
    max_cache_age: _duration_pb2.Duration
    stale: bool
    def __init__(self, allowed: _Optional[_Union[Allowed, _Mapping]] = ..., refused: _Optional[_Union[_types_pb2.Refused, _Mapping]] = ..., sequence: _Optional[int] = ..., evaluated_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., max_cache_age: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., stale: _Optional[bool] = ...) -> None: ...

class Allowed(_message.Message):
    __slots__ = ("token_id", "token_name", "owner", "expiry", "effective")
    TOKEN_ID_FIELD_NUMBER: _ClassVar[int]
    TOKEN_NAME_FIELD_NUMBER: _ClassVar[int]
    OWNER_FIELD_NUMBER: _ClassVar[int]
    EXPIRY_FIELD_NUMBER: _ClassVar[int]
    EFFECTIVE_FIELD_NUMBER: _ClassVar[int]
    token_id: str
    token_name: str
    owner: _types_pb2.Owner
    expiry: _types_pb2.Expiry
    effective: _types_pb2.Effective
    def __init__(self, token_id: _Optional[str] = ..., token_name: _Optional[str] = ..., owner: _Optional[_Union[_types_pb2.Owner, _Mapping]] = ..., expiry: _Optional[_Union[_types_pb2.Expiry, _Mapping]] = ..., effective: _Optional[_Union[_types_pb2.Effective, _Mapping]] = ...) -> None: ...

class ValidateTokensRequest(_message.Message):
    __slots__ = ("questions",)
    QUESTIONS_FIELD_NUMBER: _ClassVar[int]
    questions: _containers.RepeatedCompositeFieldContainer[ValidateTokenRequest]
    def __init__(self, questions: _Optional[_Iterable[_Union[ValidateTokenRequest, _Mapping]]] = ...) -> None: ...

class ValidateTokensResponse(_message.Message):
    __slots__ = ("answers", "sequence", "evaluated_at", "stale")
    ANSWERS_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    EVALUATED_AT_FIELD_NUMBER: _ClassVar[int]
    STALE_FIELD_NUMBER: _ClassVar[int]
    answers: _containers.RepeatedCompositeFieldContainer[ValidatedToken]
    sequence: int
    evaluated_at: _timestamp_pb2.Timestamp
    stale: bool
    def __init__(self, answers: _Optional[_Iterable[_Union[ValidatedToken, _Mapping]]] = ..., sequence: _Optional[int] = ..., evaluated_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., stale: _Optional[bool] = ...) -> None: ...

class ValidatedToken(_message.Message):
    __slots__ = ("allowed", "refused", "invalid", "undecided", "max_cache_age")
    ALLOWED_FIELD_NUMBER: _ClassVar[int]
    REFUSED_FIELD_NUMBER: _ClassVar[int]
    INVALID_FIELD_NUMBER: _ClassVar[int]
    UNDECIDED_FIELD_NUMBER: _ClassVar[int]
    MAX_CACHE_AGE_FIELD_NUMBER: _ClassVar[int]
    allowed: Allowed
    refused: _types_pb2.Refused
    invalid: InvalidQuestion
    undecided: Undecided
    max_cache_age: _duration_pb2.Duration
    def __init__(self, allowed: _Optional[_Union[Allowed, _Mapping]] = ..., refused: _Optional[_Union[_types_pb2.Refused, _Mapping]] = ..., invalid: _Optional[_Union[InvalidQuestion, _Mapping]] = ..., undecided: _Optional[_Union[Undecided, _Mapping]] = ..., max_cache_age: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class Undecided(_message.Message):
    __slots__ = ("message",)
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    message: str
    def __init__(self, message: _Optional[str] = ...) -> None: ...

class InvalidQuestion(_message.Message):
    __slots__ = ("field", "message")
    FIELD_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    field: str
    message: str
    def __init__(self, field: _Optional[str] = ..., message: _Optional[str] = ...) -> None: ...

class ResolveRequest(_message.Message):
    __slots__ = ("question", "at_least_sequence")
    QUESTION_FIELD_NUMBER: _ClassVar[int]
    AT_LEAST_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    question: ValidateTokenRequest
    at_least_sequence: int
    def __init__(self, question: _Optional[_Union[ValidateTokenRequest, _Mapping]] = ..., at_least_sequence: _Optional[int] = ...) -> None: ...

class ResolveResponse(_message.Message):
    __slots__ = ("verdict", "inputs", "instance")
    VERDICT_FIELD_NUMBER: _ClassVar[int]
    INPUTS_FIELD_NUMBER: _ClassVar[int]
    INSTANCE_FIELD_NUMBER: _ClassVar[int]
    verdict: ValidateTokenResponse
    inputs: Inputs
    instance: int
    def __init__(self, verdict: _Optional[_Union[ValidateTokenResponse, _Mapping]] = ..., inputs: _Optional[_Union[Inputs, _Mapping]] = ..., instance: _Optional[int] = ...) -> None: ...

class Inputs(_message.Message):
    __slots__ = ("decision_version", "rules_version", "token", "secret", "account", "org", "places")
    DECISION_VERSION_FIELD_NUMBER: _ClassVar[int]
    RULES_VERSION_FIELD_NUMBER: _ClassVar[int]
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    SECRET_FIELD_NUMBER: _ClassVar[int]
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    ORG_FIELD_NUMBER: _ClassVar[int]
    PLACES_FIELD_NUMBER: _ClassVar[int]
    decision_version: int
    rules_version: bytes
    token: InputToken
    secret: InputSecret
    account: InputAccount
    org: InputOrg
    places: _containers.RepeatedCompositeFieldContainer[InputPlace]
    def __init__(self, decision_version: _Optional[int] = ..., rules_version: _Optional[bytes] = ..., token: _Optional[_Union[InputToken, _Mapping]] = ..., secret: _Optional[_Union[InputSecret, _Mapping]] = ..., account: _Optional[_Union[InputAccount, _Mapping]] = ..., org: _Optional[_Union[InputOrg, _Mapping]] = ..., places: _Optional[_Iterable[_Union[InputPlace, _Mapping]]] = ...) -> None: ...

class InputToken(_message.Message):
    __slots__ = ("id", "name", "scope", "grants", "orgs", "services", "networks", "created_at", "lifetime", "expiry", "suspensions")
    ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    SCOPE_FIELD_NUMBER: _ClassVar[int]
    GRANTS_FIELD_NUMBER: _ClassVar[int]
    ORGS_FIELD_NUMBER: _ClassVar[int]
    SERVICES_FIELD_NUMBER: _ClassVar[int]
    NETWORKS_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    LIFETIME_FIELD_NUMBER: _ClassVar[int]
    EXPIRY_FIELD_NUMBER: _ClassVar[int]
    SUSPENSIONS_FIELD_NUMBER: _ClassVar[int]
    id: str
    name: str
    scope: _types_pb2.Scope
    grants: _types_pb2.Grants
    orgs: _types_pb2.IdsOrAll
    services: _types_pb2.IdsOrAll
    networks: _types_pb2.Networks
    created_at: _timestamp_pb2.Timestamp
    lifetime: _types_pb2.Lifetime
    expiry: _types_pb2.Expiry
    suspensions: _containers.RepeatedCompositeFieldContainer[InputSuspension]
    def __init__(self, id: _Optional[str] = ..., name: _Optional[str] = ..., scope: _Optional[_Union[_types_pb2.Scope, str]] = ..., grants: _Optional[_Union[_types_pb2.Grants, _Mapping]] = ..., orgs: _Optional[_Union[_types_pb2.IdsOrAll, _Mapping]] = ..., services: _Optional[_Union[_types_pb2.IdsOrAll, _Mapping]] = ..., networks: _Optional[_Union[_types_pb2.Networks, _Mapping]] = ..., created_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., lifetime: _Optional[_Union[_types_pb2.Lifetime, _Mapping]] = ..., expiry: _Optional[_Union[_types_pb2.Expiry, _Mapping]] = ..., suspensions: _Optional[_Iterable[_Union[InputSuspension, _Mapping]]] = ...) -> None: ...

class InputSuspension(_message.Message):
    __slots__ = ("owner", "operator", "org_id", "since")
    OWNER_FIELD_NUMBER: _ClassVar[int]
    OPERATOR_FIELD_NUMBER: _ClassVar[int]
    ORG_ID_FIELD_NUMBER: _ClassVar[int]
    SINCE_FIELD_NUMBER: _ClassVar[int]
    owner: _types_pb2.All
    operator: _types_pb2.All
    org_id: str
    since: _timestamp_pb2.Timestamp
    def __init__(self, owner: _Optional[_Union[_types_pb2.All, _Mapping]] = ..., operator: _Optional[_Union[_types_pb2.All, _Mapping]] = ..., org_id: _Optional[str] = ..., since: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class InputSecret(_message.Message):
    __slots__ = ("id", "prefix", "minted_at", "confirmed_at", "ends_at", "authorized_at")
    ID_FIELD_NUMBER: _ClassVar[int]
    PREFIX_FIELD_NUMBER: _ClassVar[int]
    MINTED_AT_FIELD_NUMBER: _ClassVar[int]
    CONFIRMED_AT_FIELD_NUMBER: _ClassVar[int]
    ENDS_AT_FIELD_NUMBER: _ClassVar[int]
    AUTHORIZED_AT_FIELD_NUMBER: _ClassVar[int]
    id: str
    prefix: str
    minted_at: _timestamp_pb2.Timestamp
    confirmed_at: _timestamp_pb2.Timestamp
    ends_at: _types_pb2.Expiry
    authorized_at: _timestamp_pb2.Timestamp
    def __init__(self, id: _Optional[str] = ..., prefix: _Optional[str] = ..., minted_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., confirmed_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., ends_at: _Optional[_Union[_types_pb2.Expiry, _Mapping]] = ..., authorized_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class InputAccount(_message.Message):
    __slots__ = ("id", "handle", "last_login_at", "not_before", "disabled_at")
    ID_FIELD_NUMBER: _ClassVar[int]
    HANDLE_FIELD_NUMBER: _ClassVar[int]
    LAST_LOGIN_AT_FIELD_NUMBER: _ClassVar[int]
    NOT_BEFORE_FIELD_NUMBER: _ClassVar[int]
    DISABLED_AT_FIELD_NUMBER: _ClassVar[int]
    id: str
    handle: str
    last_login_at: _timestamp_pb2.Timestamp
    not_before: _timestamp_pb2.Timestamp
    disabled_at: _timestamp_pb2.Timestamp
    def __init__(self, id: _Optional[str] = ..., handle: _Optional[str] = ..., last_login_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., not_before: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., disabled_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class InputOrg(_message.Message):
    __slots__ = ("id", "slug", "created_at", "deleted_at", "not_before", "frozen_at")
    ID_FIELD_NUMBER: _ClassVar[int]
    SLUG_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    DELETED_AT_FIELD_NUMBER: _ClassVar[int]
    NOT_BEFORE_FIELD_NUMBER: _ClassVar[int]
    FROZEN_AT_FIELD_NUMBER: _ClassVar[int]
    id: str
    slug: str
    created_at: _timestamp_pb2.Timestamp
    deleted_at: _timestamp_pb2.Timestamp
    not_before: _timestamp_pb2.Timestamp
    frozen_at: _timestamp_pb2.Timestamp
    def __init__(self, id: _Optional[str] = ..., slug: _Optional[str] = ..., created_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., deleted_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., not_before: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., frozen_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class InputPlace(_message.Message):
    __slots__ = ("slug", "org", "role", "policies")
    SLUG_FIELD_NUMBER: _ClassVar[int]
    ORG_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    POLICIES_FIELD_NUMBER: _ClassVar[int]
    slug: str
    org: InputOrg
    role: _types_pb2.Role
    policies: _containers.RepeatedCompositeFieldContainer[InputPolicy]
    def __init__(self, slug: _Optional[str] = ..., org: _Optional[_Union[InputOrg, _Mapping]] = ..., role: _Optional[_Union[_types_pb2.Role, str]] = ..., policies: _Optional[_Iterable[_Union[InputPolicy, _Mapping]]] = ...) -> None: ...

class InputPolicy(_message.Message):
    __slots__ = ("set_at", "takes_hold_at", "policy")
    SET_AT_FIELD_NUMBER: _ClassVar[int]
    TAKES_HOLD_AT_FIELD_NUMBER: _ClassVar[int]
    POLICY_FIELD_NUMBER: _ClassVar[int]
    set_at: _timestamp_pb2.Timestamp
    takes_hold_at: _timestamp_pb2.Timestamp
    policy: _types_pb2.OrgPolicy
    def __init__(self, set_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., takes_hold_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., policy: _Optional[_Union[_types_pb2.OrgPolicy, _Mapping]] = ...) -> None: ...
