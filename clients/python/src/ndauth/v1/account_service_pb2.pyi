import datetime

from google.api import annotations_pb2 as _annotations_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from ndauth.v1 import types_pb2 as _types_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class NoticeKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    NOTICE_KIND_UNSPECIFIED: _ClassVar[NoticeKind]
    NOTICE_KIND_CREATED: _ClassVar[NoticeKind]
    NOTICE_KIND_EXPIRING: _ClassVar[NoticeKind]
    NOTICE_KIND_STILL_TRIED: _ClassVar[NoticeKind]
    NOTICE_KIND_ROTATED: _ClassVar[NoticeKind]
    NOTICE_KIND_REUSED: _ClassVar[NoticeKind]
    NOTICE_KIND_REVOKED: _ClassVar[NoticeKind]
    NOTICE_KIND_SUSPENDED: _ClassVar[NoticeKind]
    NOTICE_KIND_SIGN_IN: _ClassVar[NoticeKind]
    NOTICE_KIND_POLICY: _ClassVar[NoticeKind]
    NOTICE_KIND_OFFER: _ClassVar[NoticeKind]
NOTICE_KIND_UNSPECIFIED: NoticeKind
NOTICE_KIND_CREATED: NoticeKind
NOTICE_KIND_EXPIRING: NoticeKind
NOTICE_KIND_STILL_TRIED: NoticeKind
NOTICE_KIND_ROTATED: NoticeKind
NOTICE_KIND_REUSED: NoticeKind
NOTICE_KIND_REVOKED: NoticeKind
NOTICE_KIND_SUSPENDED: NoticeKind
NOTICE_KIND_SIGN_IN: NoticeKind
NOTICE_KIND_POLICY: NoticeKind
NOTICE_KIND_OFFER: NoticeKind

class WhoAmIRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class WhoAmIResponse(_message.Message):
    __slots__ = ("account", "session", "token", "service", "evaluated_at")
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    SESSION_FIELD_NUMBER: _ClassVar[int]
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    SERVICE_FIELD_NUMBER: _ClassVar[int]
    EVALUATED_AT_FIELD_NUMBER: _ClassVar[int]
    account: _types_pb2.Account
    session: _types_pb2.Session
    token: _types_pb2.Token
    service: _types_pb2.Service
    evaluated_at: _timestamp_pb2.Timestamp
    def __init__(self, account: _Optional[_Union[_types_pb2.Account, _Mapping]] = ..., session: _Optional[_Union[_types_pb2.Session, _Mapping]] = ..., token: _Optional[_Union[_types_pb2.Token, _Mapping]] = ..., service: _Optional[_Union[_types_pb2.Service, _Mapping]] = ..., evaluated_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class ListOrgsRequest(_message.Message):
    __slots__ = ("page_size", "page_token")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListOrgsResponse(_message.Message):
    __slots__ = ("orgs", "next_page_token")
    ORGS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    orgs: _containers.RepeatedCompositeFieldContainer[_types_pb2.Membership]
    next_page_token: str
    def __init__(self, orgs: _Optional[_Iterable[_Union[_types_pb2.Membership, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class ListSessionsRequest(_message.Message):
    __slots__ = ("page_size", "page_token")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListSessionsResponse(_message.Message):
    __slots__ = ("sessions", "next_page_token", "evaluated_at")
    SESSIONS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    EVALUATED_AT_FIELD_NUMBER: _ClassVar[int]
    sessions: _containers.RepeatedCompositeFieldContainer[_types_pb2.Session]
    next_page_token: str
    evaluated_at: _timestamp_pb2.Timestamp
    def __init__(self, sessions: _Optional[_Iterable[_Union[_types_pb2.Session, _Mapping]]] = ..., next_page_token: _Optional[str] = ..., evaluated_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class RevokeSessionsRequest(_message.Message):
    __slots__ = ("id", "all")
    ID_FIELD_NUMBER: _ClassVar[int]
    ALL_FIELD_NUMBER: _ClassVar[int]
    id: str
    all: _types_pb2.All
    def __init__(self, id: _Optional[str] = ..., all: _Optional[_Union[_types_pb2.All, _Mapping]] = ...) -> None: ...

class RevokeSessionsResponse(_message.Message):
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

class GetNoticesRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetNoticesResponse(_message.Message):
    __slots__ = ("settings", "undelivered", "mailed", "evaluated_at")
    SETTINGS_FIELD_NUMBER: _ClassVar[int]
    UNDELIVERED_FIELD_NUMBER: _ClassVar[int]
    MAILED_FIELD_NUMBER: _ClassVar[int]
    EVALUATED_AT_FIELD_NUMBER: _ClassVar[int]
    settings: _containers.RepeatedCompositeFieldContainer[NoticeSetting]
    undelivered: _containers.RepeatedCompositeFieldContainer[UndeliveredMail]
    mailed: bool
    evaluated_at: _timestamp_pb2.Timestamp
    def __init__(self, settings: _Optional[_Iterable[_Union[NoticeSetting, _Mapping]]] = ..., undelivered: _Optional[_Iterable[_Union[UndeliveredMail, _Mapping]]] = ..., mailed: _Optional[bool] = ..., evaluated_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class NoticeSetting(_message.Message):
    __slots__ = ("kind", "on", "security")
    KIND_FIELD_NUMBER: _ClassVar[int]
    ON_FIELD_NUMBER: _ClassVar[int]
    SECURITY_FIELD_NUMBER: _ClassVar[int]
    kind: NoticeKind
    on: bool
    security: bool
    def __init__(self, kind: _Optional[_Union[NoticeKind, str]] = ..., on: _Optional[bool] = ..., security: _Optional[bool] = ...) -> None: ...

class UndeliveredMail(_message.Message):
    __slots__ = ("made_at", "notices", "problem")
    MADE_AT_FIELD_NUMBER: _ClassVar[int]
    NOTICES_FIELD_NUMBER: _ClassVar[int]
    PROBLEM_FIELD_NUMBER: _ClassVar[int]
    made_at: _timestamp_pb2.Timestamp
    notices: int
    problem: str
    def __init__(self, made_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., notices: _Optional[int] = ..., problem: _Optional[str] = ...) -> None: ...

class SetNoticesRequest(_message.Message):
    __slots__ = ("off", "on")
    OFF_FIELD_NUMBER: _ClassVar[int]
    ON_FIELD_NUMBER: _ClassVar[int]
    off: _containers.RepeatedScalarFieldContainer[NoticeKind]
    on: _containers.RepeatedScalarFieldContainer[NoticeKind]
    def __init__(self, off: _Optional[_Iterable[_Union[NoticeKind, str]]] = ..., on: _Optional[_Iterable[_Union[NoticeKind, str]]] = ...) -> None: ...

class SetNoticesResponse(_message.Message):
    __slots__ = ("settings", "changed", "sequence", "evaluated_at")
    SETTINGS_FIELD_NUMBER: _ClassVar[int]
    CHANGED_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    EVALUATED_AT_FIELD_NUMBER: _ClassVar[int]
    settings: _containers.RepeatedCompositeFieldContainer[NoticeSetting]
    changed: bool
    sequence: int
    evaluated_at: _timestamp_pb2.Timestamp
    def __init__(self, settings: _Optional[_Iterable[_Union[NoticeSetting, _Mapping]]] = ..., changed: _Optional[bool] = ..., sequence: _Optional[int] = ..., evaluated_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...
