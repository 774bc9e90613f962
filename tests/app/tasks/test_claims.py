"""One claim on a task: how it ends, and how it is told from claims before and after it."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any, cast

import pytest

from app.core.clock import now
from app.core.db import Database, WriteSession
from app.core.errors import ApiError, ErrorCode
from app.tasks.claims import ATTEMPTS_MAX, BACKOFF_SECONDS_FIRST, BACKOFF_SECONDS_MAX, Claim
from app.tasks.running import LeaseLostError, TaskRun
from app.tasks.service import signal_name
from connectors.core.errors import ConnectorError, ErrorKind
from tests.app.tasks.serving import LEASE_SECONDS, Bench, Script, do_nothing

STEP_SECONDS = 0.01
BRIEF_LEASE_SECONDS = 3.0


@pytest.fixture
def brief(bench: Bench) -> Bench:
    """The bench of a server that soon renews its leases."""
    settings = bench.state.settings.model_copy(update={"task_lease_seconds": BRIEF_LEASE_SECONDS})
    return replace(bench, api=replace(bench.api, state=replace(bench.state, settings=settings)))


def failing(error: Exception) -> Callable[[TaskRun], Awaitable[None]]:
    async def fail(_run: TaskRun) -> None:
        raise error

    return fail


def unavailable(**given: Any) -> ConnectorError:
    return ConnectorError(ErrorKind.UNAVAILABLE, "away for a moment", **given)


def test_task_is_finished_and_its_request_forgotten_when_its_work_is_done(bench: Bench) -> None:
    task_id = bench.create()
    assert bench.load(task_id).sealed_request
    assert bench.serve(script := Script(do_nothing))
    task = bench.load(task_id)
    assert (task.state, task.due_at, task.ending, task.sealed_request) == ("finished", None, None, "")
    assert task.started_at is not None
    assert task.ended_at is not None
    assert (script.runs, script.undone) == (1, 0)
    assert not bench.serve(script)


@pytest.mark.parametrize("seconds", [-1.0, 0.0])
def test_task_is_taken_over_when_its_lease_has_ended(bench: Bench, seconds: float) -> None:
    task_id = bench.create()
    dead = bench.api.run(bench.claim(seconds=seconds))
    assert dead is not None
    assert bench.serve(Script(do_nothing))
    task = bench.load(task_id)
    assert (task.state, task.epoch, task.attempts) == ("finished", 2, 2)


def test_task_is_nobody_elses_while_its_lease_lasts(bench: Bench) -> None:
    task_id = bench.create()
    assert bench.api.run(bench.claim()) is not None
    assert not bench.serve(Script(do_nothing))
    assert bench.load(task_id).epoch == 1


def test_nothing_that_a_lost_claim_writes_counts(bench: Bench) -> None:
    task_id = bench.create()
    lost = bench.api.run(bench.claim(seconds=-1))
    winner = bench.api.run(bench.claim())
    assert lost is not None
    assert winner is not None

    async def write() -> None:
        async with lost.writing() as session:
            session.note_change("never")

    with pytest.raises(LeaseLostError):
        bench.api.run(write())
    assert bench.api.run(lost.settle(state="finished")) is False
    assert (bench.load(task_id).state, bench.load(task_id).epoch) == ("started", 2)


def test_lease_is_renewed_for_as_long_as_the_work_takes(brief: Bench) -> None:
    task_id = brief.create()
    seen = []

    async def work(run: TaskRun) -> None:
        first = run.task.due_at
        for _ in range(500):
            await asyncio.sleep(STEP_SECONDS)
            async with run.writing() as session:
                task = await session.get(type(run.task), task_id)
            assert task is not None
            seen.append(task.due_at)
            if task.due_at != first:
                return

    brief.set(task_id, due_at=now())
    assert brief.serve(Script(work))
    assert len(set(seen)) > 1
    assert brief.load(task_id).state == "finished"


def test_work_stops_when_somebody_else_has_the_task(brief: Bench) -> None:
    task_id = brief.create()
    stopped: list[TaskRun] = []

    async def work(run: TaskRun) -> None:
        async with run.state.db.writing() as session:
            task = await session.get(type(run.task), task_id)
            assert task is not None
            task.epoch += 1
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            stopped.append(run)
            raise

    script = Script(work)
    assert brief.serve(script)
    assert len(stopped) == 1
    assert script.undone == 0
    assert (brief.load(task_id).state, brief.load(task_id).epoch) == ("started", 2)


def test_work_stops_before_its_lease_ends_when_the_database_is_away(bench: Bench) -> None:
    task_id, clock_seconds = bench.create(), 0.0
    stopped: list[TaskRun] = []

    class Away:
        """A database that is not there."""

        def writing(self) -> AbstractAsyncContextManager[WriteSession]:
            raise ApiError(ErrorCode.SERVICE_NOT_AVAILABLE)

    async def work(run: TaskRun) -> None:
        nonlocal clock_seconds
        clock_seconds = 0.9 * LEASE_SECONDS  # and stays there: nobody else can have begun
        run.state.signals.ring(signal_name(task_id))
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            stopped.append(run)
            raise

    async def serve() -> None:
        run = await bench.claim(monotonic=lambda: clock_seconds)
        assert run is not None
        run.state = replace(bench.state, db=cast("Database", Away()))
        await Claim(run, Script(work).build, jitter=lambda: 1.0).serve()

    bench.api.run(serve())
    assert len(stopped) == 1
    assert bench.load(task_id).state == "started"


def test_nothing_is_left_to_complain_of_when_the_database_fails_after_the_lease_is_lost(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    bench.create()
    settings = bench.state.settings.model_copy(update={"task_lease_seconds": 0.2})
    has_failed = asyncio.Event()

    class Stuck:
        """A database that answers nobody, and fails when it is given up."""

        @asynccontextmanager
        async def writing(self) -> AsyncIterator[WriteSession]:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                has_failed.set()
                raise ApiError(ErrorCode.SERVICE_NOT_AVAILABLE) from None
            yield cast("WriteSession", None)

    async def work(_run: TaskRun) -> None:
        await asyncio.sleep(60)

    async def serve() -> None:
        run = await bench.claim()
        assert run is not None
        run = TaskRun(
            replace(bench.state, settings=settings, db=cast("Database", Stuck())), run.task, claimed_at=time.monotonic()
        )
        await Claim(run, Script(work).build, jitter=lambda: 1.0).serve()
        await has_failed.wait()
        await asyncio.sleep(STEP_SECONDS)
        gc.collect()

    bench.api.run(serve())
    assert [record for record in caplog.records if record.name == "asyncio"] == []


def test_task_is_given_back_at_once_when_its_claim_is_cancelled(bench: Bench) -> None:
    task_id = bench.create()

    async def serve() -> None:
        is_begun = asyncio.Event()

        async def work(_run: TaskRun) -> None:
            is_begun.set()
            await asyncio.sleep(60)

        run = await bench.claim()
        assert run is not None
        serving = asyncio.create_task(Claim(run, Script(work).build, jitter=lambda: 1.0).serve())
        await is_begun.wait()
        serving.cancel()
        await asyncio.wait({serving})
        assert serving.cancelled()

    bench.api.run(serve())
    task = bench.load(task_id)
    assert (task.state, task.attempts) == ("pending", 0)
    assert task.due_at is not None
    assert task.due_at <= now()
    assert bench.serve(Script(do_nothing))


@pytest.mark.parametrize(
    ("error", "seconds"),
    [
        (unavailable(), BACKOFF_SECONDS_FIRST),
        (unavailable(retry_after_seconds=100), 100),
        (ConnectorError(ErrorKind.RATE_LIMITED, retry_after_seconds=7), 7),
        (ConnectorError(ErrorKind.TIMED_OUT), BACKOFF_SECONDS_FIRST),
        (ApiError(ErrorCode.SERVICE_NOT_AVAILABLE), BACKOFF_SECONDS_FIRST),
    ],
)
def test_task_waits_when_its_work_failed_for_a_while(bench: Bench, error: Exception, seconds: float) -> None:
    task_id, before = bench.create(), now()
    assert bench.serve(Script(failing(error)))
    task = bench.load(task_id)
    assert (task.state, task.attempts, task.error_code) == ("pending", 1, None)
    assert task.due_at is not None
    wait_seconds = (task.due_at - before).total_seconds()
    assert seconds <= wait_seconds < seconds + LEASE_SECONDS


def test_waits_grow_up_to_a_limit_and_then_the_task_fails(bench: Bench) -> None:
    task_id = bench.create()
    script = Script(failing(unavailable()))
    waits = []
    for _ in range(ATTEMPTS_MAX):
        before = now()
        assert bench.serve(script)
        task = bench.load(task_id)
        if task.due_at is not None:
            waits.append((task.due_at - before).total_seconds())
            bench.set(task_id, due_at=now())
    assert (task.state, task.error_code, task.error_message) == ("failed", "service_not_available", "away for a moment")
    expected = [min(BACKOFF_SECONDS_MAX, BACKOFF_SECONDS_FIRST * 2**number) for number in range(ATTEMPTS_MAX - 1)]
    assert all(least <= wait < least + LEASE_SECONDS for least, wait in zip(expected, waits, strict=True))
    assert (script.runs, script.undone) == (ATTEMPTS_MAX, 1)


def test_attempts_are_counted_anew_when_something_got_done(bench: Bench) -> None:
    task_id = bench.create()

    async def work(run: TaskRun) -> None:
        run.progress.files_done += 1
        raise unavailable()

    for _ in range(2 * ATTEMPTS_MAX):
        assert bench.serve(Script(work))
        bench.set(task_id, due_at=now())
    task = bench.load(task_id)
    assert (task.state, task.attempts, task.files_done) == ("pending", 1, 2 * ATTEMPTS_MAX)


def test_task_fails_when_it_kills_every_server_that_begins_it(bench: Bench) -> None:
    task_id = bench.create()
    for _ in range(ATTEMPTS_MAX):
        assert bench.api.run(bench.claim(seconds=-1)) is not None
    assert bench.serve(script := Script(do_nothing))
    task = bench.load(task_id)
    assert (task.state, task.error_code) == ("failed", "request_failed")
    assert "got nowhere" in (task.error_message or "")
    assert (script.runs, script.undone) == (0, 1)


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (ConnectorError(ErrorKind.NOT_FOUND, "it is gone"), "not_found", "it is gone"),
        (ApiError(ErrorCode.FORBIDDEN, "not you"), "forbidden", "not you"),
        (ZeroDivisionError("secret"), "internal_error", ErrorCode.INTERNAL_ERROR.when),
    ],
)
def test_task_fails_with_the_reason_and_what_it_began_is_undone(
    bench: Bench, error: Exception, code: str, message: str
) -> None:
    task_id = bench.create()
    assert bench.serve(script := Script(failing(error)))
    task = bench.load(task_id)
    assert (task.state, task.ending, task.error_code, task.error_message) == ("failed", "failed", code, message)
    assert (script.runs, script.undone, task.due_at) == (1, 1, None)


def test_undoing_is_tried_again_when_it_failed_for_a_while(bench: Bench) -> None:
    task_id = bench.create()
    script = Script(failing(ConnectorError(ErrorKind.NOT_FOUND)), undo=failing(unavailable()))
    assert bench.serve(script)
    task = bench.load(task_id)
    assert (task.state, task.ending, task.error_code) == ("pending", "failed", "not_found")
    bench.set(task_id, due_at=now())
    script.undo = None
    assert bench.serve(script)
    assert bench.load(task_id).state == "failed"
    assert (script.runs, script.undone) == (1, 2)


def test_undoing_that_cannot_be_done_does_not_keep_the_task_alive(bench: Bench) -> None:
    task_id = bench.create()
    assert bench.serve(Script(failing(ConnectorError(ErrorKind.NOT_FOUND)), undo=failing(ZeroDivisionError())))
    assert bench.load(task_id).state == "failed"


def test_running_work_stops_and_is_undone_when_the_task_is_cancelled(bench: Bench) -> None:
    task_id = bench.create()

    async def work(_run: TaskRun) -> None:
        with bench.caller.client() as client:
            url = f"{bench.caller.account_url}/tasks/{task_id}"
            cancelled = await asyncio.to_thread(client.delete, url)
            assert (cancelled.status_code, cancelled.json()["state"]) == (202, "CANCELLED")
        await asyncio.sleep(60)

    assert bench.serve(script := Script(work))
    task = bench.load(task_id)
    assert (task.state, task.ending, task.error_code) == ("cancelled", "cancelled", None)
    assert (script.runs, script.undone) == (1, 1)


def test_work_that_is_done_in_spite_of_being_cancelled_counts_as_cancelled(bench: Bench) -> None:
    task_id = bench.create()

    async def work(run: TaskRun) -> None:
        async with run.state.db.writing() as session:
            task = await session.get(type(run.task), task_id)
            assert task is not None
            task.ending = "cancelled"

    assert bench.serve(script := Script(work))
    assert (bench.load(task_id).state, script.undone) == ("cancelled", 1)


def test_waiting_task_is_due_for_undoing_when_it_is_cancelled(bench: Bench) -> None:
    task_id = bench.create()
    assert bench.serve(Script(failing(unavailable(retry_after_seconds=1000))))
    with bench.caller.client() as client:
        assert client.delete(f"{bench.caller.account_url}/tasks/{task_id}").status_code == 202
    assert bench.serve(script := Script(do_nothing))
    assert (bench.load(task_id).state, script.runs, script.undone) == ("cancelled", 0, 1)


def test_task_of_an_unknown_kind_waits_for_a_server_that_knows_it(bench: Bench) -> None:
    task_id = bench.create()
    assert bench.serve(None)
    task = bench.load(task_id)
    assert (task.state, task.error_code) == ("pending", None)
    bench.set(task_id, due_at=now() - timedelta(seconds=1))
    assert bench.serve(Script(do_nothing))
    assert bench.load(task_id).state == "finished"
