from __future__ import annotations

import asyncio
from threading import Event

import pytest

from connectors.local.threads import QUICK_THREADS_MAX, Threads


async def test_closing_happens_when_its_caller_is_cancelled_before_a_thread_is_free() -> None:
    threads, is_free, is_closed = Threads(), Event(), Event()
    busy = [threads.start(is_free.wait) for _ in range(QUICK_THREADS_MAX)]
    closing = asyncio.create_task(threads.release(is_closed.set))
    await asyncio.sleep(0)
    closing.cancel()
    await asyncio.sleep(0)
    closing.cancel()
    is_free.set()
    with pytest.raises(asyncio.CancelledError):
        await closing
    assert is_closed.is_set()
    assert all(future.result() for future in busy)


async def test_work_that_has_not_begun_is_dropped_when_its_caller_is_cancelled() -> None:
    threads, is_free, is_done = Threads(), Event(), Event()
    busy = [threads.start(is_free.wait) for _ in range(QUICK_THREADS_MAX)]
    working = asyncio.create_task(threads.run(is_done.set))
    await asyncio.sleep(0)
    working.cancel()
    with pytest.raises(asyncio.CancelledError):
        await working
    is_free.set()
    assert all(future.result() for future in busy)
    assert not is_done.is_set()


async def test_what_was_opened_for_a_cancelled_caller_is_closed() -> None:
    threads, is_begun, is_opened, is_closed = Threads(), Event(), Event(), Event()

    def open_slowly() -> Event:
        is_begun.set()
        is_opened.wait()
        return is_closed

    opening = asyncio.create_task(threads.acquire(open_slowly, Event.set))
    await asyncio.to_thread(is_begun.wait)
    opening.cancel()
    await asyncio.sleep(0)
    is_opened.set()
    with pytest.raises(asyncio.CancelledError):
        await opening
    assert is_closed.is_set()
