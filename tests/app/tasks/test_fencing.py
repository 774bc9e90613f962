"""What a claim may do to the world when nobody knows for certain that it still stands."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import cast
from uuid import UUID

import pytest

from app.core.clock import now
from app.core.db import Database, WriteSession
from app.models import Task
from app.tasks import claims, running
from app.tasks.claims import Claim
from app.tasks.running import LeaseLostError, TaskRun
from connectors.core.fence import pass_fence
from tests.app.tasks.serving import Bench, Script, do_nothing


class Clock:
    """Goes on by as much as it is told; no process notices for how long it stood still."""

    def __init__(self) -> None:
        self.passed_seconds = 0.0

    def __call__(self) -> float:
        return time.monotonic() + self.passed_seconds


class GatedDatabase:
    """A database that lets nobody write until its gate is open; `is_asked` is set when somebody wants to."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self.is_asked, self.gate = asyncio.Event(), asyncio.Event()

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[WriteSession]:
        self.is_asked.set()
        await self.gate.wait()
        async with self._db.writing() as session:
            yield session


async def take_over(run: TaskRun) -> None:
    """Another process claims the task."""
    async with run.state.db.writing() as session:
        task = await session.get(Task, run.task.id)
        assert task is not None
        task.epoch += 1


def test_claim_goes_on_after_a_standstill_when_nobody_took_the_task(bench: Bench) -> None:
    task_id, clock = bench.create(), Clock()

    async def stand_still() -> None:
        run = await bench.claim(seconds=-1, monotonic=clock)
        assert run is not None
        clock.passed_seconds = 1000
        await run.prove()
        assert not run.is_lost

    bench.api.run(stand_still())
    due_at = bench.load(task_id).due_at
    assert due_at is not None
    assert due_at > now()


def test_nothing_is_asked_when_the_lease_lasts_for_certain(bench: Bench) -> None:
    task_id = bench.create()

    async def prove() -> None:
        run = await bench.claim()
        assert run is not None
        await take_over(run)
        await run.prove()  # by the clock nobody can have done that

    bench.api.run(prove())
    assert bench.load(task_id).epoch == 2


def test_no_write_begins_after_a_standstill_in_which_another_took_the_task(bench: Bench) -> None:
    task_id, clock = bench.create(), Clock()
    did: list[str] = []

    async def work(run: TaskRun) -> None:
        did.append("began")
        await pass_fence()
        did.append("wrote")
        await take_over(run)
        clock.passed_seconds = 1000
        try:
            await pass_fence()
            did.append("wrote again")
        finally:
            await pass_fence()
            did.append("freed what was its own")

    async def serve() -> None:
        run = await bench.claim(monotonic=clock)
        assert run is not None
        await Claim(run, script.build, jitter=lambda: 1.0).serve()

    script = Script(work)
    bench.api.run(serve())
    assert did == ["began", "wrote", "freed what was its own"]
    assert script.undone == 0
    assert (bench.load(task_id).state, bench.load(task_id).epoch) == ("started", 2)


@pytest.mark.parametrize("is_taken", [True, False])
def test_write_waits_for_as_long_as_the_renewal_is_held_up(bench: Bench, is_taken: bool) -> None:
    task_id, clock = bench.create(), Clock()
    did: list[str] = []

    async def work(_run: TaskRun) -> None:
        did.append("began")
        clock.passed_seconds = 1000
        await pass_fence()
        did.append("wrote")

    async def serve() -> None:
        run = await bench.claim(monotonic=clock)
        assert run is not None
        db = GatedDatabase(bench.state.db)
        run.state = replace(bench.state, db=cast("Database", db))
        serving = asyncio.create_task(Claim(run, Script(work).build, jitter=lambda: 1.0).serve())
        await db.is_asked.wait()
        assert did == ["began"]
        if is_taken:
            await take_over(TaskRun(bench.state, run.task, claimed_at=clock()))
        db.gate.set()
        await serving

    bench.api.run(serve())
    assert did == (["began"] if is_taken else ["began", "wrote"])
    assert bench.load(task_id).state == ("started" if is_taken else "finished")


def test_who_cannot_be_stopped_is_refused_when_another_took_the_task(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.create()
    monkeypatch.setattr(running, "STOPPING_SECONDS_MAX", 0.01)

    async def write() -> None:
        clock = Clock()
        run = await bench.claim(monotonic=clock)
        assert run is not None
        await take_over(run)
        clock.passed_seconds = 1000
        for write in (run.prove, run.writing().__aenter__):
            with pytest.raises(LeaseLostError):
                await write()

    bench.api.run(write())


def test_task_is_not_given_back_while_its_work_may_still_write(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    task_id = bench.create()
    monkeypatch.setattr(claims, "CLOSE_SECONDS_MAX", 0.01)

    async def serve() -> None:
        is_begun, may_end = asyncio.Event(), asyncio.Event()

        async def work(_run: TaskRun) -> None:
            is_begun.set()
            try:
                await asyncio.Event().wait()
            finally:
                await may_end.wait()

        run = await bench.claim()
        assert run is not None
        serving = asyncio.create_task(Claim(run, Script(work).build, jitter=lambda: 1.0).serve())
        await is_begun.wait()
        serving.cancel()
        await asyncio.wait({serving})
        may_end.set()

    bench.api.run(serve())
    assert is_held(bench, task_id)
    assert not bench.serve(Script(do_nothing))


def is_held(bench: Bench, task_id: UUID) -> bool:
    task = bench.load(task_id)
    assert task.due_at is not None
    return task.state == "started" and task.due_at > now()
