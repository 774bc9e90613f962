# ruff: noqa: ASYNC240 - the disk is looked at directly
from __future__ import annotations

import asyncio
import os
import threading
import time
from pathlib import Path

import msgspec
import pytest

from connectors.core.bytesource import BytesSource
from connectors.core.connector import Connector
from connectors.core.errors import ErrorKind
from connectors.core.resources import OnConflict, Part, RawId, Ref, UploadSession
from connectors.local import writes
from tests.connectors.behavior.space import StalledSource, refused
from tests.connectors.local.conftest import OpenAccount

ROOT = RawId("/")


@pytest.fixture
async def session(connector: Connector) -> UploadSession:
    return await connector.start_upload(ROOT, "a.bin", size_bytes=None, on_conflict=OnConflict.FAIL)


async def test_upload_goes_on_when_the_process_is_another(
    connector: Connector, open_account: OpenAccount, root: Path
) -> None:
    size_bytes = 2**23 + 10
    session = await connector.start_upload(ROOT, "a.bin", size_bytes=size_bytes, on_conflict=OnConflict.FAIL)
    first = await connector.put_part(session, 1, BytesSource(b"x" * 2**23))
    stored = msgspec.json.encode((session, [first]))
    again, parts = msgspec.json.decode(stored, type=tuple[UploadSession, list[Part]])
    other = open_account()
    parts.append(await other.put_part(again, 2, BytesSource(b"y" * 10)))
    file = await other.finish_upload(again, parts)
    assert file.size_bytes == size_bytes
    assert (root / "a.bin").read_bytes() == b"x" * 2**23 + b"y" * 10
    assert [each.name for each in root.iterdir()] == ["a.bin"]


async def test_room_is_reserved_once_when_size_is_known(connector: Connector, root: Path) -> None:
    size_bytes = 40 * 2**20
    session = await connector.start_upload(ROOT, "a.bin", size_bytes=size_bytes, on_conflict=OnConflict.FAIL)
    used_bytes = sum(each.stat().st_blocks * 512 for each in root.iterdir())
    assert size_bytes <= used_bytes < 1.1 * size_bytes
    await connector.abort_upload(session)
    assert list(root.iterdir()) == []


async def test_quota_exceeded_and_nothing_left_when_there_is_no_room(connector: Connector, root: Path) -> None:
    size_bytes = 2**42  # more than the disk of any machine that runs tests, less than what a file may have
    with refused(ErrorKind.QUOTA_EXCEEDED, ErrorKind.TOO_LARGE):
        await connector.start_upload(ROOT, "a.bin", size_bytes=size_bytes, on_conflict=OnConflict.FAIL)
    assert list(root.iterdir()) == []


async def test_second_is_refused_when_two_send_the_same_part_at_once(
    connector: Connector, session: UploadSession, root: Path
) -> None:
    source = StalledSource(b"x")
    task = asyncio.create_task(connector.put_part(session, 1, source))
    await source.is_stalled.wait()
    with refused(ErrorKind.INVALID_PARTS):
        await connector.finish_upload(session, [])
    with refused(ErrorKind.UNAVAILABLE):
        await connector.put_part(session, 1, BytesSource(b"y"))
    other = await connector.put_part(session, 2, BytesSource(b"z"))
    assert other.number == 2
    task.cancel()
    await asyncio.wait([task])
    part = await connector.put_part(session, 1, BytesSource(b"y"))
    await connector.finish_upload(session, [part])
    assert (root / "a.bin").read_bytes() == b"y"


@pytest.mark.parametrize("receipt", [None, "", "not hex", "00" * 8])
async def test_invalid_parts_when_receipt_is_not_the_parts_own(
    connector: Connector, session: UploadSession, receipt: str | None
) -> None:
    part = await connector.put_part(session, 1, BytesSource(b"x"))
    with refused(ErrorKind.INVALID_PARTS):
        await connector.finish_upload(session, [Part(1, 1, receipt)])
    await connector.finish_upload(session, [part])


@pytest.mark.parametrize(
    "state",
    [
        {},
        {"token": "../x", "target": "/a"},
        {"token": 1, "target": "/a"},
        {"token": "ab", "target": "/"},
        {"token": "ab", "target": 1},
        {"token": "ab", "target": "/.."},
        {"token": "ab", "target": "/none/a"},
    ],
)
async def test_not_found_when_state_is_not_from_here(
    connector: Connector, session: UploadSession, state: dict[str, object]
) -> None:
    foreign = msgspec.structs.replace(session, state=state)
    with refused(ErrorKind.NOT_FOUND):
        await connector.put_part(foreign, 1, BytesSource(b"x"))
    with refused(ErrorKind.NOT_FOUND):
        await connector.finish_upload(foreign, [])
    await connector.abort_upload(foreign)


async def test_session_outlives_sweeping_until_nobody_can_want_it(
    connector: Connector, session: UploadSession, root: Path
) -> None:
    for seconds, files_count in ((writes.LEFTOVER_SECONDS_MAX * 2, 2), (writes.PARTS_SECONDS_MAX + 60, 0)):
        for entry in root.iterdir():
            os.utime(entry, (time.time() - seconds,) * 2)
        await connector.list_folder(ROOT)
        assert len(list(root.iterdir())) == files_count
    with refused(ErrorKind.NOT_FOUND):
        await connector.finish_upload(session, [])


async def test_folder_stays_when_an_upload_into_it_is_under_way(connector: Connector, root: Path) -> None:
    folder = await connector.create_folder(ROOT, "folder")
    session = await connector.start_upload(folder.raw_id, "a", size_bytes=None, on_conflict=OnConflict.FAIL)
    with refused(ErrorKind.FOLDER_NOT_EMPTY):
        await connector.delete(folder.ref)
    await connector.delete(folder.ref, is_recursive=True)
    with refused(ErrorKind.NOT_FOUND):
        await connector.put_part(session, 1, BytesSource(b"x"))
    await connector.abort_upload(session)
    assert list(root.iterdir()) == []


async def test_not_found_until_folder_is_back_when_it_was_moved(connector: Connector, root: Path) -> None:
    folder = await connector.create_folder(ROOT, "folder")
    session = await connector.start_upload(folder.raw_id, "a", size_bytes=None, on_conflict=OnConflict.FAIL)
    await connector.update(Ref("folder", folder.raw_id), name="moved")
    with refused(ErrorKind.NOT_FOUND):
        await connector.finish_upload(session, [])
    await connector.update(Ref("folder", RawId("/moved")), name="folder")
    await connector.finish_upload(session, [])
    assert [each.name for each in (root / "folder").iterdir()] == ["a"]


async def test_nothing_is_left_when_start_is_cancelled(
    connector: Connector, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    is_reserving, may_go_on = threading.Event(), threading.Event()

    def wait(*_: int) -> None:
        is_reserving.set()
        may_go_on.wait(60)

    monkeypatch.setattr(os, "posix_fallocate", wait)
    task = asyncio.create_task(connector.start_upload(ROOT, "a.bin", size_bytes=10, on_conflict=OnConflict.FAIL))
    await asyncio.to_thread(is_reserving.wait, 60)
    task.cancel()
    await asyncio.sleep(0)
    may_go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert list(root.iterdir()) == []


async def test_upload_through_a_link_is_listed_where_it_is_written(connector: Connector, root: Path) -> None:
    (root / "real.bin").write_bytes(b"old")
    (root / "link.bin").symlink_to("real.bin")
    session = await connector.start_upload(ROOT, "link.bin", size_bytes=None, on_conflict=OnConflict.REPLACE)
    (listed,) = await connector.list_uploads(ROOT, "link.bin")
    assert listed.state == session.state
    (listed,) = await connector.list_uploads(ROOT, "real.bin")
    assert listed.state == session.state


async def test_uploads_are_listed_oldest_first_and_foreign_hidden_files_are_not(
    connector: Connector, root: Path
) -> None:
    sessions = [
        await connector.start_upload(ROOT, "a.bin", size_bytes=None, on_conflict=OnConflict.RENAME) for _ in range(3)
    ]
    token = sessions[0].state["token"]
    for name in (token[:-1], token + "0", token[:16] + "z" * 32):
        (root / f".kloudless-parts-{name}").touch()
    listed = await connector.list_uploads(ROOT, "a.bin")
    assert [each.state for each in listed] == [each.state for each in sessions]


async def test_upload_is_listed_when_its_start_was_killed_half_way(connector: Connector, root: Path) -> None:
    session = await connector.start_upload(ROOT, "a.bin", size_bytes=None, on_conflict=OnConflict.FAIL)
    next(each for each in root.iterdir() if each.suffix == ".table").unlink()
    (listed,) = await connector.list_uploads(ROOT, "a.bin")
    assert listed.state == session.state
    await connector.abort_upload(listed)
    assert list(root.iterdir()) == []
