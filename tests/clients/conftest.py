"""One server for the official clients, and a fresh account of every connector that they are tried on."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.servers.api import Api, Caller, build_settings, running_api

CALLERS: dict[str, Callable[[Api], Caller]] = {"local": Api.create_caller}
"""By service: makes an application with an account that is empty. A new connector adds its line."""


@pytest.fixture(scope="session")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    with running_api(build_settings(tmp_path_factory.mktemp("clients"))) as running:
        yield running


@pytest.fixture(params=CALLERS)
def caller(request: pytest.FixtureRequest, api: Api) -> Caller:
    return CALLERS[request.param](api)
