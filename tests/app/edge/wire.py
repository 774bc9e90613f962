"""Requests byte by byte, for what no well-behaved client library would send."""

from __future__ import annotations

import select
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

READ_SECONDS_MAX = 20.0
READ_BYTES = 64 * 1024


@dataclass(frozen=True)
class Reply:
    """One reply as it came over the wire."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass
class Wire:
    """A connection to the server under test."""

    port: int
    _received: bytearray = field(default_factory=bytearray)
    _socket: socket.socket = field(init=False)

    def __post_init__(self) -> None:
        self._socket = socket.create_connection(("127.0.0.1", self.port), timeout=READ_SECONDS_MAX)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._socket.close()

    def send(self, data: bytes) -> None:
        self._socket.sendall(data)

    def ask(self, method: str, path: str, headers: Mapping[str, str] | None = None, body: bytes = b"") -> None:
        """Sends a request as it is given: nothing but Host is added."""
        self.send(self.build(method, path, headers, body))

    def build(self, method: str, path: str, headers: Mapping[str, str] | None = None, body: bytes = b"") -> bytes:
        fields = {"Host": f"127.0.0.1:{self.port}", **(headers or {})}
        lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items()), "", ""]
        return "\r\n".join(lines).encode("latin-1") + body

    def read(self) -> Reply:
        """The next reply, whole; it must say its length."""
        while b"\r\n\r\n" not in self._received:
            self._received += self._receive()
        head, _, self._received = self._received.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        status, length = int(first.split(" ")[1]), int(headers.get("content-length", "0"))
        while len(self._received) < length:
            self._received += self._receive()
        body, self._received = bytes(self._received[:length]), self._received[length:]
        return Reply(status, headers, body)

    def read_to_end(self) -> bytes:
        """All that still comes until the server closes."""
        while True:
            try:
                data = self._socket.recv(READ_BYTES)
            except ConnectionResetError:
                data = b""
            if not data:
                return bytes(self._received)
            self._received += data

    def has_answer(self) -> bool:
        """Whether anything came that is not read yet, or the end."""
        return bool(select.select([self._socket], [], [], 0)[0])

    def receive(self, size_bytes: int) -> None:
        """Waits for so many bytes, or more."""
        while len(self._received) < size_bytes:
            self._received += self._receive()

    def _receive(self) -> bytes:
        data = self._socket.recv(READ_BYTES)
        if not data:
            raise ConnectionResetError
        return data
