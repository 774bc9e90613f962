"""A provider that fails, refuses or talks nonsense at any one of the requests that an operation makes."""

from __future__ import annotations

import pytest

from connectors.core.errors import ErrorKind
from tests.connectors.faulty.extent import by_extent
from tests.connectors.faulty.operations import (
    BEFORE,
    CHANGING,
    DOWNLOADS,
    READING,
    STORING,
    STORING_LARGE,
    TREES,
    find,
)
from tests.connectors.faulty.trial import LyingTrial, lie_at
from tests.servers import lies
from tests.servers.lying import Lie
from tests.servers.origin import Seen

FAILURES = (lies.DROPPED, lies.LOST, lies.CUT, lies.BROKEN_AFTER)
ODD_FAILURES = (
    lies.ANNOUNCED_MORE,
    lies.BROKEN,
    lies.UNAVAILABLE,
    lies.GATEWAY_TIMED_OUT,
    lies.ENDLESS_HEAD,
    lies.NOT_HTTP,
)
REFUSALS = (lies.BUSY, lies.BUSY_A_WHILE, lies.UNAVAILABLE_A_WHILE)
NONSENSE = (lies.WELCOME, lies.OTHER_XML)
ODD_NONSENSE = (lies.NOTHING, lies.NO_CONTENT, lies.ENTITY_BOMB)
FOR_GOOD: dict[Lie, ErrorKind] = {
    lies.FULL: ErrorKind.QUOTA_EXCEEDED,
    lies.FORBIDDEN: ErrorKind.PERMISSION_DENIED,
    lies.UNKNOWN: ErrorKind.GRANT_REVOKED,
}
TEMPORARY = frozenset({ErrorKind.UNAVAILABLE, ErrorKind.TIMED_OUT})
SENSELESS = frozenset({ErrorKind.UNEXPECTED, ErrorKind.UNAVAILABLE})


def is_signed(seen: Seen) -> bool:
    """It is not only a question how to sign in."""
    return bool(seen.get_all("authorization"))


def is_half_told(lie: Lie, seen: Seen) -> bool:
    """The reply to a download breaks off, or belies itself, when its bytes are on their way already."""
    return lie in {lies.CUT, lies.ANNOUNCED_MORE} and seen.method == "GET"


async def check_repeats(trial: LyingTrial, *failures: Lie) -> None:
    """What can be sent again without harm is, and the operation succeeds; what cannot is sent once."""
    async for lie, outcome in trial.sweep(*failures):
        (seen,) = outcome.lied
        if is_half_told(lie, seen) and trial.operation in DOWNLOADS:
            assert outcome.error is not None
            assert outcome.error.kind is ErrorKind.UNAVAILABLE
            continue
        if trial.subject.can_repeat(seen, is_body_once=trial.operation.is_body_once):
            assert outcome.error is None, f"{lie.name}: {seen.method} {seen.target}: {outcome.error}"
            assert not outcome.leftovers
            continue
        assert outcome.count(seen) == 1, f"{lie.name}: {seen.method} {seen.target}"
        if outcome.error is not None:
            assert outcome.error.kind in TEMPORARY, f"{lie.name}: {seen.method} {seen.target}: {outcome.error}"
            assert outcome.error.maybe_applied
        assert not outcome.leftovers or (lie.is_applied and trial.subject.is_unfindable(seen))


@pytest.mark.operations(*READING, *STORING, *CHANGING)
async def test_request_is_repeated_if_that_is_safe_and_else_sent_once_when_one_fails(trial: LyingTrial) -> None:
    await check_repeats(trial, *FAILURES)


@pytest.mark.operations(find("list folder"), find("upload"), find("upload once"), find("download"))
async def test_request_is_repeated_if_that_is_safe_when_one_fails_in_an_odd_way(trial: LyingTrial) -> None:
    await check_repeats(trial, *ODD_FAILURES)


@pytest.mark.operations(*STORING_LARGE)
async def test_request_of_a_large_upload_is_repeated_if_that_is_safe_when_one_fails(trial: LyingTrial) -> None:
    await check_repeats(trial, lies.DROPPED, lies.LOST)


@pytest.mark.operations(*STORING, find("list folder"), find("download"), find("rename file"), find("delete folder"))
async def test_call_waits_as_long_as_it_was_told_when_it_is_refused_for_now(trial: LyingTrial) -> None:
    async for lie, outcome in trial.sweep(*REFUSALS):
        (seen,) = outcome.lied
        if outcome.error is None:
            is_told = lie is not lies.BUSY
            assert outcome.sleeps.count(lies.RETRY_AFTER_SECONDS) == is_told
            assert outcome.count(seen) > 1
        else:
            assert trial.operation.is_body_once, outcome.error
            assert outcome.error.kind in {ErrorKind.RATE_LIMITED, ErrorKind.UNAVAILABLE}
            assert not outcome.error.maybe_applied
            assert outcome.tree == BEFORE
        assert not outcome.leftovers


async def check_sense(trial: LyingTrial, *nonsense: Lie) -> None:
    """Nobody takes it for an answer; it may only be that nobody needed one."""
    async for lie, outcome in trial.sweep(*nonsense, may_lie=trial.subject.reads_reply):
        (seen,) = outcome.lied
        if outcome.error is not None:
            assert outcome.error.kind in SENSELESS, f"{lie.name}: {seen.method} {seen.target}: {outcome.error}"


@pytest.mark.operations(*READING, *STORING, *CHANGING)
async def test_error_says_that_the_answer_makes_no_sense_when_it_does_not(trial: LyingTrial) -> None:
    await check_sense(trial, *NONSENSE)


@pytest.mark.operations(*READING)
async def test_error_says_that_the_answer_makes_no_sense_when_it_is_empty_or_a_trap(trial: LyingTrial) -> None:
    await check_sense(trial, *ODD_NONSENSE)


@pytest.mark.operations(*(each for each in (*READING, *STORING, *CHANGING) if each not in TREES))
async def test_error_names_the_reason_when_the_provider_refuses_for_good(trial: LyingTrial) -> None:
    kinds = set()
    async for lie, outcome in trial.sweep(*FOR_GOOD, may_lie=is_signed, is_all=True):
        if outcome.error is not None:
            kinds.add(outcome.error.kind)
            assert outcome.error.kind is FOR_GOOD[lie], f"{lie.name}: {outcome.lied}: {outcome.error}"
        assert not outcome.leftovers
    assert kinds == set(FOR_GOOD.values())


@pytest.mark.operations(*STORING, *CHANGING)
async def test_nothing_is_half_done_when_the_provider_is_gone_from_some_request_on(trial: LyingTrial) -> None:
    async for _, outcome in trial.sweep_ends(lies.DROPPED, lies.LOST):
        if outcome.error is not None:
            assert outcome.error.kind in TEMPORARY
            assert outcome.error.is_persistent or outcome.error.maybe_applied


@pytest.mark.operations(*READING, *STORING)
async def test_account_works_as_before_when_the_one_before_left_bytes_behind(trial: LyingTrial) -> None:
    """What follows a reply on its connection must not be taken for the next one."""
    for number, seen in enumerate(trial.baseline.requests, start=1):
        if seen.method == "HEAD":
            continue
        trial.proxy.begin(lie_at(number, lies.ANNOUNCED_LESS))
        await trial.run_once()
        for _ in range(by_extent(1, 2)):
            assert (await trial.run()).error is None
