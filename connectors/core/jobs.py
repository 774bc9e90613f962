"""Waits for what a provider does behind the scenes: a job that is asked after until it is done."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from connectors.core.clock import Clock
from connectors.core.errors import ConnectorError, ErrorKind

PAUSE_SECONDS_FIRST = 0.5  # it doubles from there
PAUSE_SECONDS_MAX = 8.0
JOB_SECONDS_MAX = 300.0

ResultT = TypeVar("ResultT")


async def wait_for_job(
    check: Callable[[], Awaitable[ResultT | None]], *, clock: Clock, seconds_max: float = JOB_SECONDS_MAX
) -> ResultT:
    """What `check` returns as soon as that is not None; what it raises ends the waiting.

    - timed_out, and perhaps still done later, after that many seconds. Cancelling stops the waiting, not the job.
    """
    ends_at = clock.monotonic() + seconds_max
    pause_seconds = PAUSE_SECONDS_FIRST
    while True:
        result = await check()
        if result is not None:
            return result
        if clock.monotonic() + pause_seconds > ends_at:
            text = "the provider has begun this and not ended it in time"
            raise ConnectorError(ErrorKind.TIMED_OUT, text, maybe_applied=True)
        await clock.sleep(pause_seconds)
        pause_seconds = min(2 * pause_seconds, PAUSE_SECONDS_MAX)
