import datetime

from google.api import annotations_pb2 as _annotations_pb2
from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from ndauth.v1 import org_service_pb2 as _org_service_pb2
from ndauth.v1 import types_pb2 as _types_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class DatabaseEngine(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DATABASE_ENGINE_UNSPECIFIED: _ClassVar[DatabaseEngine]
    DATABASE_ENGINE_SQLITE: _ClassVar[DatabaseEngine]
    DATABASE_ENGINE_POSTGRESQL: _ClassVar[DatabaseEngine]
DATABASE_ENGINE_UNSPECIFIED: DatabaseEngine
DATABASE_ENGINE_SQLITE: DatabaseEngine
DATABASE_ENGINE_POSTGRESQL: DatabaseEngine

class ManagedAccount(_message.Message):
    __slots__ = ("account", "created_at", "last_login_at", "disabled_at", "unused")
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    LAST_LOGIN_AT_FIELD_NUMBER: _ClassVar[int]
    DISABLED_AT_FIELD_NUMBER: _ClassVar[int]
    UNUSED_FIELD_NUMBER: _ClassVar[int]
    account: _types_pb2.Account
    created_at: _timestamp_pb2.Timestamp
    last_login_at: _timestamp_pb2.Timestamp
    disabled_at: _timestamp_pb2.Timestamp
    unused: bool
    def __init__(self, account: _Optional[_Union[_types_pb2.Account, _Mapping]] = ..., created_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., last_login_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., disabled_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., unused: _Optional[bool] = ...) -> None: ...

class ManagedOrg(_message.Message):
    __slots__ = ("org", "deleted_at")
    ORG_FIELD_NUMBER: _ClassVar[int]
    DELETED_AT_FIELD_NUMBER: _ClassVar[int]
    org: _org_service_pb2.Org
    deleted_at: _timestamp_pb2.Timestamp
    def __init__(self, org: _Optional[_Union[_org_service_pb2.Org, _Mapping]] = ..., deleted_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class ManagedService(_message.Message):
    __slots__ = ("service", "created_at", "revoked_at", "secrets")
    SERVICE_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    REVOKED_AT_FIELD_NUMBER: _ClassVar[int]
    SECRETS_FIELD_NUMBER: _ClassVar[int]
    service: _types_pb2.Service
    created_at: _timestamp_pb2.Timestamp
    revoked_at: _timestamp_pb2.Timestamp
    secrets: _containers.RepeatedCompositeFieldContainer[ServiceSecret]
    def __init__(self, service: _Optional[_Union[_types_pb2.Service, _Mapping]] = ..., created_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., revoked_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., secrets: _Optional[_Iterable[_Union[ServiceSecret, _Mapping]]] = ...) -> None: ...

class ServiceSecret(_message.Message):
    __slots__ = ("prefix", "state", "minted_at", "ends_at")
    PREFIX_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    MINTED_AT_FIELD_NUMBER: _ClassVar[int]
    ENDS_AT_FIELD_NUMBER: _ClassVar[int]
    prefix: str
    state: _types_pb2.SecretState
    minted_at: _timestamp_pb2.Timestamp
    ends_at: _types_pb2.Expiry
    def __init__(self, prefix: _Optional[str] = ..., state: _Optional[_Union[_types_pb2.SecretState, str]] = ..., minted_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., ends_at: _Optional[_Union[_types_pb2.Expiry, _Mapping]] = ...) -> None: ...

class CreateAccountRequest(_message.Message):
    __slots__ = ("handle", "email", "name")
    HANDLE_FIELD_NUMBER: _ClassVar[int]
    EMAIL_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    handle: str
    email: str
    name: str
    def __init__(self, handle: _Optional[str] = ..., email: _Optional[str] = ..., name: _Optional[str] = ...) -> None: ...

class CreateAccountResponse(_message.Message):
    __slots__ = ("account", "changed", "sequence", "evaluated_at")
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    CHANGED_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    EVALUATED_AT_FIELD_NUMBER: _ClassVar[int]
    account: ManagedAccount
    changed: bool
    sequence: int
    evaluated_at: _timestamp_pb2.Timestamp
    def __init__(self, account: _Optional[_Union[ManagedAccount, _Mapping]] = ..., changed: _Optional[bool] = ..., sequence: _Optional[int] = ..., evaluated_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class ListAccountsRequest(_message.Message):
    __slots__ = ("begins_with", "page_size", "page_token")
    BEGINS_WITH_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    begins_with: str
    page_size: int
    page_token: str
    def __init__(self, begins_with: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListAccountsResponse(_message.Message):
    __slots__ = ("accounts", "next_page_token", "evaluated_at")
    ACCOUNTS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    EVALUATED_AT_FIELD_NUMBER: _ClassVar[int]
    accounts: _containers.RepeatedCompositeFieldContainer[ManagedAccount]
    next_page_token: str
    evaluated_at: _timestamp_pb2.Timestamp
    def __init__(self, accounts: _Optional[_Iterable[_Union[ManagedAccount, _Mapping]]] = ..., next_page_token: _Optional[str] = ..., evaluated_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class GetAccountRequest(_message.Message):
    __slots__ = ("handle",)
    HANDLE_FIELD_NUMBER: _ClassVar[int]
    handle: str
    def __init__(self, handle: _Optional[str] = ...) -> None: ...

class GetAccountResponse(_message.Message):
    __slots__ = ("account", "memberships", "tokens", "sessions", "evaluated_at")
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    MEMBERSHIPS_FIELD_NUMBER: _ClassVar[int]
    TOKENS_FIELD_NUMBER: _ClassVar[int]
    SESSIONS_FIELD_NUMBER: _ClassVar[int]
    EVALUATED_AT_FIELD_NUMBER: _ClassVar[int]
    account: ManagedAccount
    memberships: _containers.RepeatedCompositeFieldContainer[_types_pb2.Membership]
    tokens: int
    sessions: int
    evaluated_at: _timestamp_pb2.Timestamp
    def __init__(self, account: _Optional[_Union[ManagedAccount, _Mapping]] = ..., memberships: _Optional[_Iterable[_Union[_types_pb2.Membership, _Mapping]]] = ..., tokens: _Optional[int] = ..., sessions: _Optional[int] = ..., evaluated_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class InviteAccountRequest(_message.Message):
    __slots__ = ("handle",)
    HANDLE_FIELD_NUMBER: _ClassVar[int]
    handle: str
    def __init__(self, handle: _Optional[str] = ...) -> None: ...

class InviteAccountResponse(_message.Message):
    __slots__ = ("link", "ends_at", "changed", "sequence", "evaluated_at")
    LINK_FIELD_NUMBER: _ClassVar[int]
    ENDS_AT_FIELD_NUMBER: _ClassVar[int]
    CHANGED_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    EVALUATED_AT_FIELD_NUMBER: _ClassVar[int]
    link: str
    ends_at: _timestamp_pb2.Timestamp
    changed: bool
    sequence: int
    evaluated_at: _timestamp_pb2.Timestamp
    def __init__(self, link: _Optional[str] = ..., ends_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., changed: _Optional[bool] = ..., sequence: _Optional[int] = ..., evaluated_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class DisableAccountRequest(_message.Message):
    __slots__ = ("handle",)
    HANDLE_FIELD_NUMBER: _ClassVar[int]
    handle: str
    def __init__(self, handle: _Optional[str] = ...) -> None: ...

class DisableAccountResponse(_message.Message):
    __slots__ = ("changed", "sequence", "evaluated_at")
    CHANGED_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    EVALUATED_AT_FIELD_NUMBER: _ClassVar[int]
    changed: bool
    sequence: int
    evaluated_at: _timestamp_pb2.Timestamp
    def __init__(self, changed: _Optional[bool] = ..., sequence: _Optional[int] = ..., evaluated_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class EnableAccountRequest(_message.Message):
    __slots__ = ("handle",)
    HANDLE_FIELD_NUMBER: _ClassVar[int]
    handle: str
    def __init__(self, handle: _Optional[str] = ...) -> None: ...

class EnableAccountResponse(_message.Message):
    __slots__ = ("changed", "sequence", "evaluated_at")
    CHANGED_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    EVALUATED_AT_FIELD_NUMBER: _ClassVar[int]
    changed: bool
    sequence: int
    evaluated_at: _timestamp_pb2.Timestamp
    def __init__(self, changed: _Optional[bool] = ..., sequence: _Optional[int] = ..., evaluated_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class SignOutAccountRequest(_message.Message):
    __slots__ = ("handle",)
    HANDLE_FIELD_NUMBER: _ClassVar[int]
    handle: str
    def __init__(self, handle: _Optional[str] = ...) -> None: ...

class SignOutAccountResponse(_message.Message):
    __slots__ = ("ended", "changed", "sequence", "evaluated_at")
    ENDED_FIELD_NUMBER: _ClassVar[int]
    CHANGED_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    EVALUATED_AT_FIELD_NUMBER: _ClassVar[int]
    ended: int
    changed: bool
    sequence: int
    evaluated_at: _timestamp_pb2.Timestamp
    def __init__(self, ended: _Optional[int] = ..., changed: _Optional[bool] = ..., sequence: _Optional[int] = ..., evaluated_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class ListAllOrgsRequest(_message.Message):
    __slots__ = ("include_deleted", "page_size", "page_token")
    INCLUDE_DELETED_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    include_deleted: bool
    page_size: int
    page_token: str
    def __init__(self, include_deleted: _Optional[bool] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListAllOrgsResponse(_message.Message):
    __slots__ = ("orgs", "next_page_token", "evaluated_at")
    ORGS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    EVALUATED_AT_FIELD_NUMBER: _ClassVar[int]
    orgs: _containers.RepeatedCompositeFieldContainer[ManagedOrg]
    next_page_token: str
    evaluated_at: _timestamp_pb2.Timestamp
    def __init__(self, orgs: _Optional[_Iterable[_Union[ManagedOrg, _Mapping]]] = ..., next_page_token: _Optional[str] = ..., evaluated_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class CreateServiceRequest(_message.Message):
    __slots__ = ("name", "orgs", "states_address")
    NAME_FIELD_NUMBER: _ClassVar[int]
    ORGS_FIELD_NUMBER: _ClassVar[int]
    STATES_ADDRESS_FIELD_NUMBER: _ClassVar[int]
    name: str
    orgs: _types_pb2.Orgs
    states_address: bool
    def __init__(self, name: _Optional[str] = ..., orgs: _Optional[_Union[_types_pb2.Orgs, _Mapping]] = ..., states_address: _Optional[bool] = ...) -> None: ...

class CreateServiceResponse(_message.Message):
    __slots__ = ("secret", "changed", "sequence", "evaluated_at")
    SECRET_FIELD_NUMBER: _ClassVar[int]
    CHANGED_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    EVALUATED_AT_FIELD_NUMBER: _ClassVar[int]
    secret: str
    changed: bool
    sequence: int
    evaluated_at: _timestamp_pb2.Timestamp
    def __init__(self, secret: _Optional[str] = ..., changed: _Optional[bool] = ..., sequence: _Optional[int] = ..., evaluated_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class ListServicesRequest(_message.Message):
    __slots__ = ("include_revoked", "page_size", "page_token")
    INCLUDE_REVOKED_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    include_revoked: bool
    page_size: int
    page_token: str
    def __init__(self, include_revoked: _Optional[bool] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListServicesResponse(_message.Message):
    __slots__ = ("services", "next_page_token", "evaluated_at")
    SERVICES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    EVALUATED_AT_FIELD_NUMBER: _ClassVar[int]
    services: _containers.RepeatedCompositeFieldContainer[ManagedService]
    next_page_token: str
    evaluated_at: _timestamp_pb2.Timestamp
    def __init__(self, services: _Optional[_Iterable[_Union[ManagedService, _Mapping]]] = ..., next_page_token: _Optional[str] = ..., evaluated_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class RotateServiceRequest(_message.Message):
    __slots__ = ("name", "overlap")
    NAME_FIELD_NUMBER: _ClassVar[int]
    OVERLAP_FIELD_NUMBER: _ClassVar[int]
    name: str
    overlap: _duration_pb2.Duration
    def __init__(self, name: _Optional[str] = ..., overlap: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class RotateServiceResponse(_message.Message):
    __slots__ = ("secret", "pending_until", "changed", "sequence", "evaluated_at")
    SECRET_FIELD_NUMBER: _ClassVar[int]
    PENDING_UNTIL_FIELD_NUMBER: _ClassVar[int]
    CHANGED_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    EVALUATED_AT_FIELD_NUMBER: _ClassVar[int]
    secret: str
    pending_until: _timestamp_pb2.Timestamp
    changed: bool
    sequence: int
    evaluated_at: _timestamp_pb2.Timestamp
    def __init__(self, secret: _Optional[str] = ..., pending_until: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., changed: _Optional[bool] = ..., sequence: _Optional[int] = ..., evaluated_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class ConfirmServiceRotationRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class ConfirmServiceRotationResponse(_message.Message):
    __slots__ = ("changed", "sequence", "evaluated_at")
    CHANGED_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    EVALUATED_AT_FIELD_NUMBER: _ClassVar[int]
    changed: bool
    sequence: int
    evaluated_at: _timestamp_pb2.Timestamp
    def __init__(self, changed: _Optional[bool] = ..., sequence: _Optional[int] = ..., evaluated_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class DropServiceRotationRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class DropServiceRotationResponse(_message.Message):
    __slots__ = ("changed", "sequence", "evaluated_at")
    CHANGED_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    EVALUATED_AT_FIELD_NUMBER: _ClassVar[int]
    changed: bool
    sequence: int
    evaluated_at: _timestamp_pb2.Timestamp
    def __init__(self, changed: _Optional[bool] = ..., sequence: _Optional[int] = ..., evaluated_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class RetireServiceSecretRequest(_message.Message):
    __slots__ = ("name", "anyway")
    NAME_FIELD_NUMBER: _ClassVar[int]
    ANYWAY_FIELD_NUMBER: _ClassVar[int]
    name: str
    anyway: bool
    def __init__(self, name: _Optional[str] = ..., anyway: _Optional[bool] = ...) -> None: ...

class RetireServiceSecretResponse(_message.Message):
    __slots__ = ("changed", "sequence", "evaluated_at")
    CHANGED_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    EVALUATED_AT_FIELD_NUMBER: _ClassVar[int]
    changed: bool
    sequence: int
    evaluated_at: _timestamp_pb2.Timestamp
    def __init__(self, changed: _Optional[bool] = ..., sequence: _Optional[int] = ..., evaluated_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class RevokeServiceRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class RevokeServiceResponse(_message.Message):
    __slots__ = ("changed", "sequence", "evaluated_at")
    CHANGED_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    EVALUATED_AT_FIELD_NUMBER: _ClassVar[int]
    changed: bool
    sequence: int
    evaluated_at: _timestamp_pb2.Timestamp
    def __init__(self, changed: _Optional[bool] = ..., sequence: _Optional[int] = ..., evaluated_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class GetInstallationRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetInstallationResponse(_message.Message):
    __slots__ = ("version", "engine", "counts", "sequence", "mirror_sequence", "mirror_age", "mirror_bound", "changes_failing_for", "settled_at", "secrets_revoked_before", "evaluated_at")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    ENGINE_FIELD_NUMBER: _ClassVar[int]
    COUNTS_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    MIRROR_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    MIRROR_AGE_FIELD_NUMBER: _ClassVar[int]
    MIRROR_BOUND_FIELD_NUMBER: _ClassVar[int]
    CHANGES_FAILING_FOR_FIELD_NUMBER: _ClassVar[int]
    SETTLED_AT_FIELD_NUMBER: _ClassVar[int]
    SECRETS_REVOKED_BEFORE_FIELD_NUMBER: _ClassVar[int]
    EVALUATED_AT_FIELD_NUMBER: _ClassVar[int]
    version: str
    engine: DatabaseEngine
    counts: InstallationCounts
    sequence: int
    mirror_sequence: int
    mirror_age: _duration_pb2.Duration
    mirror_bound: _duration_pb2.Duration
    changes_failing_for: _duration_pb2.Duration
    settled_at: _timestamp_pb2.Timestamp
    secrets_revoked_before: _timestamp_pb2.Timestamp
    evaluated_at: _timestamp_pb2.Timestamp
    def __init__(self, version: _Optional[str] = ..., engine: _Optional[_Union[DatabaseEngine, str]] = ..., counts: _Optional[_Union[InstallationCounts, _Mapping]] = ..., sequence: _Optional[int] = ..., mirror_sequence: _Optional[int] = ..., mirror_age: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., mirror_bound: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., changes_failing_for: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., settled_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., secrets_revoked_before: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., evaluated_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class InstallationCounts(_message.Message):
    __slots__ = ("accounts", "disabled_accounts", "operators", "orgs", "tokens", "sessions", "services")
    ACCOUNTS_FIELD_NUMBER: _ClassVar[int]
    DISABLED_ACCOUNTS_FIELD_NUMBER: _ClassVar[int]
    OPERATORS_FIELD_NUMBER: _ClassVar[int]
    ORGS_FIELD_NUMBER: _ClassVar[int]
    TOKENS_FIELD_NUMBER: _ClassVar[int]
    SESSIONS_FIELD_NUMBER: _ClassVar[int]
    SERVICES_FIELD_NUMBER: _ClassVar[int]
    accounts: int
    disabled_accounts: int
    operators: int
    orgs: int
    tokens: int
    sessions: int
    services: int
    def __init__(self, accounts: _Optional[int] = ..., disabled_accounts: _Optional[int] = ..., operators: _Optional[int] = ..., orgs: _Optional[int] = ..., tokens: _Optional[int] = ..., sessions: _Optional[int] = ..., services: _Optional[int] = ...) -> None: ...
