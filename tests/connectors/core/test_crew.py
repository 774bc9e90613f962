"""Calls side by side."""

from __future__ import annotations

import asyncio

import pytest

from connectors.core.crew import Crew


async def test_no_more_calls_run_than_allowed() -> None:
    running = running_max = 0

    async def call() -> None:
        nonlocal running, running_max
        running += 1
        running_max = max(running_max, running)
        await asyncio.sleep(0)
        running -= 1

    async with Crew(3) as crew:
        for _ in range(10):
            await crew.wait_for_slot()
            crew.start(call())
    assert (running, running_max) == (0, 3)


async def test_first_failure_ends_the_others_and_keeps_its_cause() -> None:
    is_cancelled, cause = False, KeyError("cause")

    async def wait() -> None:
        nonlocal is_cancelled
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            is_cancelled = True
            raise

    async def fail() -> None:
        await asyncio.sleep(0)
        raise ValueError("failed") from cause

    async def start_both() -> None:
        async with Crew(2) as crew:
            for call in (wait(), fail()):
                await crew.wait_for_slot()
                crew.start(call)

    with pytest.raises(ValueError, match="failed") as caught:
        await start_both()
    assert (is_cancelled, caught.value.__cause__) == (True, cause)


async def test_failure_in_the_block_itself_is_raised_as_it_is() -> None:
    failure = ValueError("in the block")
    with pytest.raises(ValueError, match="in the block") as caught:
        async with Crew(1):
            raise failure
    assert caught.value is failure


async def test_waiting_for_a_slot_ends_when_a_call_fails() -> None:
    async def fail() -> None:
        await asyncio.sleep(0)
        raise ValueError("failed")

    async def start_two() -> None:
        async with Crew(1) as crew:
            for _ in range(2):
                await crew.wait_for_slot()
                crew.start(fail())

    with pytest.raises(ValueError, match="failed"):
        await start_two()
