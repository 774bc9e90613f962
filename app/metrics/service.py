"""Collects what is to be scraped: the counts of this process, and what database and budgets say at the moment."""

from __future__ import annotations

import asyncio
from time import monotonic

from prometheus_client.exposition import choose_encoder

from app.core.errors import ApiError
from app.core.metrics import TaskDepths
from app.core.state import State
from app.tasks.service import measure_depths

TASKS_AGE_SECONDS_MAX = 5.0
"""How old the numbers of tasks may be: whoever scrapes often asks the database no more often."""

DATABASE_SECONDS_MAX = 2.0
"""How long a scrape waits for the database; then everything else is told without it."""


class MetricsPage:
    """What is shown to those who scrape; one a process."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._lock = asyncio.Lock()
        self._depths: TaskDepths | None = None
        self._measured_at = -TASKS_AGE_SECONDS_MAX

    async def render(self, accept: str) -> tuple[bytes, str]:
        """The page and its content type, in the newest form that the scraper accepts."""
        encode, content_type = choose_encoder(accept)
        async with self._lock:
            metrics = self._state.metrics
            metrics.show_tasks(await self._find_depths())
            metrics.show_budgets(self._state.runtime.read_budgets())
            # Thousands of lines take a while; meanwhile requests go on.
            page = await asyncio.to_thread(encode, metrics.registry)
        return page, content_type

    async def _find_depths(self) -> TaskDepths | None:
        if monotonic() - self._measured_at >= TASKS_AGE_SECONDS_MAX:
            try:
                async with asyncio.timeout(DATABASE_SECONDS_MAX):
                    self._depths = await measure_depths(self._state)
            except (ApiError, TimeoutError):
                self._depths = None
            self._measured_at = monotonic()
        return self._depths
