"""The storage of a fresh account, and one that the tests of a file share because they store nothing in it."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from tests.app.drive import Drive
from tests.servers.api import Api, Caller


@pytest.fixture
def drive(caller: Caller, client: httpx.Client) -> Drive:
    return Drive(caller, client)


@pytest.fixture(scope="module")
def shared(api: Api) -> Iterator[Drive]:
    caller = api.create_caller()
    with caller.client() as client:
        yield Drive(caller, client)
