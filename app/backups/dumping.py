"""Making a backup: a consistent view of the database beside running servers, written table by table."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy import Table, select, text
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncConnection

from app.backups.archive import FORMAT, ArchiveWriter, BackupError, Manifest, TableManifest, creating
from app.backups.tables import create_engine, encode, read_last_id, read_revision_within, read_tables
from app.core.clock import now
from app.core.keys import SEALED_PREFIX, KeyRing, get_key_id
from app.core.migrating import has_revision, list_tables
from app.core.settings import Settings

BATCH_COUNT = 500

Progress = Callable[[str, int], None]
"""Is told a table and how many of its rows are done."""


async def back_up(settings: Settings, path: Path, *, keys: KeyRing | None, progress: Progress) -> Manifest:
    """Writes the whole database to `path` and reads it again; BackupError says why that cannot be.

    Servers may run: what they change meanwhile is either all in it or not at all. The keys are never in it.
    """
    async with _snapshot(settings.database_url_text, path.parent) as connection:
        revision = await read_revision_within(connection)
        if revision is None:
            raise BackupError("There is nothing to back up: the database is empty. Run: kloudless migrate")
        if not has_revision(revision):
            raise BackupError(f"The database is at revision {revision}, of a newer version: back it up with that one.")
        names = await asyncio.to_thread(list_tables, revision)
        if connection.dialect.name == "postgresql":
            await _hold_off_migrations(connection, names)
            async with _connected(settings.database_url_text) as other:  # sees what was committed meanwhile
                if await read_revision_within(other) != revision:
                    raise BackupError("The database is being migrated: try again when that is done.")
        with creating(path) as archive:
            key_ids: set[str] = set()
            tables = [
                await _dump_table(connection, table, archive, key_ids, progress)
                for table in await read_tables(connection, names)
            ]
            manifest = Manifest(
                format=FORMAT,
                version=version("kloudless-server"),
                revision=revision,
                database=connection.dialect.name,
                created_at=now(),
                sealing_key_ids=tuple(sorted(key_ids)),
                id_key_check=keys.id_key_check if keys else None,
                tables=tuple(tables),
            )
            archive.finish(manifest)
    return manifest


async def _hold_off_migrations(connection: AsyncConnection, names: set[str]) -> None:
    """From now on whoever wants to change these tables' columns waits for the end of our transaction."""
    quoted = ", ".join(connection.dialect.identifier_preparer.quote(name) for name in sorted(names))
    await connection.execute(text(f"LOCK TABLE {quoted} IN ACCESS SHARE MODE"))


async def _dump_table(
    connection: AsyncConnection, table: Table, archive: ArchiveWriter, key_ids: set[str], progress: Progress
) -> TableManifest:
    names = [column.name for column in table.columns]
    sealed = [index for index, name in enumerate(names) if name.startswith(SEALED_PREFIX)]
    query = select(table).order_by(*table.primary_key)
    with archive.table(table.name) as writer:
        progress(table.name, 0)
        async with connection.stream(query, execution_options={"yield_per": BATCH_COUNT}) as result:
            async for rows in result.partitions():
                key_ids.update(get_key_id(row[index]) for row in rows for index in sealed if row[index])
                await asyncio.to_thread(writer.write, [[encode(value) for value in row] for row in rows])
                progress(table.name, writer.rows_count)
        return TableManifest(
            name=str(table.name),
            columns=tuple(map(str, names)),
            rows_count=writer.rows_count,
            sha256=writer.sha256,
            last_id=await read_last_id(connection, table),
        )


@asynccontextmanager
async def _snapshot(url: str, folder: Path) -> AsyncIterator[AsyncConnection]:
    """One moment of the database. Of the embedded one a copy is made in `folder`, and is gone afterwards."""
    if make_url(url).get_backend_name() == "sqlite":
        with TemporaryDirectory(prefix=".kloudless-backup-", dir=folder) as temporary:
            copy = Path(temporary) / "copy.db"
            await asyncio.to_thread(_copy_embedded, Path(make_url(url).database or ""), copy)
            async with _connected(f"sqlite+aiosqlite:///{copy}") as connection:
                yield connection
        return
    async with _connected(url) as connection:
        await connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        yield connection


@asynccontextmanager
async def _connected(url: str) -> AsyncIterator[AsyncConnection]:
    engine = create_engine(url)
    try:
        async with engine.connect() as connection:
            yield connection
    finally:
        await engine.dispose()


def _copy_embedded(source_path: Path, copy_path: Path) -> None:
    if not source_path.exists():
        raise BackupError(f"There is nothing to back up: {source_path} does not exist.")
    with closing(sqlite3.connect(source_path)) as source, closing(sqlite3.connect(copy_path)) as copy:
        source.backup(copy)  # in one step, which no writer can disturb
        copy.execute("PRAGMA journal_mode=DELETE")
        check_embedded(copy)


def check_embedded(connection: sqlite3.Connection) -> None:
    """BackupError when the file is damaged, or rows refer to others that are not there."""
    found = [text for (text,) in connection.execute("PRAGMA integrity_check(1)")]
    if found != ["ok"]:
        raise BackupError(f"The database is damaged: {found[0]}")
    if connection.execute("PRAGMA foreign_key_check").fetchone() is not None:
        raise BackupError("The database is damaged: rows refer to others that are not there.")
