"""The load: a process that asks over kept-alive connections, one thread each, and throws the bodies away unread.

`python -m tests.benchmarks.load` reads a plan and prints a result, both as JSON. Bodies are dropped inside the
kernel and sent from the page cache, so that the load leaves the processor to the server under test.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import socket
import statistics
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass, field
from itertools import count
from pathlib import Path
from time import perf_counter

HEAD_BYTES_MAX = 64 * 1024
DROP_BYTES = 2**20
SILENCE_SECONDS_MAX = 30.0

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to ask, how often, over how many connections. With `seconds` time is the limit, else the count."""

    ports: list[int]  # taken by the connections in turn
    method: str
    targets: list[str]  # asked for in turn
    number_first: int = 0
    number_last: int = 0  # "{}" in a target or header counts on from anywhere to the last, and again from the first
    headers: dict[str, str] = field(default_factory=dict)
    connections_count: int = 1
    requests_count: int = 1  # on each connection
    seconds: float = 0.0
    reply_bytes: int | None = None  # what each reply must hold
    upload_path: str | None = None  # the file to send as the body

    @property
    def numbers_count(self) -> int:
        return self.number_last - self.number_first + 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What came through in `seconds`."""

    seconds: float
    requests_count: int
    body_bytes: int  # of the side that carries the file
    median_seconds: float  # of one request
    slowest_percent_seconds: float


class _Connection:
    """One thread's work."""

    def __init__(self, plan: Plan, index: int, number_begin: int) -> None:
        self._plan = plan
        self._open = ExitStack()
        port = plan.ports[index % len(plan.ports)]
        address = ("127.0.0.1", port)
        self._socket = self._open.enter_context(socket.create_connection(address, timeout=SILENCE_SECONDS_MAX))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._waste = bytearray(DROP_BYTES)
        headers = {"Host": f"127.0.0.1:{port}", **plan.headers}
        self._upload_bytes = 0
        if plan.upload_path is not None:
            self._file = self._open.enter_context(Path(plan.upload_path).open("rb"))  # noqa: SIM115 - the stack closes it
            self._upload_bytes = os.fstat(self._file.fileno()).st_size
            headers["Content-Length"] = str(self._upload_bytes)
        lines = [" HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
        self._head = ("\r\n".join(lines) + "\r\n\r\n").encode()
        self._steps = count(index, plan.connections_count)
        self._number_begin = number_begin
        self.seconds: list[float] = []
        self.body_bytes = 0

    def run(self, barrier: threading.Barrier) -> None:
        with self._open:
            barrier.wait(SILENCE_SECONDS_MAX)
            until = perf_counter() + self._plan.seconds
            while len(self.seconds) < self._plan.requests_count or perf_counter() < until:
                started = perf_counter()
                self._ask()
                self.seconds.append(perf_counter() - started)

    def _ask(self) -> None:
        self._socket.sendall(self._build_head())
        if self._upload_bytes:
            with suppress(BrokenPipeError, ConnectionResetError):  # an early answer says why
                self._socket.sendfile(self._file)
        received = b""
        while (end := received.find(b"\r\n\r\n")) < 0:
            data = self._socket.recv(HEAD_BYTES_MAX)
            if not data or len(received) > HEAD_BYTES_MAX:
                raise ConnectionError("the server closed before the head of its reply was complete")
            received += data
        length = _LENGTH.search(received, 0, end)
        if received[9:10] != b"2" or length is None:
            raise ValueError(f"unexpected reply: {received[:1000]!r}")
        reply_bytes = int(length[1])
        if self._plan.reply_bytes not in {None, reply_bytes}:
            raise ValueError(f"{reply_bytes} bytes came instead of {self._plan.reply_bytes}")
        left_bytes = reply_bytes - (len(received) - end - 4)
        while left_bytes:
            # MSG_TRUNC: the kernel drops the bytes instead of copying them.
            dropped_bytes = self._socket.recv_into(self._waste, min(left_bytes, DROP_BYTES), socket.MSG_TRUNC)
            if not dropped_bytes:
                raise ConnectionError(f"the server closed with {left_bytes} bytes still to come")
            left_bytes -= dropped_bytes
        self.body_bytes += self._upload_bytes or reply_bytes

    def _build_head(self) -> bytes:
        plan, step = self._plan, next(self._steps)
        target = plan.targets[step % len(plan.targets)]
        number = plan.number_first + (self._number_begin + step) % plan.numbers_count
        return (f"{plan.method} {target}".encode() + self._head).replace(b"{}", str(number).encode())


def run(plan: Plan) -> Result:
    """Opens all connections, starts them together and waits for the last."""
    begin = secrets.randbelow(plan.numbers_count)  # what the run before asked for may be remembered still
    connections = [_Connection(plan, index, begin) for index in range(plan.connections_count)]
    barrier = threading.Barrier(plan.connections_count + 1)
    with ThreadPoolExecutor(plan.connections_count) as threads:
        runs = [threads.submit(connection.run, barrier) for connection in connections]
        barrier.wait(SILENCE_SECONDS_MAX)
        started = perf_counter()
        for one in runs:
            one.result()
        seconds = perf_counter() - started
    times = sorted(time for connection in connections for time in connection.seconds)
    return Result(
        seconds=seconds,
        requests_count=len(times),
        body_bytes=sum(connection.body_bytes for connection in connections),
        median_seconds=statistics.median(times),
        slowest_percent_seconds=times[int(len(times) * 0.99)],
    )


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asdict(run(Plan(**json.load(sys.stdin))))))
