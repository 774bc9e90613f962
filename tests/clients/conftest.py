"""One server for the official clients, and a fresh account of every kind that they are tried on."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.servers.accounts import KINDS, LOOPBACK, SIMULATED, AccountKind
from tests.servers.api import Api, Caller, build_settings, running_api
from tests.servers.sandbox import SHARED_SANDBOX, build_connectors


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One case per kind of account that offers what the case needs."""
    if "account_kind" not in metafunc.fixturenames:
        return
    needs = {need for mark in metafunc.definition.iter_markers("needs") for need in mark.args}
    kinds = [kind for kind in (*KINDS, *SIMULATED) if needs <= kind.offers]
    metafunc.parametrize("account_kind", kinds, ids=[kind.name for kind in kinds])


@pytest.fixture(scope="session")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    folder, sandbox = tmp_path_factory.mktemp("clients"), SHARED_SANDBOX.get()
    connectors = build_settings(folder).connectors | build_connectors(sandbox)
    settings = build_settings(folder, allowed_networks=[LOOPBACK], connectors=connectors)
    with running_api(settings) as running:
        yield running


@pytest.fixture(autouse=True)
def _judged() -> Iterator[None]:
    """What simulators answered was right."""
    yield
    for judged in SHARED_SANDBOX.get().values():
        problems = judged.problems.copy()
        judged.problems.clear()
        assert not problems, problems  # with the test whose calls they are


@pytest.fixture
def caller(account_kind: AccountKind, api: Api) -> Caller:
    return api.create_caller(account_kind.build)
