# ruff: noqa: ASYNC240 - the disk is looked at directly
from __future__ import annotations

import asyncio
import errno
import fcntl
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from connectors.core.bytesource import BytesSource
from connectors.core.connector import Connector
from connectors.core.errors import ErrorKind
from connectors.core.resources import OnConflict, RawId, Ref
from connectors.local import renames, writes
from connectors.local.errors import classify_exception
from tests.connectors.behavior.space import StalledSource, refused

ROOT = RawId("/")

WRITER = """
import asyncio, sys
from pathlib import Path
from connectors.core.bytesource import StreamSource
from connectors.core.resources import OnConflict, RawId
from connectors.core.service import AccountContext, Options, Registry
from connectors.core.stack import Runtime
from connectors.local.service import build_service

async def chunks():
    yield b"x" * 3_000_000
    print("written", flush=True)
    await asyncio.Event().wait()

async def main():
    settings = {"local": {"roots": {"root": {"folder": sys.argv[1], "applications": ["*"]}}}}
    registry = Registry([build_service(Options(settings=settings))])
    context = AccountContext(account_key="1", application_id="a", credentials={"root": "root"}, runtime=Runtime())
    connector = registry.open("local", context)
    await connector.upload(RawId("/"), "a.bin", StreamSource(chunks()), on_conflict=OnConflict.FAIL)

import structlog
structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
asyncio.run(main())
"""


@pytest.fixture
def killed(root: Path) -> Path:
    """The root after a process was killed in the middle of an upload."""
    with subprocess.Popen([sys.executable, "-c", WRITER, str(root)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"written\n"
        process.send_signal(signal.SIGKILL)
    return root


def make_old(folder: Path, seconds: float) -> None:
    for entry in folder.iterdir():
        os.utime(entry, (time.time() - seconds,) * 2, follow_symlinks=False)


async def test_nothing_is_seen_and_leftover_is_swept_when_writer_was_killed(connector: Connector, killed: Path) -> None:
    assert (await connector.list_folder(ROOT)).resources == []
    assert len(list(killed.iterdir())) == 1  # too young to be sure
    make_old(killed, writes.LEFTOVER_SECONDS_MIN + 1)
    assert (await connector.list_folder(ROOT)).resources == []
    assert list(killed.iterdir()) == []


async def test_folder_can_be_deleted_when_only_a_leftover_is_in_it(connector: Connector, root: Path) -> None:
    folder = root / "folder"
    folder.mkdir()
    (folder / ".kloudless-upload-left").write_bytes(b"x")
    (folder / ".kloudless-upload-folder").mkdir()
    (folder / ".kloudless-upload-folder" / "x").write_bytes(b"x")
    await connector.delete(Ref("folder", RawId("/folder")))
    assert list(root.iterdir()) == []


async def test_nothing_is_swept_when_the_writer_is_alive(connector: Connector, root: Path) -> None:
    (root / "folder").mkdir()
    source = StalledSource(b"x" * 2_000_000)
    folder = RawId("/folder")
    task = asyncio.create_task(connector.upload(folder, "a.bin", source, on_conflict=OnConflict.FAIL))
    await source.is_stalled.wait()
    make_old(root / "folder", 10 * writes.LEFTOVER_SECONDS_MAX)
    assert (await connector.list_folder(folder)).resources == []
    with refused(ErrorKind.FOLDER_NOT_EMPTY):
        await connector.delete(Ref("folder", folder))
    assert len(list((root / "folder").iterdir())) == 1
    task.cancel()
    await asyncio.wait([task])
    assert list((root / "folder").iterdir()) == []


async def test_only_old_ones_are_swept_when_the_disk_has_no_locks(
    connector: Connector, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(descriptor: int, operation: int) -> None:
        raise OSError(errno.ENOLCK, "no locks")

    monkeypatch.setattr(fcntl, "flock", refuse)
    leftover = root / ".kloudless-upload-left"
    leftover.write_bytes(b"x")
    make_old(root, writes.LEFTOVER_SECONDS_MAX - 60)
    await connector.list_folder(ROOT)
    assert leftover.exists()
    make_old(root, writes.LEFTOVER_SECONDS_MAX + 60)
    await connector.list_folder(ROOT)
    assert not leftover.exists()


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
async def test_quota_exceeded_and_nothing_left_when_the_disk_fills_up(
    connector: Connector, root: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    (root / "old.txt").write_bytes(b"x" * 4_000_000)
    pwrite = os.pwrite

    def fill_up(descriptor: int, data: bytes, offset: int) -> int:
        if offset >= 1_500_000:
            raise OSError(number, "full")
        return pwrite(descriptor, data[:500_000], offset)

    def copy_nothing(*_: int) -> int:
        raise OSError(number, "full")

    monkeypatch.setattr(os, "pwrite", fill_up)
    monkeypatch.setattr(os, "copy_file_range", copy_nothing)
    for call in (
        connector.upload(ROOT, "a.bin", BytesSource(b"x" * 3_000_000), on_conflict=OnConflict.FAIL),
        connector.replace(RawId("/old.txt"), BytesSource(b"y" * 3_000_000)),
        connector.copy(Ref("file", RawId("/old.txt")), parent=ROOT),
    ):
        with refused(ErrorKind.QUOTA_EXCEEDED):
            await call
    assert [(each.name, each.stat().st_size) for each in root.iterdir()] == [("old.txt", 4_000_000)]
    assert (root / "old.txt").read_bytes() == b"x" * 4_000_000


async def test_all_bytes_are_written_when_the_system_takes_few_at_a_time(
    connector: Connector, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pwrite = os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda descriptor, data, offset: pwrite(descriptor, data[:1001], offset))
    data = bytes(range(256)) * 1000
    await connector.upload(ROOT, "a.bin", BytesSource(data), on_conflict=OnConflict.FAIL)
    assert (root / "a.bin").read_bytes() == data


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (errno.EROFS, ErrorKind.PERMISSION_DENIED),
        (errno.EACCES, ErrorKind.PERMISSION_DENIED),
        (errno.ENAMETOOLONG, ErrorKind.INVALID_NAME),
        (errno.EFBIG, ErrorKind.TOO_LARGE),
        (errno.EXDEV, ErrorKind.UNSUPPORTED),
        (errno.EIO, ErrorKind.UNAVAILABLE),
        (errno.EMFILE, ErrorKind.UNAVAILABLE),
        (errno.ETIMEDOUT, ErrorKind.TIMED_OUT),
        (errno.EDOM, ErrorKind.UNEXPECTED),
    ],
)
def test_kind_tells_what_happened_when_a_system_call_fails(number: int, kind: ErrorKind) -> None:
    classified = classify_exception(OSError(number, "words", "/srv/secret/place"))
    assert classified is not None
    assert classified.kind is kind
    assert "/srv" not in str(classified)


def test_other_exceptions_are_left_alone() -> None:
    assert classify_exception(ValueError("no system call")) is None


async def test_rights_follow_the_umask_when_file_is_new(connector: Connector, root: Path) -> None:
    umask = os.umask(0o027)
    try:
        await connector.upload(ROOT, "a.txt", BytesSource(b"x"), on_conflict=OnConflict.FAIL)
        session = await connector.start_upload(ROOT, "b.txt", size_bytes=0, on_conflict=OnConflict.FAIL)
        await connector.finish_upload(session, [])
    finally:
        os.umask(umask)
    assert [(root / name).stat().st_mode & 0o777 for name in ("a.txt", "b.txt")] == [0o640, 0o640]


async def test_rights_stay_when_file_is_replaced(connector: Connector, root: Path) -> None:
    for name in ("a", "b", "c"):
        (root / name).write_bytes(b"old")
        (root / name).chmod(0o705)
    await connector.replace(RawId("/a"), BytesSource(b"new"))
    await connector.upload(ROOT, "b", BytesSource(b"new"), on_conflict=OnConflict.REPLACE)
    await connector.copy(Ref("file", RawId("/a")), parent=ROOT, name="c", on_conflict=OnConflict.REPLACE)
    assert [(root / name).stat().st_mode & 0o777 for name in ("a", "b", "c")] == [0o705] * 3
    assert [(root / name).read_bytes() for name in ("a", "b", "c")] == [b"new"] * 3


@pytest.fixture(params=["no renameat2 in the library", "not in the file system"])
def without_noreplace(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The system cannot rename exclusively."""
    if request.param == "no renameat2 in the library":
        monkeypatch.setattr(renames, "_renameat2", None)
    else:
        monkeypatch.setattr(renames, "_rename_noreplace", lambda *_: errno.EINVAL)


@pytest.mark.usefixtures("without_noreplace")
async def test_nothing_is_replaced_unseen_when_the_system_cannot_rename_exclusively(
    connector: Connector, root: Path
) -> None:
    file = await connector.upload(ROOT, "a", BytesSource(b"a"), on_conflict=OnConflict.FAIL)
    other = await connector.upload(ROOT, "a", BytesSource(b"b"), on_conflict=OnConflict.RENAME)
    assert other.name == "a (1)"
    folder, empty = await connector.create_folder(ROOT, "folder"), await connector.create_folder(ROOT, "empty")
    for ref, name in ((file.ref, "a (1)"), (file.ref, "empty"), (folder.ref, "a"), (folder.ref, "empty")):
        with refused(ErrorKind.ALREADY_EXISTS):
            await connector.update(ref, name=name)
    await connector.update(file.ref, name="b")
    await connector.update(folder.ref, name="renamed")
    copy = await connector.copy(empty.ref, parent=ROOT)
    assert copy.name == "empty (1)"
    assert sorted(each.name for each in root.iterdir()) == ["a (1)", "b", "empty", "empty (1)", "renamed"]


async def test_hard_linked_names_stay_two_when_one_is_renamed_to_the_other(connector: Connector, root: Path) -> None:
    (root / "a").write_bytes(b"bytes")
    (root / "b").hardlink_to(root / "a")
    with refused(ErrorKind.ALREADY_EXISTS):
        await connector.update(Ref("file", RawId("/a")), name="b")
    assert sorted(each.name for each in root.iterdir()) == ["a", "b"]
