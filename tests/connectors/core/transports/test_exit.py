"""A process that ends just after its last call ends as it wants to."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.servers.loop import entered_beside
from tests.servers.origin import Origin, reply

PROCESSES_COUNT = 3  # without the rest at the end, about every other one is aborted
PROGRAM = """
import asyncio, sys, time
import httpx
from connectors.core.transport import TransportSettings, build_transport

async def call(url):
    loop = asyncio.get_running_loop()
    wake = loop._write_to_self

    def wake_and_dawdle():
        wake()
        time.sleep(0.03)  # what a busy machine does to the thread that has just told its answer

    loop._write_to_self = wake_and_dawdle
    transport = build_transport(TransportSettings())
    reply = await transport(httpx.Request("GET", url))
    await reply.aread()
    await transport.aclose()

asyncio.run(call(sys.argv[1]))
sys.exit(7)
"""


@pytest.fixture
def url() -> Iterator[str]:
    with entered_beside(Origin) as origin:
        origin.on("/", reply(200, body=b"ok"))
        yield origin.url("/")


def test_exit_status_is_kept_when_a_process_ends_just_after_its_last_call(url: str) -> None:
    command = [sys.executable, "-c", PROGRAM, url]
    running = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(PROCESSES_COUNT)]
    said = [process.communicate(timeout=60)[1] for process in running]
    assert [process.returncode for process in running] == [7] * PROCESSES_COUNT, said
