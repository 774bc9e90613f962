"""News inside one process: whoever waits for something by name is woken when it changes."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress


class Bell:
    """Rings when something changed. A ring that comes while nobody waits is kept for the next `wait`."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def ring(self) -> None:
        """Wakes whoever waits."""
        self._event.set()

    async def wait(self, seconds: float) -> bool:
        """Returns at the next ring, or False after so long: look again in either case."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._event.wait()
        is_rung = self._event.is_set()
        self._event.clear()
        return is_rung


class Signals:
    """Names to the bells that hang there. News from another process may get lost, so nobody waits for ever."""

    def __init__(self) -> None:
        self._bells: defaultdict[str, set[Bell]] = defaultdict(set)
        self._at_work: defaultdict[str, list[int]] = defaultdict(list)
        self.is_stopping = False

    @contextmanager
    def listening(self, name: str) -> Iterator[Bell]:
        """A bell that rings for this name until the block ends. Look after hanging it up, then wait."""
        bell = Bell()
        self._bells[name].add(bell)
        try:
            yield bell
        finally:
            self._bells[name].discard(bell)
            if not self._bells[name]:
                del self._bells[name]

    @contextmanager
    def working(self, name: str, number: int) -> Iterator[None]:
        """Shows that this number of the name is worked on in this process; rings when the block ends."""
        self._at_work[name].append(number)
        try:
            yield
        finally:
            self._at_work[name].remove(number)
            if not self._at_work[name]:
                del self._at_work[name]
            self.ring(name)

    def list_at_work(self, name: str) -> list[int]:
        """The numbers of that name that are worked on."""
        return list(self._at_work.get(name, ()))

    def ring(self, name: str) -> None:
        """Something of this name changed."""
        for bell in self._bells.get(name, ()):
            bell.ring()

    def ring_all(self) -> None:
        """Anything may have changed."""
        for name in list(self._bells):
            self.ring(name)

    def stop(self) -> None:
        """The process is about to end: what waits must come to an end, too."""
        self.is_stopping = True
        self.ring_all()
