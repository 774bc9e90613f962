"""Token buckets and counts by name, with a clock of the test's."""

from __future__ import annotations

import pytest

from app.core.limiting import Known, ParallelCounts, TokenBuckets


class HandClock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def buckets(clock: HandClock) -> TokenBuckets:
    return TokenBuckets("it", per_second=2, burst=4, clock=clock, names_max=20)


def test_burst_is_allowed_at_once_and_no_more(buckets: TokenBuckets) -> None:
    assert buckets.policy == '"it";q=4;w=2'
    assert [buckets.take("a") for _ in range(6)] == [
        (0, '"it";r=3;t=1'),
        (0, '"it";r=2;t=1'),
        (0, '"it";r=1;t=2'),
        (0, '"it";r=0;t=2'),
        (1, '"it";r=0;t=2'),
        (1, '"it";r=0;t=2'),
    ]


def test_tokens_come_back_at_their_rate_and_never_beyond_the_burst(buckets: TokenBuckets, clock: HandClock) -> None:
    for _ in range(5):
        buckets.take("a")
    clock.seconds += 0.4
    assert buckets.take("a")[0] > 0
    clock.seconds += 0.1
    assert [buckets.take("a")[0] for _ in range(2)] == [0, 1]
    clock.seconds += 1000
    assert [buckets.take("a")[0] for _ in range(5)] == [0, 0, 0, 0, 1]


@pytest.mark.parametrize(("per_second", "burst"), [(1, 1), (50, 500), (200, 2000), (0.01, 3), (3, 7), (0.7, 1000)])
def test_exactly_the_burst_is_allowed_whatever_the_rate(clock: HandClock, per_second: float, burst: int) -> None:
    buckets = TokenBuckets("it", per_second=per_second, burst=burst, clock=clock)
    assert [buckets.take("a")[0] for _ in range(burst + 1)].count(0) == burst
    for _ in range(100):
        clock.seconds += 1 / per_second
        assert [buckets.take("a")[0] > 0 for _ in range(2)] == [False, True]


def test_refusals_take_nothing(buckets: TokenBuckets, clock: HandClock) -> None:
    for _ in range(100):
        buckets.take("a")
    clock.seconds += 0.5
    assert buckets.take("a")[0] == 0


def test_names_do_not_share(buckets: TokenBuckets) -> None:
    for _ in range(5):
        buckets.take("a")
    assert [buckets.take(name)[0] for name in ("a", "b", 7)] == [1, 0, 0]


@pytest.mark.parametrize(("per_second", "wait_seconds"), [(0.01, 100), (0.3, 4), (1, 1), (50, 1)])
def test_wait_is_whole_seconds_until_there_is_one_more(clock: HandClock, per_second: float, wait_seconds: int) -> None:
    buckets = TokenBuckets("it", per_second=per_second, burst=1, clock=clock)
    buckets.take("a")
    assert (buckets.take("a")[0], buckets.look("a")) == (wait_seconds, wait_seconds)
    clock.seconds += wait_seconds
    assert buckets.look("a") == 0
    assert buckets.take("a")[0] == 0


def test_looking_takes_nothing(buckets: TokenBuckets) -> None:
    assert [buckets.look("a") for _ in range(100)] == [0] * 100
    assert buckets.take("a") == (0, '"it";r=3;t=1')


def test_full_buckets_are_forgotten_first_when_there_are_too_many(buckets: TokenBuckets, clock: HandClock) -> None:
    for name in range(20):
        buckets.take(name)
    clock.seconds += 0.4
    for _ in range(4):
        buckets.take("busy")
    clock.seconds += 0.3
    for name in range(100, 140):
        buckets.take(name)
        assert buckets.take("busy")[0] > 0 or name == 100


def test_those_nearest_to_full_are_forgotten_when_none_is_full(buckets: TokenBuckets, clock: HandClock) -> None:
    for name in range(21):
        for _ in range(4):
            buckets.take(name)
        clock.seconds += 0.001
    assert [name for name in range(21) if not buckets.look(name)] == [0, 1, 20]


def test_name_noted_longest_ago_is_forgotten_when_there_are_too_many() -> None:
    known = Known(names_max=3)
    for name in ("a", "b", "c", "a", "d"):
        known.note(name)
    assert [name in known for name in "abcd"] == [True, False, True, True]


def test_account_has_as_many_requests_at_once_as_allowed() -> None:
    counts = ParallelCounts(parallel_max=2)
    assert [counts.enter(1), counts.enter(1), counts.enter(1), counts.enter(2)] == [True, True, False, True]
    counts.leave([1])
    assert [counts.enter(1), counts.enter(1)] == [True, False]
    counts.leave([1, 1, 2])
    assert [counts.enter(1), counts.enter(1), counts.enter(1)] == [True, True, False]
