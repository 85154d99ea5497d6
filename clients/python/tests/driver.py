"""Asks the questions on standard input, one JSON object a line, and answers each with one line of JSON.

NDAUTH_ADDRESS=http://127.0.0.1:7711 NDAUTH_SERVICE_SECRET=ndsvc_… python driver.py
{"secret": "ndpat_…", "org": "ops", "access": "RW", "permission": "write:assets", "client_address": "192.0.2.1"}
"""

import asyncio
import json
import os
import sys

from ndauth import Allowed, InvalidQuestion, Undecided, Verifier
from ndauth.v1.reason_pb2 import Reason
from ndauth.v1.types_pb2 import Scope


async def answer(verifier: Verifier, question: dict[str, str]) -> dict[str, object]:
    # An absent access is the contract's unspecified one, which the server refuses.
    question = {"access": "UNSPECIFIED", **question}
    try:
        verdict = await verifier.validate(question.pop("secret", ""), **question)
    except Undecided as why:
        return {"undecided": why.code}
    except InvalidQuestion as why:
        return {"invalid": why.field}
    if not isinstance(verdict, Allowed):
        return {"refused": Reason.Name(verdict.reason).removeprefix("REASON_")}
    access = Scope.Name(verdict.effective.access).removeprefix("SCOPE_") if verdict.HasField("effective") else None
    return {"allowed": {"token_id": verdict.token_id, "token_name": verdict.token_name, "access": access}}


async def main() -> None:
    address, secret = os.environ["NDAUTH_ADDRESS"], os.environ["NDAUTH_SERVICE_SECRET"]
    async with Verifier(address, secret=secret) as verifier:
        # The loop stays free for the watch while a line is awaited.
        while line := await asyncio.to_thread(sys.stdin.readline):
            print(json.dumps(await answer(verifier, json.loads(line))), flush=True)


if __name__ == "__main__":
    asyncio.run(main())
