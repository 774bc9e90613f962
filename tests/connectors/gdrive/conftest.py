"""A simulator of the case's own, with accounts on it, and short ways to fill and read them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from connectors.core.bytesource import BytesSource
from connectors.core.connector import Connector
from connectors.core.manifest import ACCESS_TOKEN
from connectors.core.resources import File, OnConflict, RawId
from connectors.core.service import AccountContext
from connectors.core.stack import Runtime
from simulators.core.faults import Fault, FaultKind, Rule
from tests.connectors.behavior.faults import PatientRuntime
from tests.connectors.gdrive.target import open_account
from tests.servers.gdrive import Place, running_place

ROOT = RawId("root")


@dataclass(frozen=True, slots=True)
class Account:
    """The account of one user."""

    place: Place
    connector: Connector

    async def put(self, name: str, data: bytes = b"bytes", *, on_conflict: OnConflict = OnConflict.FAIL) -> File:
        """Stores a file in the root."""
        return await self.connector.upload(ROOT, name, BytesSource(data), on_conflict=on_conflict)

    async def read(self, raw_id: RawId) -> bytes:
        async with self.connector.open_download(raw_id) as download:
            return b"".join([chunk async for chunk in download.chunks])

    async def names(self, folder: RawId = ROOT) -> list[str]:
        """What a folder holds, sorted."""
        return sorted(resource.name for resource in (await self.connector.list_folder(folder)).resources)

    def store_again(self, name: str, data: bytes) -> RawId:
        """A file of that name, whatever else has it."""
        return RawId(self.place.store(1, name, data))

    def fail(self, kind: FaultKind, path: str, *, method: str | None = None, times: int = 1, **how: Any) -> None:
        """The next requests to that path go wrong."""
        self.place.world.faults.add(Rule(fault=Fault(kind=kind, **how), path=path, method=method, times=times))


@pytest.fixture
def place() -> Iterator[Place]:
    with running_place() as place:
        yield place
        assert place.listening.request_problems == []


@pytest.fixture
async def runtime() -> AsyncIterator[Runtime]:
    """One whose waits take no time."""
    runtime = PatientRuntime()
    yield runtime
    await runtime.aclose()


@pytest.fixture
def account(place: Place, runtime: Runtime) -> Account:
    """That of the first user."""
    return Account(place, open_account(place, runtime))


Open = Callable[..., Account]


@pytest.fixture
def open_as(place: Place, runtime: Runtime) -> Open:
    """Opens another user's account, or with settings of the operator's."""

    def open_it(user: int = 1, **settings: Any) -> Account:
        return Account(place, open_account(place, runtime, user=user, **settings))

    return open_it


@pytest.fixture
def context(runtime: Runtime) -> AccountContext:
    """Of an account whose token nobody knows."""
    return AccountContext(
        account_key="1", application_id="tests", credentials={ACCESS_TOKEN: "no such token"}, runtime=runtime
    )
