"""Callers who leave while any one of an operation's requests is under way."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.connectors.faulty.operations import CHANGING, READING, STORING, STORING_LARGE, Operation
from tests.connectors.faulty.subject import Subject
from tests.connectors.faulty.trial import LyingTrial, opened_lying_trial
from tests.servers import lies

IDLE_SECONDS_MAX = 3.0  # how long an upload whose id is not known yet is waited for, to give it up


@pytest_asyncio.fixture
async def impatient(case: tuple[Subject, Operation]) -> AsyncIterator[LyingTrial]:
    async with opened_lying_trial(*case, idle_seconds_max=IDLE_SECONDS_MAX) as opened:
        yield opened


@pytest.mark.operations(*READING, *STORING, *CHANGING, *STORING_LARGE)
async def test_nothing_is_left_when_the_caller_leaves_during_a_request(impatient: LyingTrial) -> None:
    async for lie, outcome in impatient.sweep(lies.SILENT, is_cancelled_at_lie=True):
        assert outcome.is_cancelled, f"{lie.name}: {outcome.error}"
        assert not outcome.leftovers


@pytest.mark.operations(*STORING, *CHANGING)
async def test_nothing_is_half_done_when_the_caller_leaves_after_it_was_done(impatient: LyingTrial) -> None:
    async for lie, outcome in impatient.sweep(lies.SILENT_AFTER, is_cancelled_at_lie=True):
        assert outcome.is_cancelled, f"{lie.name}: {outcome.error}"
        assert not outcome.leftovers
