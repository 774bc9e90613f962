"""From the command to the first answer, and what a server that does nothing holds and spends."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx

from tests.benchmarks.measuring import (
    MALLOC,
    build_environment,
    format_median,
    format_table,
    read_cpu_seconds,
    read_memory_mib,
)
from tests.benchmarks.run import Run
from tests.servers.ports import find_free_port
from tests.servers.process import ROOT, STOP_SECONDS_MAX, build_command

ANSWER_SECONDS_MAX = 60.0
POLL_SECONDS = 0.01
IDLE_SECONDS = 3.0
QUICK_IDLE_SECONDS = 0.5


def measure_starting(run: Run) -> str:
    """A first start, which makes the database, and later ones."""
    firsts, laters = [], []
    for number in range(1, run.rounds_count + 1):
        run.note(f"round {number}/{run.rounds_count}: starting")
        with TemporaryDirectory(prefix="kloudless-bench-") as folder:
            firsts.append(_start(Path(folder) / "data", idle_seconds=0.0))
            laters.append(
                _start(Path(folder) / "data", idle_seconds=QUICK_IDLE_SECONDS if run.is_quick else IDLE_SECONDS)
            )
    rows = [
        [
            name,
            format_median([start[0] for start in starts]),
            format_median([start[1] for start in starts]),
            format_median([start[2] for start in starts], 0),
            idle,
        ]
        for name, starts, idle in (
            ("first, with an empty folder", firsts, ""),
            ("later", laters, format_median([start[3] * 1000 for start in laters], 1)),
        )
    ]
    heads = ("start", "seconds to first answer", "CPU seconds until then", "MiB when idle", "idle CPU ms a second")
    return format_table(heads, rows)


def _start(data: Path, *, idle_seconds: float) -> tuple[float, float, float, float]:
    """Seconds and CPU seconds to the first answer, then memory and CPU a second without any request."""
    port = find_free_port()
    variables = {"KLOUDLESS_DATA_DIR": str(data), "KLOUDLESS_PORT": str(port), "KLOUDLESS_LOG_LEVEL": "warning"}
    started_at = time.monotonic()
    process = subprocess.Popen(
        [*build_command(), "serve"],
        cwd=ROOT,
        env=build_environment(**MALLOC) | variables,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait_for_answer(process, port)
        seconds = time.monotonic() - started_at
        cpu_seconds = read_cpu_seconds(process.pid)
        time.sleep(idle_seconds)
        idle = (read_cpu_seconds(process.pid) - cpu_seconds) / idle_seconds if idle_seconds else 0.0
        return seconds, cpu_seconds, read_memory_mib(process.pid), idle
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS_MAX)
        finally:
            process.kill()


def _wait_for_answer(process: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + ANSWER_SECONDS_MAX
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if httpx.get(f"http://127.0.0.1:{port}/ready", trust_env=False, timeout=60).status_code == httpx.codes.OK:
                return
        except httpx.TransportError:
            time.sleep(POLL_SECONDS)
    raise RuntimeError("the server did not answer")
