from __future__ import annotations

import asyncio
import io
import os
import subprocess
import zipfile
from datetime import datetime
from pathlib import Path

import httpx
import pytest

from app.storage.archives import Archive
from connectors.core.errors import ConnectorError, ErrorKind
from tests.app.drive import Drive, read_error, wait_until
from tests.connectors.core.memory import ROOT, MemoryConnector

BIG = os.urandom(3_000_000)


@pytest.fixture
def tree(drive: Drive) -> Drive:
    """A folder "top" with files and folders in it, and a file beside it."""
    top = drive.caller.folder / "top"
    (top / "inner" / "leer").mkdir(parents=True)
    (top / "a.txt").write_bytes(b"text")
    (top / "empty").write_bytes(b"")
    (top / "inner" / "größe 日本.bin").write_bytes(BIG)
    (drive.caller.folder / "beside.txt").write_bytes(b"beside")
    return drive


def find(drive: Drive, path: str) -> dict[str, str]:
    found: dict[str, str] = drive.client.get(drive.url("path"), params={"path": path}).json()
    return found


def unpack(reply: httpx.Response) -> dict[str, bytes]:
    """Names and bytes, the checksums checked."""
    assert reply.status_code == 200, reply.text
    assert reply.headers["content-type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(reply.content)) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


TOP = {
    "top/": b"",
    "top/a.txt": b"text",
    "top/empty": b"",
    "top/inner/": b"",
    "top/inner/leer/": b"",
    "top/inner/größe 日本.bin": BIG,
}


def test_folder_comes_with_all_it_holds(tree: Drive) -> None:
    reply = tree.client.get(f"{find(tree, '/top')['href']}/archive")
    assert unpack(reply) == TOP
    assert 'filename="top.zip"' in reply.headers["content-disposition"]
    assert "content-length" not in reply.headers


def test_root_has_no_folder_of_its_own_in_the_archive(tree: Drive) -> None:
    names = unpack(tree.client.get(tree.url("folders/root/archive"))).keys()
    assert names == {*TOP, "beside.txt"}


def test_chosen_files_and_folders_are_packed_together(tree: Drive) -> None:
    body = {
        "file_ids": [find(tree, "/beside.txt")["id"], find(tree, "/top/a.txt")["id"]],
        "folder_ids": [find(tree, "/top/inner")["id"]],
        "name": "Auswahl",
    }
    reply = tree.client.post(tree.url("archive"), json=body)
    inner = {name.removeprefix("top/"): data for name, data in TOP.items() if name.startswith("top/inner/")}
    assert unpack(reply) == {"beside.txt": b"beside", "a.txt": b"text", **inner}
    assert 'filename="Auswahl.zip"' in reply.headers["content-disposition"]


def test_both_are_there_when_names_are_the_same(tree: Drive) -> None:
    (tree.caller.folder / "top" / "beside.txt").write_bytes(b"other")
    ids = [find(tree, path)["id"] for path in ("/beside.txt", "/top/beside.txt", "/beside.txt")]
    packed = unpack(tree.client.post(tree.url("archive"), json={"file_ids": ids}))
    assert packed == {"beside.txt": b"beside", "beside (1).txt": b"other", "beside (2).txt": b"beside"}


def test_other_programs_can_unpack_it(tree: Drive, tmp_path: Path) -> None:
    archive = tmp_path / "top.zip"
    archive.write_bytes(tree.client.get(f"{find(tree, '/top')['href']}/archive").content)
    subprocess.run(["python3", "-m", "zipfile", "-e", str(archive), str(tmp_path / "out")], check=True)
    assert (tmp_path / "out" / "top" / "inner" / "größe 日本.bin").read_bytes() == BIG


def test_time_of_change_is_kept(tree: Drive) -> None:
    os.utime(tree.caller.folder / "top" / "a.txt", (1_600_000_000, 1_600_000_000))
    os.utime(tree.caller.folder / "top" / "empty", (0, 0))
    content = tree.client.get(f"{find(tree, '/top')['href']}/archive").content
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert datetime(*archive.getinfo("top/a.txt").date_time) == datetime(2020, 9, 13, 12, 26, 40)  # noqa: DTZ001 - the format knows no zones
        assert archive.getinfo("top/empty").date_time[0] == 1980


@pytest.mark.parametrize("body", [{}, {"file_ids": []}, {"file_ids": ["x"] * 101}, {"file_ids": "x"}, {"name": ""}])
def test_choice_that_makes_no_sense_is_refused(tree: Drive, body: dict[str, object]) -> None:
    assert read_error(tree.client.post(tree.url("archive"), json=body)) == (400, "invalid_parameters")


def test_unknown_file_and_folder_are_not_found(tree: Drive) -> None:
    assert read_error(tree.client.get(tree.url("folders/nothing/archive"))) == (404, "not_found")
    assert read_error(tree.client.post(tree.url("archive"), json={"file_ids": ["x"]})) == (404, "not_found")
    (tree.caller.folder / "gone").mkdir()
    href = find(tree, "/gone")["href"]
    (tree.caller.folder / "gone").rmdir()
    assert read_error(tree.client.get(f"{href}/archive")) == (404, "not_found")


@pytest.fixture
def memory() -> MemoryConnector:
    connector = MemoryConnector()
    connector.add("a.txt", b"first")
    connector.add("b.txt", b"second")
    return connector


async def pack(memory: MemoryConnector, *, entries_max: int = 10) -> bytes:
    resources = [await memory.get(ref) for ref in [(await memory.list_folder(ROOT)).resources[n].ref for n in (0, 1)]]
    return b"".join([piece async for piece in Archive(memory, entries_max=entries_max).build(resources)])


async def test_what_cannot_be_read_is_named_at_the_end(memory: MemoryConnector) -> None:
    memory.faults["open_download"] = [ConnectorError(ErrorKind.PERMISSION_DENIED, "not yours")]
    with zipfile.ZipFile(io.BytesIO(await pack(memory))) as archive:
        assert archive.namelist() == ["b.txt", "not included.txt"]
        assert b"a.txt: not yours" in archive.read("not included.txt")


@pytest.mark.parametrize("step", ["open_download", "read"])
async def test_it_breaks_off_when_the_storage_fails(memory: MemoryConnector, step: str) -> None:
    kind = ErrorKind.UNAVAILABLE if step == "open_download" else ErrorKind.NOT_FOUND
    memory.faults[step] = [ConnectorError(kind)]
    with pytest.raises(ConnectorError):
        await pack(memory)


@pytest.mark.parametrize(
    "name",
    ["../evil", "../../etc/passwd", "/etc/passwd", "..\\evil", "..", ".", "", "a/../../b", "a\0/../b", "C:\\evil"],
)
async def test_no_entry_leaves_the_folder_when_names_are_hostile(memory: MemoryConnector, name: str) -> None:
    for node in memory.nodes.values():
        node.name = name
    with zipfile.ZipFile(io.BytesIO(await pack(memory))) as archive:
        names = archive.namelist()
    assert len(set(names)) == 2
    for entry in names:
        assert not set(entry) & set("/\\\0")
        assert entry not in {"", ".", ".."}


async def test_it_is_refused_when_it_would_have_too_many_entries(memory: MemoryConnector) -> None:
    with pytest.raises(ConnectorError) as caught:
        await pack(memory, entries_max=1)
    assert caught.value.kind is ErrorKind.TOO_LARGE


async def test_names_stay_below_where_it_is_unpacked() -> None:
    memory = MemoryConnector()
    for name in ("..", "a\\b"):
        memory.nodes[memory.add("x", b"")].name = name
    with zipfile.ZipFile(io.BytesIO(await pack(memory))) as archive:
        assert archive.namelist() == ["_", "a_b"]


def test_client_that_leaves_stops_the_packing(tree: Drive) -> None:
    for number in range(20):
        (tree.caller.folder / f"{number}").write_bytes(BIG)
    with tree.client.stream("GET", tree.url("folders/root/archive")) as reply:
        assert next(reply.iter_raw())

    async def count_tasks() -> int:
        return sum("stream_response" in repr(task) for task in asyncio.all_tasks())

    wait_until(lambda: tree.caller.api.run(count_tasks()) == 0)
