"""Several calls in one request: each part is a request of its own, answered by a part of the answer."""

from __future__ import annotations

from http import HTTPStatus
from urllib.parse import unquote, urlsplit

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Scope

from simulators.gdrive.bodies import read_body
from simulators.gdrive.errors import DriveError
from simulators.gdrive.multipart import read_parts, write_parts

CALLS_COUNT_MAX = 100
BATCH_BYTES_MAX = 10 * 1024 * 1024
INHERITED = ("authorization", "host", "x-forwarded-host", "x-forwarded-proto")


async def answer_batch(request: Request, app: ASGIApp) -> Response:
    """Runs the calls one after the other on `app`, each with the caller's credentials unless it has its own."""
    body = await read_body(request, BATCH_BYTES_MAX)
    content_type = request.headers.get("content-type", "")
    if not content_type.startswith("multipart/mixed"):
        raise DriveError.bad_request("Missing end boundary in multipart body.")
    parts = read_parts(content_type, body)
    if len(parts) > CALLS_COUNT_MAX:
        message = f"The batch request contains more than {CALLS_COUNT_MAX} calls."
        raise DriveError.bad_request(message)
    answers = []
    for number, part in enumerate(parts):
        answer = await _answer_part(request, app, bytes(part.body))
        content_id = part.headers.get("content-id", f"<{number}>").strip("<>")
        answers.append(({"Content-Type": "application/http", "Content-ID": f"<response-{content_id}>"}, answer))
    boundary, content = write_parts(answers)
    return Response(content, media_type=f"multipart/mixed; boundary={boundary}")


async def _answer_part(request: Request, app: ASGIApp, raw: bytes) -> bytes:
    head, _, body = raw.partition(b"\r\n\r\n")
    if b"\r\n" not in head and b"\n\n" in raw:
        head, _, body = raw.partition(b"\n\n")
    first, *lines = head.decode("latin-1").splitlines() or [""]
    method, _, rest = first.partition(" ")
    target = urlsplit(rest.rpartition(" ")[0] or rest)
    if not method.isalpha() or not target.path.startswith("/drive/v3/"):
        raise DriveError.bad_request("Failed to parse batch request.")
    headers = {name: value for name in INHERITED if (value := request.headers.get(name)) is not None}
    for line in lines:
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    scope: Scope = {
        **request.scope,
        "method": method.upper(),
        "path": unquote(target.path),
        "raw_path": target.path.encode(),
        "query_string": target.query.encode(),
        "headers": [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()],
    }
    for key in ("path_params", "endpoint", "route", "app"):
        scope.pop(key, None)
    return await _run(app, scope, body)


async def _run(app: ASGIApp, scope: Scope, body: bytes) -> bytes:
    messages: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Message) -> None:
        messages.append(message)

    await app(scope, receive, send)
    start, *pieces = messages
    status = start["status"]
    names = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in start["headers"]]
    head = "".join(f"{name.title()}: {value}\r\n" for name, value in names)
    content = b"".join(piece.get("body", b"") for piece in pieces)
    return f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\n{head}\r\n".encode() + content
