"""Requests that move a file's bytes: fewer at once than others, because each of them holds memory and connections."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from app.core.http.edge import build_busy_error
from app.core.http.replies import get_request_state
from app.core.state import get_state


def hold_stream(request: Request) -> None:
    """Counts the request among the streams until its reply is sent. ApiError 503 when there are too many."""
    state = get_request_state(request)
    if state.is_stream:
        return
    streams = get_state(request).limits.streams
    if not streams.enter():
        raise build_busy_error("The server moves as many files as it may at once; try again shortly.")
    state.is_stream = True


class StreamReply(StreamingResponse):
    """A reply of bytes that are made or fetched while they are sent, by `stream_response`."""

    def __init__(self) -> None:
        super().__init__(content=())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Sends it; ApiError 503 before anything is opened when there are too many streams."""
        hold_stream(Request(scope))
        await super().__call__(scope, receive, send)
