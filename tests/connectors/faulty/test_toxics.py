"""Lines that are slow, narrow, cut or dead, with real servers at their other end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random

import pytest

from connectors.core.errors import ErrorKind
from tests.connectors.faulty.extent import IS_ALL, SEED, by_extent, pair
from tests.connectors.faulty.operations import ALL, READING, STORING, Operation, find
from tests.connectors.faulty.subject import Subject
from tests.connectors.faulty.trial import IDLE_SECONDS_MAX, Trial, build_transport, check_tasks, learn
from tests.servers.toxic import ToxicProxy
from tests.servers.toxics import (
    Bandwidth,
    Direction,
    Down,
    Latency,
    LimitData,
    ResetPeer,
    Slicer,
    SlowClose,
    Timeout,
    Toxic,
)

CUTS_COUNT = by_extent(2, 25)
RESETS_COUNT = by_extent(2, 10)
MIB = 2**20
HARMLESS: tuple[Toxic, ...] = (
    Latency(0.01, jitter_seconds=0.01),
    Slicer(700, variation_bytes=690),
    Bandwidth(4 * MIB),
    SlowClose(0.05),
)
MOVING = (find("list folder"), find("download"), find("upload"), find("upload once"), find("replace once"))
TEMPORARY = frozenset({ErrorKind.UNAVAILABLE, ErrorKind.TIMED_OUT})
IDLE_SECONDS = 1.5


@asynccontextmanager
async def opened_trial(
    subject: Subject, operation: Operation, *, idle_seconds_max: float = IDLE_SECONDS_MAX
) -> AsyncIterator[tuple[Trial, ToxicProxy]]:
    """A trial that ran once without any fault. At its end no task and no connection is left."""
    tasks = asyncio.all_tasks()
    transport = build_transport(idle_seconds_max)
    try:
        await learn(subject)
        async with ToxicProxy(*subject.address, random=Random(SEED)) as proxy:
            origin = f"http://127.0.0.1:{proxy.port}"
            trial = Trial(subject=subject, operation=operation, origin=origin, transport=transport)
            trial.baseline = await trial.run_once()
            assert trial.baseline.error is None, trial.baseline.error
            yield trial, proxy
            await transport.aclose()
            await proxy.wait_until_idle()
    finally:
        await transport.aclose()
    check_tasks(tasks)


@pytest.mark.operations(*READING, *STORING)
async def test_operation_succeeds_when_the_line_is_only_bad(case: tuple[Subject, Operation]) -> None:
    async with opened_trial(*case) as (trial, proxy):
        for toxic, direction in pair(HARMLESS, tuple(Direction), is_all=IS_ALL, seed=trial.name):
            added = proxy.add(toxic, direction)
            outcome = await trial.run_once()
            proxy.remove(added)
            assert outcome.error is None, f"{toxic} {direction}: {outcome.error}"
            trial.check(outcome)


@pytest.mark.parametrize("direction", Direction)
@pytest.mark.operations(*MOVING, find("upload large once"), find("copy file"), find("rename file"))
async def test_nothing_is_half_done_when_connections_end_after_some_bytes(
    case: tuple[Subject, Operation], direction: Direction
) -> None:
    random = Random(f"{SEED} {case[1].name} {direction}")
    async with opened_trial(*case) as (trial, proxy):
        bytes_max = proxy.bytes_count[direction]
        for bytes_count in [1, *(random.randrange(1, bytes_max) for _ in range(CUTS_COUNT)), bytes_max - 1]:
            added = proxy.add(LimitData(bytes_count), direction)
            outcome = await trial.run_once()
            proxy.remove(added)
            trial.check(outcome)
            assert outcome.error is None or outcome.error.kind in TEMPORARY, f"{bytes_count} bytes: {outcome.error}"
        await trial.check_account()


@pytest.mark.parametrize("direction", Direction)
@pytest.mark.operations(*MOVING, find("upload large once"))
async def test_nothing_is_half_done_when_connections_are_reset(
    case: tuple[Subject, Operation], direction: Direction
) -> None:
    random = Random(f"{SEED} {case[1].name} {direction}")
    async with opened_trial(*case) as (trial, proxy):
        for _ in range(RESETS_COUNT):
            added = proxy.add(ResetPeer(random.uniform(0.0, 0.03)), direction)
            outcome = await trial.run_once()
            proxy.remove(added)
            trial.check(outcome)
            assert outcome.error is None or outcome.error.kind in TEMPORARY, outcome.error
        await trial.check_account()


@pytest.mark.operations(*(each for each in ALL if each is not find("upload in parts")))
async def test_error_says_that_nobody_is_there_when_the_provider_is_down(case: tuple[Subject, Operation]) -> None:
    async with opened_trial(*case) as (trial, proxy):
        added = proxy.add(Down())
        outcome = await trial.run_once()
        trial.check(outcome)
        assert outcome.error is not None
        assert outcome.error.kind is ErrorKind.UNAVAILABLE
        assert outcome.error.is_persistent
        assert not outcome.error.maybe_applied
        assert "refuses connections" in outcome.error.message
        proxy.remove(added)
        await trial.check_account()


@pytest.mark.operations(find("list folder"), find("upload once"))
async def test_error_says_that_nothing_came_when_the_line_is_dead(case: tuple[Subject, Operation]) -> None:
    async with opened_trial(*case, idle_seconds_max=IDLE_SECONDS) as (trial, proxy):
        added = proxy.add(Timeout(None))
        outcome = await trial.run_once()
        trial.check(outcome)
        assert outcome.error is not None
        assert outcome.error.kind is ErrorKind.TIMED_OUT
        assert "was silent for 1.5 s" in outcome.error.message
        proxy.remove(added)
        await trial.check_account()
