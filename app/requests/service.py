"""The rules of the request log: written in batches beside the requests, kept for a day and in bounds, read by callers.

Every process writes what it served. A request never waits for the log, nor fails with it: what cannot be written is
dropped, and the server's own log says how much that was.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog

from app.core.clock import now
from app.core.errors import ApiError, ErrorCode
from app.core.journal import Journal, SeenRequest
from app.core.state import State
from app.models import LoggedRequest
from app.requests.repository import RequestRepository

FLUSH_SECONDS = 1.0
BATCH_COUNT = 500
TRIM_COUNT = 1000
"""How many rows more than it may keep an application may have for a while."""
DELETE_COUNT = 10_000

log = structlog.get_logger("app.requests")


class RequestLog:
    """Writes down what waits in the journal; one a process."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._journal = state.journal or Journal()
        self._written: Counter[str] = Counter()  # by application, since it was trimmed
        self._lock = asyncio.Lock()

    async def keep(self, *, every_seconds: float = FLUSH_SECONDS) -> None:
        """Writes until cancelled, and then once more."""
        try:
            while True:
                await asyncio.sleep(every_seconds)
                await self.write()
        finally:
            await self.write()

    async def write(self) -> None:
        """Writes all that waits now."""
        async with self._lock:
            while batch := self._journal.take(BATCH_COUNT):
                try:
                    await self._write(batch)
                except Exception as error:
                    self._journal.dropped_count += len(batch)
                    if not isinstance(error, ApiError):  # a fault of ours, which must not end the log for good
                        log.exception("requests could not be written down")
            if self._journal.dropped_count:
                log.error("requests not written down", count=self._journal.dropped_count)
                self._journal.dropped_count = 0

    async def _write(self, batch: list[SeenRequest]) -> None:
        written = self._written + Counter(seen.application_id for seen in batch)
        full = [application_id for application_id, count in written.items() if count >= TRIM_COUNT]
        async with self._state.db.writing() as session:
            repository = RequestRepository(session)
            await repository.add_all([_build_row(seen) for seen in batch])
            for application_id in full:
                await repository.trim(application_id, rows_max=self._state.settings.request_log_rows_max)
        self._written = written
        for application_id in full:
            del self._written[application_id]


def _build_row(seen: SeenRequest) -> dict[str, Any]:
    return seen._asdict() | {"started_at": datetime.fromtimestamp(seen.started_at, UTC)}


def need_log(state: State) -> None:
    """ApiError 501 when the operator keeps none."""
    if state.journal is None:
        raise ApiError(ErrorCode.NOT_IMPLEMENTED, "This server keeps no log of requests.")


async def get_request(state: State, request_id: str, *, application_id: str, account_id: int | None) -> LoggedRequest:
    """One request of the application, or of one of its accounts; ApiError 404."""
    async with state.db.reading() as session:
        row = await RequestRepository(session).find(request_id, application_id=application_id, account_id=account_id)
    if row is None:
        raise ApiError(ErrorCode.NOT_FOUND, "There is no such request, or it is forgotten.")
    return row


async def delete_old(state: State) -> int:
    """Forgets requests that are older than they are kept; returns how many."""
    before = now() - timedelta(hours=state.settings.request_log_hours_max)
    return await state.db.delete_in_batches(
        lambda session, limit: RequestRepository(session).delete_old(before=before, limit=limit),
        batch_count=DELETE_COUNT,
    )
