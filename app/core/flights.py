"""Work that several callers want at the same time, done once for all of them in this process."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Generic, TypeVar

from connectors.core.cleanup import note_seen
from connectors.core.errors import ConnectorError

ResultT = TypeVar("ResultT")


class Flights(Generic[ResultT]):
    """Runs by name. Who comes while one of that name goes on shares its end, also a failure; the next one begins anew.

    A run goes on when its callers are cancelled, because what it does outside cannot be taken back.
    """

    def __init__(self) -> None:
        self._running: dict[str, asyncio.Task[ResultT]] = {}

    async def share(self, name: str, run: Callable[[], Coroutine[None, None, ResultT]]) -> ResultT:
        """What the run of this name gives."""
        task = self._running.get(name)
        if task is None:
            task = self._running[name] = asyncio.create_task(run())
            task.add_done_callback(lambda ended: self._forget(name, ended))
        try:
            return await asyncio.shield(task)
        except ConnectorError as error:
            raise error.restated() from error  # one exception must not be raised in several tasks

    async def aclose(self) -> None:
        """Waits for what goes on; every run has a limit of time of its own."""
        if self._running:
            await asyncio.wait(set(self._running.values()))

    def _forget(self, name: str, task: asyncio.Task[ResultT]) -> None:
        del self._running[name]
        note_seen(task)
