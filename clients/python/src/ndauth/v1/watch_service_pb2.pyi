import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from ndauth.v1 import types_pb2 as _types_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class WatchRevocationsRequest(_message.Message):
    __slots__ = ("probe", "after", "uses")
    PROBE_FIELD_NUMBER: _ClassVar[int]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    USES_FIELD_NUMBER: _ClassVar[int]
    probe: int
    after: LogPosition
    uses: _containers.RepeatedCompositeFieldContainer[SecretUse]
    def __init__(self, probe: _Optional[int] = ..., after: _Optional[_Union[LogPosition, _Mapping]] = ..., uses: _Optional[_Iterable[_Union[SecretUse, _Mapping]]] = ...) -> None: ...

class WatchRevocationsResponse(_message.Message):
    __slots__ = ("reset", "rules", "changes", "confirmed")
    RESET_FIELD_NUMBER: _ClassVar[int]
    RULES_FIELD_NUMBER: _ClassVar[int]
    CHANGES_FIELD_NUMBER: _ClassVar[int]
    CONFIRMED_FIELD_NUMBER: _ClassVar[int]
    reset: bool
    rules: Rules
    changes: _containers.RepeatedCompositeFieldContainer[Change]
    confirmed: Confirmed
    def __init__(self, reset: _Optional[bool] = ..., rules: _Optional[_Union[Rules, _Mapping]] = ..., changes: _Optional[_Iterable[_Union[Change, _Mapping]]] = ..., confirmed: _Optional[_Union[Confirmed, _Mapping]] = ...) -> None: ...

class LogPosition(_message.Message):
    __slots__ = ("sequence", "hash")
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    HASH_FIELD_NUMBER: _ClassVar[int]
    sequence: int
    hash: bytes
    def __init__(self, sequence: _Optional[int] = ..., hash: _Optional[bytes] = ...) -> None: ...

class Change(_message.Message):
    __slots__ = ("sequence", "token_id", "account_id", "org_id", "new_org_id", "everything")
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    TOKEN_ID_FIELD_NUMBER: _ClassVar[int]
    ACCOUNT_ID_FIELD_NUMBER: _ClassVar[int]
    ORG_ID_FIELD_NUMBER: _ClassVar[int]
    NEW_ORG_ID_FIELD_NUMBER: _ClassVar[int]
    EVERYTHING_FIELD_NUMBER: _ClassVar[int]
    sequence: int
    token_id: str
    account_id: str
    org_id: str
    new_org_id: str
    everything: _types_pb2.All
    def __init__(self, sequence: _Optional[int] = ..., token_id: _Optional[str] = ..., account_id: _Optional[str] = ..., org_id: _Optional[str] = ..., new_org_id: _Optional[str] = ..., everything: _Optional[_Union[_types_pb2.All, _Mapping]] = ...) -> None: ...

class Confirmed(_message.Message):
    __slots__ = ("probe", "position", "age", "now", "bound", "instance")
    PROBE_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    AGE_FIELD_NUMBER: _ClassVar[int]
    NOW_FIELD_NUMBER: _ClassVar[int]
    BOUND_FIELD_NUMBER: _ClassVar[int]
    INSTANCE_FIELD_NUMBER: _ClassVar[int]
    probe: int
    position: LogPosition
    age: _duration_pb2.Duration
    now: _timestamp_pb2.Timestamp
    bound: _duration_pb2.Duration
    instance: int
    def __init__(self, probe: _Optional[int] = ..., position: _Optional[_Union[LogPosition, _Mapping]] = ..., age: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., now: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., bound: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., instance: _Optional[int] = ...) -> None: ...

class Rules(_message.Message):
    __slots__ = ("version", "service_id", "service_name", "service_orgs", "states_address", "not_before", "resource_types", "service_created_at")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    SERVICE_ID_FIELD_NUMBER: _ClassVar[int]
    SERVICE_NAME_FIELD_NUMBER: _ClassVar[int]
    SERVICE_ORGS_FIELD_NUMBER: _ClassVar[int]
    STATES_ADDRESS_FIELD_NUMBER: _ClassVar[int]
    NOT_BEFORE_FIELD_NUMBER: _ClassVar[int]
    RESOURCE_TYPES_FIELD_NUMBER: _ClassVar[int]
    SERVICE_CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    version: bytes
    service_id: str
    service_name: str
    service_orgs: _types_pb2.IdsOrAll
    states_address: bool
    not_before: _timestamp_pb2.Timestamp
    resource_types: _containers.RepeatedCompositeFieldContainer[_types_pb2.ResourceType]
    service_created_at: _timestamp_pb2.Timestamp
    def __init__(self, version: _Optional[bytes] = ..., service_id: _Optional[str] = ..., service_name: _Optional[str] = ..., service_orgs: _Optional[_Union[_types_pb2.IdsOrAll, _Mapping]] = ..., states_address: _Optional[bool] = ..., not_before: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., resource_types: _Optional[_Iterable[_Union[_types_pb2.ResourceType, _Mapping]]] = ..., service_created_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class SecretUse(_message.Message):
    __slots__ = ("secret_hash", "at", "address", "client", "reads", "writes", "org")
    SECRET_HASH_FIELD_NUMBER: _ClassVar[int]
    AT_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    CLIENT_FIELD_NUMBER: _ClassVar[int]
    READS_FIELD_NUMBER: _ClassVar[int]
    WRITES_FIELD_NUMBER: _ClassVar[int]
    ORG_FIELD_NUMBER: _ClassVar[int]
    secret_hash: bytes
    at: _timestamp_pb2.Timestamp
    address: str
    client: str
    reads: int
    writes: int
    org: str
    def __init__(self, secret_hash: _Optional[bytes] = ..., at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., address: _Optional[str] = ..., client: _Optional[str] = ..., reads: _Optional[int] = ..., writes: _Optional[int] = ..., org: _Optional[str] = ...) -> None: ...
