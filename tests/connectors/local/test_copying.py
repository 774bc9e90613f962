# ruff: noqa: ASYNC240 - the disk is looked at directly
from __future__ import annotations

import asyncio
import errno
import os
import threading
from pathlib import Path

import pytest

from connectors.core.connector import Connector
from connectors.core.errors import ErrorKind
from connectors.core.resources import RawId, Ref
from connectors.local import copying
from tests.connectors.behavior.space import refused

ROOT = RawId("/")
MIB = 2**20


@pytest.fixture(params=["as it is", "no copy_file_range", "no holes"])
def any_system(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Systems that can do less."""

    def refuse(*_: object) -> int:
        raise OSError(errno.EINVAL, "not here")

    if request.param != "as it is":
        monkeypatch.setattr(os, "copy_file_range", refuse)
    if request.param == "no holes":
        monkeypatch.setattr(os, "lseek", refuse)
    return str(request.param)


async def test_bytes_and_holes_are_the_same_when_copied(connector: Connector, root: Path, any_system: str) -> None:
    with (root / "a.bin").open("wb") as file:
        for offset in (0, 40 * MIB, 63 * MIB):
            file.seek(offset)
            file.write(os.urandom(MIB + 7))
        file.truncate(100 * MIB)
    copy = await connector.copy(Ref("file", RawId("/a.bin")), parent=ROOT)
    assert copy.name == "a (1).bin"
    assert (root / copy.name).read_bytes() == (root / "a.bin").read_bytes()
    if any_system != "no holes":
        assert (root / copy.name).stat().st_blocks * 512 < 20 * MIB


async def test_unavailable_and_nothing_left_when_file_changes_while_copied(
    connector: Connector, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (root / "a.bin").write_bytes(b"x" * MIB)
    os.utime(root / "a.bin", (1, 1))
    copy_range = os.copy_file_range

    def write_meanwhile(*arguments: int) -> int:
        with (root / "a.bin").open("ab") as file:
            file.write(b"more")
        return copy_range(*arguments)

    monkeypatch.setattr(os, "copy_file_range", write_meanwhile)
    monkeypatch.setattr(copying, "_clone", lambda *_: False)
    with refused(ErrorKind.UNAVAILABLE):
        await connector.copy(Ref("file", RawId("/a.bin")), parent=ROOT)
    assert [each.name for each in root.iterdir()] == ["a.bin"]


@pytest.mark.parametrize("is_folder", [False, True])
async def test_nothing_is_left_when_copy_is_cancelled(
    connector: Connector, root: Path, monkeypatch: pytest.MonkeyPatch, is_folder: bool
) -> None:
    (root / "folder").mkdir()
    for number in range(3):
        (root / "folder" / f"{number}.bin").write_bytes(b"x" * MIB)
    is_copying, may_go_on = threading.Event(), threading.Event()
    copy_range = os.copy_file_range

    def wait_first(source: int, target: int, count: int, *offsets: int) -> int:
        is_copying.set()
        may_go_on.wait(60)
        return copy_range(source, target, min(count, 1000), *offsets)

    monkeypatch.setattr(os, "copy_file_range", wait_first)
    monkeypatch.setattr(copying, "_clone", lambda *_: False)
    ref = Ref("folder", RawId("/folder")) if is_folder else Ref("file", RawId("/folder/0.bin"))
    task = asyncio.create_task(connector.copy(ref, parent=ROOT, name="copy"))
    await asyncio.to_thread(is_copying.wait, 60)
    task.cancel()
    await asyncio.sleep(0)
    task.cancel()
    may_go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert [each.name for each in root.iterdir()] == ["folder"]


async def test_links_stay_links_and_pipes_are_left_out_when_a_folder_is_copied(
    connector: Connector, root: Path, outside: Path
) -> None:
    folder = root / "folder"
    (folder / "inner").mkdir(parents=True)
    (folder / "a.txt").write_bytes(b"bytes")
    (folder / "a.txt").chmod(0o754)
    (folder / "inner" / "up").symlink_to("..")
    (folder / "leaving").symlink_to(outside)
    (folder / ".kloudless-upload-left").write_bytes(b"x")
    os.mkfifo(folder / "pipe")
    copy = await connector.copy(Ref("folder", RawId("/folder")), parent=ROOT, name="copy")
    assert copy.ref == Ref("folder", RawId("/copy"))
    assert sorted(each.name for each in (root / "copy").iterdir()) == ["a.txt", "inner", "leaving"]
    assert (root / "copy" / "inner" / "up").readlink() == Path("..")
    assert (root / "copy" / "leaving").is_symlink()
    assert (root / "copy" / "a.txt").stat().st_mode & 0o700 == 0o700
    with refused(ErrorKind.PERMISSION_DENIED):
        await connector.get(Ref("folder", RawId("/copy/leaving")))


async def test_what_a_link_shows_is_copied_when_it_is_copied_itself(connector: Connector, root: Path) -> None:
    (root / "folder").mkdir()
    (root / "folder" / "a.txt").write_bytes(b"bytes")
    (root / "to file").symlink_to("folder/a.txt")
    (root / "to folder").symlink_to("folder")
    await connector.copy(Ref("file", RawId("/to file")), parent=ROOT, name="file copy")
    await connector.copy(Ref("folder", RawId("/to folder")), parent=ROOT, name="folder copy")
    assert not (root / "file copy").is_symlink()
    assert (root / "file copy").read_bytes() == (root / "folder copy" / "a.txt").read_bytes() == b"bytes"
    with refused(ErrorKind.INVALID_TARGET):
        await connector.copy(Ref("folder", RawId("/to folder")), parent=RawId("/folder"))


async def test_too_large_and_nothing_left_when_a_folder_holds_too_much(
    connector: Connector, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copying, "COPY_ENTRIES_MAX", 2)
    (root / "folder").mkdir()
    for number in range(3):
        (root / "folder" / f"{number}").write_bytes(b"")
    with refused(ErrorKind.TOO_LARGE):
        await connector.copy(Ref("folder", RawId("/folder")), parent=ROOT)
    assert [each.name for each in root.iterdir()] == ["folder"]
