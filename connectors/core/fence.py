"""A fence around writes: work that can be taken away from whoever does it may write only while it is still theirs."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

Fence = Callable[[], Awaitable[None]]
"""Returns when a write may begin, and not before."""

_FENCE: ContextVar[Fence | None] = ContextVar("fence", default=None)


@contextmanager
def fenced(fence: Fence) -> Iterator[None]:
    """Whatever is written in the block, and by tasks that are started in it, has to pass the fence."""
    reset = _FENCE.set(fence)
    try:
        yield
    finally:
        _FENCE.reset(reset)


@contextmanager
def unfenced() -> Iterator[None]:
    """What is asked in the block is not for whoever works behind the fence alone, and passes."""
    reset = _FENCE.set(None)
    try:
        yield
    finally:
        _FENCE.reset(reset)


async def pass_fence() -> None:
    """Returns when a write may begin. What a cancelled task still does frees what was its own, and is let through."""
    fence, task = _FENCE.get(), asyncio.current_task()
    if fence is not None and not (task is not None and task.cancelling()):
        await fence()
