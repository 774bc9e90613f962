"""Runs migrations on the database that the settings, or the caller, name. The same set serves both databases."""

from __future__ import annotations

import asyncio

from alembic import context
from sqlalchemy import Connection, event, pool, text
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.ext.asyncio import create_async_engine

from app.models import Base

LOCK_SECONDS_MAX = 10


def run(connection: Connection) -> None:
    """Applies what is missing, in one transaction."""
    context.configure(connection=connection, target_metadata=Base.metadata, render_as_batch=True, compare_type=True)
    with context.begin_transaction():
        if connection.dialect.name == "postgresql":
            # A migration that waits for a lock holds up everybody behind it: better to fail and be repeated.
            connection.execute(text(f"SET LOCAL lock_timeout = '{LOCK_SECONDS_MAX}s'"))
        context.run_migrations()


async def run_on_database() -> None:
    """Opens a connection of its own."""
    url = context.config.get_main_option("sqlalchemy.url")
    if url is None:
        raise AssertionError("migrations need sqlalchemy.url")
    engine = create_async_engine(url, poolclass=pool.NullPool)
    if engine.dialect.name == "sqlite":

        @event.listens_for(engine.sync_engine, "connect")
        def set_up(connection: DBAPIConnection, _record: object) -> None:
            cursor = connection.cursor()
            cursor.execute("PRAGMA journal_mode=WAL")
            cursor.execute(f"PRAGMA busy_timeout={LOCK_SECONDS_MAX * 1000}")
            cursor.close()

    async with engine.connect() as connection:
        await connection.run_sync(run)
    await engine.dispose()


asyncio.run(run_on_database())
