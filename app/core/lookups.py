"""Single rows of the embedded database, asked for past the sessions, which cost many times what the query does."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple, cast

import aiosqlite
import msgspec
from sqlalchemy import Select
from sqlalchemy.dialects import sqlite
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

QUERIES_MAX = 64  # whose text is remembered

Query = Select[*tuple[Any, ...]]
Values = Mapping[str, Any]


class _Compiled(NamedTuple):
    """A query as the driver takes it, and how its columns are read."""

    text: str
    values: Values
    columns: Sequence[tuple[str, Callable[[Any], Any] | None]]


class FileLookUps:
    """A connection of its own, in whose thread a whole question is answered; a session goes there at every step."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._opening = asyncio.Lock()
        self._connection: AsyncConnection | None = None
        self._driver: aiosqlite.Connection | None = None

    @property
    def is_open(self) -> bool:
        """Whether there is a connection."""
        return self._driver is not None

    async def open(self) -> None:
        """Takes a connection. May be called again, but must not be cancelled."""
        async with self._opening:
            if self._driver is None:
                self._connection = self._connection or await self._engine.connect()
                raw = await self._connection.get_raw_connection()
                self._driver = cast("aiosqlite.Connection", raw.driver_connection)

    async def find(self, query: Query, values: Values) -> Values | None:
        """The first row's columns by their names."""
        if self._driver is None:
            raise AssertionError("no connection was opened")
        compiled = _compile(query)
        rows = await self._driver.execute_fetchall(compiled.text, {**compiled.values, **values})
        for row in rows:
            return {
                name: value if read is None else read(value)
                for (name, read), value in zip(compiled.columns, row, strict=True)
            }
        return None

    async def aclose(self) -> None:
        """Gives the connection back."""
        connection, self._connection, self._driver = self._connection, None, None
        if connection is not None:
            await connection.close()


@lru_cache(maxsize=QUERIES_MAX)
def _compile(query: Query) -> _Compiled:
    dialect = sqlite.dialect(paramstyle="named", json_deserializer=msgspec.json.decode)
    compiled = query.compile(dialect=dialect)
    columns = [
        (name, column.type.dialect_impl(dialect).result_processor(dialect, None))
        for name, column in query.selected_columns.items()
    ]
    return _Compiled(str(compiled), compiled.params, columns)
