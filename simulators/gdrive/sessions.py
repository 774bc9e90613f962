"""Resumable uploads under way: each has an address of its own for a week."""

from __future__ import annotations

import secrets
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from simulators.core.clock import Clock
from simulators.core.grants import Grant
from simulators.gdrive.blobs import BlobWriter
from simulators.gdrive.errors import DriveError
from simulators.gdrive.fields import Mask

SESSION_DAYS = 7
SESSIONS_COUNT_MAX = 10_000


@dataclass(slots=True, kw_only=True)
class Session:
    """What was said at the beginning, and the bytes that have come. `result` is the answer once it is complete."""

    id: str
    method_name: str
    parameters: dict[str, Any]
    mask: Mask | None
    grant: Grant
    metadata: dict[str, Any]
    media_type: str | None
    total_bytes: int | None
    sink: BlobWriter
    expires_at: datetime
    result: dict[str, Any] | None = None
    is_cancelled: bool = False
    is_busy: bool = False


class Sessions:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._sessions: OrderedDict[str, Session] = OrderedDict()

    def invent_id(self) -> str:
        return "AB" + secrets.token_urlsafe(48)

    def expires_at(self) -> datetime:
        return self._clock.now() + timedelta(days=SESSION_DAYS)

    def add(self, session: Session) -> None:
        """Keeps it; the oldest one goes where there would be too many."""
        self._sessions[session.id] = session
        while len(self._sessions) > SESSIONS_COUNT_MAX:
            _, oldest = self._sessions.popitem(last=False)
            if oldest.result is None:
                oldest.sink.drop()

    def get(self, session_id: str) -> Session:
        """404 for what never was or has expired, 410 for what was given up."""
        session = self._sessions.get(session_id)
        if session is None or session.expires_at < self._clock.now():
            raise DriveError(404, "notFound", "Not Found")
        if session.is_cancelled:
            raise DriveError(410, "gone", "The upload session is gone.")
        return session

    def cancel(self, session: Session) -> None:
        if not session.is_cancelled and session.result is None:
            session.is_cancelled = True
            session.sink.drop()

    def close(self) -> None:
        """Uploads that were never finished end with the simulator."""
        for session in self._sessions.values():
            self.cancel(session)
