"""A process that comes to harm at a chosen moment: it dies, and from then on nothing it does has any effect; it stands
still for longer than any lease lasts; or it is told to stop.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from contextvars import Context, ContextVar
from typing import Any, Protocol

from app.core.db import Database, ReadSession, WriteSession
from app.core.lookups import Query, Values
from app.core.state import State


class DiedError(BaseException):
    """Nobody may catch this: the process is gone."""


class Moments(Protocol):
    """What happens to a process between the things that it does."""

    def check(self) -> None:
        """Raises once dead."""
        ...

    async def pass_moment(self) -> None:
        """One more moment."""
        ...


class Life:
    """Counts the moments at which a process can die, and ends it at one of them."""

    def __init__(self, dies_at: int | None) -> None:
        self._dies_at = dies_at
        self.moments_count = 0
        self.is_over = False

    def check(self) -> None:
        """Raises once dead."""
        if self.is_over:
            raise DiedError

    async def pass_moment(self) -> None:
        """One more moment."""
        self.check()
        self.moments_count += 1
        if self.moments_count == self._dies_at:
            self.is_over = True
            raise DiedError


class Standstill:
    """Counts the same moments; at one of them everything stands still, as on a machine with too much to do, while
    something else happens. Its clock knows afterwards that more time has passed than any lease lasts.
    """

    PASSED_SECONDS = 1000.0

    def __init__(self, begins_at: int, meanwhile: Callable[[], Coroutine[None, None, None]]) -> None:
        self._begins_at = begins_at
        self._meanwhile = meanwhile
        self._outside = ContextVar("outside", default=False)
        self._is_moving = asyncio.Event()
        self._is_moving.set()
        self._passed_seconds = 0.0
        self.moments_count = 0

    def monotonic(self) -> float:
        """The time by its clock."""
        return time.monotonic() + self._passed_seconds

    @property
    def was_still(self) -> bool:
        """True when that moment came."""
        return self.moments_count >= self._begins_at

    def check(self) -> None:
        """Standing still is not being dead."""

    async def pass_moment(self) -> None:
        """One more moment, if it is not one of what happens meanwhile."""
        if self._outside.get():
            return
        await self._is_moving.wait()
        self.moments_count += 1
        if self.moments_count == self._begins_at:
            self._is_moving.clear()
            outside = Context()
            outside.run(self._outside.set, True)  # noqa: FBT003 - a value, not a flag
            await asyncio.create_task(self._meanwhile(), context=outside)
            self._passed_seconds = self.PASSED_SECONDS
            self._is_moving.set()


class Stop:
    """Counts the same moments; at one of them all that it does is cancelled."""

    def __init__(self, comes_at: int) -> None:
        self._comes_at = comes_at
        self._serving = asyncio.current_task()
        self.moments_count = 0

    @property
    def has_come(self) -> bool:
        """True when that moment came."""
        return self.moments_count >= self._comes_at

    def check(self) -> None:
        """Who is stopped may still close what is open."""

    async def pass_moment(self) -> None:
        """One more moment."""
        self.moments_count += 1
        if self.moments_count == self._comes_at and self._serving is not None:
            self._serving.cancel()
            await asyncio.Event().wait()  # until that arrives here


class MortalDatabase(Database):
    """Commits nothing once dead. Before and after each transaction that writes is a moment to die."""

    def __init__(self, db: Database, life: Moments) -> None:
        self.__dict__.update(vars(db))  # the same engines
        self._life = life

    @asynccontextmanager
    async def reading(self, *, is_newest: bool = False) -> AsyncIterator[ReadSession]:
        self._life.check()
        async with super().reading(is_newest=is_newest) as session:
            yield session

    async def look_up(self, query: Query, **values: Any) -> Values | None:
        self._life.check()
        return await super().look_up(query, **values)

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[WriteSession]:
        await self._life.pass_moment()
        async with super().writing() as session:
            yield session
            self._life.check()
        await self._life.pass_moment()


def make_mortal(state: State, life: Moments) -> State:
    """The same server, with a database that knows when it is dead."""
    values: dict[str, Any] = {name: getattr(state, name) for name in State.__slots__}
    return State(**(values | {"db": MortalDatabase(state.db, life)}))
