"""Requests in a storage's own terms, passed on with the account's credentials (contract 6.1)."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

from fastapi import APIRouter, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from app.core.errors import ApiError, ErrorCode
from app.core.http.reading import read_json_header
from app.core.http.replies import DirectRoute, describe
from app.core.http.streams import StreamReply
from app.storage.endpoints import ACCOUNT_ID_PARAMETER, STORAGE_ERRORS, describe_parameter
from app.storage.file_endpoints import BYTES
from app.storage.opening import open_storage, read_body_source
from connectors.core.raw import RawCall, RawReply

URI_HEADER = "X-Kloudless-Raw-URI"
METHOD_HEADER = "X-Kloudless-Raw-Method"
HEADERS_HEADER = "X-Kloudless-Raw-Headers"
URI_CHARACTERS_MAX = 16_384
ANYTHING = {"*/*": {"schema": {"type": "string", "format": "binary"}}}

direct = APIRouter(prefix="/v1/accounts/{account_id}", tags=["accounts"], route_class=DirectRoute)


@direct.post(
    "/raw",
    **describe(
        ANYTHING,
        errors=(*STORAGE_ERRORS, ErrorCode.REQUEST_TOO_LARGE),
        parameters=(
            ACCOUNT_ID_PARAMETER,
            describe_parameter(URI_HEADER, "header", "A path at the storage, or a whole address there.", type="string"),
            describe_parameter(METHOD_HEADER, "header", "GET, if left out.", type="string"),
            describe_parameter(HEADERS_HEADER, "header", "A JSON object of headers to send along.", type="string"),
        ),
        body={"required": False, "content": BYTES},
    ),
)
async def pass_on(request: Request) -> Response:
    """Sends a request of your own to the account's storage and answers with its reply, whatever the status.

    The server adds the account's credentials; it sends to the account's own host only and follows no redirect. The body
    and its Content-Type go along as they are; headers of this API do not.
    """
    storage = await open_storage(request)
    uri = request.headers.get(URI_HEADER, "")
    if not uri or len(uri) > URI_CHARACTERS_MAX:
        raise ApiError(
            ErrorCode.INVALID_PARAMETERS,
            f"{URI_HEADER} names what to ask for, in at most {URI_CHARACTERS_MAX} characters.",
        )
    headers = {name: str(value) for name, value in (read_json_header(request, HEADERS_HEADER) or {}).items()}
    content_type = request.headers.get("content-type")
    if content_type is not None and not any(name.lower() == "content-type" for name in headers):
        headers["Content-Type"] = content_type
    has_body = request.headers.get("content-length", "0") != "0" or "transfer-encoding" in request.headers
    source = None
    if has_body:
        source = read_body_source(request, size_bytes_max=storage.state.settings.upload_bytes_max)
    call = RawCall(request.headers.get(METHOD_HEADER, "GET").upper(), uri, headers, source)
    stack = AsyncExitStack()
    # The body is read here: while a reply is sent, the watch for a client that leaves takes what still comes.
    reply = await stack.enter_async_context(storage.connector.call_raw(call))
    return _RawReply(reply, stack, is_without_body=call.method == "HEAD")


class _RawReply(StreamReply):
    """Streams the storage's reply; it never runs as a page of the API's origin."""

    def __init__(self, reply: RawReply, stack: AsyncExitStack, *, is_without_body: bool) -> None:
        super().__init__()
        self._reply = reply
        self._stack = stack
        self._is_without_body = is_without_body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with self._stack:
            await super().__call__(scope, receive, send)

    async def stream_response(self, send: Send) -> None:
        headers = {**self._reply.headers, "content-security-policy": "sandbox", "cache-control": "no-store"}
        if self._is_without_body:
            headers["content-length"] = "0"  # the storage's tells of a body that HEAD does not bring
        raw_headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": self._reply.status, "headers": raw_headers})
        async for chunk in self._reply.chunks:
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
            await asyncio.sleep(0)  # once the client has left, sending waits for nothing
        await self._stack.aclose()  # before the last message: with it this task is cancelled
        await send({"type": "http.response.body", "body": b""})
