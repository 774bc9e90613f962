"""A bounded number of calls side by side, ended by the first failure."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from types import TracebackType
from typing import Any, Self


class Crew:
    """Runs what is started inside its block; leaving the block waits for all.

    The first failure, in the block or in a call, cancels everything else and is raised itself, not in a group.
    """

    def __init__(self, parallel_max: int) -> None:
        self._slots = asyncio.Semaphore(parallel_max)
        self._group = asyncio.TaskGroup()

    async def __aenter__(self) -> Self:
        await self._group.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            await self._group.__aexit__(kind, error, traceback)
        except BaseExceptionGroup as failures:
            first = failures.exceptions[0]
        else:
            return
        raise first

    async def wait_for_slot(self) -> None:
        """Returns when one more call may be started; `start` uses the slot up."""
        await self._slots.acquire()

    def start(self, call: Coroutine[Any, Any, object]) -> None:
        """Starts a call in the slot that was waited for."""
        task = self._group.create_task(call)
        task.add_done_callback(lambda _: self._slots.release())
