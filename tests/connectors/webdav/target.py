"""Real servers, each with the abilities that probing must find out about it; some with every third call failing."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from connectors.core.connector import Connector
from connectors.core.stack import Runtime
from connectors.webdav.traits import Traits, choose_capabilities, describe_account
from tests.connectors.behavior.faults import FailingRuntime
from tests.connectors.behavior.target import Target
from tests.connectors.webdav.servers import (
    APACHE,
    RCLONE,
    WSGIDAV,
    build_guarded_transport,
    get_credentials,
    open_account,
)
from tests.servers.apache import SHARED_APACHE
from tests.servers.rclone import SHARED_RCLONE_WEBDAV
from tests.servers.shared import Shared
from tests.servers.webdav import WebDavServer
from tests.servers.wsgidav import SHARED_WSGIDAV

ETAG_SECONDS_MAX = 10.0  # a server may call an etag weak for a second after the file was written

LEARNED: dict[str, dict[str, Any]] = {}
"""By the server's address: found out once in a test process, as it would be when an account is connected."""


def build_runtime(kind: type[Runtime | FailingRuntime] = Runtime) -> Runtime:
    """One that reaches this machine."""
    return kind(guarded_transport=build_guarded_transport())


def open_on(
    shared: Shared[WebDavServer], build: Callable[[], Runtime] = build_runtime
) -> Callable[[Path], AbstractAsyncContextManager[Connector]]:
    """Opens an account of the server's one user on a new folder."""

    @asynccontextmanager
    async def open_on_server(_: Path) -> AsyncIterator[Connector]:
        server = shared.get()
        if server.url not in LEARNED:
            probing = build_runtime()
            probe = await open_account(get_credentials(server), probing).probe()
            LEARNED[server.url] = probe.learned
            await probing.aclose()
        name = f"account-{uuid.uuid4().hex[:12]}"
        with server.client() as client:
            client.request("MKCOL", name).raise_for_status()
        runtime, place = build(), {"url": f"{server.url}{name}/"}
        yield open_account(get_credentials(server) | place, runtime, learned=LEARNED[server.url])
        await runtime.aclose()

    return open_on_server


def build_target(
    name: str, traits: Traits, shared: Shared[WebDavServer], build: Callable[[], Runtime] = build_runtime
) -> Target:
    """A server with what an account on it declares."""
    return Target(
        name=f"webdav-{name}",
        manifest=msgspec.structs.replace(describe_account(traits), capabilities=choose_capabilities(traits)),
        open=open_on(shared, build),
        settle_seconds_max=ETAG_SECONDS_MAX,
        is_repeat=build is not build_runtime,
    )


build_failing_runtime = partial(build_runtime, FailingRuntime)

TARGETS = (
    build_target("apache", APACHE, SHARED_APACHE),
    build_target("wsgidav", WSGIDAV, SHARED_WSGIDAV),
    build_target("rclone", RCLONE, SHARED_RCLONE_WEBDAV),
    build_target("apache+faults", APACHE, SHARED_APACHE, build_failing_runtime),
    build_target("wsgidav+faults", WSGIDAV, SHARED_WSGIDAV, build_failing_runtime),
)
