# ruff: noqa: ASYNC240 - the disk is looked at directly
from __future__ import annotations

import asyncio
import os
import threading
from pathlib import Path

import pytest

from connectors.core.connector import Connector
from connectors.core.errors import ErrorKind
from connectors.core.resources import RawId, Ref
from connectors.local import copying, deleting
from connectors.local.threads import Stop
from tests.connectors.behavior.space import refused

FOLDER = Ref("folder", RawId("/folder"))


@pytest.fixture
def deep(root: Path, request: pytest.FixtureRequest) -> Path:
    """A folder in a folder in a folder, and a file at the bottom."""
    held = os.open(root, os.O_RDONLY)
    for name in ["folder", *["x" * 10] * request.param]:
        os.mkdir(name, dir_fd=held)
        inner = os.open(name, os.O_RDONLY, dir_fd=held)
        os.close(held)
        held = inner
    os.close(os.open("bottom.txt", os.O_CREAT | os.O_WRONLY, dir_fd=held))
    os.close(held)
    return root


@pytest.mark.parametrize("deep", [1200], indirect=True)  # deeper than recursion, paths or open files would reach
async def test_all_is_gone_when_a_very_deep_folder_is_deleted(connector: Connector, deep: Path) -> None:
    await connector.delete(FOLDER, is_recursive=True)
    assert list(deep.iterdir()) == []


@pytest.mark.parametrize("deep", [100], indirect=True)
async def test_deep_folder_is_searched_but_not_copied_when_it_is_too_deep_for_that(
    connector: Connector, deep: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copying, "COPY_DEPTH_MAX", 90)
    page = await connector.search("bottom")
    while not page.resources and page.next_cursor:
        page = await connector.search("bottom", cursor=page.next_cursor)
    assert [resource.name for resource in page.resources] == ["bottom.txt"]
    with refused(ErrorKind.TOO_LARGE):
        await connector.copy(FOLDER, parent=RawId("/"))
    assert [each.name for each in deep.iterdir()] == ["folder"]


async def test_what_links_lead_to_stays_when_their_folder_is_deleted(
    connector: Connector, root: Path, outside: Path
) -> None:
    (root / "folder" / "inner").mkdir(parents=True)
    (root / "folder" / "file").symlink_to(outside / "secret.txt")
    (root / "folder" / "inner" / "link").symlink_to(outside)
    os.mkfifo(root / "folder" / "pipe")
    await connector.delete(FOLDER, is_recursive=True)
    assert list(root.iterdir()) == []
    assert (outside / "secret.txt").read_bytes() == b"secret"


async def test_nothing_outside_goes_when_the_folder_is_moved_away_meanwhile(
    connector: Connector, root: Path, outside: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (root / "folder" / "inner" / "deep").mkdir(parents=True)
    delete_files = deleting._delete_files

    def move_at_the_bottom(folder: int, stop: Stop) -> list[bytes]:
        names = delete_files(folder, stop)
        if not names:
            (root / "folder" / "inner").rename(outside / "inner")
        return names

    monkeypatch.setattr(deleting, "_delete_files", move_at_the_bottom)
    with refused(ErrorKind.UNAVAILABLE, ErrorKind.NOT_FOUND):
        await connector.delete(FOLDER, is_recursive=True)
    assert (outside / "secret.txt").read_bytes() == b"secret"


async def test_deletion_ends_when_somebody_goes_on_filling_the_folder(
    connector: Connector, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (root / "folder").mkdir()
    delete_files = deleting._delete_files

    def refill(folder: int, stop: Stop) -> list[bytes]:
        names = delete_files(folder, stop)
        (root / "folder" / "new").write_bytes(b"")
        return names

    monkeypatch.setattr(deleting, "_delete_files", refill)
    with refused(ErrorKind.FOLDER_NOT_EMPTY):
        await connector.delete(FOLDER, is_recursive=True)


async def test_deletion_stops_when_it_is_cancelled(
    connector: Connector, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (root / "folder").mkdir()
    for number in range(200):
        (root / "folder" / f"{number}").write_bytes(b"")
    is_deleting, may_go_on = threading.Event(), threading.Event()
    unlink = os.unlink

    def wait_first(*arguments: object, **options: object) -> None:
        is_deleting.set()
        may_go_on.wait(60)
        unlink(*arguments, **options)  # type: ignore[arg-type] # passed through

    monkeypatch.setattr(os, "unlink", wait_first)
    task = asyncio.create_task(connector.delete(FOLDER, is_recursive=True))
    await asyncio.to_thread(is_deleting.wait, 60)
    task.cancel()
    await asyncio.sleep(0)
    may_go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert len(list((root / "folder").iterdir())) > 100
