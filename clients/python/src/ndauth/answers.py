"""The answers that a verifier keeps. It never holds a secret, and judges nothing."""

from __future__ import annotations

import time
from collections import OrderedDict
from typing import NamedTuple

from .v1.validation_service_pb2 import ValidateTokenResponse
from .v1.watch_service_pb2 import WatchRevocationsResponse

# A clock that counts suspend. On macOS the monotonic one does.
_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
# The most tokens whose changes are remembered one by one.
_MOST_CHANGES = 4096


def now() -> float:
    """Returns the seconds since an unspecified instant."""
    return time.clock_gettime(_CLOCK)


class Asked(NamedTuple):
    """A question in flight: the instant before it was sent, and the epoch then."""

    sent: float
    epoch: int


class _Entry(NamedTuple):
    answer: bytes  # serialized: each caller gets a message of its own
    until: float
    sequence: int
    token_id: str


class Answers:
    """Answers by the hash of their question. No change looks for the entries that it concerns: each use compares."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        # Refusals have a place of their own, so that guesses do not evict known tokens.
        self._entries: dict[str, OrderedDict[bytes, _Entry]] = {"allowed": OrderedDict(), "refused": OrderedDict()}
        self.reset(0)

    def reset(self, epoch: int | None = None) -> None:
        """Drops every answer, and those in flight."""
        self._epoch = self._epoch + 1 if epoch is None else epoch
        for entries in self._entries.values():
            entries.clear()
        # The last event of any kind, the last that concerned everything, and the last of each token.
        self._last = self._last_of_all = 0
        self._last_of_token: dict[str, int] = {}

    def ask(self) -> Asked:
        return Asked(now(), self._epoch)

    def find(self, key: bytes) -> ValidateTokenResponse | None:
        """Returns an answer that may be given again."""
        for entries in self._entries.values():
            entry = entries.get(key)
            if entry is not None and now() < entry.until and entry.sequence >= self._needed(entry.token_id):
                entries.move_to_end(key)
                return ValidateTokenResponse.FromString(entry.answer)
        return None

    def keep(self, key: bytes, asked: Asked, answer: ValidateTokenResponse) -> None:
        """Keeps an answer, unless it is stale or a change overtook it."""
        until = asked.sent + answer.max_cache_age.ToTimedelta().total_seconds()
        if answer.stale or asked.epoch != self._epoch or now() >= until:
            return
        entries = self._entries[answer.WhichOneof("outcome")]
        # A refusal does not name its token: any change may concern it.
        entries[key] = _Entry(answer.SerializeToString(), until, answer.sequence, answer.allowed.token_id)
        entries.move_to_end(key)
        if len(entries) > self._capacity:
            entries.popitem(last=False)

    def apply(self, message: WatchRevocationsResponse) -> None:
        """Takes in what a watch reports."""
        # Rules concern every answer, and have no sequence.
        if message.reset or message.HasField("rules"):
            self.reset()
        for change in message.changes:
            self._last = max(self._last, change.sequence)
            if change.WhichOneof("concern") == "token_id":
                self._last_of_token[change.token_id] = change.sequence
            else:
                self._last_of_all = self._last
        if len(self._last_of_token) > _MOST_CHANGES:
            self._last_of_all = self._last
            self._last_of_token.clear()

    def _needed(self, token_id: str) -> int:
        """Returns the event that an answer about a token must take into account; empty is an unknown token."""
        if not token_id:
            return self._last
        return max(self._last_of_all, self._last_of_token.get(token_id, 0))
