"""The comparison of migrations with models can fail, and says what differs."""

from pathlib import Path

from sqlalchemy.ext.asyncio import create_async_engine

from app.models import Base
from tests.architecture.schema import find_heads, list_differences


async def test_every_table_is_named_when_database_is_empty(tmp_path: Path) -> None:
    engine = create_async_engine(f"sqlite+aiosqlite:///{tmp_path / 'empty.db'}")
    try:
        async with engine.connect() as connection:
            differences = "\n".join(await connection.run_sync(list_differences))
    finally:
        await engine.dispose()
    assert Base.metadata.tables
    assert all(f"Table('{table}'" in differences for table in Base.metadata.tables)


async def test_nothing_differs_when_tables_are_made_from_models(tmp_path: Path) -> None:
    engine = create_async_engine(f"sqlite+aiosqlite:///{tmp_path / 'made.db'}")
    try:
        async with engine.begin() as connection:
            await connection.run_sync(Base.metadata.create_all)
            assert await connection.run_sync(list_differences) == []
    finally:
        await engine.dispose()


def test_one_head_stands_when_migrations_are_followed() -> None:
    assert len(find_heads()) == 1
