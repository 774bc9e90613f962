"""Short-lived access tokens: who gives them out, and how many callers share one refresh."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from connectors.core.cleanup import note_seen
from connectors.core.clock import Clock, SystemClock
from connectors.core.errors import ConnectorError, ErrorKind

REFRESH_SECONDS_MAX = 60


class TokenSource(Protocol):
    """Gives out the account's access token. Raises grant_revoked when only the account's owner can help."""

    async def current(self, *, remaining_seconds_min: float = 0) -> str:
        """A token that is still good for that long as far as known, refreshed first if it has to be."""
        ...

    async def refreshed(self, stale: str) -> str:
        """Another token than `stale`, which the provider refused."""
        ...


@dataclass(frozen=True, slots=True)
class Token:
    """An access token; `expires_at` None means that nobody knows."""

    value: str
    expires_at: datetime | None = None


class SingleFlightTokens:
    """A token source within one process: however many callers need a new token at once, there is one refresh.

    Whoever waits for a refresh shares its end, also a failure; the next caller after a failure tries again. A refresh
    goes on when its callers are cancelled, since a provider may already have replaced the old grant.
    """

    def __init__(
        self, refresh: Callable[[], Awaitable[Token]], *, token: Token | None = None, clock: Clock | None = None
    ) -> None:
        self._refresh = refresh
        self._token = token
        self._clock = clock or SystemClock()
        self._running: asyncio.Task[Token] | None = None

    async def current(self, *, remaining_seconds_min: float = 0) -> str:
        token = self._token
        if token is None:
            return await self._refreshed_once()
        if token.expires_at is None:
            return token.value
        remaining_seconds = (token.expires_at - self._clock.now()).total_seconds()
        if remaining_seconds > remaining_seconds_min:
            return token.value
        try:
            return await self._refreshed_once()
        except ConnectorError as error:
            if error.is_temporary and remaining_seconds > 0:
                return token.value
            raise

    async def refreshed(self, stale: str) -> str:
        if self._token is not None and self._token.value != stale:
            return self._token.value
        return await self._refreshed_once()

    async def _refreshed_once(self) -> str:
        if self._running is None:
            self._running = asyncio.create_task(self._run())
            self._running.add_done_callback(self._ended)
        try:
            token = await asyncio.shield(self._running)
        except ConnectorError as error:
            raise error.restated() from error  # one exception must not be raised in several tasks
        return token.value

    async def _run(self) -> Token:
        try:
            async with asyncio.timeout(REFRESH_SECONDS_MAX):
                self._token = await self._refresh()
        except TimeoutError as error:
            raise ConnectorError(ErrorKind.TIMED_OUT, "the access token could not be renewed in time") from error
        return self._token

    def _ended(self, task: asyncio.Task[Token]) -> None:
        self._running = None
        note_seen(task)
