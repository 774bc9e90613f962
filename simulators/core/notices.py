"""Requests that a simulator itself sends: what a provider tells the servers of applications."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

import httpx

NOTICE_SECONDS_MAX = 10.0
ATTEMPTS_MAX = 3
RETRY_SECONDS = 0.5
KEPT_COUNT_MAX = 1000
RUNNING_COUNT_MAX = 100


@dataclass(frozen=True, slots=True)
class Delivery:
    """One attempt: `status` is None when nobody answered."""

    url: str
    status: int | None


class Notices:
    """Sends in the background, tries again a few times, and remembers the latest attempts."""

    def __init__(self) -> None:
        self.deliveries: deque[Delivery] = deque(maxlen=KEPT_COUNT_MAX)
        self._tasks: set[asyncio.Task[None]] = set()

    def post(self, url: str, *, body: bytes = b"", headers: Mapping[str, str] | None = None) -> None:
        """Sends soon; a notice too many at once is dropped, as providers do."""
        if len(self._tasks) < RUNNING_COUNT_MAX:
            task = asyncio.get_running_loop().create_task(self._deliver(url, body, dict(headers or {})))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def ask(self, url: str, *, method: str = "GET", params: Mapping[str, str]) -> httpx.Response | None:
        """Asks an application's server something and waits for the answer; None if there is none."""
        try:
            async with httpx.AsyncClient(timeout=NOTICE_SECONDS_MAX, trust_env=False) as client:
                return await client.request(method, url, params=dict(params))
        except (httpx.HTTPError, httpx.InvalidURL):
            return None

    async def aclose(self) -> None:
        """Whatever is still under way is given up."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _deliver(self, url: str, body: bytes, headers: dict[str, str]) -> None:
        for attempt in range(ATTEMPTS_MAX):
            status = None
            try:
                async with httpx.AsyncClient(timeout=NOTICE_SECONDS_MAX, trust_env=False) as client:
                    status = (await client.post(url, content=body, headers=headers)).status_code
            except (httpx.HTTPError, httpx.InvalidURL):
                pass  # remembered as unanswered
            self.deliveries.append(Delivery(url, status))
            if status is not None and status < 300:  # noqa: PLR2004 - a success of HTTP
                return
            await asyncio.sleep(RETRY_SECONDS * 2**attempt)
