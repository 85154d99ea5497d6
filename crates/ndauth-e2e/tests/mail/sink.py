"""A mail server for tests: it takes mails, and writes each as a line of JSON as Python's `email` reads it.

Each line of standard input is a word that says how the next mails are answered: `take`, `refuse` (550), `defer` (451),
or `lose` (taken, and the connection is cut before the answer).
"""

import argparse
import asyncio
import email
import email.policy
import json
import ssl
import sys

from aiosmtpd.smtp import SMTP, AuthResult


class Handler:
    def __init__(self, file):
        self.file = file
        self.how = "take"

    async def handle_RCPT(self, server, session, envelope, address, options):
        if self.how == "refuse":
            return f"550 5.1.1 <{address}>: no such user"
        if self.how == "defer":
            return f"451 4.7.1 <{address}>: try again later"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        mail = email.message_from_bytes(envelope.original_content, policy=email.policy.default)
        line = {
            "from": envelope.mail_from,
            "to": envelope.rcpt_tos,
            "headers": [[name, str(value)] for name, value in mail.items()],
            "body": mail.get_content(),
            "type": mail.get_content_type(),
            "raw": envelope.original_content.decode("ascii"),
            "tls": server.transport.get_extra_info("ssl_object") is not None,
            "login": getattr(session, "user", None),
        }
        self.file.write(json.dumps(line) + "\n")
        self.file.flush()
        if self.how == "lose":
            self.how = "take"
            server.transport.abort()
        return "250 OK"


async def follow_standard_input(handler):
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        handler.how = line.strip()
        print("understood", flush=True)


async def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--file", required=True)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--certificate")
    parser.add_argument("--key")
    parser.add_argument("--implicit", action="store_true")
    parser.add_argument("--user")
    parser.add_argument("--password")
    arguments = parser.parse_args()
    context = None
    if arguments.certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(arguments.certificate, arguments.key)

    def authenticate(server, session, envelope, mechanism, data):
        known = (data.login.decode(), data.password.decode()) == (arguments.user, arguments.password)
        if known:
            session.user = data.login.decode()
        return AuthResult(success=known, handled=False)

    handler = Handler(open(arguments.file, "a", encoding="ascii"))
    loop = asyncio.get_running_loop()
    options = {"enable_SMTPUTF8": False, "hostname": "localhost"}
    if arguments.user:
        options |= {"authenticator": authenticate, "auth_required": True}
        options |= {"auth_require_tls": context is not None and not arguments.implicit}
    if context and not arguments.implicit:
        options |= {"tls_context": context, "require_starttls": True}
    serving = await loop.create_server(
        lambda: SMTP(handler, loop=loop, **options),
        "127.0.0.1",
        arguments.port,
        ssl=context if arguments.implicit else None,
    )
    print(serving.sockets[0].getsockname()[1], flush=True)
    await follow_standard_input(handler)


asyncio.run(main())
