"""The same request straight to the storage: the product's transport asks, reads the reply and throws it away.

`python -m tests.benchmarks.straight` reads its questions and prints an answer, both as JSON.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import httpx

from connectors.core.transport import TransportSettings, build_transport
from tests.benchmarks.measuring import LOAD_SECONDS_MAX, MALLOC, build_environment

WARM_UP_COUNT = 20


@dataclass(frozen=True, slots=True)
class Question:
    """What to ask for, over how many connections at a time."""

    url: str
    ca_file: str
    connections_count: int
    seconds: float


def measure_straight(question: Question) -> float:
    """CPU microseconds of one request, in a process that does nothing else."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.straight"],
        input=json.dumps(asdict(question)),
        cwd=Path(__file__).parents[2],
        env=build_environment(**MALLOC),
        capture_output=True,
        text=True,
        timeout=LOAD_SECONDS_MAX,
        check=True,
    )
    return float(done.stdout)


async def _ask(question: Question, ca_pem: bytes) -> float:
    transport = build_transport(TransportSettings(ca_pem=ca_pem))
    count = 0

    async def ask() -> None:
        nonlocal count
        reply = await transport(httpx.Request("GET", question.url))
        await reply.aread()
        await reply.aclose()
        if reply.status_code != httpx.codes.OK:
            raise RuntimeError(f"the origin answers {reply.status_code}")
        count += 1

    async def go_on() -> None:
        await ask()
        while time.monotonic() < until:
            await ask()

    try:
        for _ in range(WARM_UP_COUNT):
            await ask()
        count, until, before = 0, time.monotonic() + question.seconds, time.process_time()
        await asyncio.gather(*(go_on() for _ in range(question.connections_count)))
        return (time.process_time() - before) / count * 1e6
    finally:
        await transport.aclose()


if __name__ == "__main__":
    asked = Question(**json.load(sys.stdin))
    sys.stdout.write(str(asyncio.run(_ask(asked, Path(asked.ca_file).read_bytes()))))
    sys.stdout.flush()
    os._exit(0)  # the HTTP client's threads may still hold on to an interpreter that comes to its end, which aborts
