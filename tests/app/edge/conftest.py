"""One server for the edge's tests, with the folders of this machine and a storage that fails on request."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from app.core.state import build_registry_from
from connectors.core.service import Registry, Service
from tests.app.drive import Drive
from tests.app.edge.faulty import MANIFEST, FaultyConnector
from tests.app.edge.wire import Wire
from tests.servers.api import Api, Caller, build_settings, running_api


@pytest.fixture(scope="session")
def faulty() -> FaultyConnector:
    return FaultyConnector()


@pytest.fixture(scope="session")
def api(tmp_path_factory: pytest.TempPathFactory, faulty: FaultyConnector) -> Iterator[Api]:
    settings = build_settings(tmp_path_factory.mktemp("edge"))
    service = Service(manifest=MANIFEST, build=lambda _context: faulty)
    with running_api(settings, registry=Registry([*build_registry_from(settings), service])) as running:
        yield running


@pytest.fixture
def drive(caller: Caller, client: httpx.Client) -> Drive:
    return Drive(caller, client)


@pytest.fixture
def wire(api: Api) -> Iterator[Wire]:
    with Wire(api.settings.port) as opened:
        yield opened


@pytest.fixture
def faulty_url(caller: Caller, client: httpx.Client, faulty: FaultyConnector) -> Iterator[str]:
    """An account's storage at the faulty connector, as an address; what was scripted is forgotten at the end."""
    account = client.post("/v1/accounts", json={"account": "faulty", "service": MANIFEST.service})
    assert account.status_code == 201, account.text
    yield f"/v1/accounts/{account.json()['id']}/storage"
    faulty.reset()
