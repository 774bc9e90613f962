"""Work that one process does at a time, whichever comes first: advisory locks of PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg

from app.core.db import Database

CALL_SECONDS_MAX = 10.0
PREFIX = "kloudless:"


@asynccontextmanager
async def try_to_hold(db: Database, name: str) -> AsyncIterator[bool]:
    """True for the only process that holds `name` while the block runs; False at once when another one does.

    Always True on the embedded database, which one process serves. The lock ends with its connection, so a process that
    dies frees it; a process that loses the connection is not told. It saves work, then, and what must never happen
    twice needs a claim in its row as well. OSError and asyncpg.PostgresError when the database cannot be reached.
    """
    if db.is_sqlite:
        yield True
        return
    connection = await asyncpg.connect(db.driver_url, timeout=CALL_SECONDS_MAX, command_timeout=CALL_SECONDS_MAX)
    try:
        yield await connection.fetchval("SELECT pg_try_advisory_lock(hashtextextended($1, 0))", PREFIX + name)
    finally:
        await connection.close(timeout=CALL_SECONDS_MAX)
