"""Runs tasks: claims those that are due, as many at once as there are slots, and wakes when there is news."""

from __future__ import annotations

import asyncio
import random
import time
import uuid
from collections.abc import Callable, Mapping
from datetime import timedelta

import structlog

from app.core.clock import now
from app.core.errors import ApiError
from app.core.state import State
from app.models import Task
from app.tasks.claims import BuildWork, Claim
from app.tasks.repository import TaskRepository
from app.tasks.running import TaskRun
from app.tasks.service import CHANGED

SWEEP_SECONDS_MAX = 5.0
"""How long it may take until a task is found of which no news came."""

STOP_SECONDS_MAX = 10.0
"""How long tasks may take to close what is open and to be given back."""

log = structlog.get_logger("app.tasks")


class Runner:
    """The tasks of one process."""

    def __init__(
        self, state: State, kinds: Mapping[str, BuildWork], *, jitter: Callable[[], float] = random.random
    ) -> None:
        self._state = state
        self._kinds = kinds
        self._jitter = jitter
        self._slots_count = state.settings.tasks_parallel_max
        self._running: dict[asyncio.Task[None], Task] = {}

    async def run(self) -> None:
        """Runs tasks until the process is about to stop or this is cancelled; then gives back those that run."""
        if self._state.settings.is_embedded:
            await self._release_all()
        try:
            with self._state.signals.listening(CHANGED) as bell:
                while not self._state.signals.is_stopping and self._slots_count:
                    await bell.wait(await self._fill_slots())
        finally:
            for running in self._running:
                running.cancel()
            if self._running:
                await asyncio.wait(self._running, timeout=STOP_SECONDS_MAX)

    async def _release_all(self) -> None:
        """One process serves an embedded database: what is held was held by one that is dead."""
        try:
            async with self._state.db.writing() as session:
                await TaskRepository(session).release_all(now=now())
        except ApiError as error:
            log.warning("tasks not released", error=error.message)

    async def _fill_slots(self) -> float:
        """Starts what is due; how many seconds until there may be more."""
        try:
            while len(self._running) < self._slots_count:
                async with self._state.db.reading(is_newest=True) as session:
                    next_at = await TaskRepository(session).find_next_due_at(skipped_tasks=self._running_ids)
                if next_at is None:
                    break
                if (seconds := (next_at - now()).total_seconds()) > 0:
                    return min(seconds, SWEEP_SECONDS_MAX)
                if not await self._claim_one():
                    break
        except ApiError as error:
            log.warning("tasks not looked for", error=error.message)
        except Exception:
            log.exception("tasks not looked for")  # and looked for again: without a runner nothing ever ends
        return SWEEP_SECONDS_MAX

    async def _claim_one(self) -> bool:
        """Claims a task, first of applications that have none running here: nobody's crowd holds up the others.

        Never one that still runs here: whoever has lost it is being stopped, and then it can be claimed.
        """
        seconds = self._state.settings.task_lease_seconds
        busy = {task.application_id for task in self._running.values()}
        for skipped in (busy, frozenset[str]()) if busy else (busy,):
            claimed_at, moment = time.monotonic(), now()
            async with self._state.db.writing() as session:
                task = await TaskRepository(session).claim(
                    now=moment,
                    until=moment + timedelta(seconds=seconds),
                    skipped_applications=skipped,
                    skipped_tasks=self._running_ids,
                )
            if task is not None:
                run = TaskRun(self._state, task, claimed_at=claimed_at)
                claim = Claim(run, self._kinds.get(task.kind), jitter=self._jitter)
                running = asyncio.create_task(claim.serve(), name=f"task {task.id}")
                self._running[running] = task
                running.add_done_callback(self._free_slot)
                return True
        return False

    @property
    def _running_ids(self) -> set[uuid.UUID]:
        return {task.id for task in self._running.values()}

    def _free_slot(self, running: asyncio.Task[None]) -> None:
        del self._running[running]
        self._state.signals.ring(CHANGED)
