"""A process that dies at a chosen moment: from then on nothing it does has any effect."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

from app.core.db import Database, ReadSession, WriteSession
from app.core.state import State


class DiedError(BaseException):
    """Nobody may catch this: the process is gone."""


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

    def pass_moment(self) -> None:
        """One more moment."""
        self.check()
        self.moments_count += 1
        if self.moments_count == self._dies_at:
            self.is_over = True
            raise DiedError


class MortalDatabase:
    """Commits nothing once dead. Before and after each transaction that writes is a moment to die."""

    def __init__(self, db: Database, life: Life) -> None:
        self._db = db
        self._life = life

    @asynccontextmanager
    async def reading(self, *, is_newest: bool = False) -> AsyncIterator[ReadSession]:
        self._life.check()
        async with self._db.reading(is_newest=is_newest) as session:
            yield session

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[WriteSession]:
        self._life.pass_moment()
        async with self._db.writing() as session:
            yield session
            self._life.check()
        self._life.pass_moment()


def make_mortal(state: State, life: Life) -> State:
    """The same server, with a database that knows when it is dead."""
    values: dict[str, Any] = {name: getattr(state, name) for name in State.__slots__}
    return State(**(values | {"db": cast("Database", MortalDatabase(state.db, life))}))
