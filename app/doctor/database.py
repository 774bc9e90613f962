"""Checks of the database and of what is kept in it: reachable, migrated, opened by the keys, at the same time as we."""

from __future__ import annotations

import asyncio
import stat
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from sqlalchemy import column, inspect, or_, select, table, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from app.accounts import service as accounts
from app.accounts.credentials import open_credentials
from app.applications import service as applications
from app.core.aside import run_aside
from app.core.db import METADATA, READ_CONNECTIONS_MAX, WRITE_CONNECTIONS_MAX, Database, ReadSession
from app.core.errors import ApiError
from app.core.keys import SEAL_VERSION, SEALED_PREFIX, KeyRing, KeysError, get_key_id
from app.core.migrating import VERSION_TABLE, get_head, has_revision
from app.core.settings import Settings
from app.core.state import build_state, find_keys
from app.doctor.finding import Finding, fail, skip, warn, well

DATABASE_SECONDS_MAX = 5.0
LATENCY_SECONDS_MAX = 0.05
LATENCY_TRIES = 5
SAMPLE_COUNT = 100
CLOCK_SECONDS_MAX = 2.0
CLOCK_PAUSE_SECONDS = 0.2
CLOCK_JUMP_SECONDS_MAX = 0.05
OTHERS_BITS = stat.S_IRWXG | stat.S_IRWXO


async def check_database(settings: Settings) -> Finding:
    """Whether it answers, and how fast."""
    if settings.is_embedded and not await run_aside(Path(make_url(settings.database_url_text).database or "").exists):
        return skip("there is none yet: the first start makes it")
    return await _look_at(settings, settings.database_url_text)


async def check_reading_database(settings: Settings) -> Finding:
    """The same for where read-only sessions go."""
    if settings.database_read_url is None:
        return skip("the same database")
    return await _look_at(settings, settings.database_read_url.get_secret_value())


async def _look_at(settings: Settings, url: str) -> Finding:
    advice = "Does it run, and are DATABASE_URL, its user and password right?"
    try:
        async with _reading(url) as session:
            product = await _read_version(session)
            times = []
            for _ in range(LATENCY_TRIES):
                started = time.perf_counter()
                await session.execute(text("SELECT 1"))
                times.append(time.perf_counter() - started)
            allowed = None if settings.is_embedded else await session.scalar(text("SHOW max_connections"))
    except ApiError as error:
        return fail(f"cannot be reached: {_describe(error.__cause__)}", advice)
    except (SQLAlchemyError, ImportError, ValueError) as error:
        return fail(_describe(error), advice)
    words = f"{product}, {median(times) * 1000:.1f} ms"
    if median(times) > LATENCY_SECONDS_MAX:
        return warn(words, "Every request that is not remembered waits for it: bring it closer.")
    needed = READ_CONNECTIONS_MAX + WRITE_CONNECTIONS_MAX
    if allowed is not None and int(allowed) < needed:
        return warn(f"{words}, {allowed} connections", f"A server takes up to {needed}; allow more.")
    return well(words)


async def _read_version(session: ReadSession) -> str:
    if session.get_bind().dialect.name == "sqlite":
        return f"SQLite {await session.scalar(text('SELECT sqlite_version()'))}"
    encoding = await session.scalar(text("SHOW server_encoding"))
    if encoding != "UTF8":
        message = f"the database's encoding is {encoding}; make one with UTF8"
        raise ValueError(message)
    return f"PostgreSQL {str(await session.scalar(text('SHOW server_version'))).split()[0]}"


async def check_migrations(settings: Settings) -> Finding:
    """Whether the database has the form that this version needs."""
    by_itself = "The next start does it." if settings.is_embedded else "Run: kloudless migrate"
    async with _reading(settings.database_url_text) as session:
        revision = await _read_revision(session)
    if revision is None:
        return fail("the database is empty", by_itself)
    if revision == get_head():
        return well(f"revision {revision}, the newest")
    if has_revision(revision):
        return fail(f"revision {revision}, {get_head()} is needed", f"Make a backup first. {by_itself}")
    return fail(
        f"revision {revision} is of a newer version", "Run that version, or restore a backup from before the upgrade."
    )


async def _read_revision(session: ReadSession) -> str | None:
    """The migration that the database is at; None for an empty one."""
    connection = await session.connection()
    if not await connection.run_sync(lambda plain: inspect(plain).has_table(VERSION_TABLE)):
        return None
    revision: str | None = await session.scalar(select(column("version_num")).select_from(table(VERSION_TABLE)))
    return revision


async def check_keys(settings: Settings) -> Finding:
    """Whether the keys are there, whole, and nobody else's to read."""
    try:
        keys = await run_aside(lambda: find_keys(settings))
    except KeysError as error:
        return fail(str(error), "Bring back the key file that belongs to this database, as the server's user.")
    path = settings.keys_path.absolute()
    if keys is None:
        if settings.is_embedded:
            return skip(f"there are none yet: the first start makes {path}")
        return fail(
            f"{path} is missing",
            "Bring it here from another server; only for the first server of all run: kloudless keys create",
        )
    names = ", ".join(keys.key_ids)
    if settings.keys is not None:
        return well(f"in KLOUDLESS_KEYS: {names}")
    mode = await run_aside(lambda: stat.S_IMODE(path.stat().st_mode))
    if mode & OTHERS_BITS:
        return warn(f"{path} has mode {mode:04o}: others can read it", f"Run: chmod 600 {path}")
    return well(f"{path}: {names}")


async def check_sealed(settings: Settings) -> Finding:
    """Whether the keys are those of this database: none that sealed something is missing, and a sample opens."""
    state = build_state(settings)
    try:
        async with state.db.reading() as session:
            stranger = await _find_sealed_with_another_key(session, state.keys)
        if stranger is not None:
            return fail(
                f"something is sealed with the key {get_key_id(stranger)}, which is not here",
                "Bring back the key file that belongs to this database; without it accounts must be connected anew.",
            )
        rows = await accounts.list_accounts(state, application_id=None, limit=SAMPLE_COUNT)
        opened_count = sum(open_credentials(state, row) is not None for row in rows)
        for application in await applications.list_applications(state, limit=SAMPLE_COUNT):
            keys, _ = await applications.list_keys(state, developer_id=None, application_id=application.id)
            opened_count += len(keys)
    except KeysError as error:
        return fail(str(error), "The key file belongs to another database, or the database was changed by hand.")
    finally:
        await state.aclose()
    return well(f"{opened_count} stored secrets tried, all open") if opened_count else skip("nothing is sealed yet")


async def _find_sealed_with_another_key(session: ReadSession, keys: KeyRing) -> str | None:
    starts = [f"{SEAL_VERSION}.{key_id}." for key_id in keys.key_ids]
    sealed = [
        field for found in METADATA.sorted_tables for field in found.columns if field.name.startswith(SEALED_PREFIX)
    ]
    for field in sealed:
        is_known = or_(*(field.startswith(start, autoescape=True) for start in starts))
        is_there = field.is_not(None) & (field != "")  # emptied when it was not needed any more
        stranger: str | None = await session.scalar(select(field).where(is_there, ~is_known).limit(1))
        if stranger is not None:
            return stranger
    return None


async def check_clock(settings: Settings) -> Finding:
    """Whether this machine's clock goes evenly and tells the time that the database tells."""
    began, began_steady = time.time(), time.monotonic()
    await asyncio.sleep(CLOCK_PAUSE_SECONDS)
    jump_seconds = abs((time.time() - began) - (time.monotonic() - began_steady))
    if jump_seconds > CLOCK_JUMP_SECONDS_MAX:
        return warn(f"the clock jumped by {jump_seconds:.2f} s just now", "Look at the machine's time service (NTP).")
    if settings.is_embedded:
        return well("goes evenly; the embedded database has no clock of its own to compare")
    async with _reading(settings.database_url_text) as session:
        sent = datetime.now(UTC)
        theirs: datetime = (await session.execute(text("SELECT clock_timestamp()"))).scalar_one()
        ours = sent + (datetime.now(UTC) - sent) / 2
    return judge_clocks(ours, theirs)


def judge_clocks(ours: datetime, theirs: datetime) -> Finding:
    """How far two clocks are apart."""
    apart_seconds = abs((theirs - ours).total_seconds())
    if apart_seconds > CLOCK_SECONDS_MAX:
        return fail(
            f"{apart_seconds:.0f} s away from the database's clock",
            "Let a time service (NTP) set both: claims and expiry times of several servers go by it.",
        )
    return well(f"{apart_seconds * 1000:.0f} ms away from the database's")


@asynccontextmanager
async def _reading(url: str) -> AsyncIterator[ReadSession]:
    db = Database(url, seconds_max=DATABASE_SECONDS_MAX)
    try:
        async with db.reading() as session:
            yield session
    finally:
        await db.aclose()


def _describe(error: BaseException | None) -> str:
    lines = str(getattr(error, "orig", error)).splitlines()
    return lines[0] if lines and lines[0] else type(error).__name__
