"""Every table there is comes out of a backup as it went in, whatever its columns hold, from and to either database."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import JSON, BigInteger, Boolean, Column, Enum, LargeBinary, String, Table, Uuid, insert, select

from app.core.db import METADATA, Database, UtcDateTime
from app.core.migrating import migrate
from tests.app.backups.conftest import MakePlace, Place

KINDS = ("sqlite", "postgresql")
TEXT = "1.a1b2c3d4.Ä\u2028\N{SNOWMAN}'\"\\\n\t日本"
JSON_VALUES: tuple[Any, ...] = ({"ä": [1, 0.1, 2**60, True, None, {"": "\u2028'\"\\"}]}, {}, [], "text", 0)
MOMENT = datetime(2024, 2, 29, 23, 59, 59, 999_999, tzinfo=UTC)
VALUES = {BigInteger: 2**53 - 1, Boolean: True, UtcDateTime: MOMENT, LargeBinary: bytes(range(256))}


def fill(column: Column[Any], number: int, *, keys: dict[str, Any]) -> object:  # noqa: PLR0911 - one for each type
    """A value that this column can hold: of another row, another; what refers to a row, that row's."""
    if column.foreign_keys:
        values = keys[next(iter(column.foreign_keys)).target_fullname]
        return values[number if column.primary_key and len(column.table.primary_key) == 1 else 0]
    match column.type:
        case JSON():
            return JSON_VALUES[number % len(JSON_VALUES)]
        case Enum() as kind:
            return kind.enums[number % len(kind.enums)]
        case String() as kind:
            return f"{number}{TEXT}"[: kind.length]
        case Uuid():
            return UUID(int=number + 1)
        case kind if not column.primary_key and type(kind) in VALUES:
            return VALUES[type(kind)]
    return number + 1


def build_rows(tables: Sequence[Table]) -> dict[str, list[dict[str, Any]]]:
    """Three rows a table, the last one with nothing in all columns that may be empty."""
    keys: dict[str, Any] = {}
    rows: dict[str, list[dict[str, Any]]] = {}
    for table in tables:
        rows[table.name] = []
        for number in range(3):
            row = {column.name: fill(column, number, keys=keys) for column in table.columns}
            if number == 2:
                row |= {column.name: None for column in table.columns if column.nullable}
            rows[table.name].append(row)
        keys |= {
            f"{table.name}.{column.name}": [row[column.name] for row in rows[table.name]] for column in table.columns
        }
    return rows


async def store(place: Place, rows: dict[str, list[dict[str, Any]]]) -> None:
    db = Database(place.settings.database_url_text)
    async with db.writing() as session:
        for table in METADATA.sorted_tables:
            for row in rows[table.name]:
                await session.execute(insert(table).values(row))
    await db.aclose()


async def load(place: Place) -> dict[str, list[dict[str, Any]]]:
    db = Database(place.settings.database_url_text)
    async with db.reading() as session:
        found = {
            table.name: [
                dict(row) for row in (await session.execute(select(table).order_by(*table.primary_key))).mappings()
            ]
            for table in METADATA.sorted_tables
        }
    await db.aclose()
    return found


@pytest.mark.parametrize("target_kind", KINDS)
@pytest.mark.parametrize("source_kind", KINDS)
def test_every_value_is_as_it_was(make_place: MakePlace, tmp_path: Path, source_kind: str, target_kind: str) -> None:
    source = make_place(source_kind)
    migrate(source.settings)
    asyncio.run(store(source, build_rows(METADATA.sorted_tables)))
    before = asyncio.run(load(source))
    assert all(len(rows) == 3 for rows in before.values()), "some table was not filled"
    manifest = source.back_up(tmp_path / "a.backup")
    assert {table.name: table.rows_count for table in manifest.tables} == dict.fromkeys(before, 3)
    assert manifest.sealing_key_ids == ("a1b2c3d4",)

    target = make_place(target_kind)
    target.restore(tmp_path / "a.backup")
    assert asyncio.run(load(target)) == before
