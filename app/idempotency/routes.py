"""The layer around a route that creates things: with an Idempotency-Key, a repeat gets the first request's reply."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import Response

from app.core.errors import ApiError, ErrorCode
from app.core.http.replies import IDEMPOTENCY_KEY, get_request_state, takes_idempotency_key
from app.core.state import State, get_state
from app.idempotency import service
from app.idempotency.service import Claim, Owner, Reply
from connectors.core.errors import ConnectorError, ErrorKind

KEY_CHARACTERS_MAX = 255
REPLAYED = "Idempotency-Replayed"
HEADERS_THAT_MATTER = ("x-kloudless-metadata", "x-kloudless-as-user", "x-kloudless-async", "x-kloudless-raw-data")
"""Beside path, query and body, what makes a request another one."""

_KEY = re.compile(r"[ -~]+")

Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class IdempotentRoute(APIRoute):
    """Obeys an Idempotency-Key on those operations whose description takes one. Who asks is the subclass's to say."""

    @staticmethod
    async def identify(request: Request) -> Owner:
        """Whose keys these are; ApiError if the caller may not be here at all."""
        raise NotImplementedError

    def get_route_handler(self) -> Handler:
        handle = super().get_route_handler()
        if not takes_idempotency_key(self):
            return handle
        route = f"{'/'.join(sorted(self.methods or ()))} {self.path_format}"

        async def handle_once(request: Request) -> Response:
            key = read_key(request)
            if key is None:
                return await handle(request)
            owner = await self.identify(request)
            state = get_state(request)
            claimed = await service.claim(
                state,
                owner,
                route=route,
                key=key,
                fingerprint=await fingerprint(request),
                request_id=get_request_state(request).id,
            )
            return (
                build_repeat(claimed) if isinstance(claimed, Reply) else await answer(state, claimed, handle, request)
            )

        return handle_once


def read_key(request: Request) -> str | None:
    """The request's key; ApiError 400 for one that is too long or no plain text."""
    key = request.headers.get(IDEMPOTENCY_KEY)
    if key is None:
        return None
    if not _KEY.fullmatch(key) or len(key) > KEY_CHARACTERS_MAX:
        raise ApiError(
            ErrorCode.INVALID_PARAMETERS, f"{IDEMPOTENCY_KEY} must be 1 to {KEY_CHARACTERS_MAX} ASCII characters."
        )
    return key


async def fingerprint(request: Request) -> str:
    """What was asked for, as a hash. Of bytes to store only the declared length counts: they are read once."""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    digest = hashlib.sha256()
    parts = [request.scope["path"].encode(), request.scope["query_string"], media_type.encode()]
    parts += [request.headers.get(name, "").encode("latin-1") for name in HEADERS_THAT_MATTER]
    if HEADERS_THAT_MATTER[0] not in request.headers and media_type in {"", "application/json"}:
        parts.append(await request.body())
    else:
        parts.append(request.headers.get("content-length", "").encode("latin-1"))
    for part in parts:
        digest.update(b"%d:%b" % (len(part), part))
    return digest.hexdigest()


async def answer(state: State, claimed: Claim, handle: Handler, request: Request) -> Response:
    """Answers a first request, and keeps what came of it."""
    try:
        async with service.keep_claim(state, claimed):
            reply = await handle(request)
    except Exception as error:
        if has_no_effect(error):
            await service.forget(state, claimed)
        else:
            await service.keep_doubt(state, claimed)
        raise
    headers = [
        (name.decode("latin-1"), value.decode("latin-1"))
        for name, value in reply.raw_headers
        if name != b"content-length"
    ]
    await service.keep_reply(state, claimed, Reply(reply.status_code, headers, bytes(reply.body)))
    return reply


def has_no_effect(error: Exception) -> bool:
    """True when a request that failed like this certainly changed nothing."""
    if isinstance(error, ConnectorError):
        return not error.maybe_applied and error.kind is not ErrorKind.UNEXPECTED
    if isinstance(error, RequestValidationError):
        return True
    status = getattr(error, "status_code", None)  # of ours and FastAPI's own
    if isinstance(error, ApiError) and error.code is ErrorCode.NOT_IMPLEMENTED:
        return True
    return status is not None and status < ErrorCode.INTERNAL_ERROR.status


def build_repeat(reply: Reply) -> Response:
    """The first request's reply once more, and a header that says so."""
    response = Response(reply.body, status_code=reply.status)
    for name, value in reply.headers:
        response.headers[name] = value
    response.headers[REPLAYED] = "true"
    return response
