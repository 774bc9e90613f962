"""Providers that take a request and never answer."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from connectors.core.errors import ErrorKind
from tests.connectors.faulty.operations import Operation, find
from tests.connectors.faulty.subject import Subject
from tests.connectors.faulty.trial import LyingTrial, opened_lying_trial
from tests.servers import lies
from tests.servers.origin import Seen

IDLE_SECONDS_MAX = 1.5


def is_of_bytes(seen: Seen) -> bool:
    """It asks for a file's bytes."""
    return seen.method == "GET" and "?" not in seen.target


@pytest_asyncio.fixture
async def impatient(case: tuple[Subject, Operation]) -> AsyncIterator[LyingTrial]:
    async with opened_lying_trial(*case, idle_seconds_max=IDLE_SECONDS_MAX) as opened:
        yield opened


@pytest.mark.operations(find("list folder"), find("download"), find("upload"), find("upload once"))
async def test_silence_is_a_failure_like_any_other_when_it_lasts(impatient: LyingTrial) -> None:
    async for lie, outcome in impatient.sweep(lies.SILENT):
        (seen,) = outcome.lied
        if impatient.subject.can_repeat(seen, is_body_once=impatient.operation.is_body_once):
            assert outcome.error is None, f"{lie.name}: {seen.method} {seen.target}: {outcome.error}"
        else:
            assert outcome.error is not None
            assert outcome.error.kind is ErrorKind.TIMED_OUT
            assert outcome.error.maybe_applied
            assert outcome.count(seen) == 1
            assert "was silent for 1.5 s" in outcome.error.message


@pytest.mark.operations(find("download"), find("download part"))
async def test_download_fails_when_the_bytes_stop_coming(impatient: LyingTrial) -> None:
    outcome = await impatient.run(lambda _, seen: lies.STALLED if is_of_bytes(seen) else None)
    assert outcome.error is not None
    assert outcome.error.kind is ErrorKind.TIMED_OUT
    await impatient.check_account()
