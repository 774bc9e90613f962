from __future__ import annotations

import pytest

from connectors.core.bytesource import BytesSource
from connectors.core.errors import ErrorKind
from connectors.core.resources import ByteRange, File, RawId, Version, VersionId
from tests.connectors.behavior.space import Space, refused

pytestmark = pytest.mark.needs("list_versions")

BODIES = [b"the first", b"second", b"and the third"]


@pytest.fixture
async def file(space: Space) -> File:
    """A file that was replaced twice."""
    file = await space.put("a.txt", BODIES[0])
    for body in BODIES[1:]:
        file = await space.connector.replace(file.raw_id, BytesSource(body))
    await space.settled(lambda: count(space, file), len(BODIES))
    return file


async def count(space: Space, file: File) -> int:
    return len(await walk(space, file))


async def walk(space: Space, file: File, *, limit: int = 1000) -> list[Version]:
    """All versions, page after page."""
    versions: list[Version] = []
    cursor: str | None = None
    while True:
        page = await space.connector.list_versions(file.raw_id, cursor=cursor, limit=limit)
        assert len(page.versions) <= limit
        versions += page.versions
        cursor = page.next_cursor
        if cursor is None:
            return versions


async def read(space: Space, file: File, version: VersionId, byte_range: ByteRange | None = None) -> bytes:
    async with space.connector.open_version(file.raw_id, version, byte_range=byte_range) as download:
        return b"".join([chunk async for chunk in download.chunks])


async def test_there_is_one_and_it_is_current_when_file_is_new(space: Space) -> None:
    file = await space.put("new.txt", b"12345")
    versions = await walk(space, file)
    assert [(version.size_bytes, version.is_current) for version in versions] == [(5, True)]
    assert versions[0].etag in {file.etag, None}
    assert versions[0].modified_at in {file.modified_at, None}


async def test_newest_come_first_and_the_current_one_at_the_top_when_file_was_replaced(
    space: Space, file: File
) -> None:
    versions = await walk(space, file)
    assert [version.is_current for version in versions] == [True, False, False]
    assert len({version.raw_id for version in versions}) == len(BODIES)
    assert [await read(space, file, version.raw_id) for version in versions] == BODIES[::-1]
    assert [version.size_bytes for version in versions] == [len(body) for body in BODIES[::-1]]
    times = [version.modified_at for version in versions if version.modified_at is not None]
    assert times == sorted(times, reverse=True)


@pytest.mark.parametrize("limit", [1, 2, 3])
async def test_every_version_comes_once_when_pages_are_small(space: Space, file: File, limit: int) -> None:
    assert await walk(space, file, limit=limit) == await walk(space, file)


async def test_versions_of_other_files_are_not_among_them_when_names_begin_alike(space: Space, file: File) -> None:
    for name in ("a", "a.txt.bak", "a.txt2"):
        other = await space.put(name)
        assert await count(space, other) == 1
    await space.make("a.txt folder")
    assert await count(space, file) == len(BODIES)


@pytest.mark.needs("download_range")
async def test_just_the_range_comes_when_it_is_asked_of_a_version(space: Space, file: File) -> None:
    oldest = (await walk(space, file))[-1].raw_id
    assert await read(space, file, oldest, ByteRange(4, 6)) == b"fir"
    assert await read(space, file, oldest, ByteRange(None, 5)) == b"first"
    with refused(ErrorKind.RANGE_INVALID) as caught:
        await read(space, file, oldest, ByteRange(100))
    assert caught.value.size_bytes == len(BODIES[0])


async def test_old_bytes_are_current_and_nothing_is_lost_when_restored(space: Space, file: File) -> None:
    oldest = (await walk(space, file))[-1].raw_id
    restored = await space.connector.restore_version(file.raw_id, oldest)
    assert (restored.raw_id, restored.name, restored.size_bytes) == (file.raw_id, "a.txt", len(BODIES[0]))
    await space.settled(lambda: space.read(file.raw_id), BODIES[0])
    assert await space.connector.get(file.ref) == restored
    await space.settled(lambda: count(space, file), len(BODIES) + 1)
    versions = await walk(space, file)
    assert [await read(space, file, version.raw_id) for version in versions] == [BODIES[0], *BODIES[::-1]]
    assert [version.is_current for version in versions] == [True, False, False, False]


async def test_bytes_stay_when_the_current_version_is_restored(space: Space, file: File) -> None:
    current = (await walk(space, file))[0].raw_id
    restored = await space.connector.restore_version(file.raw_id, current)
    assert restored.size_bytes == len(BODIES[-1])
    assert await space.read(file.raw_id) == BODIES[-1]


@pytest.mark.parametrize("version", ["no such version", "0", "null!", "%2e%2e", "x" * 200])
async def test_not_found_when_version_is_not_kept(space: Space, file: File, version: str) -> None:
    with refused(ErrorKind.NOT_FOUND):
        await read(space, file, VersionId(version))
    with refused(ErrorKind.NOT_FOUND):
        await space.connector.restore_version(file.raw_id, VersionId(version))
    assert await space.read(file.raw_id) == BODIES[-1]


async def test_not_found_when_file_is_gone(space: Space, file: File) -> None:
    oldest = (await walk(space, file))[-1].raw_id
    await space.connector.delete(file.ref)
    with refused(ErrorKind.NOT_FOUND):
        await space.connector.list_versions(file.raw_id)
    with refused(ErrorKind.NOT_FOUND):
        await space.connector.restore_version(file.raw_id, oldest)
    with refused(ErrorKind.NOT_FOUND):
        await space.connector.list_versions(RawId("no such id"))


async def test_refused_when_it_is_a_folder(space: Space) -> None:
    folder = await space.make("b")
    with refused(ErrorKind.WRONG_TYPE, ErrorKind.NOT_FOUND):
        await space.connector.list_versions(folder.raw_id)


async def test_cursor_invalid_when_it_was_not_given_out(space: Space, file: File) -> None:
    other = await space.put("b.txt")
    page = await space.connector.list_versions(file.raw_id, limit=1)
    assert page.next_cursor is not None
    for cursor in ("", "junk", "%%%", "AAAA", "\u00e9"):
        with refused(ErrorKind.CURSOR_INVALID):
            await space.connector.list_versions(file.raw_id, cursor=cursor)
    with refused(ErrorKind.CURSOR_INVALID):
        await space.connector.list_versions(other.raw_id, cursor=page.next_cursor)
