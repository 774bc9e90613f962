"""What callers asked of this process, until it is written down; and how many calls to storages each request made."""

from __future__ import annotations

from collections import deque
from contextvars import ContextVar
from typing import NamedTuple

from connectors.core.layers.observe import LogObserver, Sent

WAITING_MAX = 10_000


class SeenRequest(NamedTuple):
    """One request that is over. No path, no query, no name, no secret: the route is a template."""

    application_id: str
    account_id: int | None
    request_id: str
    method: str
    route: str
    service: str | None
    status: int | None
    error_code: str | None
    started_at: float  # seconds since 1970
    seconds: float
    received_bytes: int
    sent_bytes: int
    provider_calls_count: int


class Journal:
    """Requests that wait to be written; the newest are dropped, and counted, when there are too many."""

    def __init__(self, *, waiting_max: int = WAITING_MAX) -> None:
        self._waiting: deque[SeenRequest] = deque()
        self._waiting_max = waiting_max
        self.dropped_count = 0

    def note(self, seen: SeenRequest) -> None:
        """Takes one up."""
        if len(self._waiting) >= self._waiting_max:
            self.dropped_count += 1
        else:
            self._waiting.append(seen)

    def take(self, count_max: int) -> list[SeenRequest]:
        """Gives the oldest away."""
        return [self._waiting.popleft() for _ in range(min(count_max, len(self._waiting)))]


class CallCount:
    """How many calls to storages were made for one request."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value = 0


CALLS: ContextVar[CallCount] = ContextVar("calls")
"""The count of the request that is being served here."""


class CountingObserver(LogObserver):
    """Logs each call to a storage, and counts it for the request that made it."""

    def sent(self, event: Sent) -> None:
        super().sent(event)
        calls = CALLS.get(None)
        if calls is not None:
            calls.value += 1
