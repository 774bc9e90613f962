"""All operation-side layers together: what passes, and repeated writes recognised over real sockets."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from connectors.core.bytesource import BytesSource
from connectors.core.clock import ManualClock
from connectors.core.connector import Connector
from connectors.core.errors import ConnectorError, ErrorKind
from connectors.core.manifest import Capabilities
from connectors.core.operations import build_operations
from connectors.core.resources import ByteRange, Folder, OnConflict, Page, Quota, RawId, Ref
from connectors.core.stack import HttpSend, Runtime
from connectors.core.transport import TransportSettings, build_transport
from tests.connectors.core.fakes import SET, build_manifest, http_request
from tests.connectors.core.memory import ROOT, MemoryConnector
from tests.servers.scripted import Cut, Reply, ScriptedServer

ALL = Capabilities(search=True, get_quota=True, start_upload=True, delete_recursive=True)


class Everything(MemoryConnector):
    """The memory connector with the operations that it lacks."""

    async def search(
        self, query: str, *, folder: RawId | None = None, cursor: str | None = None, limit: int = 1000
    ) -> Page:
        page = await self.list_folder(folder or ROOT, cursor=cursor, limit=limit)
        return Page([resource for resource in page.resources if query in resource.name])

    async def get_quota(self) -> Quota:
        return Quota(total_bytes=10, used_bytes=4, remaining_bytes=6)

    async def delete(self, ref: Ref, *, is_recursive: bool = False, is_permanent: bool = False) -> None:
        self.calls.append(("delete", (ref.raw_id, is_recursive, is_permanent)))


class OverHttp(MemoryConnector):
    """Creates and deletes folders with one request each."""

    def __init__(self, send: HttpSend, url: str) -> None:
        super().__init__()
        self._send_http = send
        self._url = url

    async def create_folder(self, parent: RawId, name: str) -> Folder:
        request = http_request("POST", f"{self._url}/{parent}", intent=SET, json={"name": name})
        await (await self._send_http(request)).aread()
        return Folder(raw_id=RawId("made"), name=name)

    async def delete(self, ref: Ref, *, is_recursive: bool = False, is_permanent: bool = False) -> None:
        assert (is_recursive, is_permanent) == (False, False)
        await (await self._send_http(http_request("DELETE", f"{self._url}/{ref.raw_id}", intent=SET))).aread()


@pytest.fixture
def memory() -> Everything:
    return Everything(manifest=build_manifest(capabilities=ALL))


@pytest.fixture
def connector(memory: Everything) -> Connector:
    return build_operations(memory, account_key="7")


@pytest.fixture
async def send(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[HttpSend]:
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    runtime = Runtime(clock=ManualClock(), transport=build_transport(TransportSettings()))
    yield runtime.build_send(build_manifest(), "7")
    await runtime.aclose()


async def test_what_the_provider_can_do_passes_with_its_arguments(connector: Connector, memory: Everything) -> None:
    file = await connector.upload(ROOT, "a", BytesSource(b"abcd"), on_conflict=OnConflict.FAIL)
    assert await connector.get(file.ref) == file
    assert (await connector.replace(file.raw_id, BytesSource(b"new"))).size_bytes == 3
    assert (await connector.update(file.ref, name="b")).name == "b"
    assert (await connector.search("b", limit=1)).resources == (await connector.list_folder(ROOT, limit=1)).resources
    assert (await connector.get_quota()).remaining_bytes == 6
    async with connector.open_download(file.raw_id, byte_range=ByteRange(0)) as download:
        assert b"".join([chunk async for chunk in download.chunks]) == b"new"
    await connector.delete(Ref("folder", RawId("9")), is_recursive=True, is_permanent=True)
    assert memory.calls[-1] == ("delete", (RawId("9"), True, True))


async def test_parts_pass_with_their_session(connector: Connector, memory: Everything) -> None:
    session = await connector.start_upload(ROOT, "a", size_bytes=5, on_conflict=OnConflict.FAIL)
    first = await connector.put_part(session, 1, BytesSource(b"abcd"))
    second = await connector.put_part(session, 2, BytesSource(b"e"), previous=first)
    assert memory.previous == {1: None, 2: first}
    await connector.finish_upload(session, [first, second])
    assert memory.tree() == {"/a": b"abcde"}
    await connector.abort_upload(session)
    assert memory.aborted_count == 1


async def test_error_names_the_operation_that_failed_at_the_provider(connector: Connector, memory: Everything) -> None:
    memory.faults["list_folder"] = [ConnectorError(ErrorKind.PERMISSION_DENIED)]
    with pytest.raises(ConnectorError) as caught:
        await connector.get_by_path("/a")
    assert caught.value.context == {
        "connector": "example",
        "operation": "list_folder",
        "account": "7",
        "reference": "/",
    }


@pytest.mark.parametrize("first", [Cut(), Reply(500)])
async def test_repeated_delete_that_finds_nothing_is_done(send: HttpSend, first: Cut | Reply) -> None:
    async with ScriptedServer(first, Reply(404)) as server:
        connector = build_operations(OverHttp(send, server.url), account_key="7")
        await connector.delete(Ref("folder", RawId("1")))
        assert len(server.seen) == 2
        with pytest.raises(ConnectorError) as caught:  # nobody was in doubt about this one
            await connector.delete(Ref("folder", RawId("2")))
    assert caught.value.kind is ErrorKind.NOT_FOUND


@pytest.mark.parametrize("first", [Cut(), Reply(500)])
async def test_repeated_create_folder_that_finds_the_folder_returns_it(send: HttpSend, first: Cut | Reply) -> None:
    async with ScriptedServer(first, Reply(409)) as server:
        memory = OverHttp(send, server.url)
        existing = memory.add("/new")
        connector = build_operations(memory, account_key="7")
        assert (await connector.create_folder(ROOT, "new")).raw_id == existing
        assert len(server.seen) == 2
        with pytest.raises(ConnectorError) as caught:
            await connector.create_folder(ROOT, "new")
    assert caught.value.kind is ErrorKind.ALREADY_EXISTS
