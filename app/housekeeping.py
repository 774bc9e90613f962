"""What the server does by itself, every so often. A module's chore is one line in `JOBS`; how long things are kept is
said in the module's service.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import structlog

from app.connect import service as connect
from app.core.locks import try_to_hold
from app.core.state import State
from app.disconnecting import service as disconnecting
from app.idempotency import service as idempotency
from app.links import service as links
from app.requests import service as requests
from app.tasks import service as tasks
from app.uploads import service as uploads

MINUTE_SECONDS = 60.0
HOUR_SECONDS = 3600.0

log = structlog.get_logger("app.housekeeping")


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A chore. It may be cut off at any moment and is safe to repeat; `run` returns how many things it ended."""

    name: str
    rule: str  # when that happens to what, as the README says it
    every_seconds: float
    run: Callable[[State], Awaitable[int]]
    seconds_max: float = 10 * MINUTE_SECONDS


JOBS = (
    Job(
        name="abort expired uploads",
        rule="at their storage too, `KLOUDLESS_UPLOAD_SESSION_HOURS_MAX` after their start; given up "
        f"{uploads.ABORT_DAYS_MAX} days later",
        every_seconds=HOUR_SECONDS,
        run=uploads.abort_expired,
    ),
    Job(
        name="forget ended uploads",
        rule=f"{uploads.ENDED_UPLOAD_DAYS} days after their time",
        every_seconds=HOUR_SECONDS,
        run=uploads.delete_ended,
    ),
    Job(
        name="delete accounts of deleted applications",
        rule="at once",
        every_seconds=HOUR_SECONDS,
        run=disconnecting.delete_orphans,
    ),
    Job(
        name="forget ended connections",
        rule=f"{connect.RETENTION_HOURS} hours after their end: what a code became is known until then",
        every_seconds=HOUR_SECONDS,
        run=connect.delete_ended,
    ),
    Job(
        name="forget old Idempotency-Keys",
        rule=f"{idempotency.KEPT_HOURS} hours after the request",
        every_seconds=HOUR_SECONDS,
        run=idempotency.delete_expired,
    ),
    Job(
        name="forget ended tasks",
        rule="`KLOUDLESS_TASK_RETENTION_HOURS` after their end",
        every_seconds=HOUR_SECONDS,
        run=tasks.forget_ended,
    ),
    Job(
        name="forget expired links",
        rule=f"{links.EXPIRED_LINK_DAYS} days after they expired; until then a later time revives them",
        every_seconds=HOUR_SECONDS,
        run=links.delete_expired,
    ),
    Job(
        name="forget old requests",
        rule="`KLOUDLESS_REQUEST_LOG_HOURS_MAX` after they were answered",
        every_seconds=HOUR_SECONDS,
        run=requests.delete_old,
    ),
)


async def keep_house(state: State, jobs: Sequence[Job] = JOBS) -> None:
    """Does every job at its intervals until cancelled, the first time at once; one never waits for another."""
    await asyncio.gather(*(_repeat(state, job) for job in jobs))


async def _repeat(state: State, job: Job) -> None:
    while True:
        await run_job(state, job)
        await asyncio.sleep(job.every_seconds)


async def run_job(state: State, job: Job) -> int | None:
    """Does a job once; None if another process is at it, or it failed, which the log says: the next time comes."""
    try:
        async with asyncio.timeout(job.seconds_max), try_to_hold(state.db, f"job:{job.name}") as is_ours:
            if not is_ours:
                return None
            done_count = await job.run(state)
    except Exception as error:
        log.exception("job failed", job=job.name, error=type(error).__name__)
        return None
    if done_count:
        log.info("job done", job=job.name, count=done_count)
    return done_count
