"""Bodies that are read as a whole, up to a limit."""

from __future__ import annotations

from urllib.parse import parse_qsl

from starlette.requests import Request

from simulators.gdrive.errors import DriveError

FORM_BYTES_MAX = 64 * 1024


async def read_body(request: Request, bytes_max: int) -> bytes:
    """All of it; 413 when there is more than that."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > bytes_max:
            raise DriveError(413, "uploadTooLarge", "The request is too large.")
    return bytes(body)


async def read_form(request: Request) -> dict[str, str]:
    """The fields of a form; of those that come twice the last."""
    body = await read_body(request, FORM_BYTES_MAX)
    return dict(parse_qsl(body.decode(errors="replace"), keep_blank_values=True))
