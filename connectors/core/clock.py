"""Time, handed in wherever it is needed, so that no test waits for it."""

from __future__ import annotations

import asyncio
import heapq
import time
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Protocol


class Clock(Protocol):
    """Tells the time and waits."""

    def now(self) -> datetime:
        """The time of day, aware, in UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds that only ever grow; differences mean something, the value does not."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Returns after that many seconds."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class ManualClock:
    """A clock for tests that stands still until somebody sleeps; then it jumps to the earliest end of a sleep.

    It jumps only when every other task has come to rest, so that tasks sleeping at the same time wake in their order.
    `sleeps` lists what was asked for, in order.
    """

    SETTLE_TURNS = 20  # turns of the event loop in which other tasks may still start a shorter sleep

    def __init__(self, now: datetime = datetime(2024, 5, 17, 12, 0, 0, tzinfo=UTC)) -> None:
        self._start = now
        self._seconds = 0.0
        self._ends: list[tuple[float, int]] = []
        self._order = count()
        self.sleeps: list[float] = []

    def now(self) -> datetime:
        return self._start + timedelta(seconds=self._seconds)

    def monotonic(self) -> float:
        return self._seconds

    def advance(self, seconds: float) -> None:
        """Lets time pass without anybody sleeping."""
        self._seconds += seconds

    async def sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        mine = (self._seconds + max(seconds, 0.0), next(self._order))
        heapq.heappush(self._ends, mine)
        try:
            await self._rest()
            while self._ends[0] != mine:
                await self._rest()
            self._seconds = max(self._seconds, mine[0])
        finally:
            self._ends.remove(mine)
            heapq.heapify(self._ends)

    async def _rest(self) -> None:
        for _ in range(self.SETTLE_TURNS):
            await asyncio.sleep(0)
