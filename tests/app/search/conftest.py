"""Fresh accounts to search in, and a server whose storage has no search and whose walks end early."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from connectors.core.layers.walking import WalkLimits
from connectors.core.service import Options, Registry
from connectors.core.treewalk import Effort
from connectors.registry import build_registry
from tests.app.drive import Drive
from tests.connectors.local.target import build_plain
from tests.servers.api import Api, Caller, build_settings, running_api

CALLS_MAX = 3
RECENT_CALLS_MAX = 4


@pytest.fixture
def drive(caller: Caller, client: httpx.Client) -> Drive:
    return Drive(caller, client)


@pytest.fixture(scope="module")
def shared(api: Api) -> Iterator[Drive]:
    caller = api.create_caller()
    with caller.client() as client:
        yield Drive(caller, client)


@pytest.fixture(scope="session")
def bounded_api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    settings = build_settings(tmp_path_factory.mktemp("bounded"))
    services = build_registry(Options(settings=settings.connectors))
    limits = WalkLimits(
        page=Effort(calls_max=CALLS_MAX, seconds_max=60.0, resources_max=1000),
        recent=Effort(calls_max=RECENT_CALLS_MAX, seconds_max=60.0, resources_max=1000),
    )
    registry = Registry([build_plain(service) for service in services], walk_limits=limits)
    with running_api(settings, registry=registry) as running:
        yield running


@pytest.fixture
def bounded(bounded_api: Api) -> Iterator[Drive]:
    """An account at a storage that can do nothing but list, three folders a page and four for recent files."""
    caller = bounded_api.create_caller()
    with caller.client() as client:
        yield Drive(caller, client)
