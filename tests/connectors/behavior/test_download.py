from __future__ import annotations

import pytest

from connectors.core.errors import ErrorKind
from connectors.core.resources import ByteRange, File, OnConflict, RawId
from tests.connectors.behavior.space import Space, refused

HUNDRED = bytes(range(100))
LARGE = bytes(range(256)) * 4 * 3000  # 3 million bytes


async def test_all_bytes_come_when_no_range_is_asked(space: Space) -> None:
    file = await space.put("a.bin", LARGE)
    assert await space.read(file.raw_id) == LARGE


async def test_facts_equal_those_of_get_when_opened(space: Space) -> None:
    file = await space.connector.get((await space.put("a.txt", HUNDRED)).ref)
    assert isinstance(file, File)
    async with space.connector.open_download(file.raw_id) as download:
        assert download.size_bytes in {100, None}
        assert download.length_bytes in {100, None}
        assert download.content_range is None
        assert download.etag in {file.etag, None} or file.etag is None  # some tell it only a while after writing
        assert download.name in {"a.txt", None}


async def test_nothing_comes_when_file_is_empty(space: Space) -> None:
    file = await space.put("empty", b"")
    assert await space.read(file.raw_id) == b""


@pytest.mark.needs("download_range")
@pytest.mark.parametrize(
    ("byte_range", "first", "last"),
    [
        (ByteRange(5, 15), 5, 15),
        (ByteRange(0, 0), 0, 0),
        (ByteRange(99, 99), 99, 99),
        (ByteRange(80), 80, 99),
        (ByteRange(81, 100_000), 81, 99),
        (ByteRange(0), 0, 99),
        (ByteRange(0, 99), 0, 99),
        (ByteRange(None, 20), 80, 99),
        (ByteRange(None, 100), 0, 99),
        (ByteRange(None, 1000), 0, 99),
    ],
    ids=lambda value: value.header if isinstance(value, ByteRange) else "",
)
async def test_just_the_range_comes_when_it_is_asked(
    space: Space, byte_range: ByteRange, first: int, last: int
) -> None:
    file = await space.put("a.bin", HUNDRED)
    async with space.connector.open_download(file.raw_id, byte_range=byte_range) as download:
        assert b"".join([chunk async for chunk in download.chunks]) == HUNDRED[first : last + 1]
        assert download.content_range == (first, last)
        assert download.length_bytes == last + 1 - first
        assert download.size_bytes in {100, None}


@pytest.mark.needs("download_range")
async def test_ranges_make_the_whole_when_put_together(space: Space) -> None:
    file = await space.put("a.bin", LARGE)
    step = 700_001
    ranges = [ByteRange(start, start + step - 1) for start in range(0, len(LARGE), step)]
    parts = await space.gather(space.read(file.raw_id, byte_range) for byte_range in ranges)
    assert b"".join(parts) == LARGE


@pytest.mark.needs("download_range")
@pytest.mark.parametrize("byte_range", [ByteRange(100), ByteRange(100, 200), ByteRange(10**30), ByteRange(None, 0)])
async def test_range_invalid_with_size_when_it_touches_no_byte(space: Space, byte_range: ByteRange) -> None:
    file = await space.put("a.bin", HUNDRED)
    with refused(ErrorKind.RANGE_INVALID) as caught:
        await space.read(file.raw_id, byte_range)
    assert caught.value.size_bytes == 100


@pytest.mark.needs("download_range")
@pytest.mark.parametrize("byte_range", [ByteRange(0), ByteRange(0, 0), ByteRange(None, 5)])
async def test_range_invalid_when_file_is_empty(space: Space, byte_range: ByteRange) -> None:
    file = await space.put("empty", b"")
    with refused(ErrorKind.RANGE_INVALID):
        await space.read(file.raw_id, byte_range)


@pytest.mark.needs("download_if_match")
async def test_bytes_come_when_etag_is_still_the_same(space: Space) -> None:
    file = await space.put_with_etag("a.txt", HUNDRED)
    async with space.connector.open_download(file.raw_id, if_match=file.etag) as download:
        assert b"".join([chunk async for chunk in download.chunks]) == HUNDRED


@pytest.mark.needs("download_if_match")
async def test_precondition_failed_when_etag_is_another(space: Space) -> None:
    file = await space.put_with_etag("a.txt", HUNDRED)
    await space.put("a.txt", HUNDRED[::-1], on_conflict=OnConflict.REPLACE)
    for etag in (file.etag, "never seen"):
        with refused(ErrorKind.PRECONDITION_FAILED):
            async with space.connector.open_download(file.raw_id, if_match=etag):
                pass


async def test_file_can_be_read_again_when_a_reader_left_early(space: Space) -> None:
    file = await space.put("a.bin", LARGE)
    async with space.connector.open_download(file.raw_id) as download:
        async for chunk in download.chunks:
            assert LARGE.startswith(chunk)
            break
    async with space.connector.open_download(file.raw_id):
        pass  # not read at all
    assert await space.read(file.raw_id) == LARGE


async def test_all_readers_get_all_bytes_when_they_read_at_once(space: Space) -> None:
    file = await space.put("a.bin", LARGE)
    copies = await space.gather(space.read(file.raw_id) for _ in range(8))
    assert all(copy == LARGE for copy in copies)


async def test_not_found_when_file_is_gone(space: Space) -> None:
    file = await space.put("a.txt")
    await space.connector.delete(file.ref)
    with refused(ErrorKind.NOT_FOUND):
        await space.read(file.raw_id)


async def test_not_found_when_id_means_nothing(space: Space) -> None:
    with refused(ErrorKind.NOT_FOUND):
        await space.read(RawId("no such id"))


async def test_refused_when_it_is_a_folder(space: Space) -> None:
    folder = await space.make("a")
    with refused(ErrorKind.WRONG_TYPE, ErrorKind.NOT_FOUND):
        await space.read(folder.raw_id)
