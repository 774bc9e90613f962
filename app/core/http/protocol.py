"""uvicorn's HTTP protocol with limits that it does not have itself, and an ear for raw paths."""

from __future__ import annotations

import asyncio
import math
import uuid
from http import HTTPStatus
from typing import Any, ClassVar, cast
from urllib.parse import quote_from_bytes

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from app.core.errors import ApiError, ErrorCode
from app.core.http.edge import build_busy_error, encode_error
from app.core.http.gathering import GatheringTransport

PARSED_BODY_BYTES_MAX = 64 * 1024

_ASCII = bytes(range(128))


class LimitedHttpProtocol(HttpToolsProtocol):
    """Refuses a head that is too large (431) or takes too long (408), before any of our code sees the request.

    - With too many connections, the one that has waited longest for a request, or for the rest of its head, is closed:
      nearly always one that wants to hold others up. None that is being answered ever is.
    - A client that takes nothing of its reply for too long is cut off, whatever is still to be sent.

    Letters outside of ASCII in a path or query, which some clients send as they are, are read as if they were encoded.
    Bytes of a large body go past the parser, which would copy them.
    """

    head_bytes_max: ClassVar[int] = 64 * 1024
    head_seconds_max: ClassVar[float] = 10.0
    reply_idle_seconds_max: ClassVar[float] = 300.0
    connections_max: ClassVar[int] = 4000
    waiting: ClassVar[dict[LimitedHttpProtocol, None]]
    """Connections without a whole head, longest first; each server has its own."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.waiting = {}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._is_in_head = True
        self._is_between_requests = True
        self._is_in_first_line = False
        self._head_bytes = 0
        self._body_bytes_left = 0  # of a body whose length was declared
        self._is_past_parser = False
        self._head_timer: asyncio.TimerHandle | None = None
        self._write_timer: asyncio.TimerHandle | None = None
        self._write_until = math.inf

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # uvicorn narrows it too
        super().connection_made(GatheringTransport(transport, self.loop))
        if len(self.connections) > self.connections_max and not self._make_room():
            self._refuse(build_busy_error("The server has as many connections as it may."))
            return
        self.waiting[self] = None
        self._start_head_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        self.waiting.pop(self, None)
        self._stop_head_timer()
        if self._write_timer is not None:
            self._write_timer.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._is_past_parser or self._body_bytes_left > PARSED_BODY_BYTES_MAX:
            self._take_body(data)
            return
        self._head_bytes += len(data)
        if self._is_between_requests or self._is_in_first_line:
            line, end, rest = data.partition(b"\n")
            self._is_in_first_line = not end
            if not line.isascii():  # the parser would refuse it
                data = quote_from_bytes(line, safe=_ASCII).encode() + end + rest
        super().data_received(data)
        if self._is_in_head and self._head_bytes > self.head_bytes_max:
            message = f"The head is larger than {self.head_bytes_max} bytes."
            self._refuse(ApiError(ErrorCode.BAD_REQUEST, message), status=431)

    def _take_body(self, data: bytes) -> None:
        """What the parser would do with bytes of a body. It cannot go on where it was, so another one follows it."""
        self._is_past_parser = True
        left_bytes = self._body_bytes_left
        if len(data) < left_bytes:
            self.on_body(data)
            return
        self.on_body(data[:left_bytes])
        self.on_message_complete()
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as the one before
        if len(data) > left_bytes:
            self.data_received(data[left_bytes:])

    def send_400_response(self, msg: str) -> None:
        """What is no HTTP never disturbs a reply: a request that came whole before it is answered, then all ends.

        One client miscounts the length of its bodies, so that their last bytes seem to begin the next request.
        """
        cycle: RequestResponseCycle | None = self.cycle
        if cycle is None or cycle.response_complete:
            self._refuse(ApiError(ErrorCode.BAD_REQUEST, msg))
        elif not cycle.more_body:
            cycle.keep_alive = False
            self.flow.pause_reading()
        elif cycle.response_started or self.pipeline:
            self.transport.close()
        else:
            self._refuse(ApiError(ErrorCode.BAD_REQUEST, msg))

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._is_between_requests = False
        self._is_in_head = True
        if self._head_timer is None:
            self._start_head_timer()

    def on_headers_complete(self) -> None:
        self._is_in_head = False
        self.waiting.pop(self, None)
        self._head_bytes = 0
        self._body_bytes_left = 0 if self.parser.should_upgrade() else _read_length(self.headers)
        self._stop_head_timer()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Hands a chunk on as it came: uvicorn gathers chunks in an array, which copies each of them twice."""
        self._body_bytes_left -= len(body)
        waiting = cast("bytes | bytearray", self.cycle.body)
        if not waiting:
            self.cycle.body, body = body, b""  # type: ignore[assignment]  # uvicorn turns it into bytes, a step saved
        elif isinstance(waiting, bytes):
            self.cycle.body = bytearray(waiting)
        super().on_body(body)

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._is_between_requests = True
        self._head_bytes = 0
        self._body_bytes_left = 0
        self._is_past_parser = False

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.cycle.response_complete and not self.transport.is_closing():
            self.waiting[self] = None

    def pause_writing(self) -> None:
        super().pause_writing()
        self._write_until = self.loop.time() + self.reply_idle_seconds_max
        if self._write_timer is None:  # one is enough: nearly every time the client goes on at once
            self._write_timer = self.loop.call_at(self._write_until, self._look_at_writing)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._write_until = math.inf

    def _look_at_writing(self) -> None:
        self._write_timer = None
        now = self.loop.time()
        if self._write_until <= now:
            self.transport.abort()  # closing would wait for the client to take the rest
        elif self._write_until < math.inf:
            self._write_timer = self.loop.call_at(self._write_until, self._look_at_writing)

    def _make_room(self) -> bool:
        """Closes the connection that has waited longest; False if there is none."""
        oldest = next(iter(self.waiting), None)
        if oldest is None:
            return False
        del self.waiting[oldest]
        oldest.give_way()
        return True

    def give_way(self) -> None:
        """Ends a connection that waits for a request, in favour of another."""
        if self._is_between_requests:
            self.transport.close()
        else:
            self._refuse(build_busy_error("Others wait for this connection."))

    def _start_head_timer(self) -> None:
        self._head_timer = self.loop.call_later(self.head_seconds_max, self._on_head_late)

    def _stop_head_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _on_head_late(self) -> None:
        self._head_timer = None
        # Half a pipelined head must not cut the reply that is on its way.
        cycle: RequestResponseCycle | None = self.cycle
        if cycle is not None and not cycle.response_complete:
            self._start_head_timer()
        else:
            message = f"The head did not arrive within {self.head_seconds_max:g} seconds."
            self._refuse(ApiError(ErrorCode.REQUEST_TIMEOUT, message))

    def _refuse(self, error: ApiError, *, status: int | None = None) -> None:
        if self.transport.is_closing():
            return
        request_id = str(uuid.uuid4())
        body, headers = encode_error(error, request_id, status=status)
        headers |= {"X-Request-Id": request_id, "X-Content-Type-Options": "nosniff", "Connection": "close"}
        headers["Access-Control-Allow-Origin"] = "*"
        head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        phrase = HTTPStatus(status or error.code.status).phrase
        self.transport.write(f"HTTP/1.1 {status or error.code.status} {phrase}\r\n{head}\r\n".encode() + body)
        self.transport.close()


def _read_length(headers: list[tuple[bytes, bytes]]) -> int:
    """The length that the head declares for its body, which the parser has found to be sound; 0 for none."""
    return int(next((value for name, value in headers if name == b"content-length"), b"0"))
