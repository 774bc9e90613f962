"""Bytes of a file as a reply, whole or a part of them."""

from __future__ import annotations

import re

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from simulators.core.contents import Content
from simulators.dropbox.errors import RouteError

_RANGE = re.compile(r"bytes=(\d*)-(\d*)")


def stream_content(
    request: Request,
    content: Content,
    *,
    media_type: str,
    headers: dict[str, str],
    has_ranges: bool = True,
) -> Response:
    """All bytes, or those of one range, which may reach beyond the end but not begin there; none if the client has
    them: the headers' ETag is what it shows.

    A range that cannot be is RouteError("range", "not_satisfiable"), as the official SDKs expect it, and no 416.
    """
    if "ETag" in headers and request.headers.get("if-none-match") == headers["ETag"]:
        return Response(status_code=304, headers={"ETag": headers["ETag"]})
    size = content.size_bytes
    start, end, status = 0, size, 200
    wanted = _RANGE.fullmatch(request.headers.get("range", "")) if has_ranges else None
    if wanted is not None and (wanted[1] or wanted[2]):
        if wanted[1]:
            start = int(wanted[1])
            end = min(size, int(wanted[2]) + 1) if wanted[2] else size
        else:
            start = max(0, size - int(wanted[2]))
        if start >= size or end <= start:
            raise RouteError("range", "not_satisfiable")
        status = 206
        headers = {**headers, "Content-Range": f"bytes {start}-{end - 1}/{size}"}
    if has_ranges:
        headers = {**headers, "Accept-Ranges": "bytes"}
    headers = {**headers, "Content-Length": str(end - start)}
    return StreamingResponse(content.stream(start, end), status_code=status, media_type=media_type, headers=headers)
