"""Upload sessions: a file in several requests, one after the other or side by side.

https://developers.dropbox.com/dbx-performance-guide
"""

from __future__ import annotations

import asyncio
import secrets
from datetime import timedelta
from typing import Annotated, Any

import msgspec

from simulators.core.contents import Content, Draft
from simulators.core.faults import FaultKind, take_fault
from simulators.dropbox.calls import (
    BATCH_COUNT_MAX,
    Argument,
    Call,
    ContentHash,
    PollArgument,
    Routes,
    Tagged,
    read_tag,
)
from simulators.dropbox.commits import CommitArgument, commit
from simulators.dropbox.errors import RouteError
from simulators.dropbox.hashing import BLOCK_BYTES, hash_content
from simulators.dropbox.metadata import build_file
from simulators.dropbox.state import UploadSession, remember

SESSION_SECONDS_MAX = 7 * 24 * 3600
SESSION_TYPES = frozenset({"sequential", "concurrent"})

routes = Routes()


class StartArgument(Argument):
    close: bool = False
    session_type: Tagged | None = None
    content_hash: ContentHash | None = None


class StartBatchArgument(Argument):
    num_sessions: Annotated[int, msgspec.Meta(ge=1, le=BATCH_COUNT_MAX)]
    session_type: Tagged | None = None


class SessionCursor(Argument):
    session_id: str
    offset: Annotated[int, msgspec.Meta(ge=0)]


class AppendArgument(Argument):
    cursor: SessionCursor
    close: bool = False
    content_hash: ContentHash | None = None


class AppendBatchEntry(Argument):
    cursor: SessionCursor
    length: Annotated[int, msgspec.Meta(ge=0)]
    close: bool = False


class AppendBatchArgument(Argument):
    entries: Annotated[list[AppendBatchEntry], msgspec.Meta(max_length=BATCH_COUNT_MAX)]
    content_hash: ContentHash | None = None


class FinishArgument(Argument):
    cursor: SessionCursor
    commit: CommitArgument
    content_hash: ContentHash | None = None


class FinishBatchArgument(Argument):
    entries: Annotated[list[FinishArgument], msgspec.Meta(max_length=BATCH_COUNT_MAX)]


@routes.upload("files/upload_session/start", StartArgument, scope="files.content.write")
async def start(call: Call, argument: StartArgument) -> dict[str, Any]:
    """A new session, with its first bytes if it is sequential."""
    session = _begin(call, argument.session_type)
    piece = await call.read_body()
    try:
        if session.is_concurrent and piece.size_bytes:
            raise RouteError("concurrent_session_data_not_allowed")
        if session.is_concurrent and argument.close:
            raise RouteError("concurrent_session_close_not_allowed")
        await _check_piece(piece, argument.content_hash)
        _claim(session, 0, piece.size_bytes)
        await asyncio.to_thread(_add, session, piece, 0)
    finally:
        piece.drop()
    session.is_closed = argument.close
    return {"session_id": keep_session(call, session)}


@routes.rpc("files/upload_session/start_batch", StartBatchArgument, scope="files.content.write")
def start_batch(call: Call, argument: StartBatchArgument) -> dict[str, Any]:
    """Many new sessions."""
    sessions = [_begin(call, argument.session_type) for _ in range(argument.num_sessions)]
    return {"session_ids": [keep_session(call, session) for session in sessions]}


@routes.upload("files/upload_session/append_v2", AppendArgument, scope="files.content.write")
async def append(call: Call, argument: AppendArgument) -> None:
    """More bytes, where they belong."""
    piece = await call.read_body()
    try:
        await _check_piece(piece, argument.content_hash)
        session = _get(call, argument.cursor.session_id)
        _check_append(session, argument.cursor.offset, piece.size_bytes, is_last=argument.close)
        _claim(session, argument.cursor.offset, piece.size_bytes)
        await asyncio.to_thread(_add, session, piece, argument.cursor.offset)
    finally:
        piece.drop()
    session.is_closed = session.is_closed or argument.close


@routes.upload("files/upload_session/append_batch", AppendBatchArgument, scope="files.content.write")
async def append_batch(call: Call, argument: AppendBatchArgument) -> dict[str, Any]:
    """Bytes of several sessions, one behind the other in the body."""
    body = await call.read_body()
    try:
        await _check_piece(body, argument.content_hash)
        if sum(entry.length for entry in argument.entries) != body.size_bytes:
            raise RouteError("length_mismatch")
        start_at = 0
        outcomes = []
        for entry in argument.entries:
            data = body.read(start_at, entry.length)
            start_at += entry.length
            outcomes.append(_append_one(call, entry, data))
    finally:
        body.drop()
    return {"entries": outcomes}


@routes.upload("files/upload_session/finish", FinishArgument, scope="files.content.write")
async def finish(call: Call, argument: FinishArgument) -> dict[str, Any]:
    """The last bytes of a sequential session; all of them become a file."""
    call.check_writes()
    piece = await call.read_body()
    try:
        await _check_piece(piece, argument.content_hash)
        session = _get(call, argument.cursor.session_id, wrapped=True)
        if session.is_concurrent and piece.size_bytes:
            raise RouteError("concurrent_session_data_not_allowed")
        if not session.is_concurrent:
            _check_finish(session, argument.cursor.offset, piece.size_bytes)
            _claim(session, argument.cursor.offset, piece.size_bytes)
            await asyncio.to_thread(_add, session, piece, argument.cursor.offset)
    finally:
        piece.drop()
    return await _finish(call, argument, session)


@routes.rpc("files/upload_session/finish_batch_v2", FinishBatchArgument, scope="files.content.write")
async def finish_batch(call: Call, argument: FinishBatchArgument) -> dict[str, Any]:
    """Many closed sessions become files; each has its own outcome."""
    return {"entries": [await _finish_one(call, entry) for entry in argument.entries]}


@routes.rpc("files/upload_session/finish_batch", FinishBatchArgument, scope="files.content.write")
async def finish_batch_later(call: Call, argument: FinishBatchArgument) -> dict[str, Any]:
    """The older form: always a job."""
    complete = {".tag": "complete", **await finish_batch(call, argument)}
    return call.state.launch("finish_batch", call.user, complete)


@routes.rpc("files/upload_session/finish_batch/check", PollArgument, scope="files.content.write")
def check_finish_batch(call: Call, argument: PollArgument) -> dict[str, Any]:
    """How far that job is."""
    return call.state.poll("finish_batch", call.user, argument.async_job_id)


def keep_session(call: Call, session: UploadSession) -> str:
    """Remembers a session for some days."""
    session_id = f"pid_upload_session:{secrets.token_urlsafe(36)}"
    remember(call.state.sessions, session_id, session)
    return session_id


def _begin(call: Call, session_type: Tagged | None) -> UploadSession:
    tag, _ = read_tag(session_type or "sequential", SESSION_TYPES)
    return UploadSession(
        draft=call.state.world.contents.begin(),
        started_at=call.state.world.clock.now(),
        is_concurrent=tag == "concurrent",
    )


def _get(call: Call, session_id: str, *, wrapped: bool = False) -> UploadSession:
    session = call.state.sessions.get(session_id)
    begun_after = call.state.world.clock.now() - timedelta(seconds=SESSION_SECONDS_MAX)
    if session is None or session.started_at < begun_after:
        raise RouteError(*(("lookup_failed", "not_found") if wrapped else ("not_found",)))
    return session


def _check_append(session: UploadSession, offset: int, size_bytes: int, *, is_last: bool) -> None:
    if session.is_concurrent:
        if offset % BLOCK_BYTES:
            raise RouteError("concurrent_session_invalid_offset")
        if size_bytes % BLOCK_BYTES and not is_last:
            raise RouteError("concurrent_session_invalid_data_size")
        if session.is_closed and is_last:
            raise RouteError("closed")
        return
    if session.is_closed:
        raise RouteError("closed")
    if offset != session.size_bytes:
        raise RouteError("incorrect_offset", correct_offset=session.size_bytes)


def _check_finish(session: UploadSession, offset: int, size_bytes: int) -> None:
    if session.is_closed and size_bytes:
        raise RouteError("lookup_failed", "closed")
    if offset != session.size_bytes:
        raise RouteError("lookup_failed", "incorrect_offset", correct_offset=session.size_bytes)


def _claim(session: UploadSession, offset: int, size_bytes: int) -> None:
    """Before the bytes are written, so that the same piece sent twice at once is not taken twice."""
    if size_bytes:
        session.received[offset] = size_bytes


def _add(session: UploadSession, piece: Draft, offset: int) -> None:
    for start_at in range(0, piece.size_bytes, BLOCK_BYTES):
        session.draft.write(piece.read(start_at, BLOCK_BYTES), at=offset + start_at)
    session.draft.rest()


def _append_one(call: Call, entry: AppendBatchEntry, data: bytes) -> dict[str, Any]:
    try:
        session = _get(call, entry.cursor.session_id)
        _check_append(session, entry.cursor.offset, len(data), is_last=entry.close)
    except RouteError as error:
        return {".tag": "failure", "failure": error.error}
    _claim(session, entry.cursor.offset, len(data))
    session.draft.write(data, at=entry.cursor.offset)
    session.draft.rest()
    session.is_closed = session.is_closed or entry.close
    return {".tag": "success"}


async def _finish(call: Call, argument: FinishArgument, session: UploadSession) -> dict[str, Any]:
    if session.is_concurrent:
        if not session.is_closed:
            raise RouteError("concurrent_session_not_closed")
        if sum(session.received.values()) != session.size_bytes:
            raise RouteError("concurrent_session_missing_data")
        if argument.cursor.offset != session.size_bytes:
            raise RouteError("lookup_failed", "incorrect_offset", correct_offset=session.size_bytes)
    session.is_closed = True
    try:
        file = await commit(call, argument.commit, session.draft.finish())
    except RouteError as error:
        raise (error if error.tags[0] == "properties_error" else error.within("path")) from error
    return build_file(call.view, file)


async def _finish_one(call: Call, entry: FinishArgument) -> dict[str, Any]:
    if take_fault(call.request, FaultKind.TOO_MANY_WRITES) is not None:
        return {".tag": "failure", "failure": {".tag": "too_many_write_operations"}}
    try:
        session = _get(call, entry.cursor.session_id, wrapped=True)
        if not session.is_concurrent:
            _check_closed(session, entry.cursor.offset)
        return {".tag": "success", **await _finish(call, entry, session)}
    except RouteError as error:
        return {".tag": "failure", "failure": error.error}


def _check_closed(session: UploadSession, offset: int) -> None:
    if not session.is_closed:
        raise RouteError("lookup_failed", "not_closed")
    _check_finish(session, offset, 0)


async def _check_piece(piece: Draft, expected: str | None) -> None:
    if expected is None:
        return
    piece.rest()
    written = Content(piece.path, piece.size_bytes)
    if await asyncio.to_thread(hash_content, written) != expected:
        raise RouteError("content_hash_mismatch")
