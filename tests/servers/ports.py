"""Ports of 127.0.0.1 for servers that tests start."""

from __future__ import annotations

import os
import re
import secrets
import socket
from collections.abc import Iterator
from contextlib import suppress
from itertools import chain, cycle, islice

PORTS = range(11_000, 32_768)
"""None that a browser refuses, and none that the system gives by itself to whoever asks for any port."""
BLOCKS_COUNT = 8
BLOCK_PORTS_COUNT = len(PORTS) // BLOCKS_COUNT


def find_free_port() -> int:
    """A port that was free a moment ago, and that is given to nobody else soon."""
    for port in islice(_FOUND, BLOCK_PORTS_COUNT):
        with suppress(OSError), socket.socket() as candidate:
            candidate.bind(("127.0.0.1", port))
            return port
    raise OSError("all ports of this process are in use")


def find_free_ports(count: int) -> list[int]:
    """As many different ports that were free a moment ago."""
    return [find_free_port() for _ in range(count)]


def _walk_block() -> Iterator[int]:
    """One port after the other of those that this process shares with no other of its run, again and again.

    They begin anywhere, so that runs beside each other hardly meet, whatever the seed of their tests is.
    """
    worker = re.fullmatch(r"gw(\d+)", os.environ.get("PYTEST_XDIST_WORKER", ""))
    number = 1 + int(worker[1]) % (BLOCKS_COUNT - 1) if worker else 0
    block = PORTS[number * BLOCK_PORTS_COUNT : (number + 1) * BLOCK_PORTS_COUNT]
    start = secrets.randbelow(BLOCK_PORTS_COUNT)
    return cycle(chain(block[start:], block[:start]))


_FOUND = _walk_block()
