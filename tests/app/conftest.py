"""One server per database and test process; one fresh application with an account per test."""

from __future__ import annotations

import secrets
from collections.abc import Iterator

import httpx
import pytest

from tests.servers.api import Api, Caller, build_settings, running_api
from tests.servers.postgres import create_database


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def api(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    folder = tmp_path_factory.mktemp("api")
    given = {}
    if request.param == "postgresql":
        given["database_url"] = create_database(request.getfixturevalue("postgres_url"), f"t{secrets.token_hex(6)}")
    with running_api(build_settings(folder, **given)) as running:
        yield running


@pytest.fixture
def caller(api: Api) -> Caller:
    return api.create_caller()


@pytest.fixture
def client(caller: Caller) -> Iterator[httpx.Client]:
    with caller.client() as opened:
        yield opened
