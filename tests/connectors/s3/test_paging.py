"""Very many objects: each listed exactly once, whatever comes and goes meanwhile, and never all in memory."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import pytest_asyncio

from connectors.core.resources import Page, RawId, Ref
from tests.connectors.s3.conftest import Store

OBJECTS_COUNT = 20_000
"""The short form; S3_OBJECTS_COUNT=100000 is the long one."""

WRITERS_COUNT = 16
MANY_SECONDS_MAX = 1200


def count_objects() -> int:
    return int(os.environ.get("S3_OBJECTS_COUNT", OBJECTS_COUNT))


@pytest_asyncio.fixture
async def names(seaweedfs: Store) -> AsyncIterator[list[str]]:
    """Many empty objects in one folder."""
    names = [f"many/{number:06}" for number in range(count_objects())]
    await asyncio.to_thread(put_all, seaweedfs, names)
    yield names


def put_all(store: Store, keys: list[str]) -> None:
    with ThreadPoolExecutor(WRITERS_COUNT) as writers:
        for _ in writers.map(lambda key: store.put(key, b""), keys):
            pass


async def change_meanwhile(store: Store, number: int) -> None:
    """Others come and go, before and behind where the listing stands."""
    for key in (f"many/{number * 7 % 1000:06}-new", f"many/zz-{number:04}", f"many/a-{number:04}"):
        store.put(key, b"")
    if number:
        store.client.delete_object(Bucket=store.bucket, Key=f"{store.prefix}many/zz-{number - 1:04}")


@pytest.mark.timeout(MANY_SECONDS_MAX)
async def test_each_comes_once_when_there_are_very_many_and_others_come_and_go(
    seaweedfs: Store, names: list[str]
) -> None:
    folder = RawId("/many/")
    for list_page in (seaweedfs.connector.list_folder, seaweedfs.connector.list_recursive):
        seen: Counter[str] = Counter()
        cursor: str | None = None
        pages_count = 0
        while True:
            page: Page = await list_page(folder, cursor=cursor)
            assert len(page.resources) <= 1000
            seen.update(resource.path or "" for resource in page.resources)
            await change_meanwhile(seaweedfs, pages_count)
            pages_count += 1
            cursor = page.next_cursor
            if cursor is None:
                break
        assert [name for name in names if seen[f"/{name}"] != 1] == []
        assert pages_count >= len(names) // 1000
    await seaweedfs.connector.delete(Ref("folder", folder), is_recursive=True)
    assert seaweedfs.list_keys() == []


async def test_all_are_copied_moved_and_deleted_when_a_folder_has_more_than_a_page(seaweedfs: Store) -> None:
    keys = [f"a/{number % 7}/{number:05}" for number in range(2500)]
    await asyncio.to_thread(put_all, seaweedfs, keys)
    copy = await seaweedfs.connector.copy(Ref("folder", RawId("/a/")), parent=RawId("/"), name="b")
    assert sorted(key[1:] for key in seaweedfs.list_keys() if key.startswith("b/") and key[-1] != "/") == sorted(
        key[1:] for key in keys
    )
    await seaweedfs.connector.update(copy.ref, name="c")
    await seaweedfs.connector.delete(Ref("folder", RawId("/a/")), is_recursive=True)
    left = [key for key in seaweedfs.list_keys() if key[-1] != "/"]
    assert sorted(key[1:] for key in left) == sorted(key[1:] for key in keys)
    assert [each.raw_id for each in await seaweedfs.list_folder()] == ["/c/"]
