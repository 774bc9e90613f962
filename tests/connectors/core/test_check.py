"""Checks: what is refused before any request, and how it is said."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from connectors.core.bytesource import BytesSource, StreamSource
from connectors.core.connector import Connector
from connectors.core.errors import ConnectorError, ErrorKind
from connectors.core.layers.check import CheckingConnector
from connectors.core.manifest import Capabilities, Limits
from connectors.core.resources import ByteRange, OnConflict, Part, RawId, Ref, UploadSession
from connectors.core.sharing import LinkChange, Subscription
from tests.connectors.core.fakes import build_manifest
from tests.connectors.core.memory import ROOT, MemoryConnector

LIMITS = Limits(
    name_bytes_max=10,
    path_bytes_max=20,
    page_items_max=50,
    file_bytes_max=1000,
    upload_part_bytes_max=100,
    upload_parts_max=5,
)
FOLDER = Ref("folder", RawId("9"))
FILE = RawId("5")
FAIL = OnConflict.FAIL
EMPTY = BytesSource(b"")
ROOT_REF = Ref("folder", ROOT)

Call = Callable[[Connector], Any]


class UnknownSize(BytesSource):
    def __init__(self, size_bytes: Any) -> None:
        super().__init__(b"")
        self.size_bytes = size_bytes


def session(size_bytes: int | None) -> UploadSession:
    return UploadSession(parent=ROOT, name="a", on_conflict=FAIL, part_size_bytes=100, size_bytes=size_bytes)


@pytest.fixture
def memory() -> MemoryConnector:
    capabilities = Capabilities(start_upload=True, get_by_path=True, copy=True, copy_folder=True, search=True)
    return MemoryConnector(manifest=build_manifest(capabilities=capabilities, limits=LIMITS))


@pytest.fixture
def bare() -> MemoryConnector:
    return MemoryConnector(
        manifest=build_manifest(
            capabilities=Capabilities(move_folder=False, download_range=False, upload_size_unknown=False)
        )
    )


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", "a/b", "a\0b", "x" * 11, "ü" * 6, "\ud800"],
)
@pytest.mark.parametrize(
    "call",
    [
        lambda connector, name: connector.upload(ROOT, name, EMPTY, on_conflict=FAIL),
        lambda connector, name: connector.create_folder(ROOT, name),
        lambda connector, name: connector.update(FOLDER, name=name),
        lambda connector, name: connector.copy(FOLDER, parent=ROOT, name=name),
        lambda connector, name: connector.start_upload(ROOT, name, size_bytes=1, on_conflict=FAIL),
    ],
)
async def test_name_is_refused_when_the_provider_cannot_store_it(
    memory: MemoryConnector, call: Callable[[Connector, str], Any], name: str
) -> None:
    with pytest.raises(ConnectorError) as caught:
        await call(CheckingConnector(memory), name)
    assert (caught.value.kind, memory.calls) == (ErrorKind.INVALID_NAME, [])


@pytest.mark.parametrize("name", ["x" * 10, "ü" * 5, "...", " ", "a\\b", "日本語"])
async def test_name_passes_when_it_just_fits(memory: MemoryConnector, name: str) -> None:
    assert (await CheckingConnector(memory).create_folder(ROOT, name)).name == name


async def test_name_is_refused_when_it_has_too_many_characters(memory: MemoryConnector) -> None:
    memory.__dict__["manifest"] = build_manifest(limits=Limits(name_characters_max=5))
    checking = CheckingConnector(memory)
    assert (await checking.create_folder(ROOT, "ü" * 5)).name == "ü" * 5
    with pytest.raises(ConnectorError, match="5 characters, this one has 6"):
        await checking.create_folder(ROOT, "ü" * 6)


async def test_message_says_the_limit_and_what_to_do(memory: MemoryConnector) -> None:
    with pytest.raises(ConnectorError, match="10 bytes in UTF-8, this one has 12; shorten it"):
        await CheckingConnector(memory).create_folder(ROOT, "ü" * 6)


@pytest.mark.parametrize(
    "path", ["", "a/b", "/a//b", "/a/../b", "/./a", "/a\0", "/" + "x" * 11, "/abc/abc/abc/abc/abcd"]
)
async def test_path_is_refused_when_no_names_can_make_it_up(memory: MemoryConnector, path: str) -> None:
    with pytest.raises(ConnectorError) as caught:
        await CheckingConnector(memory).get_by_path(path)
    assert (caught.value.kind, memory.calls) == (ErrorKind.INVALID_NAME, [])


@pytest.mark.parametrize(
    "call",
    [
        lambda c: c.open_download(FILE, byte_range=ByteRange(0, 1)).__aenter__(),
        lambda c: c.open_download(FILE, if_match="etag").__aenter__(),
        lambda c: c.upload(ROOT, "a", UnknownSize(None), on_conflict=FAIL),
        lambda c: c.replace(FILE, UnknownSize(None)),
        lambda c: c.update(FOLDER, parent=RawId("1")),
        lambda c: c.delete(FOLDER, is_recursive=True),
        lambda c: c.get_by_path("/a"),
        lambda c: c.copy(Ref("file", FILE), parent=ROOT),
        lambda c: c.copy(FOLDER, parent=ROOT),
        lambda c: c.search("a"),
        lambda c: c.get_quota(),
        lambda c: c.list_changes(),
        lambda c: c.open_export(FILE, "pdf").__aenter__(),
        lambda c: c.list_trash(),
        lambda c: c.restore(Ref("file", FILE)),
        lambda c: c.get_thumbnail(FILE, size_px=1, image_format="png"),
        lambda c: c.list_links(FOLDER),
        lambda c: c.create_link(FOLDER, LinkChange()),
        lambda c: c.update_link(FOLDER, "1", LinkChange()),
        lambda c: c.delete_link(FOLDER, "1"),
        lambda c: c.subscribe(url="https://example.com", secret="s", seconds=1),
        lambda c: c.renew_subscription(Subscription(raw_id="1"), url="https://example.com", secret="s", seconds=1),
        lambda c: c.unsubscribe(Subscription(raw_id="1")),
        lambda c: c.start_upload(ROOT, "a", size_bytes=1, on_conflict=FAIL),
        lambda c: c.put_part(session(1), 1, EMPTY),
        lambda c: c.finish_upload(session(1), []),
        lambda c: c.abort_upload(session(1)),
    ],
)
async def test_operation_is_refused_when_it_is_not_offered(bare: MemoryConnector, call: Call) -> None:
    async def run() -> None:
        await call(CheckingConnector(bare))

    with pytest.raises(ConnectorError) as caught:
        await run()
    assert (caught.value.kind, bare.calls) == (ErrorKind.UNSUPPORTED, [])


@pytest.mark.parametrize(
    "wish",
    [
        LinkChange(password="secret"),
        LinkChange(expires_at=datetime(2100, 1, 1, tzinfo=UTC)),
        LinkChange(role="writer"),
        LinkChange(can_download=False),
    ],
)
async def test_link_is_refused_when_only_plain_ones_are_offered(wish: LinkChange) -> None:
    memory = MemoryConnector(manifest=build_manifest(capabilities=Capabilities(list_links=True, create_link=True)))
    connector = CheckingConnector(memory)
    for call in (connector.create_link(FOLDER, wish), connector.update_link(FOLDER, "1", wish)):
        with pytest.raises(ConnectorError) as caught:
            await call
        assert (caught.value.kind, memory.calls) == (ErrorKind.UNSUPPORTED, [])


async def test_folder_is_not_restored_when_only_files_can_be() -> None:
    memory = MemoryConnector(manifest=build_manifest(capabilities=Capabilities(list_trash=True, restore=True)))
    with pytest.raises(ConnectorError) as caught:
        await CheckingConnector(memory).restore(FOLDER)
    assert (caught.value.kind, memory.calls) == (ErrorKind.UNSUPPORTED, [])


@pytest.mark.parametrize(
    ("call", "kind"),
    [
        (lambda c: c.delete(ROOT_REF), "permission_denied"),
        (lambda c: c.delete(ROOT_REF, is_recursive=True), "permission_denied"),
        (lambda c: c.update(ROOT_REF, name="new"), "permission_denied"),
        (lambda c: c.update(ROOT_REF, parent=RawId("9")), "permission_denied"),
        (lambda c: c.update(FOLDER, parent=FOLDER.raw_id), "invalid_target"),
        (lambda c: c.copy(FOLDER, parent=FOLDER.raw_id), "invalid_target"),
        (lambda c: c.copy(ROOT_REF, parent=RawId("9")), "invalid_target"),
        (lambda c: c.list_folder(ROOT, limit=0), "unsupported"),
        (lambda c: c.search("a", limit=-1), "unsupported"),
        (lambda c: c.upload(ROOT, "a", BytesSource(bytes(1001)), on_conflict=FAIL), "too_large"),
        (lambda c: c.replace(FILE, BytesSource(bytes(1001))), "too_large"),
        (lambda c: c.start_upload(ROOT, "a", size_bytes=1001, on_conflict=FAIL), "too_large"),
        (lambda c: c.start_upload(ROOT, "a", size_bytes=501, on_conflict=FAIL), "too_large"),
        (lambda c: c.start_upload(ROOT, "a", size_bytes=-1, on_conflict=FAIL), "source_failed"),
        (lambda c: c.upload(ROOT, "a", UnknownSize(-1), on_conflict=FAIL), "source_failed"),
        (lambda c: c.put_part(session(None), 0, EMPTY), "invalid_parts"),
        (lambda c: c.put_part(session(None), 6, EMPTY), "invalid_parts"),
        (lambda c: c.put_part(session(None), 1, UnknownSize(-1)), "source_failed"),
        (lambda c: c.put_part(session(None), 1, BytesSource(bytes(101))), "invalid_parts"),
        (lambda c: c.put_part(session(250), 2, BytesSource(bytes(99))), "invalid_parts"),
        (lambda c: c.put_part(session(250), 3, BytesSource(bytes(51))), "invalid_parts"),
        (lambda c: c.put_part(session(250), 4, EMPTY), "invalid_parts"),
        (lambda c: c.put_part(session(200), 3, EMPTY), "invalid_parts"),
        (lambda c: c.put_part(session(200), 2, BytesSource(bytes(100))), "invalid_parts"),
        (lambda c: c.finish_upload(session(250), [Part(1, 100), Part(3, 50)]), "invalid_parts"),
        (lambda c: c.finish_upload(session(250), [Part(1, 100), Part(2, 100)]), "invalid_parts"),
        (lambda c: c.finish_upload(session(None), [Part(1, 99), Part(2, 100)]), "invalid_parts"),
        (lambda c: c.finish_upload(session(None), [Part(1, 100), Part(1, 100)]), "invalid_parts"),
        (lambda c: c.finish_upload(session(None), [Part(0, 100)]), "invalid_parts"),
        (lambda c: c.finish_upload(session(1), []), "invalid_parts"),
    ],
)
async def test_nothing_is_asked_of_the_provider_when_it_cannot_work(
    memory: MemoryConnector, call: Call, kind: str
) -> None:
    with pytest.raises(ConnectorError) as caught:
        await call(CheckingConnector(memory))
    assert (caught.value.kind, memory.calls) == (kind, [])


async def test_page_is_cut_when_the_provider_gives_smaller_ones(memory: MemoryConnector) -> None:
    await CheckingConnector(memory).list_folder(ROOT, limit=1000)
    assert memory.calls == [("list_folder", (ROOT, 50))]


async def test_path_passes_when_its_names_do(memory: MemoryConnector) -> None:
    with pytest.raises(ConnectorError) as caught:  # declared, but this connector has no such method
        await CheckingConnector(memory).get_by_path("/abc/d.txt/")
    assert "does not offer get by path" in caught.value.message


async def test_parts_go_in_order_when_they_were_listed_in_another(memory: MemoryConnector) -> None:
    connector = CheckingConnector(memory)
    first = await connector.put_part(session(150), 1, BytesSource(bytes(100)))
    await connector.put_part(session(150), 2, BytesSource(bytes(50)), previous=first)
    file = await connector.finish_upload(session(150), [Part(2, 50), Part(1, 100)])
    assert file.size_bytes == 150
    assert memory.calls[-1] == ("finish_upload", [1, 2])


@pytest.mark.parametrize("parts", [[], [Part(1, 0)]])
async def test_empty_file_is_made_of_no_parts_or_an_empty_one(memory: MemoryConnector, parts: list[Part]) -> None:
    connector = CheckingConnector(memory)
    for part in parts:
        await connector.put_part(session(0), part.number, EMPTY)
    assert (await connector.finish_upload(session(0), parts)).size_bytes == 0


async def test_unknown_sizes_pass_when_the_provider_takes_them(memory: MemoryConnector) -> None:
    async def chunks() -> Any:
        yield b"abc"

    file = await CheckingConnector(memory).upload(ROOT, "a", StreamSource(chunks()), on_conflict=FAIL)
    assert file.size_bytes == 3
