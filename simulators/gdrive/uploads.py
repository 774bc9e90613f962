"""Bytes on their way in: in one request (simple, or behind their metadata), or in chunks of a resumable session."""

from __future__ import annotations

import re
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from simulators.core.contents import REWRITTEN_TAIL
from simulators.core.faults import FaultKind, take_fault
from simulators.gdrive.blobs import BlobWriter
from simulators.gdrive.call import BODY_BYTES_MAX, Call, get_origin, parse_json, read_json
from simulators.gdrive.description import METHODS
from simulators.gdrive.errors import DriveError
from simulators.gdrive.fields import list_wanted, select_fields
from simulators.gdrive.multipart import Base64Reader, PartReader
from simulators.gdrive.records import Blob
from simulators.gdrive.sessions import Session
from simulators.gdrive.writing import create_file, find_parent, update_file

CHUNK_BYTES_MULTIPLE = 256 * 1024
FILE_BYTES_MAX = 5120 * 1024**3
CANCELLED_STATUS = 499


async def upload(call: Call) -> dict[str, Any] | Response:
    """One request that makes or changes a file: with its bytes, or to begin a session."""
    match call.text("uploadType"):
        case "media":
            return finish(call, {}, await _read_media(call), call.request.headers.get("content-type"))
        case "multipart":
            return await _read_multipart(call)
        case "resumable":
            return await _begin_session(call)
    raise DriveError.invalid("uploadType")


def finish(call: Call, metadata: dict[str, Any], blob: Blob, media_type: str | None) -> dict[str, Any]:
    """The file is there now; the answer is what was asked for of it."""
    if call.method.name == "files.create":
        file = create_file(call, metadata, blob, media_type)
        if take_fault(call.request, FaultKind.DUPLICATE_NAME):
            create_file(call, {"name": file.name, "parents": [file.parent_id]}, blob, media_type)
    else:
        file = update_file(call, call.get_file(call.text("fileId")), metadata, blob, media_type)
    return call.viewer.show_file(file, list_wanted(call.mask))


async def _read_media(call: Call) -> Blob:
    writer = call.drive.begin_blob()
    try:
        async for chunk in call.request.stream():
            writer.write(chunk)
        return _close(call.request, writer)
    except BaseException:
        writer.drop()
        raise


async def _read_multipart(call: Call) -> dict[str, Any]:
    content_type = call.request.headers.get("content-type", "")
    if not content_type.startswith("multipart/"):
        raise DriveError.bad_request("Malformed multipart body.")
    collector = _Collector(call.drive.begin_blob())
    reader = PartReader(content_type, collector.take)
    try:
        async for chunk in call.request.stream():
            reader.feed(chunk)
        reader.close(parts_count=2)
        metadata = parse_json(bytes(collector.metadata), call.method.request)
        blob = _close(call.request, collector.writer)
    except BaseException:
        collector.writer.drop()
        raise
    return finish(call, metadata, blob, collector.media_type)


class _Collector:
    """Keeps the first part, and writes the second one away."""

    def __init__(self, writer: BlobWriter) -> None:
        self.writer = writer
        self.metadata = bytearray()
        self.media_type: str | None = None
        self._decoder: Base64Reader | None = None

    def take(self, number: int, headers: dict[str, str], data: bytes) -> None:
        if number == 1:
            self.metadata += data
            if len(self.metadata) > BODY_BYTES_MAX:
                raise DriveError(413, "uploadTooLarge", "The request is too large.")
            return
        if not data:
            self.media_type = headers.get("content-type")
            is_encoded = headers.get("content-transfer-encoding", "").lower() == "base64"
            self._decoder = Base64Reader(self.writer.write) if is_encoded else None
        elif self._decoder is not None:
            self._decoder.feed(data)
        else:
            self.writer.write(data)


async def _begin_session(call: Call) -> Response:
    metadata = await read_json(call.request, call.method.request)
    if call.method.name == "files.create":
        find_parent(call, metadata.get("parents"))
    else:
        call.get_writable(call.text("fileId"))
    declared = call.request.headers.get("x-upload-content-length")
    if declared is not None and (not declared.isdigit() or int(declared) > FILE_BYTES_MAX):
        raise DriveError(413, "uploadTooLarge", "The file is too large.")
    if declared is not None:
        call.store.check_quota(call.user, int(declared))
    sessions = call.drive.sessions
    session = Session(
        id=sessions.invent_id(),
        method_name=call.method.name,
        parameters=dict(call.parameters),
        mask=call.mask,
        grant=call.grant,
        metadata=metadata,
        media_type=call.request.headers.get("x-upload-content-type"),
        total_bytes=None if declared is None else int(declared),
        sink=call.drive.begin_blob(),
        expires_at=sessions.expires_at(),
    )
    sessions.add(session)
    path = call.request.url.path
    location = f"{get_origin(call.request)}{path}?uploadType=resumable&upload_id={session.id}"
    return Response(status_code=200, headers={"Location": location, "X-GUploader-UploadID": session.id})


async def resume(call: Call, session: Session) -> Response:
    """A chunk, or the question how far the upload is."""
    if session.is_busy:
        raise DriveError(503, "backendError", "The upload session is in use.")
    session.is_busy = True
    try:
        await _take(call.request, session)
    finally:
        session.is_busy = False
        session.sink.rest()
    if session.result is None and session.sink.size_bytes == session.total_bytes:
        blob = _close(call.request, session.sink)
        done = finish(call, dict(session.metadata), blob, session.media_type)
        session.result = select_fields(done, call.mask)
    if session.result is not None:
        return JSONResponse(session.result)
    headers = {"X-GUploader-UploadID": session.id}
    if session.sink.size_bytes:
        headers["Range"] = f"bytes=0-{session.sink.size_bytes - 1}"
    return Response(status_code=308, headers=headers)


def cancel(call: Call, session: Session) -> Response:
    call.drive.sessions.cancel(session)
    return Response(status_code=CANCELLED_STATUS)


def build_call(call_parts: dict[str, Any], session: Session) -> Call:
    """The call that began the session, now made by the request that goes on with it."""
    return Call(
        **call_parts,
        method=METHODS[session.method_name],
        grant=session.grant,
        parameters=session.parameters,
        mask=session.mask,
    )


async def _take(request: Request, session: Session) -> None:
    if session.result is not None:
        return
    start, end, total = _read_content_range(request, session)
    if total is not None:
        if session.total_bytes not in {None, total}:
            raise DriveError.bad_request("The total size differs from the one that was declared.")
        session.total_bytes = total
    if start is None:
        return
    have = session.sink.size_bytes
    if start > have:
        raise DriveError.bad_request(f"Bytes {have} to {start} are missing.")
    await _take_bytes(request, session, start=start, end=end)


async def _take_bytes(request: Request, session: Session, *, start: int, end: int | None) -> None:
    """Stores whole multiples of the chunk size only, but for the end of the file."""
    skipped = session.sink.size_bytes - start
    came, waiting = 0, bytearray()
    try:
        async for chunk in request.stream():
            fresh = chunk[max(0, skipped - came) :]
            came += len(chunk)
            waiting += fresh
            whole = len(waiting) - len(waiting) % CHUNK_BYTES_MULTIPLE
            session.sink.write(bytes(waiting[:whole]))
            del waiting[:whole]
    except ClientDisconnect:
        raise DriveError(503, "backendError", "The request was cut off.") from None
    if end is not None and came != end - start:
        message = f"Invalid request. There were {came} byte(s) in the request body, not {end - start}."
        raise DriveError.bad_request(message)
    is_last = end is None or session.total_bytes == end
    if is_last:
        session.sink.write(bytes(waiting))
        session.total_bytes = session.sink.size_bytes
    elif came < CHUNK_BYTES_MULTIPLE:
        message = f"Invalid request. All chunks but the last need {CHUNK_BYTES_MULTIPLE} bytes or more, not {came}."
        raise DriveError.bad_request(message)


def _read_content_range(request: Request, session: Session) -> tuple[int | None, int | None, int | None]:
    """First byte, the one behind the last, and the total; without a first byte it is a question."""
    header = request.headers.get("content-range")
    if header is None:
        return 0, session.total_bytes, session.total_bytes
    found = re.fullmatch(r"bytes (?:(\d+)-(\d+)|\*)/(\d+|\*)", header.strip())
    if not found:
        raise DriveError.bad_request("Failed to parse Content-Range header.")
    total = None if found[3] == "*" else int(found[3])
    if found[1] is None:
        return None, None, total
    start, end = int(found[1]), int(found[2]) + 1
    if start >= end or (total is not None and end > total):
        raise DriveError.bad_request("Failed to parse Content-Range header.")
    return start, end, total


def _close(request: Request, writer: BlobWriter) -> Blob:
    if take_fault(request, FaultKind.REWRITTEN_BYTES):
        writer.write(REWRITTEN_TAIL)
    return writer.finish()
