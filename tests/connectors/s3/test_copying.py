"""Copies and moves at the store's side: all that is beside the bytes goes along, also where copies go in parts."""

from __future__ import annotations

from typing import Any

import pytest

from connectors.core.errors import ConnectorError, ErrorKind
from connectors.core.resources import File, OnConflict, RawId, Ref, Resource
from connectors.s3 import copying
from tests.connectors.behavior.space import refused
from tests.connectors.s3.conftest import Store
from tests.connectors.s3.tinystore import GOOD, Stored, TinyStore, fail, open_tiny
from tests.servers.scripted import Reply, Seen

MIB = 2**20
BESIDE = {
    "ContentType": "image/x-odd",
    "CacheControl": "max-age=60",
    "ContentDisposition": 'attachment; filename="x"',
    "ContentLanguage": "de",
    "Metadata": {"color": "red", "size": "large"},
}
TAGS = {"project": "a b", "state": "done"}


@pytest.fixture(params=["whole", "parts"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Copies go in one call, or, as objects of more than a gigabyte do, in parts."""
    if request.param == "parts":
        monkeypatch.setattr(copying, "COPY_BYTES_MAX", 5 * MIB)
        monkeypatch.setattr(copying, "COPY_PART_BYTES_MIN", 5 * MIB)
    way: str = request.param
    return way


@pytest.fixture
def data() -> bytes:
    """Two parts and a bit."""
    return bytes(range(256)) * 4 * 1024 * 11


async def get(store: Store, raw_id: str) -> Resource:
    return await store.connector.get(Ref("file", RawId(raw_id)))


def assert_same(store: Store, key: str, data: bytes) -> None:
    head = store.head(key)
    assert {name: head.get(name) for name in BESIDE} == BESIDE
    assert store.tags(key) == TAGS
    assert store.read(key) == data


async def test_all_that_is_beside_the_bytes_goes_along_when_copied(store: Store, way: str, data: bytes) -> None:
    store.put("a.bin", data, **BESIDE)
    store.set_tags("a.bin", TAGS)
    copy = await store.connector.copy((await get(store, "/a.bin")).ref, parent=RawId("/"))
    assert_same(store, copy.name, data)
    assert_same(store, "a.bin", data)
    assert store.uploads() == []


async def test_all_that_is_beside_the_bytes_goes_along_when_moved(store: Store, way: str, data: bytes) -> None:
    store.put("a.bin", data, **BESIDE)
    store.set_tags("a.bin", TAGS)
    moved = await store.connector.update((await get(store, "/a.bin")).ref, name="b.bin")
    assert isinstance(moved, File)
    assert moved.size_bytes == len(data)
    assert_same(store, "b.bin", data)
    assert store.head("b.bin")["ETag"].endswith('-3"') is (way == "parts")
    assert store.list_keys() == ["b.bin"]
    assert store.uploads() == []


async def test_all_that_is_beside_the_bytes_goes_along_when_a_folder_is_moved(
    store: Store, way: str, data: bytes
) -> None:
    for key in ("a/big", "a/b/big"):
        store.put(key, data, **BESIDE)
        store.set_tags(key, TAGS)
    store.put("a/b/empty", b"", **BESIDE)
    await store.connector.create_folder(RawId("/a/b/"), "folder")
    await store.connector.update(Ref("folder", RawId("/a/")), name="z")
    for key in ("z/big", "z/b/big"):
        assert_same(store, key, data)
    assert store.head("z/b/empty")["ContentType"] == BESIDE["ContentType"]
    assert [each.raw_id for each in await store.list_folder()] == ["/z/"]
    assert sorted(each.raw_id for each in await store.list_recursive()) == sorted(
        ["/z/", "/z/b/", "/z/b/big", "/z/b/empty", "/z/b/folder/", "/z/big"]
    )


async def test_nothing_is_overwritten_when_the_name_is_taken_in_that_moment(moto: Store, way: str, data: bytes) -> None:
    moto.put("a.bin", data)
    moto.put("b.bin", b"somebody else's")
    source = await get(moto, "/a.bin")
    for call in (
        moto.connector.update(source.ref, name="b.bin"),
        moto.connector.copy(source.ref, parent=RawId("/"), name="b.bin", on_conflict=OnConflict.FAIL),
    ):
        with refused(ErrorKind.ALREADY_EXISTS):
            await call
    assert moto.read("b.bin") == b"somebody else's"
    assert moto.uploads() == []


async def test_no_upload_stays_behind_when_a_part_cannot_be_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copying, "COPY_BYTES_MAX", 10)
    monkeypatch.setattr(copying, "COPY_PART_BYTES_MIN", 10)
    store = TinyStore()
    async with open_tiny(store) as connector:
        store.objects["a"] = Stored(b"x" * 35)
        store.intercept = lambda seen: fail(403, "AccessDenied") if "partNumber=3" in seen.target else None
        with refused(ErrorKind.PERMISSION_DENIED):
            await connector.update((await connector.get_by_path("/a")).ref, name="b")
    assert list(store.objects) == ["a"]
    assert store.uploads == {}


def ignore_sources(seen: Seen) -> Reply | None:
    """Answers copies of parts as a store does that stores empty parts instead."""
    return (
        Reply(body=b"<CopyPartResult/>")
        if "x-amz-copy-source" in seen.headers and "partNumber" in seen.target
        else None
    )


def copy_nothing(seen: Seen) -> Reply | None:
    return Reply(body=b"<CopyObjectResult/>") if "x-amz-copy-source" in seen.headers else None


def fail_inside(seen: Seen) -> Reply | None:
    """Says 200 and tells of a failure in the body."""
    return Reply(body=fail(200, "InternalError").body) if "x-amz-copy-source" in seen.headers else None


FILE, FOLDER = Ref("file", RawId("/a/b")), Ref("folder", RawId("/a/"))


@pytest.mark.parametrize(
    ("intercept", "obeys", "ref"),
    [
        (ignore_sources, GOOD - {"copy"}, FILE),  # only then it is copied in a part
        (copy_nothing, GOOD, FILE),
        (copy_nothing, GOOD, FOLDER),
        (fail_inside, GOOD, FILE),
        (fail_inside, GOOD, FOLDER),
        (fail_inside, GOOD - {"copy"}, FILE),
    ],
)
async def test_original_stays_when_the_store_only_pretends_to_copy(
    intercept: Any, obeys: frozenset[str], ref: Ref
) -> None:
    store = TinyStore(obeys=obeys)
    async with open_tiny(store) as connector:
        store.objects["a/b"] = Stored(b"bytes")
        store.intercept = intercept
        with pytest.raises(ConnectorError):
            await connector.update(ref, name="z")
    assert store.objects["a/b"].data == b"bytes"
    assert store.uploads == {}


async def test_original_stays_when_the_copy_is_shorter() -> None:
    store = TinyStore()
    async with open_tiny(store) as connector:
        store.objects["a"] = Stored(b"bytes")

        def cut(seen: Seen) -> Reply | None:
            if seen.method == "HEAD" and seen.target.endswith("/b") and "b" in store.objects:
                store.objects["b"].data = b"by"
            return None

        store.intercept = cut
        with refused(ErrorKind.UNEXPECTED):
            await connector.update(Ref("file", RawId("/a")), name="b")
    assert store.objects["a"].data == b"bytes"


async def test_new_bytes_are_not_lost_when_a_file_changes_while_its_folder_is_moved() -> None:
    store = TinyStore()
    async with open_tiny(store) as connector:
        store.objects |= {"a/one": Stored(b"one"), "a/two": Stored(b"two")}

        def change(seen: Seen) -> Reply | None:
            if "x-amz-copy-source" in seen.headers and seen.target.endswith("z/two"):
                store.intercept = lambda _: None
                store.objects["z/two"] = Stored(b"two")
                store.objects["a/two"] = Stored(b"changed meanwhile")
                store.objects["a/three"] = Stored(b"new meanwhile")
                return Reply(body=b"<CopyObjectResult><ETag>e</ETag></CopyObjectResult>")
            return None

        store.intercept = change
        await connector.update(Ref("folder", RawId("/a/")), name="z")
    found = {key: stored.data for key, stored in store.objects.items() if stored.data}
    assert found == {"z/one": b"one", "z/two": b"changed meanwhile", "z/three": b"new meanwhile"}


async def test_it_fails_when_the_source_changes_between_looking_and_copying() -> None:
    store = TinyStore()
    async with open_tiny(store) as connector:
        store.objects["a"] = Stored(b"bytes")
        await connector.copy(Ref("file", RawId("/a")), parent=RawId("/"))
        copies = [seen for seen in store.seen if "x-amz-copy-source" in seen.headers]
    assert [seen.headers["x-amz-copy-source-if-match"] for seen in copies] == [f'"{Stored(b"bytes").etag}"']


async def test_file_is_untouched_when_it_is_copied_onto_itself(store: Store) -> None:
    file = await store.upload("a.txt")
    copy = await store.connector.copy(file.ref, parent=RawId("/"), on_conflict=OnConflict.REPLACE)
    assert copy == await store.connector.get(file.ref)
    assert store.list_keys() == ["a.txt"]


@pytest.mark.parametrize("folder", ["/a/", "/a/b/"])
async def test_invalid_target_when_a_folder_is_put_into_itself(store: Store, folder: str) -> None:
    store.put("a/b/c")
    for call in (
        store.connector.update(Ref("folder", RawId("/a/")), parent=RawId(folder)),
        store.connector.copy(Ref("folder", RawId("/a/")), parent=RawId(folder)),
    ):
        with refused(ErrorKind.INVALID_TARGET):
            await call
    assert store.list_keys() == ["a/b/c"]


async def test_folder_is_moved_when_the_new_names_begin_alike(store: Store) -> None:
    store.put("a/b/c")
    await store.connector.create_folder(RawId("/"), "a b")
    await store.connector.update(Ref("folder", RawId("/a/")), parent=RawId("/a b/"))
    assert [each.raw_id for each in await store.list_recursive() if each.ref.kind == "file"] == ["/a b/a/b/c"]
