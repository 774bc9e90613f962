"""News inside one process: a ring is heard, is kept, and goes to nobody else."""

from __future__ import annotations

import asyncio

import pytest

from app.core.signals import Signals

LONG_SECONDS = 30.0
MOMENT_SECONDS = 0.01


async def test_waiting_ends_at_once_when_the_name_is_rung() -> None:
    signals = Signals()
    with signals.listening("a") as bell:
        waiting = asyncio.ensure_future(bell.wait(LONG_SECONDS))
        await asyncio.sleep(0)
        signals.ring("a")
        assert await asyncio.wait_for(waiting, LONG_SECONDS / 2)


async def test_ring_is_kept_once_when_nobody_waits_yet() -> None:
    signals = Signals()
    with signals.listening("a") as bell:
        signals.ring("a")
        signals.ring("a")
        assert await bell.wait(0)
        assert not await bell.wait(MOMENT_SECONDS)


async def test_all_who_listen_to_the_name_are_woken_and_nobody_else() -> None:
    signals = Signals()
    with signals.listening("a") as first, signals.listening("a") as second, signals.listening("b") as other:
        signals.ring("a")
        heard = [await bell.wait(MOMENT_SECONDS) for bell in (first, second, other)]
    assert heard == [True, True, False]


async def test_everybody_is_woken_when_anything_may_have_changed_or_the_process_ends() -> None:
    signals = Signals()
    with signals.listening("a") as first, signals.listening("b") as second:
        signals.ring_all()
        assert [await bell.wait(0) for bell in (first, second)] == [True, True]
        assert not signals.is_stopping
        signals.stop()
        assert [await bell.wait(0) for bell in (first, second)] == [True, True]
        assert signals.is_stopping


async def test_nothing_is_kept_for_those_who_stopped_listening() -> None:
    signals = Signals()
    with pytest.raises(ZeroDivisionError), signals.listening("a") as bell:
        raise ZeroDivisionError
    signals.ring("a")
    assert not await bell.wait(MOMENT_SECONDS)
    with signals.listening("a") as fresh:
        assert not await fresh.wait(MOMENT_SECONDS)


async def test_numbers_are_seen_while_they_are_worked_on_and_the_end_rings() -> None:
    signals = Signals()
    with signals.listening("upload") as bell:
        with signals.working("upload", 2), signals.working("upload", 1):
            assert signals.list_at_work("upload") == [2, 1]
            assert signals.list_at_work("another") == []
        assert signals.list_at_work("upload") == []
        assert await bell.wait(0)
