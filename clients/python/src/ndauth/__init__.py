"""Asks ndauth whether a token permits a request: a `Verifier` to ask by hand, a `Guard` for ASGI."""

from .guard import Guard, Route
from .v1.types_pb2 import Refused
from .v1.validation_service_pb2 import Allowed
from .verifier import InvalidQuestion, Undecided, Verifier

__all__ = ["Allowed", "Guard", "InvalidQuestion", "Refused", "Route", "Undecided", "Verifier"]
