"""Where blocking system calls run: threads of this service's own, so that neither the event loop nor others wait."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from threading import Event
from typing import ParamSpec, TypeVar

from connectors.core.cleanup import note_seen

QUICK_THREADS_MAX = 24
LONG_THREADS_MAX = 8

P = ParamSpec("P")
T = TypeVar("T")


class StoppedError(Exception):
    """The caller was cancelled; nobody waits for this work any more."""


class Stop:
    """Tells a long work in a thread that nobody waits for it any more."""

    def __init__(self) -> None:
        self._event = Event()

    def set(self) -> None:
        """Asks the work to stop at its next step."""
        self._event.set()

    def check(self) -> None:
        """Raises StoppedError once asked to stop; long works call it at every step."""
        if self._event.is_set():
            raise StoppedError


class Threads:
    """Two pools: one for calls that take one step of bounded size, one for works that may take minutes."""

    def __init__(self) -> None:
        self._quick = ThreadPoolExecutor(QUICK_THREADS_MAX, thread_name_prefix="local-quick")
        self._long = ThreadPoolExecutor(LONG_THREADS_MAX, thread_name_prefix="local-long")

    async def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Calls it in a thread. A cancelled caller still waits for it, so that what it uses may then be closed."""
        return await _finish(self._quick.submit(function, *args, **kwargs))

    def start(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Calls it in a thread now; `join` gives the result."""
        return self._quick.submit(function, *args, **kwargs)

    async def join(self, future: Future[T]) -> T:
        """The result of what `start` began; a cancelled caller waits too."""
        return await _finish(future)

    async def acquire(self, function: Callable[[], T], release: Callable[[T], None]) -> T:
        """As `run`, for what must be released: a caller cancelled meanwhile leaves nothing open."""
        future = self._quick.submit(function)
        try:
            return await _finish(future)
        except asyncio.CancelledError:
            if not future.cancelled() and future.exception() is None:
                await self.release(partial(release, future.result()))
            raise

    async def release(self, function: Callable[[], object]) -> None:
        """Calls what closes something. It runs also when the caller is cancelled before a thread was free for it."""
        waiter = asyncio.wrap_future(self._quick.submit(function))
        try:
            await asyncio.shield(waiter)
        except asyncio.CancelledError:
            await _outlast(waiter)
            raise

    async def run_long(self, function: Callable[[Stop], T]) -> T:
        """Calls it in a thread for long works; a cancelled caller sets the stop and waits for the work to notice."""
        stop = Stop()
        return await _finish(self._long.submit(function, stop), stop)


async def _finish(future: Future[T], stop: Stop | None = None) -> T:
    waiter = asyncio.wrap_future(future)
    try:
        return await asyncio.shield(waiter)
    except asyncio.CancelledError:
        if not future.cancel():
            if stop is not None:
                stop.set()
            await _outlast(waiter)
        raise


async def _outlast(waiter: asyncio.Future[T]) -> None:
    """Waits for a thread that cannot be interrupted, through further cancellations; its outcome no longer matters."""
    while not waiter.done():
        try:
            await asyncio.wait([waiter])
        except asyncio.CancelledError:
            continue
    note_seen(waiter)
