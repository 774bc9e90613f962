"""Keys that hurt, written by others: listed once, read, renamed, deleted, and nothing lost."""

from __future__ import annotations

import pytest

from connectors.core.errors import ErrorKind
from connectors.core.resources import File, Folder, RawId, Ref
from tests.connectors.behavior.space import refused
from tests.connectors.s3.conftest import Store
from tests.connectors.s3.tinystore import TinyStore, document, open_tiny
from tests.servers.scripted import Reply, Seen

ODD = {
    "plus": "a+b c.txt",
    "percent": "100%2Fof%20it.txt",
    "query": "what?#&;=x.txt",
    "control characters": "a\x01b\x1f\x7f\t.txt",
    "quotes": '<a>&\'"b".txt',
    "emoji": "👨‍👩‍👧‍👦 🏳️‍🌈.txt",
    "no character": "a\ufffeb.txt",
    "dots": "...",
    "hidden": ".profile",
    "long": "ü" * 120,
    "spaces": "  a  b  ",
}


@pytest.mark.parametrize("name", ODD.values(), ids=ODD)
async def test_object_lives_a_whole_life_when_its_key_is_odd(store: Store, name: str) -> None:
    store.put(f"in/{name}", b"bytes")
    listed = await store.list_folder("/in/")
    assert [(each.name, each.raw_id) for each in listed] == [(name, f"/in/{name}")]
    file = listed[0]
    assert await store.connector.get(file.ref) == file
    assert await store.download(file) == b"bytes"
    renamed = await store.connector.update(file.ref, name="plain")
    back = await store.connector.update(renamed.ref, name=name)
    copy = await store.connector.copy(back.ref, parent=RawId("/in/"))
    assert await store.download(back) == await store.download(copy) == b"bytes"
    assert sorted(store.list_keys()) == sorted([f"in/{name}", f"in/{copy.name}"])
    await store.connector.delete(back.ref)
    await store.connector.delete(Ref("folder", RawId("/in/")), is_recursive=True)
    assert store.list_keys() == []


async def test_others_are_listed_and_nothing_breaks_when_a_key_is_no_text() -> None:
    files, folders = ("%FF.txt", "a.txt"), ("b%FF/", "d/")
    below = (*files, "b%FF/c.txt", "d/%FF/e.txt", "d/f.txt")

    def list_all(seen: Seen) -> Reply | None:
        if "list-type=2" not in seen.target:
            return None
        is_flat = "delimiter" not in seen.target
        rows = [f"<Contents><Key>{key}</Key><Size>1</Size></Contents>" for key in (below if is_flat else files)]
        rows += [f"<CommonPrefixes><Prefix>{key}</Prefix></CommonPrefixes>" for key in (() if is_flat else folders)]
        head = "<EncodingType>url</EncodingType><IsTruncated>false</IsTruncated>"
        return document(f"<ListBucketResult>{head}{''.join(rows)}</ListBucketResult>")

    async with open_tiny(TinyStore(intercept=list_all), learned={}) as connector:
        page = await connector.list_folder(RawId("/"))
        assert sorted(each.raw_id for each in page.resources) == ["/a.txt", "/d/"]
        walked = (await connector.list_recursive(RawId("/"))).resources
        assert [each.raw_id for each in walked] == ["/a.txt", "/d/", "/d/f.txt"]
        with refused(ErrorKind.UNSUPPORTED):
            await connector.delete(Ref("folder", RawId("/d/")), is_recursive=True)


async def test_key_is_as_long_as_it_can_be_and_no_longer(moto: Store) -> None:
    room = 1024 - len(f"{moto.prefix}folder/")
    folder = await moto.connector.create_folder(RawId("/"), "folder")
    file = await moto.upload("ü" * (room // 2) + "x" * (room % 2), b"bytes", parent=folder.raw_id)
    assert await moto.download(file) == b"bytes"
    assert [each.raw_id for each in await moto.list_folder(folder.raw_id)] == [file.raw_id]
    with refused(ErrorKind.INVALID_NAME):
        await moto.upload("x" * (room + 1), parent=folder.raw_id)
    with refused(ErrorKind.INVALID_NAME):
        await moto.connector.create_folder(folder.raw_id, "x" * room)  # with the slash at its end
    beside = await moto.connector.copy(file.ref, parent=folder.raw_id)
    assert beside.name.endswith(" (1)")
    await moto.connector.delete(folder.ref, is_recursive=True)
    assert moto.list_keys() == []


async def test_file_and_folder_of_one_name_are_both_there_when_keys_say_so(store: Store) -> None:
    store.put("a", b"file")
    store.put("a/b", b"inside")
    listed = {each.raw_id: each for each in await store.list_folder()}
    assert {raw_id: type(each) for raw_id, each in listed.items()} == {"/a": File, "/a/": Folder}
    assert {each.name for each in listed.values()} == {"a"}
    assert await store.download(listed[RawId("/a")]) == b"file"
    assert [each.name for each in await store.list_folder("/a/")] == ["b"]
    for each in listed.values():
        assert await store.connector.get(each.ref) == each


async def test_only_the_one_meant_goes_when_file_and_folder_have_one_name(store: Store) -> None:
    store.put("a", b"file")
    store.put("a/b", b"inside")
    await store.connector.update(Ref("file", RawId("/a")), name="c")
    assert sorted(store.list_keys()) == ["a/b", "c"]
    store.put("a", b"file")
    await store.connector.delete(Ref("folder", RawId("/a/")), is_recursive=True)
    assert sorted(store.list_keys()) == ["a", "c"]
    assert [each.raw_id for each in await store.list_folder()] == ["/a", "/c"]


async def test_name_is_taken_when_both_a_file_and_a_folder_have_it(store: Store) -> None:
    store.put("a", b"file")
    store.put("a/b", b"inside")
    with refused(ErrorKind.ALREADY_EXISTS):
        await store.upload("a")
    with refused(ErrorKind.ALREADY_EXISTS):
        await store.connector.create_folder(RawId("/"), "a")
    assert (store.read("a"), store.read("a/b")) == (b"file", b"inside")


EMPTY_SEGMENTS = ["a//b", "/lead", "//two", "a///c", "a//", "d//e/f"]


async def test_every_key_is_reached_once_when_segments_are_empty(moto: Store) -> None:
    for key in EMPTY_SEGMENTS:
        moto.put(key, b"" if key.endswith("/") else key.encode())
    found = await moto.list_recursive()
    files = {each.raw_id: each for each in found if isinstance(each, File)}
    folders = [each.raw_id for each in found if isinstance(each, Folder)]
    assert sorted(files) == ["///two", "//lead", "/a///c", "/a//b", "/d//e/f"]
    assert sorted(folders) == ["//", "///", "/a/", "/a//", "/a///", "/d/", "/d//", "/d//e/"]
    for raw_id, file in files.items():
        assert await moto.download(file) == raw_id[1:].encode()
        assert file.name == raw_id.rpartition("/")[2]
    for raw_id in folders:
        folder = await moto.connector.get(Ref("folder", raw_id))
        assert all(each.parent == folder_as_parent(folder) for each in await moto.list_folder(raw_id))
    assert [each.raw_id for each in await moto.list_folder("/a//")] == ["/a//b", "/a///"]


def folder_as_parent(folder: object) -> object:
    assert isinstance(folder, Folder)
    return type(folder.parent)(folder.raw_id, folder.name) if folder.parent else None


async def test_nothing_is_lost_when_a_folder_with_empty_segments_is_moved_and_deleted(moto: Store) -> None:
    for key in ("a//b", "a///c", "a//", "beside"):
        moto.put(key, b"" if key.endswith("/") else key.encode())
    moved = await moto.connector.update(Ref("folder", RawId("/a/")), name="z")
    assert sorted(moto.list_keys()) == ["beside", "z/", "z//", "z///c", "z//b"]
    assert moto.read("z///c") == b"a///c"
    await moto.connector.delete(moved.ref, is_recursive=True)
    assert moto.list_keys() == ["beside"]


async def test_file_is_there_under_its_folder_when_its_key_ends_in_a_slash(moto: Store) -> None:
    moto.put("d/", b"bytes of a marker")
    moto.put("d/a", b"beside")
    assert [(type(each), each.raw_id) for each in await moto.list_folder()] == [(Folder, "/d/")]
    listed = await moto.list_folder("/d/")
    assert [(each.raw_id, each.name) for each in listed] == [("/d/", ""), ("/d/a", "a")]
    file = listed[0]
    assert await moto.download(file) == b"bytes of a marker"
    assert await moto.connector.get(file.ref) == file
    assert isinstance(await moto.connector.get(Ref("folder", RawId("/d/"))), Folder)
    renamed = await moto.connector.update(file.ref, name="named")
    assert await moto.download(renamed) == b"bytes of a marker"
    assert sorted(moto.list_keys()) == ["d/a", "d/named"]


async def test_folder_is_not_empty_when_its_own_key_has_bytes(moto: Store) -> None:
    moto.put("d/", b"bytes of a marker")
    with refused(ErrorKind.FOLDER_NOT_EMPTY):
        await moto.connector.delete(Ref("folder", RawId("/d/")))
    assert moto.list_keys() == ["d/"]


async def test_folder_moves_with_all_bytes_when_its_own_key_has_some(moto: Store) -> None:
    moto.put("d/e/", b"bytes of a marker")
    await moto.connector.update(Ref("folder", RawId("/d/")), name="f")
    assert moto.read("f/e/") == b"bytes of a marker"
    assert sorted(moto.list_keys()) == ["f/", "f/e/"]
