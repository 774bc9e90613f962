from __future__ import annotations

from connectors.core.bytesource import BytesSource
from connectors.core.errors import ErrorKind
from connectors.core.resources import RawId
from tests.connectors.behavior.space import FailingSource, Space, as_known, refused


async def test_bytes_are_new_and_name_stays_when_replaced(space: Space) -> None:
    old = await space.put("a.txt", b"the old bytes")
    new = await space.connector.replace(old.raw_id, BytesSource(b"new"))
    assert (new.name, new.size_bytes) == ("a.txt", 3)
    assert new.etag is None or new.etag != old.etag
    assert await space.read(new.raw_id) == b"new"
    seen = await space.connector.get(new.ref)
    assert as_known(await space.connector.get(new.ref), seen) == seen
    await space.holds("a.txt")


async def test_file_is_empty_when_replaced_by_nothing(space: Space) -> None:
    old = await space.put("a.txt", b"the old bytes")
    new = await space.connector.replace(old.raw_id, BytesSource(b""))
    assert await space.read(new.raw_id) == b""


async def test_etag_changes_when_the_same_number_of_bytes_is_written(space: Space) -> None:
    file = await space.put("a.txt", b"0")
    etags = [file.etag]
    for digit in range(1, 8):
        file = await space.connector.replace(file.raw_id, BytesSource(b"%d" % digit))
        etags.append(file.etag)
    told = [etag for etag in etags if etag is not None]
    assert len(set(told)) == len(told)
    assert len(told) in {0, 8} or space.target.settle_seconds_max  # else none is told late


async def test_nothing_is_created_when_file_is_gone(space: Space) -> None:
    file = await space.put("a.txt")
    await space.connector.delete(file.ref)
    with refused(ErrorKind.NOT_FOUND):
        await space.connector.replace(file.raw_id, BytesSource(b"new"))
    await space.holds()


async def test_not_found_when_id_means_nothing(space: Space) -> None:
    with refused(ErrorKind.NOT_FOUND):
        await space.connector.replace(RawId("no such id"), BytesSource(b""))


async def test_refused_when_it_is_a_folder(space: Space) -> None:
    for folder in ((await space.make("a")).raw_id, space.connector.manifest.root.raw_id):
        with refused(ErrorKind.WRONG_TYPE, ErrorKind.NOT_FOUND):
            await space.connector.replace(folder, BytesSource(b"new"))
    await space.holds("a")


async def test_old_bytes_stay_when_source_fails(space: Space) -> None:
    file = await space.put("a.txt", b"old")
    with refused(ErrorKind.SOURCE_FAILED):
        await space.connector.replace(file.raw_id, FailingSource([b"new"], size_bytes=100))
    assert await space.read(file.raw_id) == b"old"
    assert as_known(await space.connector.get(file.ref), file) == file
    await space.holds("a.txt")
