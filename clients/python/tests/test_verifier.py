import asyncio
import os
import unittest
from unittest import mock

import grpc
from google.rpc.status_pb2 import Status

from ndauth import InvalidQuestion, Undecided, Verifier
from ndauth.v1.validation_service_pb2 import ValidateTokenResponse
from ndauth.v1.validation_service_pb2_grpc import ValidationServiceServicer, add_ValidationServiceServicer_to_server

QUESTION = {"secret": "ndpat_x", "access": "RO", "org": "ops"}


class VerifierTest(unittest.IsolatedAsyncioTestCase, ValidationServiceServicer):
    """The answers are those of a server in this process, which is the test itself."""

    async def asyncSetUp(self):
        server = grpc.aio.server()
        add_ValidationServiceServicer_to_server(self, server)
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        self.addAsyncCleanup(server.stop, None)
        self.verifier = Verifier(f"http://127.0.0.1:{port}", secret="ndsvc_" + 43 * "x")
        self.failure = None
        self.arrived, self.answered = asyncio.Event(), asyncio.Event()
        self.answered.set()

    async def ValidateToken(self, request, context):
        self.arrived.set()
        await self.answered.wait()
        if self.failure is not None:
            code, details = self.failure
            context.set_trailing_metadata((("grpc-status-details-bin", details),))
            await context.abort(code, "no")
        response = ValidateTokenResponse()
        response.allowed.token_name = "ci"
        return response

    async def test_no_proxy_of_the_environment_is_used(self):
        closed = {"http_proxy": "http://127.0.0.1:1", "no_proxy": "", "no_grpc_proxy": ""}
        with mock.patch.dict(os.environ, closed):
            async with self.verifier as verifier:
                self.assertEqual((await verifier.validate(**QUESTION)).token_name, "ci")

    async def test_an_invalid_question_names_the_field_if_the_details_do(self):
        code = grpc.StatusCode
        unreadable = Status(details=[{"type_url": "x/google.rpc.BadRequest", "value": b"\xff"}]).SerializeToString()
        of_org = Status(details=[{"type_url": "x/google.rpc.BadRequest", "value": b"\n\5\n\3org"}]).SerializeToString()
        async with self.verifier as verifier:
            for case, failure, field in [
                ("details", (code.INVALID_ARGUMENT, of_org), "org"),
                ("no details", (code.INVALID_ARGUMENT, b""), ""),
                ("an unreadable status", (code.INVALID_ARGUMENT, b"\xff"), ""),
                ("an unreadable detail", (code.INVALID_ARGUMENT, unreadable), ""),
                ("a large question", (code.OUT_OF_RANGE, b""), ""),
            ]:
                self.failure = failure
                with self.subTest(case), self.assertRaises(InvalidQuestion) as raised:
                    await verifier.validate(**QUESTION)
                with self.subTest(case):
                    self.assertEqual(raised.exception.field, field)

    async def test_nothing_is_decided_outside_async_with(self):
        with self.assertRaisesRegex(Undecided, "is not open"):
            await self.verifier.validate(**QUESTION)
        async with self.verifier as verifier:
            await verifier.validate(**QUESTION)
        with self.assertRaisesRegex(Undecided, "is not open"):
            await verifier.validate(**QUESTION)

    async def test_it_ends_also_while_the_watch_fails(self):
        async def rounds():
            for _ in range(20):
                async with self.verifier as verifier:
                    await verifier.validate(**QUESTION)

        # This server has no watch, so its stream fails at about the time of the end.
        await asyncio.wait_for(rounds(), 60)

    async def test_a_call_in_flight_at_the_end_ends_by_its_deadline(self):
        self.answered.clear()
        async with self.verifier as verifier:
            call = asyncio.create_task(verifier.validate(**QUESTION))
            await self.arrived.wait()
        with self.assertRaisesRegex(Undecided, "DEADLINE_EXCEEDED"):
            await call
