"""An ASGI middleware that admits only the requests that ndauth allows.

It reads one header, `Authorization: Bearer …` (RFC 6750, section 2.1), and nothing else.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any

from .v1.reason_pb2 import FACTOR_LIFE, FACTOR_NOT_BEFORE, FACTOR_OWNER, FACTOR_SECRET, FACTOR_SUSPENSION, Reason
from .v1.types_pb2 import Permission, Refused, Role, Scope
from .v1.validation_service_pb2 import Allowed
from .verifier import InvalidQuestion, Undecided, Verifier

_log = logging.getLogger("ndauth")
_BRACES = re.compile(r"\{[^{}]*\}|[{}]")
# The id alone may contain parts of a path: a `:` in one of them stays within it.
_PERMISSION = re.compile(r"[a-z0-9_-]+:[a-z0-9_-]+(/[a-z0-9_-]+)*(:([!-)+-~]+\*?|\*))?")
# A secret that one of these refuses has no power, whatever is asked.
_NOT_AUTHENTICATED = {FACTOR_SECRET, FACTOR_NOT_BEFORE, FACTOR_LIFE, FACTOR_SUSPENSION, FACTOR_OWNER}


class Route:
    """A method and a path such as `GET /orgs/{org}/assets/{asset}`, and what it needs.

    A part in braces matches one segment of the path as the client sent it, without percent-encoding.
    """

    def __init__(self, route: str, access: str | None, permission: str | None, org: str) -> None:
        method, _, path = route.partition(" ")
        try:
            self._path = re.compile("/".join(map(_matcher, path.split("/"))))
        except (re.error, ValueError):
            method = ""
        if not method.isupper() or not path.startswith("/"):
            raise ValueError(f"`{route}` is no route: expected one such as `GET /orgs/{{org}}/assets`")
        # `HEAD` needs what `GET` needs.
        self._methods = {"GET", "HEAD"} if method == "GET" else {method}
        self._access, self._permission, self._org = access, permission, org
        if permission is not None and not _PERMISSION.fullmatch(permission):
            raise ValueError(f"`{route}` needs an invalid permission, `{permission}`: expected one like `read:assets`")
        for part in _BRACES.findall(f"{permission or ''} {org}"):
            if part[1:-1] not in self._path.groupindex:
                raise ValueError(f"`{route}` has no part `{part}`")

    @classmethod
    def open(cls, route: str) -> Route:
        """Returns a route that needs no token."""
        return cls(route, None, None, "")

    @classmethod
    def needs(cls, route: str, access: str, permission: str | None, *, org: str = "{org}") -> Route:
        """Returns a route that needs an access, `RO` or `RW`, and a permission, in an org.

        Parts of the path may stand in the id of the permission, as in `read:assets:{asset}`, and in the org. A token
        that carries a set of grants never meets a route whose permission is `None`.
        """
        if access not in ("RO", "RW"):
            raise ValueError(f"`{route}` needs an invalid access: expected `RO` or `RW`")
        return cls(route, access, permission, org)

    def need(self, method: str, path: str) -> dict[str, Any] | None:
        """Returns what a request needs, empty for nothing, or `None` if it is for another route."""
        found = self._path.fullmatch(path) if method in self._methods else None
        if found is None:
            return None
        if self._access is None:
            return {}

        def filled(text: str) -> str:
            return _BRACES.sub(lambda part: found[part[0][1:-1]], text)

        permission = filled(self._permission) if self._permission is not None else None
        return {"access": self._access, "org": filled(self._org), "permission": permission}


class Guard:
    """The middleware: the first route that matches a request decides, and a request without a route is refused.

    The application finds the answer as `request.state.allowed`. `client_address` returns the address of a request's
    client from its ASGI scope, from what the application itself knows or from the header of a proxy that it trusts.
    """

    def __init__(
        self,
        app: Callable[..., Any],
        verifier: Verifier,
        routes: Iterable[Route],
        client_address: Callable[[dict[str, Any]], str] = lambda scope: "",
    ) -> None:
        self._app, self._verifier, self._routes = app, verifier, list(routes)
        self._client_address = client_address

    async def __call__(self, scope: dict[str, Any], receive: Callable[..., Any], send: Callable[..., Any]) -> None:
        if scope["type"] == "http":
            try:
                allowed = await self._admit(scope)
            except _Refusal as refusal:
                await refusal.send(send)
                return
            scope = {**scope, "state": {**scope.get("state", {}), "allowed": allowed}}
        elif scope["type"] != "lifespan":
            # A WebSocket is no route of the table. The server responds 403.
            await receive()
            await send({"type": "websocket.close", "code": 1008})
            return
        await self._app(scope, receive, send)

    async def _admit(self, scope: dict[str, Any]) -> Allowed | None:
        """Returns the answer for a request that is admitted, `None` if it needs no token."""
        # A path with percent-encoding may be another route to whoever decodes it again.
        path = "" if b"%" in (scope.get("raw_path") or b"") else scope["path"]
        needs = (route.need(scope["method"], path) for route in self._routes)
        need = next((need for need in needs if need is not None), None)
        if need is None:
            raise _Refusal(404, "CALL_UNKNOWN", "this server has no such route")
        if not need:
            return None
        secret = _bearer(scope["headers"])
        agents = [value.decode("latin-1") for name, value in scope["headers"] if name == b"user-agent"]
        address = self._client_address(scope)
        try:
            verdict = await self._verifier.validate(secret, client_address=address, client="".join(agents[:1]), **need)
        except InvalidQuestion as why:
            raise _invalid(str(why)) from why
        except Undecided as why:
            # The cause is for the log: it may name addresses of this network.
            _log.warning("%s", why)
            detail, hint = "it could not be decided", "try again in a moment: this is neither a yes nor a no"
            raise _Refusal(503, "UNAVAILABLE", detail, hint) from why
        if isinstance(verdict, Refused):
            raise _refused(verdict)
        return verdict


class _Refusal(Exception):
    """A response in place of the application's: a problem document (RFC 9457)."""

    def __init__(
        self, status: int, reason: str, detail: str, hint: str = "", challenge: str | None = None, **more: Any
    ) -> None:
        super().__init__(detail)
        self._status, self._challenge = status, challenge
        self._document = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status}
        self._document |= {"detail": detail, "reason": reason, "hint": hint, **more}

    async def send(self, send: Callable[..., Any]) -> None:
        body = json.dumps(self._document).encode()
        headers = [(b"content-type", b"application/problem+json"), (b"content-length", b"%d" % len(body))]
        if self._challenge is not None:
            headers.append((b"www-authenticate", self._challenge.encode("ascii")))
        if self._status == 503:
            headers.append((b"retry-after", b"1"))
        await send({"type": "http.response.start", "status": self._status, "headers": headers})
        await send({"type": "http.response.body", "body": body})


def _matcher(segment: str) -> str:
    """Returns the expression that a segment of a route stands for."""
    if not set(segment) & set("{}%"):
        return re.escape(segment)
    if segment[0] + segment[-1] != "{}" or not segment[1:-1].isidentifier():
        raise ValueError
    # The characters that are left out mean something else in a permission, or to a later decoder.
    return f"(?P<{segment[1:-1]}>[^/%*{{}}]+)"


def _bearer(headers: Iterable[tuple[bytes, bytes]]) -> str:
    """Returns the text after `Bearer` in the only `authorization` header."""
    values = [value for name, value in headers if name == b"authorization"]
    if len(values) > 1:
        raise _invalid("`authorization`: it is given more than once")
    scheme, space, secret = values[0].decode("latin-1").partition(" ") if values else ("", "", "")
    if scheme.lower() != "bearer":
        # Another scheme is no token, and without one the challenge names no error (RFC 6750, section 3.1).
        hint = "send a token: `Authorization: Bearer TOKEN`"
        raise _Refusal(401, "CREDENTIAL_MISSING", "no token came with the request", hint, "Bearer")
    if not space or not secret.isascii():
        raise _invalid("`authorization`: expected `Bearer` and the token, with one space between them")
    return secret


def _invalid(detail: str) -> _Refusal:
    return _Refusal(400, "INVALID_ARGUMENT", detail, challenge='Bearer error="invalid_request"')


def _refused(refused: Refused) -> _Refusal:
    """Returns the response of RFC 6750, section 3.1, for a refused secret."""
    missing = [_permission(permission) for permission in refused.missing_permissions]
    if refused.factor in _NOT_AUTHENTICATED:
        status, challenge = 401, f'Bearer error="invalid_token", error_description="{_quotable(refused.message)}"'
    else:
        scope = f', scope="{_quotable(" ".join(missing))}"' if missing else ""
        status, challenge = 403, f'Bearer error="insufficient_scope"{scope}'
    return _Refusal(
        status,
        _name(Reason, refused.reason),
        refused.message,
        refused.hint,
        challenge,
        missing_permissions=missing,
        missing_scope=_name(Scope, refused.missing_scope) if refused.HasField("missing_scope") else None,
        missing_role=_name(Role, refused.missing_role) if refused.HasField("missing_role") else None,
    )


def _name(enum: Any, number: int) -> str:
    """Returns the name of a value without its prefix; the number if a newer server sent it."""
    return enum.Name(number).partition("_")[2] if number in enum.values() else str(number)


def _permission(permission: Permission) -> str:
    text = f"{permission.action}:{permission.resource_type}"
    return text if permission.resource_id == "*" else f"{text}:{permission.resource_id}"


def _quotable(text: str) -> str:
    """Replaces the characters that may not stand in a quoted string of a challenge."""
    return re.sub(r"[^ !#-\[\]-~]", "?", text)
