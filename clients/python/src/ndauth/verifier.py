"""Asks ndauth whether a secret may do something. It judges nothing itself, and never turns a failure into a verdict."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import itertools
import logging
import os
import random
import re
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import grpc
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2

from .answers import Answers, now
from .v1.types_pb2 import Permission, Refused
from .v1.validation_service_pb2 import Allowed, ValidateTokenRequest
from .v1.validation_service_pb2_grpc import ValidationServiceStub
from .v1.watch_service_pb2 import WatchRevocationsRequest
from .v1.watch_service_pb2_grpc import WatchServiceStub

_log = logging.getLogger("ndauth")
# Seconds: the deadline of a call, and the bound on how late a change is, until the server states its own.
_DEADLINE = _BOUND = 2.0
# The first and the longest pause before the watch is opened again, in seconds.
_PAUSE, _LONGEST_PAUSE = 0.05, 1.0
# The most calls in flight.
_MOST_CALLS = 256
_SECRET = re.compile(r"ndsvc_[A-Za-z0-9_-]{43}")
_PORTS = {"http": 80, "https": 443}
_OPTIONS = [
    ("grpc.primary_user_agent", "ndauth-python/0.1.0"),
    # Secrets go to the server alone, whatever `http_proxy` says.
    ("grpc.enable_http_proxy", 0),
    # A server that returns is found within a second, and a connection that went mute within six.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 1000),
    ("grpc.max_reconnect_backoff_ms", 1000),
    ("grpc.keepalive_time_ms", 4000),
    ("grpc.keepalive_timeout_ms", 2000),
    ("grpc.http2.ping_timeout_ms", 2000),
]


class Undecided(Exception):
    """It could not be decided: this is neither yes nor no. Respond 503, and let nobody pass."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"could not decide: {message} ({code})")
        self.code = code


class InvalidQuestion(Exception):
    """The question is invalid, and nothing was decided."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


class Verifier:
    """A connection to ndauth, for one event loop: `async with Verifier(…) as verifier`.

    It presents a service's secret. A file is read again for each call, so that a rotation needs no restart.
    """

    def __init__(
        self,
        address: str,
        *,
        secret: str | None = None,
        secret_file: str | os.PathLike[str] | None = None,
        ca_file: str | os.PathLike[str] | None = None,
        capacity: int = 10_000,
    ) -> None:
        server = urlsplit(address)
        if server.scheme not in _PORTS or not server.hostname or server.path.strip("/") or "@" in server.netloc:
            raise ValueError(f"`{address}` is no server: expected `https://HOST:PORT`, or `http://HOST:PORT`")
        if (secret is None) == (secret_file is None):
            raise ValueError("give either `secret` or `secret_file`")
        self._target = server.netloc if server.port else f"{server.netloc}:{_PORTS[server.scheme]}"
        self._tls, self._ca_file = server.scheme == "https", ca_file
        self._secret, self._secret_file = secret or "", secret_file
        self._authorization()
        self._answers = Answers(capacity)
        self._validate_token = None
        self._calls = 0
        self._bound = _BOUND
        self.watching = False
        """True while changes arrive. Otherwise answers are kept for their `max_cache_age` alone."""

    async def __aenter__(self) -> Verifier:
        if self._tls:
            authorities = Path(self._ca_file).read_bytes() if self._ca_file else None
            credentials = grpc.ssl_channel_credentials(authorities)
            self._channel = grpc.aio.secure_channel(self._target, credentials, _OPTIONS)
        else:
            self._channel = grpc.aio.insecure_channel(self._target, _OPTIONS)
        self._validate_token = ValidationServiceStub(self._channel).ValidateToken
        self._watch_revocations = WatchServiceStub(self._channel).WatchRevocations
        self._watch_task = asyncio.create_task(self._watch())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._validate_token = None
        self._watch_task.cancel()
        # A stream that is just beginning may lose the cancellation. It ends with the channel at the latest.
        await asyncio.wait([self._watch_task], timeout=_DEADLINE)
        self.watching = False
        # Calls in flight end first, by their deadline at the latest: a cancelled one would raise `CancelledError`.
        await self._channel.close(2 * _DEADLINE)
        await asyncio.wait([self._watch_task], timeout=_DEADLINE)

    async def validate(
        self,
        secret: str,
        *,
        access: str,
        org: str = "",
        permission: str | None = None,
        client_address: str = "",
        client: str = "",
    ) -> Allowed | Refused:
        """Returns the verdict on a secret.

        `access` is `RO` or `RW`, and requires `org`; a permission is `action:type` or `action:type:id`. The access
        `IDENTITY` asks only who owns the secret, and its answer confers nothing. `client_address` and `client` (its
        `User-Agent`) are what the token's owner sees.

        Raises `Undecided`, or `InvalidQuestion` if the server calls the question incomplete or malformed.
        """
        if self._validate_token is None:
            raise Undecided("CANCELLED", "the verifier is not open: use it within `async with`")
        question = _question(secret, access, org, permission, client_address)
        key = hashlib.sha256(question.SerializeToString(deterministic=True)).digest()
        answer = self._answers.find(key)
        if answer is None:
            # No decision depends on it, so text that is not Unicode is no reason to refuse.
            question.client = client.encode(errors="replace").decode()
            if self._calls >= _MOST_CALLS:
                raise Undecided("RESOURCE_EXHAUSTED", "too many questions are waiting")
            self._calls += 1
            asked = self._answers.ask()
            try:
                answer = await self._validate_token(question, metadata=self._authorization(), timeout=_DEADLINE)
            except grpc.aio.AioRpcError as error:
                raise _failure(error) from error
            finally:
                self._calls -= 1
            if answer.WhichOneof("outcome") is None:
                raise Undecided("INTERNAL", "the server sent an empty answer")
            self._answers.keep(key, asked, answer)
        return answer.allowed if answer.HasField("allowed") else answer.refused

    def _authorization(self) -> tuple[tuple[str, str]]:
        """Returns the metadata of a call. While the file is gone or half written, the last secret is sent."""
        if self._secret_file is not None:
            try:
                text = Path(self._secret_file).read_text("ascii").rstrip("\r\n")
            except (OSError, UnicodeDecodeError):
                text = ""
            if _SECRET.fullmatch(text):
                self._secret = text
        if not _SECRET.fullmatch(self._secret):
            place = f"`{self._secret_file}`" if self._secret_file is not None else "`secret`"
            raise ValueError(f"{place} holds no service's secret: expected `ndsvc_…`")
        return (("authorization", f"Bearer {self._secret}"),)

    async def _watch(self) -> None:
        """Follows the changes, and begins again when the stream fails."""
        pause = _PAUSE
        # A stream that fails while the task is cancelled may swallow the cancellation.
        while self._validate_token is not None:
            begun = now()
            try:
                await self._follow()
            except Exception as error:
                # Whatever failed, answers are kept no longer without it.
                why = error.code() if isinstance(error, grpc.aio.AioRpcError) else repr(error)
                _log.log(logging.WARNING if self.watching else logging.DEBUG, "the watch of revocations ended: %s", why)
            self.watching = False
            pause = _PAUSE if now() - begun > _LONGEST_PAUSE else min(2 * pause, _LONGEST_PAUSE)
            await asyncio.sleep(random.uniform(pause / 2, pause))

    async def _follow(self) -> None:
        call = self._watch_revocations(self._probes(), metadata=self._authorization())
        try:
            while True:
                # Each probe is answered, so silence is a failure.
                message = await asyncio.wait_for(call.read(), self._bound / 2 + self._period())
                if message is grpc.aio.EOF:
                    return
                if not self.watching:
                    # Changes before this stream were missed.
                    self._answers.reset()
                    self.watching = True
                self._answers.apply(message)
                self._bound = message.confirmed.bound.ToTimedelta().total_seconds() or self._bound
        finally:
            call.cancel()

    async def _probes(self) -> AsyncIterator[WatchRevocationsRequest]:
        for number in itertools.count(1):
            yield WatchRevocationsRequest(probe=number)
            await asyncio.sleep(self._period())

    def _period(self) -> float:
        return min(max(self._bound / 8, 0.01), 0.25)


def _question(secret: str, access: str, org: str, permission: str | None, client_address: str) -> ValidateTokenRequest:
    try:
        question = ValidateTokenRequest(
            secret=secret, org=org, required_access=f"ACCESS_{access}", client_address=client_address
        )
        if permission is not None:
            action, _, rest = permission.partition(":")
            resource_type, colon, resource_id = rest.partition(":")
            resource_id = resource_id if colon else "*"
            question.required_permission.CopyFrom(
                Permission(action=action, resource_type=resource_type, resource_id=resource_id)
            )
    except ValueError:
        # The cause is not kept: it may quote the secret.
        raise InvalidQuestion("", "it has an unknown access, or text that is not Unicode") from None
    return question


def _failure(error: grpc.aio.AioRpcError) -> Undecided | InvalidQuestion:
    """Returns what a failed call means. Only the codes for an invalid question and a large one are about it."""
    message = error.details() or "the call failed"
    if error.code() not in (grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.OUT_OF_RANGE):
        return Undecided(error.code().name, message)
    # Details that are unreadable name no field.
    with contextlib.suppress(DecodeError):
        for key, value in error.trailing_metadata() or ():
            if key == "grpc-status-details-bin":
                for detail in status_pb2.Status.FromString(value).details:
                    fault = error_details_pb2.BadRequest()
                    if detail.Unpack(fault) and fault.field_violations:
                        return InvalidQuestion(fault.field_violations[0].field, message)
    return InvalidQuestion("", message)
