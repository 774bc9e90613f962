"""From a request to a task and back: whether it shall be one, waiting for it, and what came of it as a reply."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Annotated, cast

import structlog
from fastapi import Depends, Header, Query, Request
from starlette.responses import Response

from app.accounts.callers import Caller, load_row, open_connector
from app.core.errors import ApiError, ErrorCode
from app.core.http.edge import encode_error
from app.core.http.reading import parse_flag
from app.core.http.replies import JsonReply, empty_reply, get_request_state
from app.core.state import get_state
from app.models import Task
from app.models.tasks import TaskState
from app.storage.opening import build_presenter, encode_conflicts
from app.storage.schemas import TaskErrorReply, TaskProgress, TaskReply
from app.tasks import service as tasks
from connectors.core.errors import ConnectorError
from connectors.core.resources import RawId, Ref

ASYNC_HEADER = "X-Kloudless-Async"

STATES: dict[TaskState, str] = {
    "pending": "PENDING",
    "started": "STARTED",
    "finished": "FINISHED",
    "failed": "FAILED",
    "cancelled": "CANCELLED",
}
"""How states are spelled in replies (contract 1.10)."""

OPERATIONS = {"copy_inside": "copy"}
"""Kinds of tasks that are the same operation to the API's users."""

log = structlog.get_logger("app.storage")

_CODES = {code.code: code for code in ErrorCode}


async def wants_task(
    request: Request,
    return_type: Annotated[str | None, Query(description="`task`: answer 202 with a task at once.")] = None,  # noqa: ARG001 - documented here, read by read_task_wish
    x_kloudless_async: Annotated[str | None, Header(description="`true`: as `return_type=task`.")] = None,  # noqa: ARG001 - as return_type
) -> bool:
    """Whether the client wants to be answered with a task."""
    return read_task_wish(request)


TaskWish = Annotated[bool, Depends(wants_task, scope="function")]


def read_task_wish(request: Request) -> bool:
    """The same for direct routes."""
    if parse_flag(request.headers.get(ASYNC_HEADER, "")) is True:
        return True
    return request.query_params.get("return_type", "").strip().lower() == "task"


async def answer_with_task(
    request: Request, task: Task, caller: Caller, *, is_awaited: bool, status: int = 200
) -> Response:
    """What came of a task that was just made, or 202 with the task itself: at once, or when waiting takes too long."""
    if is_awaited:
        task = await _wait(request, task)
    if tasks.has_ended(task):
        # From here on nothing is raised: the task was made, and the same request once more must not make another.
        try:
            return await answer_result(request, task, caller, status=status)
        except ApiError as error:
            return build_error_reply(request, error)
        except ConnectorError as error:  # its result cannot be looked at just now
            log.warning("result of a task not shown", task_id=str(task.id), error=str(error))
    return JsonReply(build_task_reply(request, task), 202)


def build_error_reply(request: Request, error: ApiError) -> Response:
    """The error as a reply that is kept like any other."""
    state = get_request_state(request)
    state.error_code = error.code.code
    body, headers = encode_error(error, state.id)
    return Response(body, status_code=error.code.status, headers=headers)


async def _wait(request: Request, task: Task) -> Task:
    state = get_state(request)
    watching = asyncio.create_task(_watch_client(request))
    watching.add_done_callback(lambda _: tasks.wake_waiting(state.signals, task))
    try:
        return await tasks.wait_for_end(
            state,
            task,
            seconds_max=state.settings.task_wait_seconds_max,
            is_needed=lambda: not watching.done(),
        )
    finally:
        watching.cancel()
        with suppress(asyncio.CancelledError):
            await watching


async def _watch_client(request: Request) -> None:
    """Returns when the client has left."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def answer_result(request: Request, task: Task, caller: Caller, *, status: int = 200) -> Response:
    """The file or folder that an ended task made, as it is now; 204 for a deletion. ApiError as the task failed."""
    state = get_state(request)
    if "cancelled" in {task.ending, task.state}:
        raise ApiError(ErrorCode.REQUEST_FAILED, "The task was cancelled.")
    if task.error_code is not None:
        raise build_task_error(task)
    if task.result_raw_id is None or task.result_account_id is None:
        return empty_reply()
    row = await load_row(state, task.result_account_id)
    if row is None:
        raise ApiError(ErrorCode.NOT_FOUND, "The account that the result is in has been disconnected.")
    if caller.account_id not in {None, row.id}:
        raise ApiError(ErrorCode.FORBIDDEN, "The result is in another account than the token's.")
    connector = open_connector(request, row)
    presenter = build_presenter(request, row, connector)
    encode_conflicts(request, presenter)
    ref = Ref("folder" if task.result_kind == "folder" else "file", RawId(task.result_raw_id))
    reply = presenter.build(await connector.get(ref))
    return JsonReply(reply, status if task.is_result_new else 200)


def build_task_error(task: Task) -> ApiError:
    """Why the task failed, as an error of its own request would have said it."""
    return ApiError(
        _CODES.get(task.error_code or "", ErrorCode.INTERNAL_ERROR),
        task.error_message or "",
        conflicting_resource_id=task.error_conflict_id,
    )


def build_task_reply(request: Request, task: Task) -> TaskReply:
    """A task as the API shows it."""
    state = STATES[cast("TaskState", task.ending or task.state)]
    error = None
    if task.error_code is not None:
        failure = build_task_error(task)
        error = TaskErrorReply(status_code=failure.code.status, error_code=failure.code.code, message=failure.message)
    return TaskReply(
        id=str(task.id),
        account=task.account_id,
        operation=OPERATIONS.get(task.kind, task.kind),
        state=state,
        status=state,
        progress=TaskProgress(
            files_total=task.files_total,
            files_done=task.files_done,
            bytes_total=task.bytes_total,
            bytes_done=task.bytes_done,
        ),
        outcomes=task.outcomes,
        error=error,
        created=task.created_at,
        started=task.started_at,
        ended=task.ended_at,
        href=f"{get_request_state(request).origin}/v1/accounts/{task.account_id}/tasks/{task.id}",
    )
