# ruff: noqa: ASYNC240 - the disk is looked at directly
from __future__ import annotations

import asyncio
import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from connectors.core.bytesource import BytesSource
from connectors.core.connector import Connector
from connectors.core.errors import ErrorKind
from connectors.core.resources import OnConflict, Page, RawId
from connectors.local import listing
from tests.connectors.behavior.space import refused
from tests.connectors.local.conftest import Heartbeat

ROOT = RawId("/")
ENTRIES_COUNT = 100_000
BLOCKED_SECONDS_MAX = 0.5
LOOP_SHARE_MIN = 0.4
"""Measured: 0.9. A loop that waited for the disk itself would have a tenth of the thread's turns."""


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Path]:
    """On a disk in memory if there is one: a real disk may take a minute for so many files."""
    with tempfile.TemporaryDirectory(dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else tmp_path) as folder:  # noqa: S108 - a folder of its own in it
        yield Path(folder)


@pytest.fixture
def crowded(root: Path) -> Path:
    """The root with a folder of 100,000 files."""
    folder = root / "crowded"
    folder.mkdir()
    held = os.open(folder, os.O_RDONLY)
    for number in range(ENTRIES_COUNT):
        os.mknod(f"stays {number:06}", dir_fd=held)
    os.close(held)
    return folder


async def test_each_that_stays_comes_once_and_the_loop_runs_on_when_100_000_are_paged(
    connector: Connector, crowded: Path, heartbeat: Heartbeat
) -> None:
    changes = [f"{prefix} {number}" for number in range(0, ENTRIES_COUNT, 5000) for prefix in ("a", "stays 05", "z")]
    seen: list[str] = []
    cursor: str | None = None
    async with heartbeat() as beats:
        for page_number in range(2 * ENTRIES_COUNT // 1000):
            page = await connector.list_folder(RawId("/crowded"), cursor=cursor)
            seen += [resource.name for resource in page.resources]
            cursor = page.next_cursor
            if cursor is None:
                break
            change = changes[page_number % len(changes)]
            (crowded / f"{change} new").write_bytes(b"")
            with suppress(FileNotFoundError):
                (crowded / f"{changes[page_number // 2]} new").rename(crowded / f"{change} renamed")
            (crowded / f"{change} renamed").unlink(missing_ok=True)
    stayed = [name for name in seen if not name.endswith(("new", "renamed"))]
    assert stayed == [f"stays {number:06}" for number in range(ENTRIES_COUNT)]
    assert len(seen) == len(set(seen))
    assert beats.blocked_seconds < BLOCKED_SECONDS_MAX
    assert beats.share > LOOP_SHARE_MIN


async def test_the_loop_runs_on_when_big_files_move_under_load(
    connector: Connector, root: Path, heartbeat: Heartbeat
) -> None:
    data = os.urandom(2**20) * 48

    async def move(number: int) -> None:
        file = await connector.upload(ROOT, f"{number}.bin", BytesSource(data), on_conflict=OnConflict.FAIL)
        digest = hashlib.sha256()
        async with connector.open_download(file.raw_id) as download:
            async for chunk in download.chunks:
                await asyncio.to_thread(digest.update, chunk)
        assert digest.digest() == expected
        copy = await connector.copy(file.ref, parent=ROOT)
        await connector.delete(copy.ref)
        await connector.delete(file.ref)

    expected = hashlib.sha256(data).digest()
    async with heartbeat() as beats:
        await asyncio.gather(*map(move, range(6)))
    assert list(root.iterdir()) == []
    assert beats.blocked_seconds < BLOCKED_SECONDS_MAX
    assert beats.share > LOOP_SHARE_MIN


async def test_order_is_that_of_the_bytes_when_listed(connector: Connector, root: Path) -> None:
    names = ["Z", "a", "ä", "a\u0308", "b", "日本", "A", "-", "😀"]
    for name in names:
        (root / name).write_bytes(b"")
    listed = [resource.name for resource in (await connector.list_folder(ROOT)).resources]
    assert listed == sorted(names, key=str.encode)


async def test_cursor_is_refused_when_it_is_another_folders_or_altered(connector: Connector, root: Path) -> None:
    for name in ("a", "b", "c"):
        (root / name).mkdir()
    cursor = (await connector.list_folder(ROOT, limit=1)).next_cursor
    assert cursor is not None
    for folder, text in (("/a", cursor), ("/", "B" + cursor[1:]), ("/", cursor[:-4]), ("/", cursor + "AAAA")):
        with refused(ErrorKind.CURSOR_INVALID):
            await connector.list_folder(RawId(folder), cursor=text)
    with refused(ErrorKind.CURSOR_INVALID):
        await connector.search("a", cursor=cursor)
    with refused(ErrorKind.CURSOR_INVALID):
        await connector.list_recursive(ROOT, cursor=cursor)


@pytest.mark.parametrize("limit_name", ["WALK_ENTRIES_MAX", "WALK_SECONDS_MAX"])
@pytest.mark.parametrize("ask", ["search", "list_recursive"])
async def test_page_is_partial_and_goes_on_when_its_limit_is_reached(
    connector: Connector, root: Path, monkeypatch: pytest.MonkeyPatch, ask: str, limit_name: str
) -> None:
    for name in ("a", "b", "c"):
        (root / name).mkdir()
        for number in range(3):
            (root / name / f"needle {number}").write_bytes(b"")
    monkeypatch.setattr(listing, limit_name, {"WALK_ENTRIES_MAX": 2, "WALK_SECONDS_MAX": -1.0}[limit_name])

    async def read(cursor: str | None) -> Page:
        if ask == "search":
            return await connector.search("needle", cursor=cursor)
        return await connector.list_recursive(ROOT, cursor=cursor)

    found: list[str] = []
    page = await read(None)
    pages_count = 1
    while page.next_cursor is not None:
        assert page.is_partial
        found += [resource.raw_id for resource in page.resources]
        page = await read(page.next_cursor)
        pages_count += 1
    found += [resource.raw_id for resource in page.resources]
    assert not page.is_partial
    expected = [path for name in "abc" for path in (f"/{name}", *(f"/{name}/needle {number}" for number in range(3)))]
    assert found == [path for path in expected if ask == "list_recursive" or "needle" in path]
    assert pages_count >= 6


async def test_links_are_found_but_not_followed_when_searched(connector: Connector, root: Path) -> None:
    (root / "folder").mkdir()
    (root / "folder" / "needle").write_bytes(b"")
    (root / "folder" / "round needle").symlink_to("..")
    (root / "link").symlink_to("folder")
    found: list[str] = []
    page = await connector.search("needle", limit=1)
    while True:
        found += [resource.raw_id for resource in page.resources]
        if page.next_cursor is None:
            break
        page = await connector.search("needle", limit=1, cursor=page.next_cursor)
    assert found == ["/folder/needle", "/folder/round needle"]
    through = await connector.search("needle", folder=RawId("/link"))
    assert [resource.raw_id for resource in through.resources] == ["/link/needle", "/link/round needle"]


async def test_links_are_listed_but_not_followed_when_a_tree_is_listed(connector: Connector, root: Path) -> None:
    (root / "folder" / "inner").mkdir(parents=True)
    (root / "folder" / "round").symlink_to("..")
    (root / "folder" / "away").symlink_to("/etc")
    (root / "link").symlink_to("folder")
    page = await connector.list_recursive(ROOT)
    assert [resource.raw_id for resource in page.resources] == ["/folder", "/folder/inner", "/folder/round", "/link"]
    through = await connector.list_recursive(RawId("/link"))
    assert [resource.raw_id for resource in through.resources] == ["/link/inner", "/link/round"]


async def test_order_is_that_of_the_paths_when_a_tree_is_listed(connector: Connector, root: Path) -> None:
    for path in ("b/z", "a/y", "a b", "B/x/w", "ä"):
        (root / path).mkdir(parents=True)
    page = await connector.list_recursive(ROOT)
    assert [resource.path for resource in page.resources] == [
        *("/B", "/B/x", "/B/x/w", "/a", "/a/y", "/a b", "/b", "/b/z", "/ä")
    ]
