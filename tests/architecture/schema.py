"""Whether the migrations make what the models say, on a database of either kind."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import create_async_engine

from app.core.migrating import MIGRATIONS, build_config
from app.models import Base
from tests.servers.postgres import create_database, drop_database, running_postgres

DIFFERENCE_CHARACTERS_MAX = 300
DATABASE = f"check_{os.getpid()}"


def find_heads() -> list[str]:
    """The migrations that nothing follows; there must be one."""
    return ScriptDirectory(str(MIGRATIONS)).get_heads()


def find_differences(url: str) -> list[str]:
    """What the models have and the migrated database lacks, or the reverse; the database is migrated here."""
    command.upgrade(build_config(url), "head")
    return asyncio.run(_compare(url))


@contextmanager
def empty_databases() -> Iterator[dict[str, str]]:
    """One new database of each kind that is supported, by its kind."""
    with TemporaryDirectory() as folder, running_postgres() as server:
        yield {
            "SQLite": f"sqlite+aiosqlite:///{Path(folder) / 'check.db'}",
            "PostgreSQL": create_database(server, DATABASE),
        }
        drop_database(server, DATABASE)


def list_differences(connection: Connection) -> list[str]:
    """What would have to change in this database to be as the models say."""
    context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
    return [str(difference)[:DIFFERENCE_CHARACTERS_MAX] for difference in compare_metadata(context, Base.metadata)]


async def _compare(url: str) -> list[str]:
    engine = create_async_engine(url)
    try:
        async with engine.connect() as connection:
            return await connection.run_sync(list_differences)
    finally:
        await engine.dispose()
