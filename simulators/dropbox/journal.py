"""What changed, in order: where change feeds, long polls and webhooks come from."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import takewhile

from simulators.dropbox.tree import Namespace

JOURNAL_COUNT_MAX = 100_000


@dataclass(frozen=True, slots=True)
class Change:
    """Something happened at a path (in small letters) of a namespace; what is there now, or no more, the tree knows.

    With `is_deep` all below it came along without changes of their own.
    """

    number: int
    namespace: Namespace
    path: str
    is_deep: bool


class Journal:
    """The latest changes of all namespaces; who asks for older ones has to begin anew."""

    def __init__(self) -> None:
        self._changes: deque[Change] = deque(maxlen=JOURNAL_COUNT_MAX)
        self._waiting: set[asyncio.Future[None]] = set()
        self.number = 0
        """Of the latest change."""
        self.reset_before = 0
        """Positions before this one are no longer known."""
        self.listeners: list[Callable[[Change], None]] = []

    def add(self, namespace: Namespace, path: str, *, is_deep: bool = False) -> None:
        """One more change; wakes all who wait."""
        self.number += 1
        if len(self._changes) == JOURNAL_COUNT_MAX:
            self.reset_before = self._changes[0].number
        change = Change(self.number, namespace, path, is_deep)
        self._changes.append(change)
        for listener in self.listeners:
            listener(change)
        for future in self._waiting:
            if not future.done():
                future.set_result(None)
        self._waiting.clear()

    def knows(self, number: int) -> bool:
        """Can it tell what happened after this position?"""
        return number >= self.reset_before

    def forget(self) -> None:
        """All positions that were given out so far lose their meaning."""
        self.number += 1
        self.reset_before = self.number

    def list_after(self, number: int) -> Iterator[Change]:
        """The changes after a position."""
        newest_first = takewhile(lambda change: change.number > number, reversed(self._changes))
        return reversed(list(newest_first))

    async def wait(self, seconds_max: float) -> None:
        """Until something changes, or that long."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.add(future)
        try:
            await asyncio.wait_for(future, seconds_max)
        except TimeoutError:
            return
        finally:
            self._waiting.discard(future)
