"""News of changes from other processes, so that what is remembered or waited for here is right (PostgreSQL only)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import asyncpg
import structlog

from app.core.db import NOTIFY_CHANNEL, Database

RECONNECT_SECONDS = 1.0
CHECK_SECONDS = 30.0
CALL_SECONDS_MAX = 10.0

log = structlog.get_logger("app.notices")


async def listen(db: Database, *, on_change: Callable[[str], None], on_gap: Callable[[], None]) -> None:
    """Listens until cancelled, on a connection of its own. `on_gap` is told when news may have been missed."""
    if db.is_sqlite:
        return
    while True:
        try:
            await _listen_once(db.driver_url, on_change, on_gap)
        except (
            OSError,
            asyncpg.PostgresError,
            asyncpg.InterfaceError,
            asyncpg.InternalClientError,  # cut in the middle of a call
            TimeoutError,
        ) as error:
            log.warning("listening for changes was interrupted", error=type(error).__name__)
        on_gap()
        await asyncio.sleep(RECONNECT_SECONDS)


async def _listen_once(url: str, on_change: Callable[[str], None], on_gap: Callable[[], None]) -> None:
    def on_notice(_connection: Any, _process_id: int, _channel: str, name: object) -> None:
        on_change(str(name))

    connection = await asyncpg.connect(url, timeout=CALL_SECONDS_MAX)
    is_lost = asyncio.Event()
    connection.add_termination_listener(lambda _connection: is_lost.set())
    try:
        await connection.add_listener(NOTIFY_CHANNEL, on_notice)
        on_gap()
        while not is_lost.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(CHECK_SECONDS):
                    await is_lost.wait()
            await connection.execute("SELECT 1", timeout=CALL_SECONDS_MAX)
    finally:
        await connection.close(timeout=CALL_SECONDS_MAX)
