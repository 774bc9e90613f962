"""Copies, moves and deletions as endpoints answer them: at once inside an account, as a task when asked or needed."""

from __future__ import annotations

import msgspec
from fastapi import Request
from starlette.responses import Response

from app.accounts.callers import build_connector, find_service
from app.accounts.rows import AccountRow
from app.core.errors import ApiError, ErrorCode
from app.core.http.reading import check_text, read_flag
from app.core.http.replies import JsonReply, empty_reply
from app.core.ids import ROOT_ID
from app.fetching import service as fetching
from app.models import Task
from app.storage import service
from app.storage.opening import Storage, build_presenter
from app.storage.schemas import ResourceCopy, ResourceUpdate
from app.storage.tasking import answer_with_task, read_task_wish
from app.transfers import service as transfers
from connectors.core.layers.check import check_name
from connectors.core.resources import Ref


async def answer_copy(request: Request, storage: Storage, ref: Ref, body: ResourceCopy, *, has_wish: bool) -> Response:
    """201 with the copy. One to another account is a task, for which the request waits unless a task is wished for."""
    if read_flag(request, "link"):
        raise ApiError(ErrorCode.NOT_IMPLEMENTED, "Copies come without a link here; ask for it at `links` afterwards.")
    target = await service.find_target(storage, body)
    if target is not None:
        task = await _start_transfer(request, storage, ref, body, target, is_move=False)
    elif has_wish:
        _check_name(storage, storage.row, body.name)
        parent = storage.present.decode_parent(body.parent_id)
        task = await transfers.start_copy(storage.state, row=storage.row, source=ref, parent=parent, name=body.name)
    else:
        return JsonReply(storage.present.build(await service.copy(storage, ref, body)), 201)
    return await answer_with_task(request, task, storage.caller, is_awaited=not has_wish, status=201)


async def answer_update(
    request: Request, storage: Storage, ref: Ref, body: ResourceUpdate, *, has_wish: bool
) -> Response:
    """200 with the resource as it is then. A move to another account is a task, as a copy is."""
    target = await service.find_target(storage, body)
    if target is None:
        return JsonReply(storage.present.build(await service.update(storage, ref, body)))
    if ref == storage.connector.manifest.root:
        raise ApiError(ErrorCode.PERMISSION_DENIED, "The root folder cannot be moved.")
    task = await _start_transfer(request, storage, ref, body, target, is_move=True)
    return await answer_with_task(request, task, storage.caller, is_awaited=not has_wish)


async def answer_deletion(
    request: Request, storage: Storage, ref: Ref, *, is_recursive: bool, is_permanent: bool, has_wish: bool
) -> Response:
    """204. A recursive one is a task if that is wished for."""
    if is_recursive and has_wish:
        if ref == storage.connector.manifest.root:
            raise ApiError(ErrorCode.PERMISSION_DENIED, "The root folder cannot be deleted.")
        task = await transfers.start_deletion(storage.state, row=storage.row, folder=ref, is_permanent=is_permanent)
        return await answer_with_task(request, task, storage.caller, is_awaited=False)
    await storage.connector.delete(ref, is_recursive=is_recursive, is_permanent=is_permanent)
    return empty_reply()


async def answer_fetch(request: Request, storage: Storage, *, is_overwriting: bool) -> Response:
    """201 with the file that was fetched, 200 if it replaced one; the body says from where and where to."""
    body = await _read_fetch(request)
    _check_name(storage, storage.row, body["name"])
    task = await fetching.start_fetch(
        storage.state,
        row=storage.row,
        url=body["url"],
        parent=storage.present.decode_parent(body["parent_id"]),
        name=body["name"],
        is_overwriting=is_overwriting,
    )
    return await answer_with_task(request, task, storage.caller, is_awaited=not read_task_wish(request), status=201)


async def _read_fetch(request: Request) -> dict[str, str]:
    try:
        body = msgspec.json.decode(await request.body())
    except (msgspec.DecodeError, RecursionError):
        body = None
    if not isinstance(body, dict) or not body.get("url"):
        raise ApiError(
            ErrorCode.INVALID_PARAMETERS,
            "Send a file's bytes with an X-Kloudless-Metadata header, or JSON with a url to fetch it from.",
        )
    texts = {"url": body["url"], "name": body.get("name"), "parent_id": body.get("parent_id", ROOT_ID)}
    if not all(isinstance(text, str) for text in texts.values()):
        raise ApiError(ErrorCode.INVALID_PARAMETERS, "url, name and parent_id must be strings.")
    return texts


async def _start_transfer(
    request: Request, storage: Storage, ref: Ref, body: ResourceUpdate, target: AccountRow, *, is_move: bool
) -> Task:
    _check_name(storage, target, body.name)
    connector = build_connector(storage.state, target)
    return await transfers.start_transfer(
        storage.state,
        row=storage.row,
        target=target,
        source=ref,
        parent=build_presenter(request, target, connector).decode_parent(body.parent_id),
        name=body.name,
        is_move=is_move,
    )


def _check_name(storage: Storage, row: AccountRow, name: str | None) -> None:
    """Refuses now what the task could only fail with."""
    if name is None:
        return
    try:
        check_text(name)
    except ValueError as error:
        raise ApiError(ErrorCode.INVALID_PARAMETERS, f"name {error}.") from error
    check_name(name, find_service(storage.state, row.service).manifest.limits)
