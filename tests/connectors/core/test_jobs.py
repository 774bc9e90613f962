from __future__ import annotations

import pytest

from connectors.core.clock import ManualClock
from connectors.core.errors import ConnectorError, ErrorKind
from connectors.core.jobs import JOB_SECONDS_MAX, PAUSE_SECONDS_MAX, wait_for_job


async def test_result_comes_when_the_job_is_done_after_some_asking() -> None:
    clock, answers = ManualClock(), iter([None, None, "done"])

    async def check() -> str | None:
        return next(answers)

    assert await wait_for_job(check, clock=clock) == "done"
    assert clock.sleeps == [0.5, 1.0]


async def test_timed_out_and_in_doubt_when_the_job_goes_on_and_on() -> None:
    clock = ManualClock()

    async def check() -> str | None:
        return None

    with pytest.raises(ConnectorError) as caught:
        await wait_for_job(check, clock=clock)
    assert (caught.value.kind, caught.value.maybe_applied) == (ErrorKind.TIMED_OUT, True)
    assert max(clock.sleeps) == PAUSE_SECONDS_MAX
    assert clock.monotonic() <= JOB_SECONDS_MAX


async def test_waiting_ends_when_asking_fails() -> None:
    async def check() -> str | None:
        raise ConnectorError(ErrorKind.NOT_FOUND)

    with pytest.raises(ConnectorError):
        await wait_for_job(check, clock=ManualClock())
