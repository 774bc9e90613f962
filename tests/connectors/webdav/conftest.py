"""Accounts on servers that do what a test wants."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import msgspec
import pytest

from connectors.core.clock import ManualClock
from connectors.core.connector import Connector
from connectors.core.service import Options, Registry
from connectors.core.stack import Runtime
from connectors.webdav.service import build_service
from connectors.webdav.traits import Traits
from tests.connectors.webdav.fake import BASE, Fake
from tests.connectors.webdav.servers import APACHE, build_guarded_transport, open_account
from tests.servers.scripted import Answer, ScriptedServer

Open = Callable[..., Connector]


@pytest.fixture
async def runtime() -> AsyncIterator[Runtime]:
    """One that reaches this machine, and whose waits take no time."""
    runtime = Runtime(clock=ManualClock(), guarded_transport=build_guarded_transport())
    yield runtime
    await runtime.aclose()


@pytest.fixture
def registry() -> Registry:
    """That of one process."""
    return Registry([build_service(Options())])


@pytest.fixture
def fake() -> Fake:
    """A server with nothing in it."""
    return Fake()


@pytest.fixture
async def server(fake: Fake) -> AsyncIterator[ScriptedServer]:
    """The fake at an address."""
    answer: Answer = fake
    async with ScriptedServer(answer) as server:
        yield server


@pytest.fixture
def open_fake(server: ScriptedServer, runtime: Runtime, registry: Registry) -> Open:
    """Opens the account of nobody on the fake, which was found to be like Apache unless something else is said."""

    def open_it(
        traits: Traits | None = APACHE,
        *,
        in_registry: Registry = registry,
        credentials: dict[str, str] | None = None,
        **more: Any,
    ) -> Connector:
        learned = {} if traits is None else msgspec.to_builtins(traits)
        credentials = credentials or {"url": server.url + BASE}
        return open_account(credentials, runtime, learned=learned, registry=in_registry, **more)

    return open_it


@pytest.fixture
def connector(open_fake: Open) -> Connector:
    """That account."""
    return open_fake()
