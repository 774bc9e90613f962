"""An origin that never stops sending, and notes when nobody listens any more."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from queue import Queue

HEAD_BYTES_MAX = 64 * 1024
CONNECTIONS_MAX = 64
PIECE = bytes(64 * 1024)
SIZE_BYTES = 2**50
SILENCE_SECONDS_MAX = 30.0
HEAD = f"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {SIZE_BYTES}\r\n\r\n".encode()


@dataclass(frozen=True, slots=True)
class Endless:
    """Its port, and the moments at which connections were found closed, as they come."""

    port: int
    ends: Queue[float] = field(default_factory=Queue)


@contextmanager
def running_endless() -> Iterator[Endless]:
    """Serves until the block ends, with a thread per connection."""
    with socket.create_server(("127.0.0.1", 0), backlog=CONNECTIONS_MAX) as listener:
        endless = Endless(listener.getsockname()[1])
        thread = threading.Thread(target=_serve, args=(listener, endless), daemon=True)
        thread.start()
        try:
            yield endless
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(SILENCE_SECONDS_MAX)


def _serve(listener: socket.socket, endless: Endless) -> None:
    with contextlib.suppress(OSError):  # the listener is closed: that is the end
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=_send, args=(connection, endless), daemon=True).start()


def _send(connection: socket.socket, endless: Endless) -> None:
    connection.settimeout(SILENCE_SECONDS_MAX)
    with contextlib.suppress(OSError), connection:
        received = b""
        while b"\r\n\r\n" not in received:
            data = connection.recv(HEAD_BYTES_MAX)
            if not data or len(received) > HEAD_BYTES_MAX:
                return
            received += data
        try:
            connection.sendall(HEAD)
            while True:
                connection.sendall(PIECE)
        except OSError:
            endless.ends.put(time.monotonic())
