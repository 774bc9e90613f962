"""The origin's upload sink: takes any body, keeps none of it, and answers with the file it would have stored.

`python -m tests.benchmarks.sink` prints its port. The kernel drops the bytes, so it costs next to nothing.
"""

from __future__ import annotations

import contextlib
import re
import socket
import sys
import threading

import msgspec

HEAD_BYTES_MAX = 64 * 1024
DROP_BYTES = 2**20
CONNECTIONS_MAX = 256

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


def serve(listener: socket.socket) -> None:
    """Serves for ever, a thread per connection."""
    slots = threading.Semaphore(CONNECTIONS_MAX)
    while True:
        slots.acquire()
        connection, _ = listener.accept()
        threading.Thread(target=_serve_connection, args=(connection, slots), daemon=True).start()


def _serve_connection(connection: socket.socket, slots: threading.Semaphore) -> None:
    waste = bytearray(DROP_BYTES)
    try:
        with contextlib.suppress(ConnectionError), connection:
            while _answer(connection, waste):
                pass
    finally:
        slots.release()


def _answer(connection: socket.socket, waste: bytearray) -> bool:
    """One request; False when the client has left."""
    received = b""
    while (end := received.find(b"\r\n\r\n")) < 0:
        data = connection.recv(HEAD_BYTES_MAX)
        if not data or len(received) > HEAD_BYTES_MAX:
            return False
        received += data
    length = _LENGTH.search(received, 0, end)
    size_bytes = int(length[1]) if length else 0
    left_bytes = size_bytes - (len(received) - end - 4)
    while left_bytes:
        count = connection.recv_into(waste, min(left_bytes, DROP_BYTES), socket.MSG_TRUNC)
        if not count:
            return False
        left_bytes -= count
    name = received.split(b" ", 2)[1].rpartition(b"/")[2].decode()
    body = msgspec.json.encode(
        {
            "kind": "file",
            "id": name,
            "name": name,
            "parent_id": "top",
            "size": size_bytes,
            "modified_at": "2026-11-01T12:00:00Z",
        }
    )
    connection.sendall(b"HTTP/1.1 201 Created\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
    return True


if __name__ == "__main__":
    opened = socket.create_server(("127.0.0.1", 0), backlog=CONNECTIONS_MAX)
    sys.stdout.write(f"{opened.getsockname()[1]}\n")
    sys.stdout.flush()
    serve(opened)
