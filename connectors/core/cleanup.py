"""Ending what is not needed any more, because something else failed or nobody waits for it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from connectors.core.errors import ConnectorError

CLEANUP_SECONDS_MAX = 20.0


@asynccontextmanager
async def giving_up() -> AsyncIterator[None]:
    """A block that frees what is not needed because something failed; what goes wrong in it never hides that."""
    with suppress(ConnectorError, TimeoutError):
        async with asyncio.timeout(CLEANUP_SECONDS_MAX):
            yield


def note_seen(ended: asyncio.Future[Any]) -> None:
    """For a task's end: its failure is nobody's surprise, also when all who waited have left."""
    if not ended.cancelled():
        ended.exception()
