"""Tasks: what goes on without the request that asked for it (contract 1.10)."""

from __future__ import annotations

import uuid
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request
from starlette.responses import Response

from app.accounts.callers import Caller, authorize
from app.accounts.endpoints import ACCOUNT_ERRORS
from app.accounts.rows import AccountRow
from app.core.errors import ApiError, ErrorCode
from app.core.http.paths import read_segment
from app.core.http.reading import PageNumber, PageSize
from app.core.http.replies import JsonReply, build_numbered_list, describe, empty_reply
from app.core.state import get_state
from app.storage.schemas import FileReply, FolderReply, TaskPage, TaskReply
from app.storage.tasking import STATES, answer_result, build_task_reply
from app.tasks import service

NEVER_OF_A_TASK = {ErrorCode.INVALID_TOKEN, ErrorCode.IDEMPOTENCY_MISMATCH}
ANY_ERROR = tuple(code for code in ErrorCode if code not in NEVER_OF_A_TASK)
"""A failed task answers with the error that its request would have been answered with."""

router = APIRouter(prefix="/v1/accounts/{account_id}/tasks", tags=["tasks"])


async def get_storage_account(
    request: Request, account_id: Annotated[str, Path(description="The account's number, or `me` with a bearer token.")]
) -> tuple[Caller, AccountRow]:
    """The caller and the account that the path names, for who may use its files."""
    return await authorize(request, read_segment(account_id), needs_storage=True)


StorageAccount = Annotated[tuple[Caller, AccountRow], Depends(get_storage_account, scope="function")]
TaskId = Annotated[str, Path(description="The task's id.")]


def read_task_id(text: str) -> uuid.UUID:
    """The id in a path; ApiError 404 for anything else."""
    try:
        task_id = uuid.UUID(text)
    except ValueError:
        task_id = None
    if task_id is None or str(task_id) != text.lower():
        raise ApiError(ErrorCode.NOT_FOUND, "There is no such task.")
    return task_id


@router.get("", **describe(TaskPage, errors=ACCOUNT_ERRORS))
async def list_tasks(
    request: Request,
    account: StorageAccount,
    state: Annotated[str | None, Query(description="Only those in these states, comma-separated.")] = None,
    page: PageNumber = 1,
    page_size: PageSize = 100,
) -> Response:
    """Lists the account's tasks, the newest first; ended ones are kept for some days."""
    names = {public: name for name, public in STATES.items()}
    wanted = [text.strip().upper() for text in (state or "").split(",") if text.strip()]
    if any(text not in names for text in wanted):
        raise ApiError(ErrorCode.INVALID_PARAMETERS, f"state is one or more of: {', '.join(names)}.")
    rows, total = await service.list_page(
        get_state(request),
        account_id=account[1].id,
        states=[names[text] for text in wanted],
        offset=(page - 1) * page_size,
        limit=page_size,
    )
    objects: list[object] = [build_task_reply(request, row) for row in rows]
    return JsonReply(build_numbered_list(objects, total=total, page=page, page_size=page_size, api="storage"))


@router.get("/{task_id}", **describe(TaskReply | FileReply | FolderReply, also={204: None}, errors=ANY_ERROR))
async def get_task(request: Request, account: StorageAccount, task_id: TaskId) -> Response:
    """The task while it goes on; then what came of it: the file or folder, 204 for a deletion, or the error."""
    caller, row = account
    task = await service.get(get_state(request), read_task_id(read_segment(task_id)), account_id=row.id)
    if service.has_ended(task):
        return await answer_result(request, task, caller)
    return JsonReply(build_task_reply(request, task))


@router.delete("/{task_id}", **describe(status=204, also={202: TaskReply}, errors=ACCOUNT_ERRORS))
async def cancel_task(request: Request, account: StorageAccount, task_id: TaskId) -> Response:
    """Ends a task. 202 while it still frees what it began; what it had finished stays. An ended one stays as it is."""
    task = await service.cancel(get_state(request), read_task_id(read_segment(task_id)), account_id=account[1].id)
    return JsonReply(build_task_reply(request, task), 202) if task.due_at is not None else empty_reply()
