import datetime

from google.api import annotations_pb2 as _annotations_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from ndauth.v1 import http_pb2 as _http_pb2
from ndauth.v1 import types_pb2 as _types_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class AuditActorKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    AUDIT_ACTOR_KIND_UNSPECIFIED: _ClassVar[AuditActorKind]
    AUDIT_ACTOR_KIND_CONSOLE: _ClassVar[AuditActorKind]
    AUDIT_ACTOR_KIND_AUTHORITY: _ClassVar[AuditActorKind]
    AUDIT_ACTOR_KIND_SESSION: _ClassVar[AuditActorKind]
    AUDIT_ACTOR_KIND_TOKEN: _ClassVar[AuditActorKind]
    AUDIT_ACTOR_KIND_ORG_TOKEN: _ClassVar[AuditActorKind]
    AUDIT_ACTOR_KIND_SERVICE: _ClassVar[AuditActorKind]

class RefusedAttemptKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    REFUSED_ATTEMPT_KIND_UNSPECIFIED: _ClassVar[RefusedAttemptKind]
    REFUSED_ATTEMPT_KIND_SIGN_IN: _ClassVar[RefusedAttemptKind]
    REFUSED_ATTEMPT_KIND_CHANGE: _ClassVar[RefusedAttemptKind]
    REFUSED_ATTEMPT_KIND_VALIDATION: _ClassVar[RefusedAttemptKind]
    REFUSED_ATTEMPT_KIND_OTHERS: _ClassVar[RefusedAttemptKind]
AUDIT_ACTOR_KIND_UNSPECIFIED: AuditActorKind
AUDIT_ACTOR_KIND_CONSOLE: AuditActorKind
AUDIT_ACTOR_KIND_AUTHORITY: AuditActorKind
AUDIT_ACTOR_KIND_SESSION: AuditActorKind
AUDIT_ACTOR_KIND_TOKEN: AuditActorKind
AUDIT_ACTOR_KIND_ORG_TOKEN: AuditActorKind
AUDIT_ACTOR_KIND_SERVICE: AuditActorKind
REFUSED_ATTEMPT_KIND_UNSPECIFIED: RefusedAttemptKind
REFUSED_ATTEMPT_KIND_SIGN_IN: RefusedAttemptKind
REFUSED_ATTEMPT_KIND_CHANGE: RefusedAttemptKind
REFUSED_ATTEMPT_KIND_VALIDATION: RefusedAttemptKind
REFUSED_ATTEMPT_KIND_OTHERS: RefusedAttemptKind

class History(_message.Message):
    __slots__ = ("mine", "org", "everything")
    MINE_FIELD_NUMBER: _ClassVar[int]
    ORG_FIELD_NUMBER: _ClassVar[int]
    EVERYTHING_FIELD_NUMBER: _ClassVar[int]
    mine: _types_pb2.Mine
    org: str
    everything: _types_pb2.All
    def __init__(self, mine: _Optional[_Union[_types_pb2.Mine, _Mapping]] = ..., org: _Optional[str] = ..., everything: _Optional[_Union[_types_pb2.All, _Mapping]] = ...) -> None: ...

class ListEventsRequest(_message.Message):
    __slots__ = ("history", "account", "token", "service", "kind", "since", "until", "after", "page_size", "page_token")
    HISTORY_FIELD_NUMBER: _ClassVar[int]
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    SERVICE_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    SINCE_FIELD_NUMBER: _ClassVar[int]
    UNTIL_FIELD_NUMBER: _ClassVar[int]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    history: History
    account: str
    token: _types_pb2.Which
    service: str
    kind: str
    since: _timestamp_pb2.Timestamp
    until: _timestamp_pb2.Timestamp
    after: int
    page_size: int
    page_token: str
    def __init__(self, history: _Optional[_Union[History, _Mapping]] = ..., account: _Optional[str] = ..., token: _Optional[_Union[_types_pb2.Which, _Mapping]] = ..., service: _Optional[str] = ..., kind: _Optional[str] = ..., since: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., until: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., after: _Optional[int] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListEventsResponse(_message.Message):
    __slots__ = ("events", "next_page_token", "through", "evaluated_at")
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    THROUGH_FIELD_NUMBER: _ClassVar[int]
    EVALUATED_AT_FIELD_NUMBER: _ClassVar[int]
    events: _containers.RepeatedCompositeFieldContainer[AuditEvent]
    next_page_token: str
    through: int
    evaluated_at: _timestamp_pb2.Timestamp
    def __init__(self, events: _Optional[_Iterable[_Union[AuditEvent, _Mapping]]] = ..., next_page_token: _Optional[str] = ..., through: _Optional[int] = ..., evaluated_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class AuditEvent(_message.Message):
    __slots__ = ("sequence", "at", "kind", "text", "actor", "account", "org", "token", "service", "address", "client", "request_id", "reason", "note", "erased", "hash")
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    AT_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    ORG_FIELD_NUMBER: _ClassVar[int]
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    SERVICE_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    CLIENT_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    ERASED_FIELD_NUMBER: _ClassVar[int]
    HASH_FIELD_NUMBER: _ClassVar[int]
    sequence: int
    at: _timestamp_pb2.Timestamp
    kind: str
    text: str
    actor: AuditActor
    account: AuditThing
    org: AuditThing
    token: AuditThing
    service: AuditThing
    address: str
    client: str
    request_id: str
    reason: _types_pb2.RevocationReason
    note: str
    erased: bool
    hash: str
    def __init__(self, sequence: _Optional[int] = ..., at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., kind: _Optional[str] = ..., text: _Optional[str] = ..., actor: _Optional[_Union[AuditActor, _Mapping]] = ..., account: _Optional[_Union[AuditThing, _Mapping]] = ..., org: _Optional[_Union[AuditThing, _Mapping]] = ..., token: _Optional[_Union[AuditThing, _Mapping]] = ..., service: _Optional[_Union[AuditThing, _Mapping]] = ..., address: _Optional[str] = ..., client: _Optional[str] = ..., request_id: _Optional[str] = ..., reason: _Optional[_Union[_types_pb2.RevocationReason, str]] = ..., note: _Optional[str] = ..., erased: _Optional[bool] = ..., hash: _Optional[str] = ...) -> None: ...

class AuditActor(_message.Message):
    __slots__ = ("kind", "account", "org", "token", "service", "session_id")
    KIND_FIELD_NUMBER: _ClassVar[int]
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    ORG_FIELD_NUMBER: _ClassVar[int]
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    SERVICE_FIELD_NUMBER: _ClassVar[int]
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    kind: AuditActorKind
    account: AuditThing
    org: AuditThing
    token: AuditThing
    service: AuditThing
    session_id: str
    def __init__(self, kind: _Optional[_Union[AuditActorKind, str]] = ..., account: _Optional[_Union[AuditThing, _Mapping]] = ..., org: _Optional[_Union[AuditThing, _Mapping]] = ..., token: _Optional[_Union[AuditThing, _Mapping]] = ..., service: _Optional[_Union[AuditThing, _Mapping]] = ..., session_id: _Optional[str] = ...) -> None: ...

class AuditThing(_message.Message):
    __slots__ = ("id", "name")
    ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    id: str
    name: str
    def __init__(self, id: _Optional[str] = ..., name: _Optional[str] = ...) -> None: ...

class ExportEventsRequest(_message.Message):
    __slots__ = ("history", "after")
    HISTORY_FIELD_NUMBER: _ClassVar[int]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    history: History
    after: int
    def __init__(self, history: _Optional[_Union[History, _Mapping]] = ..., after: _Optional[int] = ...) -> None: ...

class ExportEventsResponse(_message.Message):
    __slots__ = ("records", "pruned")
    RECORDS_FIELD_NUMBER: _ClassVar[int]
    PRUNED_FIELD_NUMBER: _ClassVar[int]
    records: _containers.RepeatedCompositeFieldContainer[LogRecord]
    pruned: int
    def __init__(self, records: _Optional[_Iterable[_Union[LogRecord, _Mapping]]] = ..., pruned: _Optional[int] = ...) -> None: ...

class LogRecord(_message.Message):
    __slots__ = ("sequence", "previous", "public", "personal", "salt", "personal_hash", "hash")
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    PREVIOUS_FIELD_NUMBER: _ClassVar[int]
    PUBLIC_FIELD_NUMBER: _ClassVar[int]
    PERSONAL_FIELD_NUMBER: _ClassVar[int]
    SALT_FIELD_NUMBER: _ClassVar[int]
    PERSONAL_HASH_FIELD_NUMBER: _ClassVar[int]
    HASH_FIELD_NUMBER: _ClassVar[int]
    sequence: int
    previous: str
    public: str
    personal: str
    salt: str
    personal_hash: str
    hash: str
    def __init__(self, sequence: _Optional[int] = ..., previous: _Optional[str] = ..., public: _Optional[str] = ..., personal: _Optional[str] = ..., salt: _Optional[str] = ..., personal_hash: _Optional[str] = ..., hash: _Optional[str] = ...) -> None: ...

class ListRefusedAttemptsRequest(_message.Message):
    __slots__ = ("history", "since", "page_size", "page_token")
    HISTORY_FIELD_NUMBER: _ClassVar[int]
    SINCE_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    history: History
    since: _timestamp_pb2.Timestamp
    page_size: int
    page_token: str
    def __init__(self, history: _Optional[_Union[History, _Mapping]] = ..., since: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListRefusedAttemptsResponse(_message.Message):
    __slots__ = ("attempts", "next_page_token", "evaluated_at")
    ATTEMPTS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    EVALUATED_AT_FIELD_NUMBER: _ClassVar[int]
    attempts: _containers.RepeatedCompositeFieldContainer[RefusedAttempt]
    next_page_token: str
    evaluated_at: _timestamp_pb2.Timestamp
    def __init__(self, attempts: _Optional[_Iterable[_Union[RefusedAttempt, _Mapping]]] = ..., next_page_token: _Optional[str] = ..., evaluated_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class RefusedAttempt(_message.Message):
    __slots__ = ("minute", "kind", "account", "token", "service", "org", "network", "reason", "count", "text")
    MINUTE_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    SERVICE_FIELD_NUMBER: _ClassVar[int]
    ORG_FIELD_NUMBER: _ClassVar[int]
    NETWORK_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    minute: _timestamp_pb2.Timestamp
    kind: RefusedAttemptKind
    account: AuditThing
    token: AuditThing
    service: AuditThing
    org: AuditThing
    network: str
    reason: str
    count: int
    text: str
    def __init__(self, minute: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., kind: _Optional[_Union[RefusedAttemptKind, str]] = ..., account: _Optional[_Union[AuditThing, _Mapping]] = ..., token: _Optional[_Union[AuditThing, _Mapping]] = ..., service: _Optional[_Union[AuditThing, _Mapping]] = ..., org: _Optional[_Union[AuditThing, _Mapping]] = ..., network: _Optional[str] = ..., reason: _Optional[str] = ..., count: _Optional[int] = ..., text: _Optional[str] = ...) -> None: ...
