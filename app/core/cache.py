"""Rows remembered for a few seconds, so that a request needs no database; dropped at once when they change."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import Any, TypeVar

ENTRIES_MAX = 50_000

ValueT = TypeVar("ValueT")


class RowCache:
    """Names to values. What is not there is never remembered, so new keys and tokens work at once."""

    def __init__(self, *, seconds_max: float) -> None:
        self._seconds_max = seconds_max
        self._entries: OrderedDict[str, tuple[float, Any]] = OrderedDict()
        self._generation = 0

    async def get(self, name: str, load: Callable[[], Awaitable[ValueT | None]]) -> ValueT | None:
        """The remembered value, else what `load` gives."""
        entry = self._entries.get(name)
        if entry is not None and entry[0] > monotonic():
            value: ValueT = entry[1]
            return value
        generation = self._generation
        loaded = await load()
        # A change that was committed while we read must win over what we read.
        if loaded is not None and generation == self._generation and self._seconds_max > 0:
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
