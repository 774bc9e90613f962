"""An ASGI application on a socket of this machine, served by the thread that servers share."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from starlette.types import ASGIApp

from tests.servers.loop import get_loop
from tests.servers.tls import Certificate, build_url

STOP_SECONDS_MAX = 20.0
GRACE_SECONDS = 1


@contextmanager
def serving(app: ASGIApp, *, certificate: Certificate | None = None) -> Iterator[str]:
    """Serves the application until the block ends, and says where; with a certificate by TLS only."""
    listener = socket.socket(proto=socket.IPPROTO_TCP)  # else asyncio leaves delays on: 40 ms for each reply
    listener.bind(("127.0.0.1", 0))
    config = uvicorn.Config(
        app,
        log_config=None,
        log_level="warning",  # what it says at the process's end would find no stream any more
        access_log=False,
        lifespan="auto",
        timeout_graceful_shutdown=GRACE_SECONDS,
        ssl_certfile=certificate.path if certificate else None,
        ssl_keyfile=certificate.key_path if certificate else None,
    )
    server = uvicorn.Server(config)
    listener.listen()  # who connects before the server is ready waits for it
    running = asyncio.run_coroutine_threadsafe(server.serve(sockets=[listener]), get_loop())
    try:
        yield build_url(listener.getsockname()[1], certificate)
    finally:
        server.should_exit = True
        running.result(STOP_SECONDS_MAX)
        listener.close()
