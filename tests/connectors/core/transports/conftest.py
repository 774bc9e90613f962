"""Transports of both kinds, and an origin to speak to."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any, Literal

import pytest

from connectors.core.transport import Transport, TransportSettings, build_transport
from tests.servers.origin import Origin

Kind = Literal["pyreqwest", "httpx"]
BuildTransport = Callable[..., Transport]

CERTIFICATE_VARIABLES = ("SSL_CERT_FILE", "SSL_CERT_DIR")
PROXY_VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "stock_cannot(reason): the stock transport is left out, and why")


@pytest.fixture(params=["pyreqwest", "httpx"])
def kind(request: pytest.FixtureRequest) -> Kind:
    """Each kind of transport; the stock one is left out of a test marked so, and the reason is printed."""
    chosen: Kind = request.param
    mark = request.node.get_closest_marker("stock_cannot")
    if mark is not None and chosen == "httpx":
        pytest.skip(f"the stock transport cannot: {mark.args[0]}")
    return chosen


@pytest.fixture
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No certificates and no proxies from outside."""
    for name in (*CERTIFICATE_VARIABLES, *PROXY_VARIABLES):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture
async def origin(clean_environment: None) -> AsyncIterator[Origin]:
    """A plain origin with no scripts yet."""
    async with Origin() as server:
        yield server


@pytest.fixture
async def build(kind: Kind, clean_environment: None) -> AsyncIterator[BuildTransport]:
    """Builds transports of this kind with short timeouts; closes them at the end."""
    base = TransportSettings(
        kind=kind, connect_timeout_seconds=5, pool_timeout_seconds=5, idle_timeout_seconds=10, connections_max=8
    )
    async with AsyncExitStack() as stack:

        def build_one(**changes: Any) -> Transport:
            transport = build_transport(replace(base, **changes))
            stack.push_async_callback(transport.aclose)
            return transport

        yield build_one
