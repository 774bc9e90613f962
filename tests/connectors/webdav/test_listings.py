"""What is kept of folders' answers: how much, how long, where."""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from connectors.core.clock import ManualClock
from connectors.webdav.listings import BLOCK_ENTRIES, MEMORY_BYTES_MAX, Key, Listings, put_in_order
from connectors.webdav.mapping import Entry

KEY = Key("1", b"walk", (b"folder",))
LARGE_COUNT = 3 * BLOCK_ENTRIES + 7


def entries(count: int) -> list[Entry]:
    return [Entry(f"{number:06}".encode(), is_folder=number % 3 == 0, size_bytes=number) for number in range(count)]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where files for a while are made."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def listings(clock: ManualClock, place: Path) -> Iterator[Listings]:
    listings = Listings(count_max=3, bytes_max=2_000_000, seconds_max=600, now=clock.monotonic)
    yield listings
    listings.close()


@pytest.mark.parametrize("count", [0, 1, BLOCK_ENTRIES, BLOCK_ENTRIES + 1, LARGE_COUNT])
@pytest.mark.parametrize("limit", [1, 499, 500, 501, 10_000])
async def test_all_come_once_when_read_from_the_last_name_on(listings: Listings, count: int, limit: int) -> None:
    await listings.keep(KEY, entries(count))
    found: list[Entry] = []
    if limit == 1:  # the beginning and the end of a large one are enough
        assert await listings.read(KEY, after=b"", limit=1) == entries(count)[:1]
        assert await listings.read(KEY, after=b"000499", limit=1) == entries(count)[500:501]
        return
    while True:
        page = await listings.read(KEY, after=found[-1].name if found else b"", limit=limit)
        assert page is not None
        if not page:
            break
        found += page
    assert found == entries(count)


async def test_names_that_were_not_there_are_good_places_to_go_on(listings: Listings) -> None:
    await listings.keep(KEY, entries(LARGE_COUNT))
    for after, first in ((b"", 0), (b"000499~", 500), (b"0005", 500), (b"000999 ", 1000), (b"zzz", LARGE_COUNT)):
        assert await listings.read(KEY, after=after, limit=2) == entries(LARGE_COUNT)[first : first + 2]


async def test_everything_that_is_known_comes_back_when_an_entry_was_kept(
    listings: Listings, clock: ManualClock
) -> None:
    now = clock.now()
    entry = Entry(b"\xff", False, 1, 'W/"a"', now, now, "text/plain", {"{DAV:}getetag": 'W/"a"'})  # noqa: FBT003 - the entry's own order
    await listings.keep(KEY, [entry])
    assert await listings.read(KEY, after=b"", limit=1) == [entry]


async def test_nothing_comes_when_account_walk_or_folder_is_another(listings: Listings) -> None:
    await listings.keep(KEY, entries(1))
    for key in (Key("2", b"walk", (b"folder",)), Key("1", b"other", (b"folder",)), Key("1", b"walk", ())):
        assert await listings.read(key, after=b"", limit=1) is None


async def test_answer_is_forgotten_when_it_is_old(listings: Listings, clock: ManualClock) -> None:
    await listings.keep(KEY, entries(LARGE_COUNT))
    clock.advance(600)
    assert await listings.read(KEY, after=b"", limit=1) is not None
    clock.advance(1)
    assert await listings.read(KEY, after=b"", limit=1) is None


async def test_oldest_are_forgotten_when_there_are_too_many(listings: Listings) -> None:
    keys = [Key("1", bytes([number]), ()) for number in range(5)]
    for key in keys:
        await listings.keep(key, entries(1))
    assert [await listings.read(key, after=b"", limit=1) is not None for key in keys] == [False] * 2 + [True] * 3


async def test_oldest_are_forgotten_when_they_are_too_large(place: Path, clock: ManualClock) -> None:
    listings = Listings(bytes_max=100_000, now=clock.monotonic)
    keys = [Key("1", bytes([number]), ()) for number in range(3)]
    for key in keys:
        await listings.keep(key, entries(2000))
    kept = [await listings.read(key, after=b"", limit=1) is not None for key in keys]
    assert kept[-1]
    assert not kept[0]
    await listings.keep(keys[0], entries(20_000))
    assert await listings.read(keys[0], after=b"", limit=1) is None  # would not fit alone
    assert await listings.read(keys[2], after=b"", limit=1) is not None
    listings.close()


async def test_later_answer_takes_the_place_of_an_earlier_one(listings: Listings) -> None:
    await listings.keep(KEY, entries(10))
    await listings.keep(KEY, entries(2))
    assert await listings.read(KEY, after=b"", limit=100) == entries(2)


def count_open(place: Path) -> int:
    """How many files of that folder this process has open, with a name or without one."""
    links = [link.readlink() for link in Path("/proc/self/fd").iterdir() if link.is_symlink()]
    return sum(str(link).startswith(str(place)) for link in links)


@pytest.fixture
def large() -> list[Entry]:
    found = entries(20_000)
    assert len(found) * 10 > MEMORY_BYTES_MAX
    return found


async def test_large_answers_are_on_the_disk_without_a_name(
    clock: ManualClock, place: Path, large: list[Entry]
) -> None:
    listings = Listings(now=clock.monotonic)
    await listings.keep(KEY, entries(10))
    assert count_open(place) == 0
    await listings.keep(Key("1", b"large", ()), large)
    assert count_open(place) == 1
    assert os.listdir(place) == []  # noqa: PTH208 - gone with the process, however it ends
    listings.close()
    assert count_open(place) == 0


async def test_readers_get_all_or_nothing_when_it_is_forgotten_meanwhile(
    listings: Listings, large: list[Entry]
) -> None:
    for _ in range(20):
        await listings.keep(KEY, large)
        reading = asyncio.gather(*(listings.read(KEY, after=b"", limit=len(large)) for _ in range(4)))
        await asyncio.sleep(0)
        listings.close()
        for found in await reading:
            assert found is None or found == large


async def test_names_are_in_order_of_their_bytes_however_many_there_are(large: list[Entry]) -> None:
    for count in (10, len(large)):
        assert await put_in_order(large[count - 1 :: -1]) == large[:count]
