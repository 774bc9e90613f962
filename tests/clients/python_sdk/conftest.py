"""The official Python SDK 2.0.1, unchanged, pointed at a server of ours."""

from __future__ import annotations

from collections.abc import Iterator

import kloudless
import pytest
from kloudless.resources import Resource

from tests.servers.api import Api, Caller


@pytest.fixture(autouse=True)
def _pointed_here(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(kloudless.configuration, "base_url", api.base_url)


@pytest.fixture
def local_caller(api: Api) -> Caller:
    """For what has nothing to do with storage."""
    return api.create_caller()


@pytest.fixture
def account(caller: Caller) -> Iterator[kloudless.Account]:
    with kloudless.Account(token=caller.bearer_token) as opened:
        yield opened


@pytest.fixture
def application(caller: Caller) -> Iterator[kloudless.Client]:
    with kloudless.Client(api_key=caller.api_key) as opened:
        yield opened


@pytest.fixture
def developer(local_caller: Caller) -> Iterator[kloudless.Client]:
    with kloudless.Client(token=local_caller.developer_token) as opened:
        yield opened


@pytest.fixture
def capabilities(account: kloudless.Account) -> dict[str, bool]:
    """What the account says that it can do."""
    found: dict[str, bool] = account.get("capabilities").data["capabilities"]
    return found


@pytest.fixture
def folder(account: kloudless.Account) -> Resource:
    return account.post("storage/folders", json={"name": "A folder", "parent_id": "root"})
