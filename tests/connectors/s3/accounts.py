"""Accounts at stores that tests look into from outside."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from connectors.core.connector import Connector
from connectors.core.guard import AddressGuard, Resolver
from connectors.core.guarded_transport import GuardedTransport
from connectors.core.service import AccountContext, Options, Registry
from connectors.core.stack import Runtime
from connectors.core.transport import TransportSettings
from connectors.s3.manifest import COMPATIBLE_MANIFEST, MANIFEST
from connectors.s3.service import build_compatible_service, build_service
from tests.servers.s3 import S3Server

LOOPBACK = "127.0.0.0/8"
ACCESS_KEY_ID = "AKEXAMPLE"
SECRET_ACCESS_KEY = "a secret that nobody may see"

BuildRuntime = Callable[..., Runtime]


async def resolve_here(_host: str) -> list[str]:
    """Every name is this machine."""
    return ["127.0.0.1"]


def build_guarded_transport(resolver: Resolver = resolve_here) -> GuardedTransport:
    """Reaches servers of this machine, under any name, and no other."""
    return GuardedTransport(AddressGuard([LOOPBACK], resolver), TransportSettings())


def build_keys(server: S3Server) -> dict[str, str]:
    """The credentials of a server's user."""
    return {"access_key_id": server.access_key_id, "secret_access_key": server.secret_access_key}


@asynccontextmanager
async def open_account(
    credentials: Mapping[str, str],
    *,
    learned: Mapping[str, Any] | None = None,
    endpoint: str | None = None,
    build_runtime: BuildRuntime = Runtime,
    resolver: Resolver = resolve_here,
    include_raw: bool = False,
) -> AsyncIterator[Connector]:
    """An account of s3_compatible; of s3, when the operator's endpoint is given. Probed unless `learned` is."""
    runtime = build_runtime(guarded_transport=build_guarded_transport(resolver))
    service = COMPATIBLE_MANIFEST.service if endpoint is None else MANIFEST.service
    options = Options(settings={} if endpoint is None else {MANIFEST.service: {"endpoint": endpoint}})
    registry = Registry([build_service(options), build_compatible_service(options)])

    def build(learned: Mapping[str, Any]) -> Connector:
        context = AccountContext(
            account_key="1",
            application_id="tests",
            credentials={"access_key_id": ACCESS_KEY_ID, "secret_access_key": SECRET_ACCESS_KEY, **credentials},
            runtime=runtime,
            learned=learned,
            include_raw=include_raw,
        )
        return registry.open(service, context)

    try:
        yield build((await build({}).probe()).learned if learned is None else learned)
    finally:
        await runtime.aclose()
