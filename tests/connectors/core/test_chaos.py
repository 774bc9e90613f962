"""Every third request fails, before or after it took effect: nothing happens twice, and what can be saved is saved."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import TypeVar

import pytest

from connectors.core.bytesource import BytesSource
from connectors.core.call import Work
from connectors.core.clock import ManualClock
from connectors.core.connector import Connector
from connectors.core.errors import ConnectorError, ErrorKind
from connectors.core.manifest import Limits
from connectors.core.operations import build_operations
from connectors.core.resources import OnConflict
from connectors.core.stack import Runtime
from tests.connectors.core.fakes import build_manifest
from tests.connectors.core.memory import ROOT, MemoryConnector

ResultT = TypeVar("ResultT")


class Chaos:
    """Lies below all layers. Failures of writes come by turns before and after the effect; both look the same."""

    def __init__(self) -> None:
        self._clock = ManualClock()
        runtime = Runtime(clock=self._clock)
        self._send = runtime.build_send_work(build_manifest(), "7", classify_exception=self._classify)
        self._numbers = count(1)
        self.failed_count = 0

    async def __call__(self, work: Work[ResultT]) -> ResultT:
        async def run() -> ResultT:
            self._clock.advance(10)  # the budget for repeats is not what is tested
            number = next(self._numbers)
            if number % 3:
                return await work.run()
            self.failed_count += 1
            if self.failed_count % 2:
                await work.run()
            raise ConnectionResetError

        return await self._send(Work(run=run, intent=work.intent))

    @staticmethod
    def _classify(_: Exception) -> ConnectorError:
        return ConnectorError(ErrorKind.UNAVAILABLE, maybe_applied=True)


@pytest.fixture
def chaos() -> Chaos:
    return Chaos()


@pytest.fixture
def memory(chaos: Chaos) -> MemoryConnector:
    return MemoryConnector(manifest=build_manifest(limits=Limits()), send=chaos)


@pytest.fixture
def connector(memory: MemoryConnector) -> Connector:
    return build_operations(memory, account_key="7")


@pytest.fixture
def count_stored(memory: MemoryConnector) -> Callable[[str], int]:
    def count_files(name: str) -> int:
        return sum(path.split(" (")[0] == f"/{name}" for path in memory.tree())

    return count_files


async def test_everything_repeatable_succeeds(connector: Connector, memory: MemoryConnector, chaos: Chaos) -> None:
    for number in range(30):
        folder = await connector.create_folder(ROOT, f"folder-{number}")
        name, data = f"file-{number}", bytes([number])
        file = await connector.upload(folder.raw_id, name, BytesSource(data), on_conflict=OnConflict.REPLACE)
        assert memory.nodes[file.raw_id].data == data
        await connector.update(file.ref, name="renamed")
        assert (await connector.get_by_path(f"/folder-{number}/renamed")).raw_id == file.raw_id
        if number % 2:
            await connector.delete(folder.ref, is_recursive=True)
    assert chaos.failed_count > 30
    assert memory.tree() == {
        path: data
        for number in range(0, 30, 2)
        for path, data in (
            (f"/folder-{number}", None),
            (f"/folder-{number}/renamed", bytes([number])),
        )
    }


@pytest.mark.parametrize("on_conflict", [OnConflict.RENAME, OnConflict.FAIL])
async def test_nothing_that_must_happen_once_happens_twice(
    connector: Connector,
    memory: MemoryConnector,
    chaos: Chaos,
    count_stored: Callable[[str], int],
    on_conflict: OnConflict,
) -> None:
    doubtful_count = 0
    for number in range(60):
        name = f"file-{number}"
        try:
            await connector.upload(ROOT, name, BytesSource(b"x"), on_conflict=on_conflict)
        except ConnectorError as error:
            assert (error.kind, error.maybe_applied, error.is_persistent) == (  # noqa: PT017 - both ways are right
                ErrorKind.UNAVAILABLE,
                True,
                True,
            )
            doubtful_count += 1
            assert count_stored(name) <= 1
        else:
            assert count_stored(name) == 1
    assert doubtful_count == chaos.failed_count == 20
    assert len(memory.tree()) == 50


async def test_errors_stay_honest(connector: Connector, memory: MemoryConnector) -> None:
    for number in range(12):
        missing = memory.add(f"/{number}", b"")
        ref = (await connector.get_by_path(f"/{number}")).ref
        del memory.nodes[missing]
        with pytest.raises(ConnectorError) as caught:
            await connector.get(ref)
        assert caught.value.kind is ErrorKind.NOT_FOUND
        assert memory.calls[-1] == ("get", missing)
