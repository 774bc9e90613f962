"""Tasks of made-up kinds, served by hand on a server that runs none itself."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

from msgspec import Struct
from sqlalchemy import update

from app.core.clock import now
from app.core.state import State
from app.models import Task
from app.tasks import service
from app.tasks.claims import Claim
from app.tasks.repository import TaskRepository
from app.tasks.running import Result, TaskRun
from tests.servers.api import Api, Caller

LEASE_SECONDS = 30.0


class NoRequest(Struct):
    """Nothing was asked for."""


@dataclass
class Script:
    """What the work does; `runs` and `undone` count how often."""

    do: Callable[[TaskRun], Awaitable[object]]
    undo: Callable[[TaskRun], Awaitable[object]] | None = None
    runs: int = 0
    undone: int = 0

    def build(self, run: TaskRun) -> ScriptedWork:
        return ScriptedWork(self, run)


async def do_nothing(_run: TaskRun) -> None:
    """The shortest work."""


@dataclass
class ScriptedWork:
    """One run of it."""

    script: Script
    task_run: TaskRun = field(repr=False)

    async def run(self) -> Result:
        self.script.runs += 1
        await self.script.do(self.task_run)
        return Result(account_id=self.task_run.task.account_id)

    async def undo(self) -> None:
        self.script.undone += 1
        if self.script.undo is not None:
            await self.script.undo(self.task_run)


@dataclass(frozen=True)
class Bench:
    """One account and its tasks."""

    api: Api
    caller: Caller

    @property
    def state(self) -> State:
        return self.api.state

    def create(self, kind: str = "scripted", **given: Any) -> UUID:
        """A task that is due."""
        task = self.api.run(
            service.create(
                self.state,
                application_id=self.caller.application_id,
                account_id=self.caller.account_id,
                kind=kind,
                request=given.pop("request", NoRequest()),
                **given,
            )
        )
        return task.id

    async def add(self) -> UUID:
        """The same, from the server's event loop."""
        task = await service.create(
            self.state,
            application_id=self.caller.application_id,
            account_id=self.caller.account_id,
            kind="scripted",
            request=NoRequest(),
        )
        return task.id

    def load(self, task_id: UUID) -> Task:
        return self.api.run(service.get(self.state, task_id, account_id=self.caller.account_id))

    def set(self, task_id: UUID, **values: Any) -> None:
        """Changes the row, as another process would."""

        async def change() -> None:
            async with self.state.db.writing() as session:
                await session.execute(update(Task).where(Task.id == task_id).values(**values))
                session.note_change(service.signal_name(task_id))

        self.api.run(change())

    async def claim(
        self, *, seconds: float = LEASE_SECONDS, monotonic: Callable[[], float] = time.monotonic
    ) -> TaskRun | None:
        """Takes the task that is due, if there is one."""
        claimed_at = monotonic()
        async with self.state.db.writing() as session:
            task = await TaskRepository(session).claim(now=now(), until=now() + timedelta(seconds=seconds))
        return None if task is None else TaskRun(self.state, task, claimed_at=claimed_at, monotonic=monotonic)

    def serve(self, script: Script | None) -> bool:
        """Claims the task that is due and serves it to the end; False if none is."""

        async def serve() -> bool:
            run = await self.claim()
            if run is None:
                return False
            await Claim(run, script.build if script else None, jitter=lambda: 1.0).serve()
            return True

        return self.api.run(serve())
