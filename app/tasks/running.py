"""One claimed task while it runs: its lease, its progress, and the fence around all that it writes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Protocol, TypeVar

import msgspec
import structlog
from msgspec import Struct
from sqlalchemy import select

from app.core.clock import now
from app.core.db import WriteSession
from app.core.errors import ApiError
from app.core.state import State
from app.models import Task
from app.tasks.repository import TaskRepository
from app.tasks.service import CHANGED, purpose, signal_name
from connectors.core.cleanup import note_seen
from connectors.core.resources import Ref

RENEWED_AT_PART = 1 / 3
"""The part of its lease after which a task renews it."""

STOPPED_AT_PART = 0.8
"""The part of its lease after which a task that could not renew it writes nothing: before anybody else may begin. What
is left of it is for what was sent by then to arrive, and for clocks that differ.
"""

PROGRESS_SECONDS_MAX = 2.0
"""How old the progress that others see may be."""

ASKED_AT_PART = 1.0
"""The part of its lease for which a task that could not prove it in time waits for the answer, writing nothing: on a
machine with too much to do it can go on, while nobody took it.
"""

STOPPING_SECONDS_MAX = 5.0
"""How long work that tried to write after its lease was lost waits to be stopped."""

RequestT = TypeVar("RequestT", bound=Struct)

log = structlog.get_logger("app.tasks")


class LeaseLostError(Exception):
    """The task is somebody else's by now; nothing of this run may count any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What came of a task: a file or folder, or nothing (`ref` None) for a deletion."""

    account_id: int
    ref: Ref | None = None
    is_new: bool = True


@dataclass(slots=True)
class Progress:
    """How far a task is. Totals are None while they are not known."""

    files_total: int | None = None
    files_done: int = 0
    bytes_total: int | None = None
    bytes_done: int = 0
    outcomes: dict[str, int] = field(default_factory=dict)

    def count(self, outcome: str) -> None:
        """One more file ended in this way."""
        self.files_done += 1
        self.outcomes[outcome] = self.outcomes.get(outcome, 0) + 1

    def values(self) -> dict[str, Any]:
        """As the columns of a task."""
        return {
            "files_total": self.files_total,
            "files_done": self.files_done,
            "bytes_total": self.bytes_total,
            "bytes_done": self.bytes_done,
            "outcomes": dict(self.outcomes),
        }


class Work(Protocol):
    """What a task of one kind does. It may be run again after it was stopped anywhere, in another process, too."""

    async def run(self) -> Result:
        """Does it. Cancelling is normal; an error that is temporary means: again later."""
        ...

    async def undo(self) -> None:
        """Frees what was begun and will not be finished. What was finished stays."""
        ...


class TaskRun:
    """A claim on a task, for those who do the work."""

    def __init__(
        self, state: State, task: Task, *, claimed_at: float, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self.state = state
        self.task = task
        self.progress = Progress(
            task.files_total, task.files_done, task.bytes_total, task.bytes_done, dict(task.outcomes)
        )
        self.is_lost = False
        self.ending = task.ending
        self._knows_ending = task.ending is not None
        self._first = self._shown = self.progress.values()
        self._monotonic = monotonic
        self._renewed_at = claimed_at  # by that clock, a little before the lease began
        self._renewing = asyncio.Lock()
        self._stop: Callable[[], object] = lambda: None
        self._lease_seconds = state.settings.task_lease_seconds

    def read_request(self, kind: type[RequestT]) -> RequestT:
        """What was asked for."""
        plain = self.state.keys.open(self.task.sealed_request, purpose=purpose(self.task.id))
        return msgspec.json.decode(plain, type=kind)

    @property
    def has_moved(self) -> bool:
        """True when more is done than when this run began."""
        return _is_further(self.progress.values(), self._first)

    def decide(self, ending: str) -> None:
        """Notes how the task will end: by this run's own decision, or because it just found that it was decided."""
        self.ending, self._knows_ending = ending, True

    async def prove(self) -> None:
        """Returns when it is certain that nobody else has the task, which most often needs no question.

        Whatever is about to change something outside of the database comes through here. Who has lost the task does
        not get past: it is stopped, or gets LeaseLostError if that takes too long.
        """
        while not self.is_lost:
            if self._monotonic() < self._stops_at:
                return
            async with self._renewing:
                if self._monotonic() >= self._stops_at and not self.is_lost:
                    await self._renew()
        self._stop()
        await asyncio.sleep(STOPPING_SECONDS_MAX)
        raise LeaseLostError

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[WriteSession]:
        """A transaction that counts only if the task is still this run's. LeaseLostError if it is not."""
        if self.is_lost:
            raise LeaseLostError
        async with self.state.db.writing() as session:
            if not await TaskRepository(session).is_held(self.task.id, self.task.epoch):
                self.is_lost = True
                raise LeaseLostError
            yield session

    async def settle(self, *, is_ending: bool | None = None, **values: Any) -> bool:
        """Changes the task for good, and tells those who wait for it. False if it is not this run's, or if its ending
        is, or is not, decided already (`is_ending`).
        """
        async with self.state.db.writing() as session:
            is_settled = await TaskRepository(session).settle(
                self.task.id, self.task.epoch, is_ending=is_ending, **self.progress.values(), **values
            )
            if is_settled:
                session.note_change(signal_name(self.task.id))
                session.note_change(CHANGED)
        if is_settled and values.get("ended_at") is not None:
            self.state.metrics.note_task(self.task.kind, values["state"])
        return is_settled

    async def keep(self, stop: Callable[[], object]) -> None:
        """Renews the lease and shows the progress, until the lease is lost; calls `stop` when work must end.

        That is when the task was cancelled, is somebody else's, or could not be renewed for too long.
        """
        self._stop = stop
        seconds = min(self._lease_seconds * RENEWED_AT_PART, PROGRESS_SECONDS_MAX)
        with self.state.signals.listening(signal_name(self.task.id)) as bell:
            while True:
                is_woken = await bell.wait(seconds)
                async with self._renewing:
                    if not self.is_lost and (is_woken or self._is_due):
                        await self._renew()
                if self.is_lost:
                    stop()
                    return
                if self.ending is not None and not self._knows_ending:
                    self._knows_ending = True
                    stop()

    @property
    def _stops_at(self) -> float:
        """Until when, by the monotonic clock, nobody else can have begun."""
        return self._renewed_at + self._lease_seconds * STOPPED_AT_PART

    @property
    def _is_due(self) -> bool:
        age_seconds = self._monotonic() - self._renewed_at
        return age_seconds >= self._lease_seconds * RENEWED_AT_PART or self.progress.values() != self._shown

    async def _renew(self) -> None:
        stops_at, values = self._stops_at, self.progress.values()
        seconds_max = max(0.0, stops_at - self._monotonic()) + self._lease_seconds * ASKED_AT_PART
        asking = asyncio.ensure_future(self._ask(values))
        asking.add_done_callback(note_seen)
        try:
            # Not cancelled when it takes too long: what is begun at the database is finished there.
            await asyncio.wait({asking}, timeout=seconds_max)
            if asking.done():
                self._renewed_at, ending = asking.result()
                self._shown = values
                self.ending = ending or self.ending  # what this run decided meanwhile stands
            else:
                self.is_lost = True
                log.warning("lease not renewed in time", task=str(self.task.id))
        except LeaseLostError:
            self.is_lost = True
        except ApiError as error:
            self.is_lost = self._monotonic() >= stops_at
            log.warning("lease not renewed", task=str(self.task.id), error=error.message, is_lost=self.is_lost)
        finally:
            asking.cancel()

    async def _ask(self, values: dict[str, Any]) -> tuple[float, str | None]:
        """When the new lease began, and how the task shall end if somebody said so. LeaseLostError."""
        restarted = {"attempts": 1} if _is_further(values, self._shown) else {}
        async with self.state.db.writing() as session:
            await session.scalar(select(1))  # where one writes at a time, this waits for those before it
            began_at, until = self._monotonic(), now() + timedelta(seconds=self._lease_seconds)
            is_held, ending = await TaskRepository(session).renew(
                self.task.id, self.task.epoch, due_at=until, **values, **restarted
            )
        if not is_held:
            raise LeaseLostError
        return began_at, ending


def _is_further(values: dict[str, Any], before: dict[str, Any]) -> bool:
    return any(values[name] > before[name] for name in ("files_done", "bytes_done"))
