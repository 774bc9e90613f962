"""The fence: no write leaves while its work may be somebody else's; reads, and what frees one's own, do."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from connectors.core.call import Intent
from connectors.core.clock import ManualClock
from connectors.core.fence import fenced, pass_fence, unfenced
from connectors.core.layers.fence import fence_writes
from connectors.core.stack import Runtime
from tests.connectors.core.fakes import CREATE, READ, SET, FakeSend, build_manifest, http_request, unavailable, work


class Gate:
    """A fence that counts who asks, and lets nobody through while it is shut."""

    def __init__(self, *, is_open: bool) -> None:
        self.asked_count = 0
        self._opened = asyncio.Event()
        if is_open:
            self._opened.set()

    async def __call__(self) -> None:
        self.asked_count += 1
        await self._opened.wait()

    def open(self) -> None:
        self._opened.set()


@pytest.mark.parametrize("intent", [SET, CREATE])
async def test_write_waits_when_the_fence_is_shut(intent: Intent) -> None:
    send, gate = FakeSend("answer"), Gate(is_open=False)
    with fenced(gate):
        sending = asyncio.ensure_future(fence_writes(send)(work(intent)))
    await asyncio.sleep(0)
    assert send.requests == []
    gate.open()
    assert await sending == "answer"


async def test_read_passes_when_the_fence_is_shut() -> None:
    with fenced(Gate(is_open=False)):
        assert await fence_writes(FakeSend("answer"))(work(READ)) == "answer"


async def test_write_passes_when_nobody_fenced_it() -> None:
    with fenced(Gate(is_open=False)):
        pass
    assert await fence_writes(FakeSend("answer"))(work(SET)) == "answer"


async def test_write_passes_when_it_is_for_others_too() -> None:
    with fenced(Gate(is_open=False)), unfenced():
        assert await fence_writes(FakeSend("answer"))(work(SET)) == "answer"


@pytest.mark.parametrize("protocol", ["http", "work"])
async def test_every_attempt_passes_the_fence_when_a_write_is_repeated(protocol: str) -> None:
    gate, transport = Gate(is_open=True), FakeSend(unavailable(), unavailable(), httpx.Response(200))
    runtime = Runtime(clock=ManualClock(), transport=transport)

    async def run() -> Any:
        return await transport(None)

    with fenced(gate):
        if protocol == "http":
            await runtime.build_send(build_manifest(), "1")(http_request("PUT", intent=SET))
        else:
            send = runtime.build_send_work(build_manifest(), "1", classify_exception=lambda _: None)
            await send(work(SET, run))
    assert gate.asked_count == len(transport.requests) == 3


async def test_what_is_ones_own_is_freed_when_the_task_is_cancelled_in_front_of_the_fence() -> None:
    freed = []

    async def write() -> None:
        try:
            await pass_fence()
        finally:
            await pass_fence()
            freed.append(True)

    with fenced(Gate(is_open=False)):
        writing = asyncio.create_task(write())
    await asyncio.sleep(0)
    writing.cancel()
    await asyncio.wait([writing])
    assert freed == [True]
