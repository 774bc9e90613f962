"""The runner of one process: what it claims, how many at once, when it wakes, how it stops."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta

import pytest

from app.core.clock import now
from app.core.signals import Signals
from app.core.state import State
from app.models import Task
from app.tasks.runner import Runner
from app.tasks.running import TaskRun
from app.tasks.service import CHANGED
from tests.app.tasks.serving import Bench, Script, do_nothing

WAIT_SECONDS_MAX = 30.0


@asynccontextmanager
async def running(bench: Bench, script: Script, *, slots: int = 2) -> AsyncIterator[State]:
    """A runner beside the idle server, in the same process."""
    settings = bench.state.settings.model_copy(update={"tasks_parallel_max": slots})
    state = replace(bench.state, settings=settings)
    runner = asyncio.create_task(Runner(state, {"scripted": script.build}).run())
    try:
        yield state
    finally:
        runner.cancel()
        await asyncio.wait({runner})


async def wait_until(is_true: Callable[[], bool]) -> None:
    async with asyncio.timeout(WAIT_SECONDS_MAX):
        while not is_true():  # noqa: ASYNC110 - what is looked at rings no bell
            await asyncio.sleep(0.01)


def test_tasks_are_run_at_once_when_they_are_created_in_the_same_process(bench: Bench) -> None:
    script = Script(do_nothing)

    async def run() -> None:
        async with running(bench, script):
            await asyncio.sleep(0.2)  # it waits for news by now
            before = asyncio.get_running_loop().time()
            for _ in range(3):
                await bench.add()
            await wait_until(lambda: script.runs == 3)
            assert asyncio.get_running_loop().time() - before < WAIT_SECONDS_MAX / 2

    bench.api.run(run())


def test_only_so_many_tasks_run_at_the_same_time(bench: Bench) -> None:
    together: list[int] = []
    running_count = 0

    async def work(_run: TaskRun) -> None:
        nonlocal running_count
        running_count += 1
        together.append(running_count)
        await asyncio.sleep(0.2)
        running_count -= 1

    script = Script(work)

    async def run() -> None:
        for _ in range(7):
            await bench.add()
        async with running(bench, script, slots=2):
            await wait_until(lambda: script.runs == 7 and running_count == 0)

    bench.api.run(run())
    assert max(together) == 2


def test_waiting_task_is_run_when_its_time_has_come(bench: Bench) -> None:
    script = Script(do_nothing)
    task_id = bench.create()
    bench.set(task_id, due_at=now() + timedelta(seconds=0.5))

    async def run() -> None:
        async with running(bench, script):
            await wait_until(lambda: script.runs == 1)

    bench.api.run(run())
    assert now() >= bench.load(task_id).created_at + timedelta(seconds=0.4)


def test_crowd_of_one_application_does_not_hold_up_another(bench: Bench) -> None:
    order: list[str] = []

    async def work(run: TaskRun) -> None:
        order.append(run.task.application_id)
        await wait_until(lambda: len(order) >= 2)  # the first one runs until the other slot has something to do, too

    script = Script(work)
    other = Bench(bench.api, bench.api.create_caller())

    async def run() -> None:
        for _ in range(6):
            await bench.add()
        await other.add()
        async with running(bench, script, slots=2):
            await wait_until(lambda: script.runs == 7)

    bench.api.run(run())
    assert other.caller.application_id in order[:2]


def test_running_tasks_are_given_back_when_the_process_stops(bench: Bench) -> None:
    task_id = bench.create()
    is_begun = asyncio.Event()

    async def work(_run: TaskRun) -> None:
        is_begun.set()
        await asyncio.sleep(60)

    async def run() -> None:
        signals = Signals()
        settings = bench.state.settings.model_copy(update={"tasks_parallel_max": 2})
        state = replace(bench.state, settings=settings, signals=signals)
        runner = asyncio.create_task(Runner(state, {"scripted": Script(work).build}).run())
        await is_begun.wait()
        signals.stop()
        async with asyncio.timeout(WAIT_SECONDS_MAX):
            await runner

    bench.api.run(run())
    task = bench.load(task_id)
    assert (task.state, task.attempts) == ("pending", 0)
    assert bench.serve(Script(do_nothing))
    assert bench.load(task_id).state == "finished"


@pytest.mark.parametrize("idle_api", ["sqlite"], indirect=True)
def test_embedded_server_goes_on_at_once_with_what_a_dead_one_held(bench: Bench) -> None:
    task_id = bench.create()
    assert bench.api.run(bench.claim(seconds=3600)) is not None
    script = Script(do_nothing)

    async def run() -> None:
        async with running(bench, script):
            await wait_until(lambda: script.runs == 1)

    bench.api.run(run())
    assert bench.load(task_id).epoch == 2


@pytest.mark.parametrize("idle_api", ["postgresql"], indirect=True)
def test_server_waits_for_the_end_of_the_lease_when_others_may_be_alive(bench: Bench) -> None:
    task_id = bench.create()
    assert bench.api.run(bench.claim(seconds=1.0)) is not None
    held_until = bench.load(task_id).due_at
    began: list[bool] = []

    async def work(_run: TaskRun) -> None:
        assert held_until is not None
        began.append(now() >= held_until)

    script = Script(work)

    async def run() -> None:
        async with running(bench, script):
            await wait_until(lambda: script.runs == 1)

    bench.api.run(run())
    assert began == [True]


def test_task_is_not_begun_again_in_the_same_process_when_its_lease_ran_out_and_it_is_not_stopped_yet(
    bench: Bench,
) -> None:
    epochs: list[int] = []

    async def work(run: TaskRun) -> None:
        async with run.state.db.writing() as session:
            task = await session.get(Task, run.task.id)
            assert task is not None
            task.due_at = now() - timedelta(seconds=1)
            session.note_change(CHANGED)
        await asyncio.sleep(0.3)  # in which the other slot is looked for work
        epochs.append(run.task.epoch)

    script = Script(work)

    async def run() -> None:
        async with running(bench, script):
            await bench.add()
            await wait_until(lambda: bool(epochs))

    bench.api.run(run())
    assert (script.runs, epochs) == (1, [1])
