"""The retry layer: which failures are repeated, after how long, and when it gives up."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from connectors.core.call import Intent, Repeat
from connectors.core.clock import ManualClock
from connectors.core.errors import ConnectorError, ErrorKind
from connectors.core.layers.retry import ATTEMPT, IS_DONE, RetryBudget, RetryPolicy, retry
from tests.connectors.core.fakes import CREATE, READ, SET, UPLOAD_ONCE, FakeSend, unavailable, work

Build = Callable[..., Any]


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def budget(clock: ManualClock) -> RetryBudget:
    return RetryBudget(clock)


@pytest.fixture
def build(clock: ManualClock, budget: RetryBudget) -> Build:
    def build_layer(send: Any, policy: RetryPolicy | None = None, random: Callable[[], float] = lambda: 1.0) -> Any:
        return retry(send, policy=policy or RetryPolicy(), budget=budget, clock=clock, random=random)

    return build_layer


async def test_waits_double_when_a_provider_stays_away(build: Build, clock: ManualClock) -> None:
    send = FakeSend(unavailable(), unavailable(), unavailable(), "answer")
    assert await build(send)(work()) == "answer"
    assert clock.sleeps == [0.5, 1.0, 2.0]
    assert send.requests[-1].extensions[ATTEMPT] == 4


async def test_waits_are_random_between_zero_and_the_step_and_never_above_the_limit(
    build: Build, clock: ManualClock
) -> None:
    send = FakeSend(*[unavailable() for _ in range(8)], "answer")
    await build(send, RetryPolicy(attempts_max=9), random=lambda: 0.25)(work())
    assert clock.sleeps == [0.125, 0.25, 0.5, 1.0, 2.0, 2.0, 2.0, 2.0]


async def test_error_is_persistent_when_all_attempts_failed(build: Build) -> None:
    send = FakeSend(*[unavailable() for _ in range(4)])
    with pytest.raises(ConnectorError) as caught:
        await build(send)(work())
    assert (len(send.requests), caught.value.is_persistent, caught.value.is_temporary) == (4, True, False)


async def test_waits_as_long_as_asked_when_the_provider_gives_a_hint(build: Build, clock: ManualClock) -> None:
    limited = ConnectorError(ErrorKind.RATE_LIMITED, retry_after_seconds=7)
    assert await build(FakeSend(limited, "answer"))(work(CREATE)) == "answer"
    assert clock.sleeps == [7]


async def test_gives_up_at_once_when_the_hint_is_absurd(build: Build, clock: ManualClock) -> None:
    send = FakeSend(ConnectorError(ErrorKind.RATE_LIMITED, retry_after_seconds=86_400))
    with pytest.raises(ConnectorError) as caught:
        await build(send)(work())
    assert (caught.value.retry_after_seconds, caught.value.is_persistent) == (86_400, True)
    assert clock.sleeps == []


@pytest.mark.parametrize(
    ("intent", "maybe_applied", "sends"),
    [
        (READ, True, 2),
        (READ, False, 2),
        (SET, True, 2),
        (SET, False, 2),
        (CREATE, True, 1),
        (CREATE, False, 2),
        (UPLOAD_ONCE, True, 1),
        (UPLOAD_ONCE, False, 1),
        (Intent(operation="read", repeat=Repeat.SAFE, is_body_replayable=False), False, 1),
    ],
)
async def test_repeats_only_what_can_do_no_harm(build: Build, intent: Intent, maybe_applied: bool, sends: int) -> None:
    failures = [unavailable(maybe_applied=maybe_applied) for _ in range(2)]
    send = FakeSend(*failures)
    with pytest.raises(ConnectorError) as caught:
        await build(send, RetryPolicy(attempts_max=2))(work(intent))
    assert (len(send.requests), caught.value.is_persistent) == (sends, True)


@pytest.mark.parametrize("kind", sorted(set(ErrorKind) - {"rate_limited", "unavailable", "timed_out"}))
async def test_nothing_is_repeated_when_waiting_would_not_help(build: Build, kind: ErrorKind) -> None:
    send = FakeSend(ConnectorError(kind))
    with pytest.raises(ConnectorError) as caught:
        await build(send)(work())
    assert not caught.value.is_persistent


async def test_no_attempt_begins_when_the_total_time_is_over(build: Build, clock: ManualClock) -> None:
    def slow(_: Any) -> None:
        clock.advance(70)
        raise ConnectorError(ErrorKind.TIMED_OUT)

    send = FakeSend(slow, slow, slow)
    with pytest.raises(ConnectorError):
        await build(send)(work())
    assert len(send.requests) == 2


async def test_outage_is_not_multiplied_when_the_budget_is_used_up(build: Build) -> None:
    send = FakeSend(*[unavailable() for _ in range(200)])
    layered = build(send, random=lambda: 0.0)
    for _ in range(50):
        with pytest.raises(ConnectorError):
            await layered(work())
    assert 50 < len(send.requests) <= 60


async def test_repeats_come_back_when_calls_succeed_again(build: Build, budget: RetryBudget) -> None:
    for _ in range(100):
        budget.failed()
    for _ in range(111):
        await build(FakeSend("answer"))(work())
    assert await build(FakeSend(unavailable(), "answer"))(work()) == "answer"


async def test_repeats_come_back_when_time_passes(build: Build, budget: RetryBudget, clock: ManualClock) -> None:
    for _ in range(100):
        budget.failed()
    clock.advance(120)
    assert await build(FakeSend(unavailable(), "answer"))(work()) == "answer"


@pytest.mark.parametrize(
    ("intent", "first", "is_replay"),
    [
        (SET, unavailable(maybe_applied=True), True),
        (SET, unavailable(maybe_applied=False), False),
        (READ, unavailable(maybe_applied=True), False),
    ],
)
async def test_answer_is_a_replay_when_an_earlier_attempt_may_have_worked(
    build: Build, intent: Intent, first: ConnectorError, is_replay: bool
) -> None:
    with pytest.raises(ConnectorError) as caught:
        await build(FakeSend(first, ConnectorError(ErrorKind.NOT_FOUND)))(work(intent))
    assert (caught.value.is_replay, caught.value.is_persistent) == (is_replay, False)


async def test_doubt_stays_when_the_last_attempt_was_refused(build: Build) -> None:
    refused = ConnectorError(ErrorKind.RATE_LIMITED, retry_after_seconds=1000)
    with pytest.raises(ConnectorError) as caught:
        await build(FakeSend(unavailable(maybe_applied=True), refused))(work(SET))
    assert caught.value.maybe_applied


@pytest.mark.parametrize(("done_after", "sends"), [(1, 1), (2, 2), (9, 3)])
async def test_nothing_is_done_twice_when_one_can_look_whether_it_is_done(
    build: Build, done_after: int, sends: int
) -> None:
    send = FakeSend(unavailable(maybe_applied=True), unavailable(maybe_applied=True), "answer")
    request = work(SET)

    async def is_done() -> bool:
        return len(send.requests) >= done_after

    request.extensions[IS_DONE] = is_done
    if done_after > sends:
        assert await build(send)(request) == "answer"
    else:
        with pytest.raises(ConnectorError) as caught:
            await build(send)(request)
        assert (caught.value.kind, caught.value.is_replay) == (ErrorKind.ALREADY_EXISTS, True)
    assert len(send.requests) == sends


async def test_nobody_looks_whether_it_is_done_when_nothing_can_have_been(build: Build) -> None:
    request = work(SET)
    request.extensions[IS_DONE] = None
    assert await build(FakeSend(unavailable(), "answer"))(request) == "answer"


async def test_doubt_is_told_when_nobody_can_look_whether_it_is_done(build: Build) -> None:
    async def is_done() -> bool:
        raise ConnectorError(ErrorKind.RATE_LIMITED)

    request = work(SET)
    request.extensions[IS_DONE] = is_done
    send = FakeSend(unavailable(maybe_applied=True), "answer")
    with pytest.raises(ConnectorError) as caught:
        await build(send)(request)
    assert (caught.value.kind, caught.value.maybe_applied, len(send.requests)) == (ErrorKind.UNAVAILABLE, True, 1)


async def test_no_attempt_begins_late_when_looking_took_too_long(build: Build, clock: ManualClock) -> None:
    policy = RetryPolicy()

    async def is_done() -> bool:
        clock.advance(policy.total_seconds_max)
        return False

    request = work(SET)
    request.extensions[IS_DONE] = is_done
    send = FakeSend(unavailable(maybe_applied=True), "answer")
    with pytest.raises(ConnectorError) as caught:
        await build(send, policy)(request)
    error = caught.value
    assert (error.kind, error.maybe_applied, error.is_persistent) == (ErrorKind.UNAVAILABLE, True, True)
    assert len(send.requests) == 1


async def test_error_is_of_its_final_kind_when_nobody_tries_again(build: Build) -> None:
    broken_off = unavailable()
    broken_off.final_kind = ErrorKind.PERMISSION_DENIED
    assert await build(FakeSend(broken_off, "answer"))(work(CREATE)) == "answer"
    with pytest.raises(ConnectorError) as caught:
        await build(FakeSend(*[broken_off] * 4))(work(CREATE))
    assert (caught.value.kind, caught.value.is_persistent) == (ErrorKind.PERMISSION_DENIED, False)


async def test_passes_at_once_when_the_call_is_cancelled(build: Build, clock: ManualClock) -> None:
    send = FakeSend(asyncio.CancelledError(), "answer")
    with pytest.raises(asyncio.CancelledError):
        await build(send)(work())
    assert (len(send.requests), clock.sleeps) == (1, [])


async def test_is_a_programming_error_when_a_request_has_no_intent(build: Build) -> None:
    request = work()
    request.extensions.clear()
    with pytest.raises(AssertionError, match="intent"):
        await build(FakeSend("answer"))(request)
