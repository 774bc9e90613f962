"""The rate limit: rate, parallelism, pauses, and waits that end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from connectors.core.clock import ManualClock
from connectors.core.errors import ConnectorError, ErrorKind
from connectors.core.layers import rate_limit as limits
from connectors.core.layers.rate_limit import RateLimiter, rate_limit
from tests.connectors.core.fakes import FakeSend, work

Build = Callable[..., RateLimiter]


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def build(clock: ManualClock) -> Build:
    def build_limiter(*, rate: float | None = None, parallel: int = 1000) -> RateLimiter:
        return RateLimiter(requests_per_second=rate, requests_parallel_max=parallel, clock=clock)

    return build_limiter


async def test_calls_spread_over_time_when_the_saved_up_second_is_used(build: Build, clock: ManualClock) -> None:
    limiter = build(rate=5)
    started_at = []
    for _ in range(8):
        await limiter.acquire()
        started_at.append(round(clock.monotonic(), 6))
    assert started_at == [0, 0, 0, 0, 0, 0.2, 0.4, 0.6]


async def test_slow_rates_start_at_once_and_then_keep_their_distance(build: Build, clock: ManualClock) -> None:
    limiter = build(rate=0.5)
    started_at = []
    for _ in range(3):
        await limiter.acquire()
        started_at.append(clock.monotonic())
    assert started_at == [0, 2, 4]


async def test_call_is_refused_with_a_hint_when_its_turn_is_too_far_away(build: Build, clock: ManualClock) -> None:
    limiter = build(rate=0.1)
    results = await asyncio.gather(*(limiter.acquire() for _ in range(6)), return_exceptions=True)
    refused = [result for result in results if isinstance(result, ConnectorError)]
    assert len(refused) == 2
    assert refused[0].kind is ErrorKind.RATE_LIMITED
    assert refused[0].is_persistent
    assert refused[0].retry_after_seconds == 40
    assert clock.monotonic() == 30


async def test_slots_go_to_those_who_waited_longest(build: Build) -> None:
    limiter = build(parallel=1)
    order: list[int] = []

    async def take(number: int) -> None:
        await limiter.acquire()
        order.append(number)

    await limiter.acquire()
    waiting = [asyncio.ensure_future(take(number)) for number in range(3)]
    for count in range(4):
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert len(order) == count
        limiter.release()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    assert order == [0, 1, 2]
    assert limiter.is_idle
    await asyncio.gather(*waiting)


async def test_call_is_refused_when_no_slot_comes_free(build: Build, clock: ManualClock) -> None:
    limiter = build(parallel=1)
    await limiter.acquire()
    with pytest.raises(ConnectorError) as caught:
        await limiter.acquire()
    assert caught.value.kind is ErrorKind.RATE_LIMITED
    assert clock.monotonic() == limits.WAIT_SECONDS_MAX
    limiter.release()
    await limiter.acquire()  # the one that gave up left nothing behind


async def test_call_is_refused_at_once_when_the_queue_is_full(
    build: Build, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "QUEUE_CALLS_MAX", 2)
    limiter = build(parallel=1)
    await limiter.acquire()
    waiting = [asyncio.ensure_future(limiter.acquire()) for _ in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(ConnectorError):
        await limiter.acquire()
    assert clock.monotonic() == 0
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)


async def test_slot_is_free_again_when_a_waiting_call_is_cancelled(build: Build) -> None:
    limiter = build(parallel=1)
    await limiter.acquire()
    waiting = asyncio.ensure_future(limiter.acquire())
    await asyncio.sleep(0)
    limiter.release()  # hands the slot over, and in the same moment
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    assert limiter.is_idle


async def test_whole_account_pauses_when_a_call_is_told_to_wait(build: Build, clock: ManualClock) -> None:
    limiter = build(rate=2)
    send = rate_limit(
        FakeSend(ConnectorError(ErrorKind.RATE_LIMITED, retry_after_seconds=9), "one", "two"), limiter=limiter
    )
    with pytest.raises(ConnectorError):
        await send(work())
    assert not limiter.is_idle
    await send(work())
    assert clock.monotonic() == 9
    await send(work())
    assert clock.monotonic() == 9.5  # and does not come back with a burst


async def test_pause_holds_for_calls_that_were_already_waiting_for_their_turn(build: Build, clock: ManualClock) -> None:
    limiter = build(rate=0.5)
    await limiter.acquire()
    waiting = asyncio.ensure_future(limiter.acquire())
    await asyncio.sleep(0)
    limiter.pause(20)
    await waiting
    assert clock.monotonic() == 20


async def test_calls_are_refused_with_the_time_left_when_the_pause_is_long(build: Build, clock: ManualClock) -> None:
    limiter = build()
    limiter.pause(1_000_000)
    with pytest.raises(ConnectorError) as caught:
        await limiter.acquire()
    assert caught.value.retry_after_seconds == limits.PAUSE_SECONDS_MAX
    assert clock.sleeps == []
    clock.advance(limits.PAUSE_SECONDS_MAX)
    await limiter.acquire()


@pytest.mark.parametrize("step", ["answer", ConnectorError(ErrorKind.NOT_FOUND), asyncio.CancelledError()])
async def test_slot_is_given_back_once_however_the_call_ends(build: Build, step: Any) -> None:
    limiter = build(parallel=1)
    send = rate_limit(FakeSend(step), limiter=limiter)
    await asyncio.gather(send(work()), return_exceptions=True)
    assert limiter.is_idle
    await limiter.acquire()
    assert not limiter.is_idle


async def test_slot_is_kept_when_the_reply_goes_on(build: Build) -> None:
    limiter = build(parallel=1)
    releases: list[Callable[[], None]] = []

    def hold(reply: str, release: Callable[[], None]) -> str:
        releases.append(release)
        return reply

    await rate_limit(FakeSend("answer"), limiter=limiter, hold=hold)(work())
    assert not limiter.is_idle
    releases[0]()
    assert limiter.is_idle
