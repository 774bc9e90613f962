"""Runs the API under uvicorn: one process, one socket, a clean end."""

from __future__ import annotations

import fcntl
import math
import os
import resource
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp

from app.core.http.protocol import LimitedHttpProtocol
from app.core.settings import Settings

LISTEN_BACKLOG_MAX = 2048
OTHER_DESCRIPTORS_MAX = 512  # databases, logs, what the interpreter itself opens


class StartError(Exception):
    """The server cannot start; the message says what to change."""


@contextmanager
def only_server(settings: Settings, *, has_demo: bool = False) -> Iterator[None]:
    """Holds the data folder for this process while it serves from the embedded database, or has a demo, whose keys are
    in that folder. StartError if it is taken.
    """
    if not settings.is_embedded and not has_demo:
        yield
        return
    path: Path = settings.data_dir / "server.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        others = " SQLite allows one; PostgreSQL (DATABASE_URL) has no such limit." if settings.is_embedded else ""
        raise StartError(
            f"Another server already serves {settings.data_dir.resolve()}. Stop it, or set KLOUDLESS_DATA_DIR.{others}"
        ) from None
    try:
        yield
    finally:
        os.close(descriptor)


def open_socket(settings: Settings) -> socket.socket:
    """The API's listening socket; StartError when the address or port is not to be had."""
    return _listen(settings.host, settings.port, "Set KLOUDLESS_PORT (and KLOUDLESS_HOST) to an address that is free.")


def open_sockets(settings: Settings) -> list[socket.socket]:
    """The API's listening socket, and the metrics' if they have one of their own; StartError as above."""
    sockets = [open_socket(settings)]
    if settings.metrics_port is not None:
        advice = "Set KLOUDLESS_METRICS_PORT (and KLOUDLESS_METRICS_HOST) to an address that is free."
        try:
            sockets.append(_listen(settings.metrics_host, settings.metrics_port, advice))
        except StartError:
            sockets[0].close()
            raise
    return sockets


def _listen(host: str, port: int, advice: str) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # With the protocol named, asyncio too switches off the delay of small packets on what it accepts: 40 ms a request.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(LISTEN_BACKLOG_MAX)
    except OSError as error:
        listener.close()
        raise StartError(f"Cannot listen on {host}:{port}: {error.strerror}. {advice}") from error
    listener.set_inheritable(True)
    return listener


def raise_descriptor_limit(settings: Settings) -> int:
    """Lets the process open as many descriptors as its limits on connections need, or as many as the system lets it.

    Many systems let programs open 1024 unless they ask for more. Returns how many are missing.
    """
    wanted_count = settings.connections_max + 2 * settings.requests_parallel_max + OTHER_DESCRIPTORS_MAX
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= wanted_count:
        return 0
    allowed_count = wanted_count if hard == resource.RLIM_INFINITY else min(wanted_count, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (allowed_count, hard))
    return wanted_count - allowed_count


class _Server(uvicorn.Server):
    """Says when it begins to stop, so that requests which only wait for something are answered in time."""

    def __init__(self, config: uvicorn.Config, on_stop: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_stop = on_stop

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._on_stop()
        await super().shutdown(sockets)


def build_server(app: ASGIApp, settings: Settings, *, on_stop: Callable[[], None] = lambda: None) -> uvicorn.Server:
    """Uvicorn with our limits; `run(sockets=[…])` serves until SIGINT or SIGTERM. `on_stop` is called at its begin."""

    class Protocol(LimitedHttpProtocol):
        head_bytes_max = settings.head_bytes_max
        head_seconds_max = settings.head_seconds_max
        reply_idle_seconds_max = settings.reply_idle_seconds_max
        connections_max = settings.connections_max

    return _Server(
        uvicorn.Config(
            app,
            http=Protocol,
            ws="none",
            loop="uvloop",
            lifespan="on",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=settings.keep_alive_seconds_max,
            timeout_graceful_shutdown=math.ceil(settings.shutdown_seconds_max),
        ),
        on_stop,
    )
