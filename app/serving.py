"""Serving until Ctrl-C or SIGTERM, with or without a demo, as the command line asks for it."""

from __future__ import annotations

import asyncio
import signal
from contextlib import ExitStack, suppress

import structlog

from app.core.migrating import get_head, migrate, read_revision
from app.core.settings import Settings
from app.core.state import build_state
from app.demo import (
    Demo,
    Neighbors,
    allow_this_machine,
    describe_demo,
    find_sample,
    lead_to,
    leading_commands,
    prepare_demo,
    show_metrics,
)
from app.main import build_app
from app.server import StartError, build_server, only_server, open_sockets, raise_descriptor_limit

log = structlog.get_logger("app.serving")


def serve_until_stopped(settings: Settings, *, has_demo: bool = False, neighbors: Neighbors | None = None) -> None:
    """Serves the API; an embedded database is migrated first. The demo has an account at each of the neighbors.

    StartError and the other errors of starting say what to mend.
    """
    with ExitStack() as stack:
        stack.enter_context(only_server(settings, has_demo=has_demo))
        if settings.is_embedded:
            migrate(settings)
        elif (revision := read_revision(settings.database_url_text)) != get_head():
            raise StartError(f"The database is at revision {revision}, not {get_head()}; run: kloudless migrate")
        listeners = open_sockets(settings)
        greeting = f"Kloudless is ready.  API  {settings.base_url}/v1    Documentation  {settings.base_url}/docs"
        if has_demo:
            settings = lead_to(allow_this_machine(settings), neighbors)
            demo, sample_id = asyncio.run(_prepare(settings, neighbors))
            stack.enter_context(leading_commands(settings))
            settings = show_metrics(settings, demo)
            greeting = describe_demo(settings, demo, sample_id)
        if missing_count := raise_descriptor_limit(settings):
            log.warning("fewer connections than the settings allow", missing_descriptors=missing_count)
        app = build_app(settings)
        server = build_server(app, settings, on_stop=app.state.signals.stop)
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # uvicorn ends its work first, then passes it on
        with suppress(KeyboardInterrupt):
            print(greeting, flush=True)
            server.run(sockets=listeners)
        print("Stopped.", flush=True)


async def _prepare(settings: Settings, neighbors: Neighbors | None) -> tuple[Demo, str | None]:
    state = build_state(settings)
    try:
        demo = await prepare_demo(state, neighbors)
        return demo, await find_sample(state, demo)
    finally:
        await state.aclose()
