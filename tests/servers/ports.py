"""Ports of 127.0.0.1 for servers that tests start."""

from __future__ import annotations

import socket
from contextlib import ExitStack


def find_free_port() -> int:
    """A port that was free a moment ago."""
    (port,) = find_free_ports(1)
    return port


def find_free_ports(count: int) -> list[int]:
    """As many different ports that were free a moment ago."""
    with ExitStack() as stack:
        candidates = [stack.enter_context(socket.socket()) for _ in range(count)]
        for candidate in candidates:
            candidate.bind(("127.0.0.1", 0))
        return [candidate.getsockname()[1] for candidate in candidates]
