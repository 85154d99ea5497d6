"""Asks ndauth whether a token permits a request, as a service in Python does for each one.

    pip install grpcio grpcio-tools
    python -m grpc_tools.protoc -I proto --python_out=. --grpc_python_out=. \
        proto/google/api/*.proto proto/ndauth/v1/*.proto
    NDAUTH_SERVICE_SECRET=ndsvc_… python validate.py 127.0.0.1:7711 ops write:assets < token
"""

import os
import sys

import grpc
from ndauth.v1 import types_pb2, validation_service_pb2, validation_service_pb2_grpc

DEADLINE = 2.0  # seconds: the bound on how old an answer may be


class Undecided(Exception):
    """ndauth could not decide. This is neither yes nor no: respond 503, and let nobody pass."""


class Validator:
    def __init__(self, channel: grpc.Channel, service_secret: str):
        self._ask = validation_service_pb2_grpc.ValidationServiceStub(channel).ValidateToken
        self._metadata = [("authorization", f"Bearer {service_secret}")]

    def validate(self, secret: str, org: str, permission: str, client_address: str = ""):
        """Returns the message `Allowed`, or `Refused` with a reason, a message and a hint."""
        action, resource_type, *ids = permission.split(":", 2)
        question = validation_service_pb2.ValidateTokenRequest(
            secret=secret,
            org=org,
            # The access needed is the greater of this and the action's own.
            required_access=validation_service_pb2.ACCESS_RO,
            required_permission=types_pb2.Permission(
                action=action, resource_type=resource_type, resource_id=(ids or ["*"])[0]),
            client_address=client_address,
        )
        try:
            answer = self._ask(question, metadata=self._metadata, timeout=DEADLINE)
        except grpc.RpcError as error:
            raise Undecided(error.details()) from error
        return getattr(answer, answer.WhichOneof("outcome"))


def main() -> int:
    server, org, permission = sys.argv[1:]
    # On another machine: grpc.secure_channel(server, grpc.ssl_channel_credentials()).
    validator = Validator(grpc.insecure_channel(server), os.environ["NDAUTH_SERVICE_SECRET"])
    try:
        verdict = validator.validate(sys.stdin.read().strip(), org, permission)
    except Undecided as why:
        print(f"undecided: {why}")
        return 6
    if isinstance(verdict, validation_service_pb2.Allowed):
        print(f"allowed: {verdict.token_name} of {verdict.owner.account.handle or verdict.owner.org.slug}")
        return 0
    print(f"refused: {verdict.message}")
    return 1


if __name__ == "__main__":
    sys.exit(main())
