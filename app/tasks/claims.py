"""The life of one claim on a task: the work is done or undone, and how that ended is written down."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import AbstractContextManager, nullcontext, suppress
from datetime import datetime, timedelta
from typing import Any

import structlog

from app.core.clock import now
from app.core.errors import ApiError, ErrorCode, build_api_error
from app.tasks.running import LeaseLostError, Result, TaskRun, Work
from connectors.core.errors import TEMPORARY_KINDS, ConnectorError
from connectors.core.fence import fenced

ATTEMPTS_MAX = 12
"""How often a task is begun without getting anywhere, be it that it fails for a while or that its server dies."""

BACKOFF_SECONDS_FIRST = 2.0
BACKOFF_SECONDS_MAX = 900.0
CLOSE_SECONDS_MAX = 5.0
"""How long work that was told to stop may take to close what is open."""

BuildWork = Callable[[TaskRun], Work]

log = structlog.get_logger("app.tasks")


class Claim:
    """One claim, from the moment that it was won. What cannot be written down is left to whoever claims next."""

    def __init__(self, run: TaskRun, build: BuildWork | None, *, jitter: Callable[[], float]) -> None:
        self._run = run
        self._build = build
        self._jitter = jitter
        self._work: Work | None = None
        self._step: asyncio.Task[Any] | None = None

    async def serve(self) -> None:
        """Does the work, and undoes it if the task is to end otherwise. Cancelled, it gives the task back."""
        structlog.contextvars.bind_contextvars(task_id=str(self._run.task.id))
        keeper = asyncio.create_task(self._keep())
        try:
            if self._run.ending is None:
                await self._begin()
            if self._run.ending is not None and not self._run.is_lost:
                await self._tidy()
        except LeaseLostError:
            log.warning("task lost to another server")
        except ApiError as error:
            log.warning("task not settled", error=error.message)
        except asyncio.CancelledError:
            if self._step is None or self._step.done():  # else it may still write until the lease has run out
                with suppress(ApiError):
                    await self._give_back()
            raise
        finally:
            keeper.cancel()
            await asyncio.wait({keeper})

    async def _keep(self) -> None:
        try:
            await self._run.keep(self._stop)
        except Exception:
            log.exception("lease not kept")
            self._run.is_lost = True  # without somebody who renews it, it soon will be
            self._stop()

    def _stop(self) -> None:
        if self._step is not None:
            self._step.cancel()

    async def _do(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Does one thing that may be stopped without stopping the claim itself, and that writes only while it lasts."""
        with fenced(self._run.prove):
            step = self._step = asyncio.create_task(work)
        try:
            await asyncio.wait({step})
        except asyncio.CancelledError:
            step.cancel()
            await asyncio.wait({step}, timeout=CLOSE_SECONDS_MAX)
            raise
        return step

    async def _begin(self) -> None:
        run = self._run
        step = await self._do(self._perform())
        error = None if step.cancelled() else step.exception()
        if run.is_lost or run.ending is not None or step.cancelled():
            return
        if error is None:
            await self._finish(step.result())
        elif isinstance(error, LeaseLostError):
            raise error
        elif is_temporary(error) and self._attempts < ATTEMPTS_MAX:
            await self._postpone(error)
        else:
            await self._fail(error)

    async def _perform(self) -> Result:
        if self._attempts > ATTEMPTS_MAX:
            raise ApiError(ErrorCode.REQUEST_FAILED, f"It was begun {ATTEMPTS_MAX} times and got nowhere.")
        with self._traced():
            return await self._get_work().run()

    async def _undo(self) -> None:
        with self._traced():
            await self._get_work().undo()

    def _traced(self) -> AbstractContextManager[None]:
        traces, task = self._run.state.traces, self._run.task
        return nullcontext() if traces is None else traces.task(task.kind, str(task.id))

    def _get_work(self) -> Work:
        if self._build is None:
            raise ApiError(ErrorCode.SERVICE_NOT_AVAILABLE, "This server does not know such tasks.")
        if self._work is None:
            self._work = self._build(self._run)
        return self._work

    @property
    def _attempts(self) -> int:
        return 1 if self._run.has_moved else self._run.task.attempts

    async def _finish(self, result: Result) -> None:
        ref = result.ref
        is_settled = await self._run.settle(
            is_ending=False,
            state="finished",
            due_at=None,
            ended_at=now(),
            sealed_request="",
            result_account_id=result.account_id,
            result_kind=None if ref is None else ref.kind,
            result_raw_id=None if ref is None else ref.raw_id,
            is_result_new=result.is_new,
        )
        if not is_settled:  # somebody cancelled it at the last moment
            self._run.decide("cancelled")

    async def _postpone(self, error: BaseException) -> None:
        seconds = min(BACKOFF_SECONDS_MAX, BACKOFF_SECONDS_FIRST * 2 ** (self._attempts - 1))
        seconds *= 0.5 + self._jitter() / 2
        if isinstance(error, ConnectorError):
            seconds = max(seconds, error.retry_after_seconds or 0.0)
        log.info("task postponed", seconds=round(seconds, 1), error=str(error), attempts=self._attempts)
        await self._give_back(attempts=self._attempts, due_at=now() + timedelta(seconds=seconds))

    async def _give_back(self, *, attempts: int | None = None, due_at: datetime | None = None) -> None:
        """Ends the lease, so that the next server need not wait for its end."""
        if self._run.is_lost:
            return
        unspent = max(0, self._run.task.attempts - 1)
        await self._run.settle(
            state="pending", due_at=due_at or now(), attempts=unspent if attempts is None else attempts
        )

    async def _fail(self, error: BaseException) -> None:
        answer = self._explain(error)
        is_settled = await self._run.settle(
            is_ending=False,
            ending="failed",
            error_code=answer.code.code,
            error_message=answer.message,
            error_conflict_id=answer.conflicting_resource_id,
        )
        self._run.decide("failed" if is_settled else "cancelled")

    def _explain(self, error: BaseException) -> ApiError:
        if isinstance(error, ApiError):
            return error
        if not isinstance(error, ConnectorError):
            log.error("task failed", exc_info=error)
            return ApiError(ErrorCode.INTERNAL_ERROR)
        task = self._run.task
        conflict = None
        if error.conflict is not None:
            conflict = self._run.state.ids.encode(task.target_account_id or task.account_id, error.conflict)
        log.info("task failed", kind=error.kind.value, **error.context)
        return build_api_error(error, conflicting_resource_id=conflict)

    async def _tidy(self) -> None:
        run = self._run
        step = await self._do(self._undo())
        error = None if step.cancelled() else step.exception()
        if run.is_lost:
            return
        if error is not None and is_temporary(error) and self._attempts < ATTEMPTS_MAX:
            await self._postpone(error)
            return
        if error is not None:
            log.warning("what a task began was not undone", error=str(error))
        await run.settle(is_ending=True, state=run.ending, due_at=None, ended_at=now(), sealed_request="")


def is_temporary(error: BaseException) -> bool:
    """True when the same task may get further later without anybody doing anything."""
    if isinstance(error, ConnectorError):
        return error.kind in TEMPORARY_KINDS or error.retry_after_seconds is not None
    return isinstance(error, ApiError) and error.code is ErrorCode.SERVICE_NOT_AVAILABLE
