"""One server per database and test process; one fresh application with an account per test."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Iterator

import httpx
import pytest
import structlog

from app.core.state import build_registry_from
from connectors.core.service import Registry
from tests.app.sharing import SERVICE, SharingDrive, connect_sharing
from tests.servers.api import Api, Caller, build_settings, running_api
from tests.servers.loop import entered_beside
from tests.servers.origin import Origin
from tests.servers.postgres import create_database

# What servers in this process log is read by nobody, and drawing it takes longer than most requests.
structlog.configure(
    wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR),
    processors=[structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)],
)


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def api(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    folder = tmp_path_factory.mktemp("api")
    given = {}
    if request.param == "postgresql":
        given["database_url"] = create_database(request.getfixturevalue("postgres_url"), f"t{secrets.token_hex(6)}")
    settings = build_settings(folder, **given)
    with running_api(settings, registry=Registry([*build_registry_from(settings), SERVICE])) as running:
        yield running


@pytest.fixture
def caller(api: Api) -> Caller:
    return api.create_caller()


@pytest.fixture
def client(caller: Caller) -> Iterator[httpx.Client]:
    with caller.client() as opened:
        yield opened


@pytest.fixture
def origin() -> Iterator[Origin]:
    """A server somewhere else, which says what a test wants."""
    with entered_beside(Origin) as running:
        yield running


@pytest.fixture
def sharing(caller: Caller, client: httpx.Client) -> SharingDrive:
    """An account that can do everything."""
    return connect_sharing(caller, client)
