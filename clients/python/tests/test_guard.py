import unittest
from unittest import mock

from ndauth import Guard, Refused, Route, Verifier
from ndauth.v1.reason_pb2 import Factor

TABLE = [
    Route.open("GET /healthz"),
    Route.needs("GET /orgs/{org}/assets/{asset}", "RO", "read:assets:{asset}"),
    Route.needs("PUT /orgs/{org}/assets/{asset}", "RW", "write:assets:{asset}"),
    Route.needs("POST /deploy", "RW", None, org="ops"),
    Route.needs("POST /{org}/runners/{pool}/{name}", "RW", "start:ci/runners:{pool}:{name}*"),
]


def need(method, path):
    found = next((need for route in TABLE if (need := route.need(method, path)) is not None), None)
    return found and (found["org"], found["access"], found["permission"])


class TableTest(unittest.TestCase):
    def test_a_request_needs_what_its_route_says(self):
        for method, path, expected in [
            ("GET", "/healthz", {}),
            ("HEAD", "/healthz", {}),
            ("POST", "/healthz", None),
            ("GET", "/healthz/", None),
            ("GET", "//healthz", None),
            ("GET", "/healthz\n", None),
            ("GET", "/HEALTHZ", None),
            ("GET", "/orgs/ops/assets/logo", ("ops", "RO", "read:assets:logo")),
            ("HEAD", "/orgs/ops/assets/logo", ("ops", "RO", "read:assets:logo")),
            ("PUT", "/orgs/ops/assets/logo", ("ops", "RW", "write:assets:logo")),
            ("HEAD", "/deploy", None),
            ("put", "/orgs/ops/assets/logo", None),
            ("DELETE", "/orgs/ops/assets/logo", None),
            ("POST", "/deploy", ("ops", "RW", None)),
            ("POST", "/ops/runners/big/a:b", ("ops", "RW", "start:ci/runners:big:a:b*")),
            # These would match more than one asset, or another one once decoded again.
            ("PUT", "/orgs/ops/assets/*", None),
            ("PUT", "/orgs/ops/assets/lo%67o", None),
            ("PUT", "/orgs/ops/assets/{org}", None),
            ("PUT", "/orgs/ops/assets/", None),
            ("PUT", "/orgs/ops/assets/a/b", None),
            # A dot is no segment of its own here, and ndauth judges the name.
            ("GET", "/orgs/ops/assets/..", ("ops", "RO", "read:assets:..")),
        ]:
            with self.subTest(f"{method} {path!r}"):
                self.assertEqual(need(method, path), expected)

    def test_a_route_that_makes_no_sense_is_refused(self):
        for route, permission, org, message in [
            ("GET healthz", "read:assets", "ops", "is no route"),
            ("/orgs/{org}", "read:assets", "{org}", "is no route"),
            ("GET /a{b}/{org}", "read:assets", "{org}", "is no route"),
            ("GET /{}/{org}", "read:assets", "{org}", "is no route"),
            ("GET /{org}/{org}", "read:assets", "{org}", "is no route"),
            ("GET /assets", "read:assets", "{org}", "has no part `{org}`"),
            ("GET /{org}", "read:assets:{x}", "{org}", "has no part `{x}`"),
            ("GET /{org}", "read:assets:{", "{org}", "has no part `{`"),
            # A `:` in the path would become part of the permission.
            ("GET /{org}/{kind}", "write:{kind}", "{org}", "invalid permission"),
            ("GET /{org}/{kind}", "write:{kind}:{kind}", "{org}", "invalid permission"),
            ("GET /{org}/{action}", "{action}:assets", "{org}", "invalid permission"),
            ("GET /{org}/{action}", "{action}", "{org}", "invalid permission"),
            ("GET /{org}", "READ", "{org}", "invalid permission"),
            ("GET /{org}", "nonsense", "{org}", "invalid permission"),
            ("GET /{org}", "", "{org}", "invalid permission"),
            ("GET /{org}", "read:", "{org}", "invalid permission"),
            ("GET /{org}", "read:assets:", "{org}", "invalid permission"),
            ("GET /{org}", "Read:assets", "{org}", "invalid permission"),
            ("GET /{org}", "read:a//b", "{org}", "invalid permission"),
            ("GET /{org}", "read:assets\n", "{org}", "invalid permission"),
            ("GET /{org}", "read:assets:*x", "{org}", "invalid permission"),
        ]:
            with self.subTest(f"{route} {permission!r}"), self.assertRaisesRegex(ValueError, message):
                Route.needs(route, "RO", permission, org=org)
        for access in ("IDENTITY", "rw", "", None):
            with self.subTest(access), self.assertRaisesRegex(ValueError, "invalid access"):
                Route.needs("GET /{org}", access, "read:assets")


class GuardTest(unittest.IsolatedAsyncioTestCase):
    async def sent(self, verifier, scope):
        """Returns what a guard sends in place of the application."""
        sent = []

        async def application(scope, receive, send):
            self.fail("it was reached")

        async def receive():
            return {"type": "websocket.connect"}

        async def send(message):
            sent.append(message)

        headers = [(b"authorization", b"Bearer ndpat_x")]
        await Guard(application, verifier, TABLE)({"path": "/deploy", "headers": headers, **scope}, receive, send)
        return sent

    async def status(self, verifier):
        return (await self.sent(verifier, {"type": "http", "method": "POST"}))[0]["status"]

    async def test_a_websocket_never_reaches_the_application(self):
        sent = await self.sent(None, {"type": "websocket", "path": "/healthz"})
        self.assertEqual([message["type"] for message in sent], ["websocket.close"])

    async def test_a_secret_without_any_power_is_not_authenticated(self):
        verifier = mock.create_autospec(Verifier)
        for name, factor in Factor.items():
            total = name.removeprefix("FACTOR_") in ("SECRET", "NOT_BEFORE", "LIFE", "SUSPENSION", "OWNER")
            verifier.validate.return_value = Refused(factor=factor)
            with self.subTest(name):
                self.assertEqual(await self.status(verifier), 401 if total else 403)

    async def test_a_verifier_that_is_not_open_lets_nobody_pass(self):
        verifier = Verifier("http://127.0.0.1:1", secret="ndsvc_" + 43 * "x")
        with self.assertLogs("ndauth"):
            self.assertEqual(await self.status(verifier), 503)
