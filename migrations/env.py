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
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        render_as_batch=True,
        compare_type=True,
        transactional_ddl=True,
    )
    with context.begin_transaction():
        if connection.dialect.name == "postgresql":
            # A migration that waits for a lock holds up everybody behind it: better to fail and be repeated.
            connection.execute(text(f"SET LOCAL lock_timeout = '{LOCK_SECONDS_MAX}s'"))
        given = read_given_ids(connection)
        context.run_migrations()
        for table, last_id in given.items():
            keep_given_id(connection, table, last_id)


def read_given_ids(connection: Connection) -> dict[str, int]:
    """The highest number ever given in each table; empty on PostgreSQL, whose sequences survive by themselves."""
    if connection.dialect.name != "sqlite":
        return {}
    if connection.scalar(text("SELECT 1 FROM sqlite_master WHERE name = 'sqlite_sequence'")) is None:
        return {}
    return {row.name: row.seq for row in connection.execute(text("SELECT name, seq FROM sqlite_sequence"))}


def keep_given_id(connection: Connection, table: str, last_id: int) -> None:
    """No number is given twice: a table that was built anew remembers only the highest that it still holds."""
    values = {"table": table, "last_id": last_id}
    if connection.scalar(text("SELECT 1 FROM sqlite_master WHERE name = :table"), values) is None:
        return
    changed = connection.execute(
        text("UPDATE sqlite_sequence SET seq = max(seq, :last_id) WHERE name = :table"), values
    )
    if not changed.rowcount:
        connection.execute(text("INSERT INTO sqlite_sequence (name, seq) VALUES (:table, :last_id)"), values)


async def run_on_database() -> None:
    """Opens a connection of its own."""
    url = context.config.get_main_option("sqlalchemy.url")
    if url is None:
        raise AssertionError("migrations need sqlalchemy.url")
    engine = create_async_engine(url, poolclass=pool.NullPool)
    if engine.dialect.name == "sqlite":

        @event.listens_for(engine.sync_engine, "connect")
        def set_up(connection: DBAPIConnection, _record: object) -> None:
            # The driver's own transactions leave out what changes tables; ours begin with the first statement.
            connection.isolation_level = None
            cursor = connection.cursor()
            cursor.execute("PRAGMA journal_mode=WAL")
            cursor.execute(f"PRAGMA busy_timeout={LOCK_SECONDS_MAX * 1000}")
            cursor.close()

        @event.listens_for(engine.sync_engine, "begin")
        def begin(connection: Connection) -> None:
            connection.exec_driver_sql("BEGIN IMMEDIATE")

    async with engine.connect() as connection:
        await connection.run_sync(run)
    await engine.dispose()


given_connection = context.config.attributes.get("connection")
if given_connection is None:
    asyncio.run(run_on_database())
else:
    run(given_connection)
