"""The bytes of files as answers: whole, or the range that a request asks for."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from simulators.gdrive.errors import DriveError
from simulators.gdrive.records import Blob


def send_blob(request: Request, blob: Blob, mime_type: str, *, name: str) -> Response:
    """All of it, or with 206 the one range; 416 for a range that lies behind the end."""
    headers = {
        "Accept-Ranges": "bytes",
        "Content-Disposition": f"attachment; filename*=UTF-8''{quote(name, safe='')}",
        "Content-Type": mime_type,
    }
    start, end, status = 0, blob.size_bytes, 200
    wanted = read_range(request.headers.get("range", ""), blob.size_bytes)
    if wanted is not None:
        start, end = wanted
        status = 206
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{blob.size_bytes}"
    headers["Content-Length"] = str(end - start)
    return StreamingResponse(_stream(blob, start, end), status, headers)


def read_range(header: str, size_bytes: int) -> tuple[int, int] | None:
    """First byte and the one behind the last; None for the whole, as for what is not understood."""
    found = re.fullmatch(r"bytes=(\d*)-(\d*)", header.strip())
    if not found or not (found[1] or found[2]):
        return None
    if not found[1]:
        start, end = max(0, size_bytes - int(found[2])), size_bytes
    else:
        start = int(found[1])
        end = min(size_bytes, int(found[2]) + 1) if found[2] else size_bytes
        if found[2] and int(found[2]) < start:
            return None
    if start >= end:
        raise DriveError(
            416,
            "requestedRangeNotSatisfiable",
            "Request range not satisfiable",
            location="Range",
            location_type="header",
        )
    return start, end


async def _stream(blob: Blob, start: int, end: int) -> AsyncIterator[bytes]:
    """Has the bytes until the last of them is sent, whatever happens to the file meanwhile."""
    async for chunk in blob.content.stream(start, end):
        yield chunk
