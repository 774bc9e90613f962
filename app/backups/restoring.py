"""Using a backup: into an empty database of either kind, or in place of what a database holds."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy import Table, func, insert, inspect, select, text
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncConnection

from app.backups.archive import Archive, BackupError, Manifest, TableManifest
from app.backups.dumping import BATCH_COUNT, Progress, check_embedded
from app.backups.tables import create_engine, get_decoder, keep_last_id, read_revision_within, read_tables
from app.core.clock import now
from app.core.keys import KeyRing
from app.core.migrating import downgrade_within, get_head, has_revision, list_tables, upgrade_within
from app.core.settings import Settings
from app.models import Base
from app.server import only_server

COUNT_OTHERS = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND usesysid IS NOT NULL
"""  # the server's own helpers have no user
LOG_SUFFIXES = ("-wal", "-shm")  # what SQLite keeps beside a database


def list_missing_keys(manifest: Manifest, keys: KeyRing | None) -> list[str]:
    """What these keys lack to open the backup, in words; nothing if they are the right ones."""
    if keys is None:
        return ["there are no keys here"]
    missing = [f"the sealing key {key_id}" for key_id in manifest.sealing_key_ids if key_id not in keys.key_ids]
    if manifest.id_key_check not in {None, keys.id_key_check}:
        missing.append("the id key: all ids that applications stored would be dead")
    return missing


async def restore(settings: Settings, archive: Archive, *, is_replacing: bool, progress: Progress) -> Path | None:
    """Puts the backup's rows in and brings them to the newest form: all of it, or nothing.

    BackupError when the database holds something (unless `is_replacing`), or the backup is damaged or of a newer
    version; StartError when a server serves the embedded database. Returns where what was there before is kept, if
    it is.
    """
    revision = archive.manifest.revision
    if not has_revision(revision):
        raise BackupError(
            f"The backup is of a newer version, {archive.manifest.version} (revision {revision}): use that, or newer."
        )
    if not settings.is_embedded:
        async with _connected(settings.database_url_text) as connection:
            await _make_room(connection, is_replacing=is_replacing)
            await _build(connection, archive, progress)
        return None
    target = Path(make_url(settings.database_url_text).database or "")
    target.parent.mkdir(parents=True, exist_ok=True)
    with only_server(settings), TemporaryDirectory(prefix=".kloudless-restore-", dir=target.parent) as folder:
        if target.exists() and not is_replacing:  # noqa: ASYNC240 - nothing else runs meanwhile
            async with _connected(f"sqlite+aiosqlite:///{target}") as connection:
                if not await _is_empty(connection):
                    raise _not_empty()
        new = Path(folder) / target.name
        async with _connected(f"sqlite+aiosqlite:///{new}") as connection:
            await _build(connection, archive, progress)
        with closing(sqlite3.connect(new)) as written:
            check_embedded(written)
        return _swap(new, target)


async def _build(connection: AsyncConnection, archive: Archive, progress: Progress) -> None:
    """Makes the tables as they were, fills them, and only then migrates, as the database itself would have been."""
    manifest = archive.manifest
    await connection.run_sync(upgrade_within, manifest.revision)
    names = await asyncio.to_thread(list_tables, manifest.revision)
    entries = {entry.name: entry for entry in manifest.tables}
    if names != set(entries):
        raise BackupError(f"The backup does not hold the tables of revision {manifest.revision}.")
    for table in await read_tables(connection, names):
        await _fill(connection, table, entries[table.name], archive, progress)
    await connection.run_sync(upgrade_within, get_head())


async def _fill(
    connection: AsyncConnection, table: Table, entry: TableManifest, archive: Archive, progress: Progress
) -> None:
    progress(table.name, 0)
    if not set(entry.columns) <= set(table.columns.keys()):
        raise BackupError(f"The backup's table {table.name} has columns that its revision does not know.")
    decoders = [(name, get_decoder(table.columns[name].type)) for name in entry.columns]
    rows, done_count = archive.read_rows(entry), 0
    while batch := list(islice(rows, BATCH_COUNT)):
        values = [
            {
                name: None if value is None else decode(value)
                for (name, decode), value in zip(decoders, row, strict=True)
            }
            for row in batch
        ]
        await connection.execute(insert(table), values)
        done_count += len(batch)
        progress(table.name, done_count)
    if entry.last_id is not None:
        await keep_last_id(connection, table, entry.last_id)


@asynccontextmanager
async def _connected(url: str) -> AsyncIterator[AsyncConnection]:
    """One transaction, committed when the block ends well."""
    engine = create_engine(url)
    try:
        async with engine.begin() as connection:
            yield connection
    finally:
        await engine.dispose()


async def _make_room(connection: AsyncConnection, *, is_replacing: bool) -> None:
    others_count = await connection.scalar(text(COUNT_OTHERS))
    if others_count:
        raise BackupError(f"The database is in use ({others_count} connections): stop all servers first.")
    revision = await read_revision_within(connection)
    if revision is None:
        return
    if not is_replacing and not await _is_empty(connection):
        raise _not_empty()
    if not has_revision(revision):
        raise BackupError(f"The database is at revision {revision}, of a newer version; make a new one to restore to.")
    await connection.run_sync(downgrade_within)


async def _is_empty(connection: AsyncConnection) -> bool:
    there = await connection.run_sync(lambda plain: set(inspect(plain).get_table_names()))
    for table in Base.metadata.sorted_tables:
        if table.name in there and await connection.scalar(select(func.count()).select_from(table)):
            return False
    return True


def _not_empty() -> BackupError:
    return BackupError("The database is not empty: name another one, or say --replace to put the backup in its place.")


def _swap(new: Path, target: Path) -> Path | None:
    """Puts `new` in the place of `target`, which is kept beside it."""
    owner = (target if target.exists() else target.parent).stat()
    if owner.st_uid != new.stat().st_uid:
        os.chown(new, owner.st_uid, owner.st_gid)  # the server's, also when root restores
    if not target.exists():
        new.rename(target)
        return None
    _settle(target)
    kept = target.with_name(f"{target.name}.replaced-{now():%Y%m%dT%H%M%SZ}")
    try:
        kept.hardlink_to(target)  # so that there is a database under the name at every moment
    except OSError:
        target.rename(kept)
    for suffix in LOG_SUFFIXES:
        target.with_name(target.name + suffix).unlink(missing_ok=True)
    new.replace(target)
    return kept


def _settle(path: Path) -> None:
    """Writes what stands in SQLite's log into the file itself; BackupError when somebody else has it open."""
    with closing(sqlite3.connect(path, timeout=0)) as connection:
        try:
            connection.execute("PRAGMA journal_mode=DELETE")
        except sqlite3.DatabaseError as error:
            if error.sqlite_errorcode == sqlite3.SQLITE_BUSY:
                raise BackupError("The database is in use by another command: wait for it, then try again.") from error
            # What is too damaged to be settled is kept as it is.
