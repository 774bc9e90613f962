"""A client that goes away in the middle of a download: how long until the origin is let go."""

from __future__ import annotations

import socket
import statistics
import time

from tests.benchmarks.endless import running_endless
from tests.benchmarks.measuring import format_table, judge
from tests.benchmarks.run import Run
from tests.benchmarks.server import BenchServer, running_server

LEAVERS_COUNT = 100
QUICK_LEAVERS_COUNT = 5
SECONDS_MAX = 1.0
READ_BYTES = 2**20
SILENCE_SECONDS_MAX = 30.0


def measure_leaving(run: Run) -> str:
    """The time from the client's end to the origin's, over many clients, one after the other."""
    count = QUICK_LEAVERS_COUNT if run.is_quick else LEAVERS_COUNT
    seconds = []
    with (
        running_endless() as endless,
        running_server(run.origin, other_origins=(f"http://127.0.0.1:{endless.port}",)) as server,
    ):
        run.note(f"{count} clients leave")
        for _ in range(count):
            left_at = _begin_and_leave(server)
            seconds.append(endless.ends.get(timeout=SILENCE_SECONDS_MAX) - left_at)
    row = [
        str(count),
        f"{statistics.median(seconds) * 1000:.1f}",
        f"{max(seconds) * 1000:.1f}",
        judge(max(seconds), SECONDS_MAX),
    ]
    return format_table(("clients", "median ms", "worst ms", f"worst <= {SECONDS_MAX:g} s"), [row])


def _begin_and_leave(server: BenchServer) -> float:
    """Reads a little of a download and closes the connection; the moment of that."""
    target = server.build_target("file", "endless", account_id=server.ready.account_ids[1], ending="/contents")
    lines = [f"GET {target} HTTP/1.1", f"Host: 127.0.0.1:{server.port}"]
    lines += [f"{name}: {value}" for name, value in server.headers.items()]
    left_bytes = READ_BYTES
    with socket.create_connection(("127.0.0.1", server.port), timeout=SILENCE_SECONDS_MAX) as connection:
        connection.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        while left_bytes > 0:
            data = connection.recv(left_bytes)
            if not data:
                raise ConnectionError("the server closed the download")
            left_bytes -= len(data)
        return time.monotonic()
