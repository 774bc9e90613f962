"""How often a call that failed for a while is tried before the whole task waits."""

from __future__ import annotations

import asyncio
import random

from connectors.core.errors import TEMPORARY_KINDS, ConnectorError

TRIES_MAX = 3
WAIT_SECONDS_FIRST = 0.5


class Tries:
    """Counts the tries of one file or part."""

    def __init__(self) -> None:
        self._count = 0

    async def wait_or_raise(self, error: ConnectorError) -> None:
        """Waits before the next try; raises the error if there is none, or if the storage asked to wait longer."""
        self._count += 1
        is_worth_it = error.kind in TEMPORARY_KINDS and error.retry_after_seconds is None
        if not is_worth_it or self._count >= TRIES_MAX:
            raise error
        seconds = WAIT_SECONDS_FIRST * 2 ** (self._count - 1)
        await asyncio.sleep(seconds * (0.5 + random.random() / 2))  # noqa: S311 - spreads load, guards nothing
