"""Rows remembered for a few seconds, so that a request needs no database; dropped at once when they change."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Coroutine
from time import monotonic
from typing import Any, NamedTuple, TypeVar

from connectors.core.cleanup import note_seen

ENTRIES_MAX = 50_000

ValueT = TypeVar("ValueT")


class _Read(NamedTuple):
    """One question to the database that is on its way."""

    generation: int
    task: asyncio.Task[Any]


class RowCache:
    """Names to values. What is not there is never remembered, so new keys and tokens work at once.

    Who asks for a name while it is being read shares the answer: when the time of a value that everybody needs is over,
    the database is asked once, and not by all of them.
    """

    def __init__(self, *, seconds_max: float) -> None:
        self._seconds_max = seconds_max
        self._entries: OrderedDict[str, tuple[float, Any]] = OrderedDict()
        self._generation = 0
        self._reads: dict[str, _Read] = {}

    async def get(
        self,
        name: str,
        load: Callable[[], Coroutine[Any, Any, ValueT | None]],
        *,
        before_load: Callable[[], None] = lambda: None,
    ) -> ValueT | None:
        """The remembered value, else what `load` gives; `before_load` is called first then, and may raise instead."""
        entry = self._entries.get(name)
        if entry is not None and entry[0] > monotonic():
            value: ValueT = entry[1]
            return value
        before_load()
        if self._seconds_max <= 0:
            return await load()
        read = self._reads.get(name)
        # One that began before a change may bring what was there before it.
        if read is not None and read.generation == self._generation:
            shared: ValueT | None = await asyncio.shield(read.task)
            if shared is not None:
                return shared
        read = self._reads[name] = _Read(
            self._generation, asyncio.create_task(self._load(name, load, self._generation))
        )
        read.task.add_done_callback(lambda _: self._forget_read(name, read))
        mine: ValueT | None = await asyncio.shield(read.task)  # others may wait for it when this one is cancelled
        return mine

    def _forget_read(self, name: str, read: _Read) -> None:
        if self._reads.get(name) is read:
            del self._reads[name]
        note_seen(read.task)

    async def _load(
        self, name: str, load: Callable[[], Coroutine[Any, Any, ValueT | None]], generation: int
    ) -> ValueT | None:
        loaded = await load()
        # A change that was committed while we read must win over what we read.
        if loaded is not None and generation == self._generation:
            self._entries[name] = (monotonic() + self._seconds_max, loaded)
            self._entries.move_to_end(name)
            if len(self._entries) > ENTRIES_MAX:
                self._entries.popitem(last=False)
        return loaded

    def drop(self, name: str) -> None:
        """Forgets one value."""
        self._generation += 1
        self._entries.pop(name, None)

    def clear(self) -> None:
        """Forgets everything."""
        self._generation += 1
        self._entries.clear()
