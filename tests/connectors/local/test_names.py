# ruff: noqa: ASYNC240 - the disk is looked at directly
from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.core.bytesource import BytesSource
from connectors.core.connector import Connector
from connectors.core.errors import ConnectorError, ErrorKind
from connectors.core.resources import OnConflict, RawId, Ref
from connectors.local.names import NAME_BYTES_MAX, number_name, read_raw_id, split_path, write_raw_id
from tests.connectors.behavior.space import refused
from tests.fuzzing import fuzz

names = st.binary(min_size=1, max_size=20).filter(lambda name: split_path(b"/" + name) == (name,))


@fuzz(100)
@given(st.lists(names, max_size=5).map(tuple))
def test_path_is_the_same_when_written_and_read(parts: tuple[bytes, ...]) -> None:
    assert read_raw_id(write_raw_id(parts)) == parts


@fuzz(100)
@given(st.text(max_size=30))
def test_raw_id_is_refused_or_the_only_one_when_text_is_arbitrary(text: str) -> None:
    for raw_id in (text, f"/{text}", f"bytes:/{text}"):
        try:
            parts = read_raw_id(raw_id)
        except ConnectorError as error:
            assert error.kind is ErrorKind.NOT_FOUND  # noqa: PT017 - refusing is one of two right outcomes
        else:
            assert write_raw_id(parts) == raw_id


@pytest.mark.parametrize(
    "raw_id",
    [
        "a",
        "/a/",
        "//a",
        "/a/../b",
        "/./a",
        "/a\0",
        "bytes:/a",
        "bytes:/%fe",
        "bytes:%FE",
        "bytes:/%FE%2Fa",
        "/\udcfe",
        "bytes:/../%FE",
        "/.kloudless-upload-1",
        "/a/.KLOUDLESS-x",
        "/" + "x" * 70_000,
    ],
)
def test_not_found_when_raw_id_is_not_as_written(raw_id: str) -> None:
    with refused(ErrorKind.NOT_FOUND):
        read_raw_id(raw_id)


@pytest.mark.parametrize("is_folder", [False, True])
@fuzz(100)
@given(name=st.text(min_size=1, max_size=255), number=st.integers(1, 1000))
def test_numbered_name_is_another_and_fits_when_name_is_arbitrary(name: str, number: int, is_folder: bool) -> None:
    encoded = name.encode("utf-8", "ignore")[:NAME_BYTES_MAX].decode("utf-8", "ignore").encode() or b"x"
    numbered = number_name(encoded, number, is_folder=is_folder)
    assert numbered != encoded
    assert len(numbered) <= NAME_BYTES_MAX
    assert numbered.decode()


@pytest.mark.parametrize(
    ("name", "is_folder", "expected"),
    [("a.txt", False, "a (2).txt"), ("a", False, "a (2)"), (".a", False, ".a (2)"), ("v1.2", True, "v1.2 (2)")],
)
def test_number_stands_before_the_ending_when_there_is_one(name: str, is_folder: bool, expected: str) -> None:
    assert number_name(name.encode(), 2, is_folder=is_folder) == expected.encode()


async def test_name_that_is_no_text_can_be_read_renamed_and_deleted(connector: Connector, root: Path) -> None:
    folder = os.fsencode(root)
    Path(os.fsdecode(folder + b"/caf\xe9")).mkdir()
    Path(os.fsdecode(folder + b"/caf\xe9/\xfe.txt")).write_bytes(b"bytes")
    page = await connector.list_folder(RawId("/"))
    (inner,) = page.resources
    assert (inner.raw_id, inner.name, inner.path) == ("bytes:/caf%E9", "caf\ufffd", "/caf\ufffd")
    (file,) = (await connector.list_folder(inner.raw_id)).resources
    assert file.parent is not None
    assert file.parent.raw_id == inner.raw_id
    assert await connector.get(file.ref) == file
    async with connector.open_download(file.raw_id) as download:
        assert b"".join([chunk async for chunk in download.chunks]) == b"bytes"
    assert [found.ref for found in (await connector.search("txt")).resources] == [file.ref]
    copy = await connector.copy(file.ref, parent=RawId("/"))
    replaced = await connector.replace(copy.raw_id, BytesSource(b"new"))
    assert replaced.raw_id == copy.raw_id == "bytes:/%FE.txt"
    renamed = await connector.update(file.ref, name="plain.txt", parent=RawId("/"))
    assert renamed.raw_id == "/plain.txt"
    await connector.delete(inner.ref)
    await connector.delete(copy.ref)
    assert [each.name for each in root.iterdir()] == ["plain.txt"]


async def test_reserved_names_are_refused_and_never_shown(connector: Connector, root: Path) -> None:
    (root / ".kloudless-of-others").write_bytes(b"")
    for name in (".kloudless-upload-1", ".Kloudless-x"):
        with refused(ErrorKind.INVALID_NAME):
            await connector.create_folder(RawId("/"), name)
        with refused(ErrorKind.INVALID_NAME):
            await connector.upload(RawId("/"), name, BytesSource(b""), on_conflict=OnConflict.RENAME)
    assert (await connector.list_folder(RawId("/"))).resources == []
    assert (await connector.search("kloudless")).resources == []
    with refused(ErrorKind.NOT_FOUND):
        await connector.get(Ref("file", RawId("/.kloudless-of-others")))


async def test_invalid_name_when_path_gets_too_long(connector: Connector) -> None:
    parent = RawId("/")
    with refused(ErrorKind.INVALID_NAME):
        for _ in range(20):
            parent = (await connector.create_folder(parent, "x" * 250)).raw_id
    assert len(parent) < 4096
