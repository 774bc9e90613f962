from __future__ import annotations

import pytest

from connectors.core.bytesource import BytesSource
from connectors.core.connector import Connector
from connectors.core.errors import ErrorKind
from connectors.core.resources import File, OnConflict, RawId
from connectors.dropbox import reading
from connectors.dropbox.manifest import MANIFEST
from simulators.core.faults import FaultKind
from tests.connectors.behavior.space import refused
from tests.connectors.dropbox.conftest import CLEO, Fail
from tests.servers.dropbox import Place

ROOT = MANIFEST.root.raw_id


async def put(connector: Connector, name: str, parent: RawId = ROOT, data: bytes = b"bytes") -> File:
    return await connector.upload(parent, name, BytesSource(data), on_conflict=OnConflict.REPLACE)


async def read(connector: Connector, file: RawId) -> bytes:
    async with connector.open_download(file) as download:
        return b"".join([chunk async for chunk in download.chunks])


async def test_files_of_a_deleted_folder_are_listed_and_come_back_one_by_one(connector: Connector) -> None:
    folder = await connector.create_folder(ROOT, "Folder")
    inner = await connector.create_folder(folder.raw_id, "Inner")
    files = [await put(connector, name, inner.raw_id) for name in ("a", "b")]
    await put(connector, "kept")
    await connector.delete(folder.ref, is_recursive=True)
    listed = sorted((await connector.list_trash()).resources, key=lambda file: file.name)
    assert [(file.ref, file.name, file.parent) for file in listed] == [(file.ref, file.name, None) for file in files]
    restored = await connector.restore(files[0].ref)
    assert (restored.raw_id, (restored.path or "").lower()) == (files[0].raw_id, "/folder/inner/a")
    assert [file.name for file in (await connector.list_trash()).resources] == ["b"]


async def test_newest_bytes_come_back_when_there_were_several(connector: Connector) -> None:
    file = await put(connector, "a", data=b"old")
    await connector.replace(file.raw_id, BytesSource(b"new"))
    await connector.update(file.ref, name="moved")
    await connector.delete(file.ref)
    (listed,) = (await connector.list_trash()).resources
    assert (listed.name, listed.raw_id) == ("moved", file.raw_id)
    restored = await connector.restore(file.ref)
    assert (restored.raw_id, restored.name) == (file.raw_id, "moved")
    assert await read(connector, file.raw_id) == b"new"


async def test_free_name_is_taken_when_the_old_one_is_another_files(connector: Connector) -> None:
    file = await put(connector, "a.txt", data=b"1")
    await connector.delete(file.ref)
    folder = await connector.create_folder(ROOT, "a.txt")
    await put(connector, "a (1).txt")
    restored = await connector.restore(file.ref)
    assert (restored.name, await read(connector, restored.raw_id)) == ("a (2).txt", b"1")
    assert (await connector.get(folder.ref)).name == "a.txt"


async def test_it_is_listed_no_more_and_not_found_when_it_is_gone_for_good(place: Place, connector: Connector) -> None:
    file = await put(connector, "a")
    await connector.delete(file.ref)
    home = place.state.space.get_home(place.get_user(CLEO))
    place.state.space.erase(home, "/a")
    assert (await connector.list_trash()).resources == []
    with refused(ErrorKind.NOT_FOUND):
        await connector.restore(file.ref)


async def test_folders_are_refused_in_words(connector: Connector) -> None:
    folder = await connector.create_folder(ROOT, "folder")
    await connector.delete(folder.ref)
    with refused(ErrorKind.UNSUPPORTED) as caught:
        await connector.restore(folder.ref)
    assert "folders" in caught.value.message


@pytest.mark.parametrize("kind", [FaultKind.LOST_ANSWER, FaultKind.CUT_BODY, FaultKind.TOO_MANY_WRITES])
async def test_it_is_back_once_when_an_answer_is_lost_or_writes_meet(
    connector: Connector, fail: Fail, kind: FaultKind
) -> None:
    file = await put(connector, "a")
    await connector.delete(file.ref)
    fail(kind, "files/restore")
    restored = await connector.restore(file.ref)
    assert (restored.raw_id, await read(connector, file.raw_id)) == (file.raw_id, b"bytes")
    assert [each.name for each in (await connector.list_folder(ROOT)).resources] == ["a"]
    assert len((await connector.list_versions(file.raw_id)).versions) == 2


async def test_listing_begins_anew_when_its_cursor_is_forgotten(
    connector: Connector, fail: Fail, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "WHOLE_LIMIT", 1)
    for name in ("a", "b"):
        await connector.delete((await put(connector, name)).ref)
    page = await connector.list_trash()
    assert page.next_cursor is not None
    fail(FaultKind.CURSOR_RESET, "list_folder/continue")
    with refused(ErrorKind.CURSOR_INVALID):
        await connector.list_trash(cursor=page.next_cursor)
