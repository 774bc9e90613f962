"""A folder of the machine and accounts on it."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from connectors.core.clock import ManualClock
from connectors.core.connector import Connector
from connectors.core.service import AccountContext, Options, Registry
from connectors.core.stack import Runtime
from connectors.local.service import build_service

OpenAccount = Callable[..., Connector]
Heartbeat = Callable[[], AbstractAsyncContextManager["Beats"]]

BEAT_SECONDS = 0.005


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The folder of the root named "root"."""
    folder = tmp_path / "root"
    folder.mkdir()
    return folder


@pytest.fixture
def open_account(root: Path, tmp_path: Path) -> OpenAccount:
    """Opens accounts as a process that has just started would."""

    def open_account(
        credentials: dict[str, str] | None = None, *, application_id: str = "app", include_raw: bool = False
    ) -> Connector:
        settings = {"local": {"roots": {"root": {"folder": str(root), "applications": ["app"]}}}}
        registry = Registry([build_service(Options(settings=settings, demo_folder=tmp_path / "demo"))])
        context = AccountContext(
            account_key="1",
            application_id=application_id,
            credentials=credentials or {"root": "root"},
            runtime=Runtime(clock=ManualClock()),
            include_raw=include_raw,
        )
        return registry.open("local", context)

    return open_account


@pytest.fixture
def connector(open_account: OpenAccount) -> Connector:
    """An account on the whole root."""
    return open_account()


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A folder beside the root that holds what must not be touched."""
    folder = tmp_path / "outside"
    folder.mkdir()
    (folder / "secret.txt").write_bytes(b"secret")
    return folder


@dataclass
class Beats:
    """How often the event loop got its turn, and a thread of its own that shows how busy the machine is."""

    loop_count: int = 0
    loop_gap_seconds_max: float = 0.0
    thread_count: int = 0
    thread_gap_seconds_max: float = 0.0

    @property
    def blocked_seconds(self) -> float:
        """How long the loop stood still at most, beyond what the machine made everybody wait."""
        return self.loop_gap_seconds_max - self.thread_gap_seconds_max

    @property
    def share(self) -> float:
        """The loop's turns for each of the thread's: about 1 when nothing blocks it."""
        return self.loop_count / self.thread_count


@pytest.fixture
def heartbeat() -> Heartbeat:
    """A block in which beats are counted."""

    @asynccontextmanager
    async def beat() -> AsyncIterator[Beats]:
        beats, is_over = Beats(), threading.Event()

        async def beat_in_loop() -> None:
            while True:
                before = time.monotonic()
                await asyncio.sleep(BEAT_SECONDS)
                beats.loop_count += 1
                beats.loop_gap_seconds_max = max(beats.loop_gap_seconds_max, time.monotonic() - before)

        def beat_in_thread() -> None:
            while not is_over.is_set():
                before = time.monotonic()
                time.sleep(BEAT_SECONDS)
                beats.thread_count += 1
                beats.thread_gap_seconds_max = max(beats.thread_gap_seconds_max, time.monotonic() - before)

        task = asyncio.create_task(beat_in_loop())
        thread = threading.Thread(target=beat_in_thread)
        thread.start()
        try:
            yield beats
        finally:
            task.cancel()
            is_over.set()
            thread.join()

    return beat
