"""A server that may fetch from this machine, and an origin on it that does what a test scripts."""

from __future__ import annotations

import secrets
from collections.abc import Iterator

import httpx
import pytest

from tests.app.drive import Drive
from tests.app.tasks.conftest import Tasks
from tests.servers.api import Api, Caller, build_settings, running_api
from tests.servers.postgres import create_database

BYTES_MAX = 30_000_000


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def api(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    given = {}
    if request.param == "postgresql":
        given["database_url"] = create_database(request.getfixturevalue("postgres_url"), f"t{secrets.token_hex(6)}")
    settings = build_settings(
        tmp_path_factory.mktemp("api"), allowed_networks=["127.0.0.1/32"], upload_bytes_max=BYTES_MAX, **given
    )
    with running_api(settings) as running:
        yield running


@pytest.fixture
def drive(caller: Caller, client: httpx.Client) -> Drive:
    return Drive(caller, client)


@pytest.fixture
def tasks(drive: Drive) -> Tasks:
    return Tasks(drive)
