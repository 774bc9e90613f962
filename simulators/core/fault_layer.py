"""The ASGI layer in front of a simulator's routes that does the faults of the wire and leaves the others to them."""

from __future__ import annotations

import asyncio
from typing import Protocol

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from simulators.core.faults import FAULT_STATE, Fault, FaultKind, Faults
from simulators.core.grants import Grants

SLOW_SECONDS = 1.0
DRAIN_BYTES_MAX = 1 << 40


class FaultReplies(Protocol):
    """How one provider words its refusals."""

    def rate_limited(self, request: Request, seconds: float | None) -> Response:
        """Too many requests, with or without a hint of how long to wait."""
        ...

    def unavailable(self, request: Request, status: int) -> Response:
        """The provider itself is in trouble."""
        ...


class FaultLayer:
    """Lets requests go wrong as `faults` choose, except those below `exempt`."""

    def __init__(self, app: ASGIApp, *, faults: Faults, grants: Grants, replies: FaultReplies, exempt: str) -> None:
        self._app = app
        self._faults = faults
        self._grants = grants
        self._replies = replies
        self._exempt = exempt

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request on its way in; lifespan and the simulator's own pages pass."""
        if scope["type"] != "http" or scope["path"].startswith(self._exempt):
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive)
        caller, now = read_bearer(request) or "", self._grants.clock.now()
        fault = self._faults.choose(scope["method"], scope["path"], caller=caller, now=now)
        if fault is None:
            await self._app(scope, receive, send)
            return
        scope[FAULT_STATE] = fault
        if fault.kind in {FaultKind.RATE_LIMITED, FaultKind.UNAVAILABLE}:
            await _drain(receive)
            await self._refuse(request, fault)(scope, receive, send)
        elif fault.kind is FaultKind.LOST_ANSWER:
            await self._app(scope, receive, _swallow)
            await self._refuse(request, fault)(scope, receive, send)
        elif fault.kind is FaultKind.CUT_BODY:
            await self._app(scope, receive, _Halving(send))
        else:
            if fault.kind is FaultKind.SLOW:
                await asyncio.sleep(fault.seconds or SLOW_SECONDS)
            elif fault.kind is FaultKind.EXPIRED_TOKEN:
                self._grants.expire(read_bearer(request) or "")
            await self._app(scope, receive, send)

    def _refuse(self, request: Request, fault: Fault) -> Response:
        if fault.kind is FaultKind.RATE_LIMITED:
            return self._replies.rate_limited(request, fault.seconds)
        return self._replies.unavailable(request, fault.status)


class _Halving:
    """Passes the head and the first half of the first piece of the body; the server closes when no end comes."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._is_cut = False

    async def __call__(self, message: Message) -> None:
        if self._is_cut:
            return
        if message["type"] == "http.response.start":
            await self._send(message)
            return
        self._is_cut = True
        body = message.get("body", b"")
        await self._send({"type": "http.response.body", "body": body[: len(body) // 2], "more_body": True})


def read_bearer(request: Request) -> str | None:
    """The access token of a request's Authorization header."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


async def _drain(receive: Receive) -> None:
    """Takes the body, so that a client that still sends it hears the answer."""
    taken = 0
    while taken < DRAIN_BYTES_MAX:
        message = await receive()
        taken += len(message.get("body", b""))
        if message["type"] != "http.request" or not message.get("more_body"):
            return


async def _swallow(message: Message) -> None:
    """The answer that gets lost."""
    del message
