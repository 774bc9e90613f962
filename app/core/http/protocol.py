"""uvicorn's HTTP protocol with limits on the request head, which it does not have itself, and an ear for raw paths."""

from __future__ import annotations

import asyncio
import uuid
from typing import Any, ClassVar, cast
from urllib.parse import quote_from_bytes

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from app.core.errors import ApiError, ErrorCode
from app.core.http.edge import encode_error

_ASCII = bytes(range(128))


class LimitedHttpProtocol(HttpToolsProtocol):
    """Refuses a head that is too large (431) or takes too long (408), before any of our code sees the request.

    Letters outside of ASCII in a path or query, which some clients send as they are, are read as if they were encoded.
    """

    head_bytes_max: ClassVar[int] = 64 * 1024
    head_seconds_max: ClassVar[float] = 10.0

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._is_in_head = True
        self._is_between_requests = True
        self._is_in_first_line = False
        self._head_bytes = 0
        self._head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # uvicorn narrows it too
        super().connection_made(transport)
        self._start_head_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_head_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._head_bytes += len(data)
        if self._is_between_requests or self._is_in_first_line:
            line, end, rest = data.partition(b"\n")
            self._is_in_first_line = not end
            if not line.isascii():  # the parser would refuse it
                data = quote_from_bytes(line, safe=_ASCII).encode() + end + rest
        super().data_received(data)
        if self._is_in_head and self._head_bytes > self.head_bytes_max:
            error = ApiError(ErrorCode.BAD_REQUEST, f"The head is larger than {self.head_bytes_max} bytes.")
            self._refuse(b"431 Request Header Fields Too Large", error)

    def send_400_response(self, msg: str) -> None:
        """What is no HTTP never disturbs a reply: a request that came whole before it is answered, then all ends.

        One client miscounts the length of its bodies, so that their last bytes seem to begin the next request.
        """
        cycle: RequestResponseCycle | None = self.cycle
        if cycle is None or cycle.response_complete:
            self._refuse(b"400 Bad Request", ApiError(ErrorCode.BAD_REQUEST, msg))
        elif not cycle.more_body:
            cycle.keep_alive = False
            self.flow.pause_reading()
        elif cycle.response_started or self.pipeline:
            self.transport.close()
        else:
            self._refuse(b"400 Bad Request", ApiError(ErrorCode.BAD_REQUEST, msg))

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._is_between_requests = False
        self._is_in_head = True
        if self._head_timer is None:
            self._start_head_timer()

    def on_headers_complete(self) -> None:
        self._is_in_head = False
        self._head_bytes = 0
        self._stop_head_timer()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Hands a chunk on as it came: uvicorn gathers chunks in an array, which copies each of them twice."""
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
            error = ApiError(ErrorCode.REQUEST_TIMEOUT, "The head of the request took too long.")
            self._refuse(b"408 Request Timeout", error)

    def _refuse(self, status: bytes, error: ApiError) -> None:
        if self.transport.is_closing():
            return
        request_id = str(uuid.uuid4())
        body, headers = encode_error(error, request_id, status=int(status[:3]))
        headers |= {"Connection": "close", "X-Request-Id": request_id, "Access-Control-Allow-Origin": "*"}
        head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        self.transport.write(b"HTTP/1.1 %b\r\n%b\r\n%b" % (status, head.encode(), body))
        self.transport.close()
