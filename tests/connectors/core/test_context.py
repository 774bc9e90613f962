"""Context: every error says what it is about, and is a ConnectorError."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from connectors.core.bytesource import StreamSource
from connectors.core.errors import ConnectorError, ErrorKind
from connectors.core.layers.context import ContextConnector
from connectors.core.resources import OnConflict, RawId, Ref
from tests.connectors.core.memory import ROOT, MemoryConnector


@pytest.fixture
def memory() -> MemoryConnector:
    return MemoryConnector()


@pytest.fixture
def connector(memory: MemoryConnector) -> ContextConnector:
    return ContextConnector(memory, account_key="7")


async def test_error_says_connector_operation_account_and_reference(
    memory: MemoryConnector, connector: ContextConnector
) -> None:
    error = ConnectorError(ErrorKind.UNAVAILABLE)
    error.context = {"status": "503"}
    memory.faults["get"] = [error]
    with pytest.raises(ConnectorError) as caught:
        await connector.get(Ref("file", RawId("42")))
    assert caught.value is error
    assert caught.value.context == {
        "connector": "example",
        "operation": "get",
        "account": "7",
        "reference": "42",
        "status": "503",
    }
    assert "account=7" in str(caught.value)


async def test_foreign_exception_becomes_unexpected_and_stays_its_cause(
    memory: MemoryConnector, connector: ContextConnector
) -> None:
    cause = KeyError("token=hidden")
    memory.faults["delete"] = [cause]
    with pytest.raises(ConnectorError) as caught:
        await connector.delete(Ref("file", RawId("42")))
    assert (caught.value.kind, caught.value.__cause__) == (ErrorKind.UNEXPECTED, cause)
    assert caught.value.context["operation"] == "delete"
    assert "hidden" not in str(caught.value)


@pytest.mark.parametrize("exception", [asyncio.CancelledError(), AssertionError("bug")])
async def test_cancellation_and_programming_errors_pass(
    memory: MemoryConnector, connector: ContextConnector, exception: BaseException
) -> None:
    memory.faults["list_folder"] = [exception]
    with pytest.raises(type(exception)) as caught:
        await connector.list_folder(ROOT)
    assert caught.value is exception


@pytest.mark.parametrize("where", ["open_download", "read", "close"])
async def test_download_is_explained_wherever_it_fails(
    memory: MemoryConnector, connector: ContextConnector, where: str
) -> None:
    file = memory.add("/a.txt", b"0123456789")
    memory.faults[where] = [OSError("disk")]
    with pytest.raises(ConnectorError) as caught:
        async with connector.open_download(file) as download:
            assert [chunk async for chunk in download.chunks][0] == b"012"  # noqa: RUF015 - read to the end
    assert (caught.value.kind, caught.value.context["reference"]) == (ErrorKind.UNEXPECTED, file)


async def test_what_the_reader_raises_passes_untouched(memory: MemoryConnector, connector: ContextConnector) -> None:
    file = memory.add("/a.txt", b"0123456789")
    with pytest.raises(ValueError, match="mine"):
        async with connector.open_download(file):
            raise ValueError("mine")


async def test_download_gives_the_same_bytes(memory: MemoryConnector, connector: ContextConnector) -> None:
    file = memory.add("/a.txt", b"0123456789")
    async with connector.open_download(file) as download:
        assert (download.size_bytes, b"".join([chunk async for chunk in download.chunks])) == (10, b"0123456789")


async def test_source_that_is_read_twice_is_a_programming_error(connector: ContextConnector) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        yield b"a"

    source = StreamSource(chunks())
    await connector.upload(ROOT, "a", source, on_conflict=OnConflict.FAIL)
    with pytest.raises(AssertionError):
        await connector.upload(ROOT, "b", source, on_conflict=OnConflict.FAIL)


async def test_everything_is_delegated(memory: MemoryConnector, connector: ContextConnector) -> None:
    assert connector.manifest is memory.manifest
    assert connector.capabilities == memory.capabilities
    assert (await connector.get_identity()).key == "me"
    for call in (
        connector.copy(Ref("file", RawId("1")), parent=ROOT),
        connector.search("a"),
        connector.get_quota(),
        connector.get_by_path("/a"),
    ):
        with pytest.raises(ConnectorError) as caught:
            await call
        assert caught.value.kind is ErrorKind.UNSUPPORTED
