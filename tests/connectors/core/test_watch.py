"""Watching operations: one begin and one end for each that the provider is asked for, with its bytes."""

from __future__ import annotations

import asyncio

import pytest

from connectors.core.bytesource import BytesSource
from connectors.core.connector import Connector
from connectors.core.errors import ConnectorError, ErrorKind
from connectors.core.layers.observe import OPERATION
from connectors.core.operations import build_operations
from connectors.core.resources import Download, OnConflict, RawId, Ref
from connectors.core.stack import Runtime
from tests.connectors.core.fakes import RecordingObserver, RecordingWatch, build_manifest
from tests.connectors.core.memory import ROOT, MemoryConnector


@pytest.fixture
def observer() -> RecordingObserver:
    return RecordingObserver()


@pytest.fixture
def memory(observer: RecordingObserver) -> MemoryConnector:
    """A storage whose every call passes the layers, told to the same observer."""
    manifest = build_manifest()
    send = Runtime(observer=observer).build_send_work(manifest, "7", classify_exception=lambda _: None)
    return MemoryConnector(send=send, manifest=manifest)


@pytest.fixture
def connector(memory: MemoryConnector, observer: RecordingObserver) -> Connector:
    return build_operations(memory, account_key="7", observer=observer)


def watched(operation: str, *said: tuple[str, int] | str) -> RecordingWatch:
    return RecordingWatch("example", operation, list(said))


async def test_bytes_are_told_once_at_the_end(connector: Connector, observer: RecordingObserver) -> None:
    file = await connector.upload(ROOT, "a", BytesSource(b"12345"), on_conflict=OnConflict.FAIL)
    async with connector.open_download(file.raw_id) as download:
        assert observer.operations[-1] == watched("open_download", "opened")
        assert [len(chunk) async for chunk in download.chunks] == [3, 2]
    assert observer.operations == [watched("upload", ("ok", 5)), watched("open_download", "opened", ("ok", 5))]


async def test_bytes_that_came_before_a_stream_broke_are_told(
    connector: Connector, memory: MemoryConnector, observer: RecordingObserver
) -> None:
    file = memory.add("/a", b"12345")

    async def read(download: Download) -> None:
        async for _ in download.chunks:
            memory.faults["read"] = [ConnectorError(ErrorKind.UNAVAILABLE)]

    with pytest.raises(ConnectorError):
        async with connector.open_download(file) as download:
            await read(download)
    assert observer.operations == [watched("open_download", "opened", ("unavailable", 3))]


async def test_a_reader_who_leaves_is_no_failure_of_the_provider(
    connector: Connector, memory: MemoryConnector, observer: RecordingObserver
) -> None:
    file = memory.add("/a", b"12345")
    with pytest.raises(asyncio.CancelledError):
        async with connector.open_download(file):
            raise asyncio.CancelledError
    assert observer.operations == [watched("open_download", "opened", ("cancelled", 0))]


async def test_the_kind_of_error_is_told_when_an_operation_fails(
    connector: Connector, observer: RecordingObserver
) -> None:
    with pytest.raises(ConnectorError):
        await connector.get(Ref("file", RawId("9")))
    with pytest.raises(ConnectorError):
        await connector.open_download(RawId("9")).__aenter__()
    assert observer.operations == [watched("get", ("not_found", 0)), watched("open_download", ("not_found", 0))]


async def test_simulated_operation_is_told_as_what_the_provider_is_really_asked(
    connector: Connector, memory: MemoryConnector, observer: RecordingObserver
) -> None:
    memory.add("/folder/a", b"1")
    await connector.get_by_path("/folder/a")
    asked = {watch.operation for watch in observer.operations}
    assert "list_folder" in asked
    assert "get_by_path" not in asked


async def test_every_send_says_for_which_operation_it_is(
    connector: Connector, memory: MemoryConnector, observer: RecordingObserver
) -> None:
    file = memory.add("/a", b"12345")
    await connector.get(Ref("file", file))
    async with connector.open_download(file):
        assert not OPERATION.get()  # what is sent meanwhile is not for it
    assert [event.called_for for event in observer.events] == ["get", "open_download"]
