"""The event loop of whatever runs beside the tests, in a thread that lives as long as the process."""

from __future__ import annotations

import asyncio
import functools
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from typing import Any, TypeVar

ResultT = TypeVar("ResultT")

CALL_SECONDS_MAX = 30.0


@functools.cache
def get_loop() -> asyncio.AbstractEventLoop:
    """One loop for all servers of the process."""
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name="servers", daemon=True).start()
    return loop


def run_beside(operation: Coroutine[Any, Any, ResultT], *, seconds_max: float = CALL_SECONDS_MAX) -> ResultT:
    """Runs a coroutine on that loop and waits for its result; TimeoutError when it takes too long."""
    return asyncio.run_coroutine_threadsafe(operation, get_loop()).result(seconds_max)


@contextmanager
def entered_beside(build: Callable[[], AbstractAsyncContextManager[ResultT]]) -> Iterator[ResultT]:
    """Something of that loop, made and entered there and left when the block ends."""

    async def enter() -> tuple[AbstractAsyncContextManager[ResultT], ResultT]:
        manager = build()
        return manager, await manager.__aenter__()

    manager, entered = run_beside(enter())
    try:
        yield entered
    finally:
        run_beside(manager.__aexit__(None, None, None))
