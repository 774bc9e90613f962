"""Tables as a database has them, with values that mean the same on both databases."""

from __future__ import annotations

import base64
from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import DateTime, LargeBinary, MetaData, Table, Uuid, column, inspect, select, table, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.types import TypeEngine

from app.core.db import METADATA, UtcDateTime
from app.core.migrating import VERSION_TABLE

CONNECT_SECONDS_MAX = 10.0
AS_SEQUENCE = "CAST(CAST(:sequence AS text) AS regclass)"


def create_engine(url: str) -> AsyncEngine:
    """For long work on one connection. JSON stays the text that it is, so that nothing in it changes on the way."""
    return create_async_engine(
        url,
        hide_parameters=True,
        json_serializer=lambda value: value,
        json_deserializer=lambda value: value,
        connect_args={"timeout": CONNECT_SECONDS_MAX},
    )


async def read_tables(connection: AsyncConnection, names: set[str]) -> list[Table]:
    """These tables with the columns that they have here, those that others refer to first."""
    metadata = MetaData()
    await connection.run_sync(lambda plain: metadata.reflect(plain, only=sorted(names)))
    for found in metadata.sorted_tables:
        for field in found.columns:
            field.type = _widen(found.name, field.name, field.type)
    return metadata.sorted_tables


def _widen(table_name: str, column_name: str, found: TypeEngine[Any]) -> TypeEngine[Any]:
    """SQLite keeps times without a zone and the type Uuid as text; the models say what they are."""
    if isinstance(found, DateTime):
        return UtcDateTime()
    model = METADATA.tables.get(table_name)
    if model is not None and column_name in model.columns and isinstance(model.columns[column_name].type, Uuid):
        return model.columns[column_name].type
    return found


def encode(value: object) -> object:
    """Bytes are no JSON; everything else that we store is."""
    return base64.b64encode(value).decode() if isinstance(value, bytes) else value


def get_decoder(kind: TypeEngine[Any]) -> Callable[[Any], Any]:
    """Makes of a JSON value what a column of this type takes."""
    if isinstance(kind, UtcDateTime):
        return datetime.fromisoformat
    if isinstance(kind, LargeBinary):
        return base64.b64decode
    if isinstance(kind, Uuid):
        return UUID
    return lambda value: value


async def read_revision_within(connection: AsyncConnection) -> str | None:
    """The migration that the database is at; None if it holds nothing of ours."""
    if not await connection.run_sync(lambda plain: inspect(plain).has_table(VERSION_TABLE)):
        return None
    revision: str | None = await connection.scalar(select(column("version_num")).select_from(table(VERSION_TABLE)))
    return revision


async def read_last_id(connection: AsyncConnection, numbered: Table) -> int | None:
    """The highest number ever given in a table that numbers its rows; None if it does not, or gave none yet."""
    if connection.dialect.name == "sqlite":
        if not await connection.run_sync(lambda plain: inspect(plain).has_table("sqlite_sequence")):
            return None
        query, values = text("SELECT seq FROM sqlite_sequence WHERE name = :name"), {"name": numbered.name}
    else:
        sequence = await _find_sequence(connection, numbered)
        if sequence is None:
            return None
        query, values = text(f"SELECT pg_sequence_last_value({AS_SEQUENCE})"), {"sequence": sequence}
    last_id: int | None = await connection.scalar(query, values)
    return last_id


async def keep_last_id(connection: AsyncConnection, numbered: Table, last_id: int) -> None:
    """From now on numbers above this one are given."""
    if connection.dialect.name == "sqlite":
        values = {"name": numbered.name, "last_id": last_id}
        await connection.execute(text("DELETE FROM sqlite_sequence WHERE name = :name"), values)
        await connection.execute(text("INSERT INTO sqlite_sequence (name, seq) VALUES (:name, :last_id)"), values)
        return
    sequence = await _find_sequence(connection, numbered)
    if sequence is not None:
        values = {"sequence": sequence, "last_id": last_id}
        await connection.execute(text(f"SELECT setval({AS_SEQUENCE}, :last_id)"), values)


async def _find_sequence(connection: AsyncConnection, numbered: Table) -> str | None:
    """What numbers the rows of a table on PostgreSQL, as it is written in a statement."""
    keys = list(numbered.primary_key)
    if len(keys) != 1:
        return None
    query = text("SELECT pg_get_serial_sequence(quote_ident(:table), :column)")
    found: str | None = await connection.scalar(query, {"table": numbered.name, "column": keys[0].name})
    return found
