"""Bodies that are read as a whole, up to a limit."""

from __future__ import annotations

from starlette.requests import Request

from simulators.gdrive.errors import DriveError


async def read_body(request: Request, bytes_max: int) -> bytes:
    """All of it; 413 when there is more than that."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > bytes_max:
            raise DriveError(413, "uploadTooLarge", "The request is too large.")
    return bytes(body)
