# ruff: noqa: ASYNC240 - the disk is looked at directly
from __future__ import annotations

import asyncio
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from connectors.core.bytesource import BytesSource
from connectors.core.connector import Connector
from connectors.core.errors import ConnectorError, ErrorKind
from connectors.core.resources import OnConflict, RawId, Ref
from connectors.local.tree import LINK_STEPS_MAX
from tests.connectors.behavior.space import refused

RACE_ROUNDS = 150


@pytest.fixture
def furnished(root: Path) -> Path:
    """The root with a folder and a file in it."""
    (root / "folder").mkdir()
    (root / "folder" / "a.txt").write_bytes(b"bytes")
    return root


@pytest.mark.parametrize(
    "target", ["folder/a.txt", "./folder//a.txt", "folder/../folder/a.txt", "{root}/folder/a.txt", "other/a.txt"]
)
async def test_link_is_followed_when_it_stays_inside(connector: Connector, furnished: Path, target: str) -> None:
    (furnished / "other").symlink_to("folder/")
    (furnished / "link.txt").symlink_to(target.format(root=furnished))
    file = await connector.get(Ref("file", RawId("/link.txt")))
    assert (file.raw_id, file.name, file.path) == ("/link.txt", "link.txt", "/link.txt")
    async with connector.open_download(file.raw_id) as download:
        assert b"".join([chunk async for chunk in download.chunks]) == b"bytes"
    listed = {resource.name: resource for resource in (await connector.list_folder(RawId("/"))).resources}
    assert listed["link.txt"] == file
    assert listed["other"].ref.kind == "folder"


async def test_folder_is_used_through_a_link_when_it_stays_inside(connector: Connector, furnished: Path) -> None:
    (furnished / "deep" / "er").mkdir(parents=True)
    (furnished / "deep" / "er" / "link").symlink_to("../../folder")
    through = RawId("/deep/er/link")
    page = await connector.list_folder(through)
    assert [resource.raw_id for resource in page.resources] == ["/deep/er/link/a.txt"]
    await connector.upload(through, "b.txt", BytesSource(b"new"), on_conflict=OnConflict.FAIL)
    assert (furnished / "folder" / "b.txt").read_bytes() == b"new"


@pytest.mark.parametrize(
    "target",
    [
        "{outside}",
        "{outside}/secret.txt",
        "../outside/secret.txt",
        "..",
        "/",
        "folder/../../outside/secret.txt",
        "other/../../outside",
        "{root}-not/x",
        "{root}/../outside",
    ],
)
async def test_link_is_refused_and_not_listed_when_it_leaves(
    connector: Connector, furnished: Path, outside: Path, target: str
) -> None:
    (furnished / "other").symlink_to("folder")
    (furnished / "link").symlink_to(target.format(root=furnished, outside=outside))
    names = [resource.name for resource in (await connector.list_folder(RawId("/"))).resources]
    assert names == ["folder", "other"]
    assert [found.name for found in (await connector.search("link")).resources] == []
    for call in (
        connector.get(Ref("file", RawId("/link"))),
        connector.get(Ref("folder", RawId("/link"))),
        connector.get(Ref("file", RawId("/link/secret.txt"))),
        connector.list_folder(RawId("/link")),
        connector.create_folder(RawId("/link"), "x"),
        connector.upload(RawId("/link"), "x", BytesSource(b"x"), on_conflict=OnConflict.REPLACE),
        connector.replace(RawId("/link/secret.txt"), BytesSource(b"x")),
        connector.delete(Ref("folder", RawId("/link")), is_recursive=True),
        connector.delete(Ref("file", RawId("/link/secret.txt"))),
        connector.update(Ref("file", RawId("/link/secret.txt")), parent=RawId("/")),
        connector.update(Ref("folder", RawId("/folder")), parent=RawId("/link")),
        connector.copy(Ref("file", RawId("/link/secret.txt")), parent=RawId("/")),
        connector.copy(Ref("file", RawId("/folder/a.txt")), parent=RawId("/link")),
        connector.start_upload(RawId("/link"), "x", size_bytes=1, on_conflict=OnConflict.FAIL),
        connector.search("secret", folder=RawId("/link")),
    ):
        with refused(ErrorKind.PERMISSION_DENIED, ErrorKind.NOT_FOUND) as caught:
            await call
        assert str(furnished.parent) not in caught.value.message
    assert [(each.name, each.read_bytes()) for each in outside.iterdir()] == [("secret.txt", b"secret")]
    assert sorted(each.name for each in furnished.parent.iterdir()) == ["outside", "root"]


async def test_link_is_refused_when_it_leads_nowhere_or_round_in_circles(connector: Connector, furnished: Path) -> None:
    (furnished / "broken").symlink_to("none")
    (furnished / "self").symlink_to("self")
    (furnished / "one").symlink_to("two/x")
    (furnished / "two").symlink_to("one/x")
    assert [each.name for each in (await connector.list_folder(RawId("/"))).resources] == ["folder"]
    with refused(ErrorKind.NOT_FOUND):
        await connector.get(Ref("file", RawId("/broken")))
    for raw_id in ("/self", "/one", "/two/x"):
        with refused(ErrorKind.PERMISSION_DENIED):
            await connector.get(Ref("file", RawId(raw_id)))


async def test_chain_of_links_is_followed_up_to_the_limit(connector: Connector, furnished: Path) -> None:
    (furnished / "link-0").symlink_to("folder/a.txt")
    for number in range(1, LINK_STEPS_MAX + 1):
        (furnished / f"link-{number}").symlink_to(f"link-{number - 1}")
    file = await connector.get(Ref("file", RawId(f"/link-{LINK_STEPS_MAX - 1}")))
    assert file.ref.kind == "file"
    with refused(ErrorKind.PERMISSION_DENIED):
        await connector.get(Ref("file", RawId(f"/link-{LINK_STEPS_MAX}")))


async def test_devices_pipes_and_sockets_are_refused_and_not_listed(connector: Connector, furnished: Path) -> None:
    os.mkfifo(furnished / "pipe")
    (furnished / "device").symlink_to("/dev/zero")
    with socket.socket(socket.AF_UNIX) as listening:
        held = os.open(furnished, os.O_RDONLY)
        listening.bind(f"/proc/self/fd/{held}/socket")  # the path itself may be longer than a socket's can be
        os.close(held)
        assert [each.name for each in (await connector.list_folder(RawId("/"))).resources] == ["folder"]
        for name in ("pipe", "device", "socket"):
            for call in (
                connector.get(Ref("file", RawId(f"/{name}"))),
                connector.replace(RawId(f"/{name}"), BytesSource(b"x")),
                connector.copy(Ref("file", RawId(f"/{name}")), parent=RawId("/folder")),
                connector.delete(Ref("file", RawId(f"/{name}"))),
            ):
                with refused(ErrorKind.PERMISSION_DENIED):
                    await call
            with refused(ErrorKind.PERMISSION_DENIED):
                async with connector.open_download(RawId(f"/{name}")):
                    pass
            with refused(ErrorKind.ALREADY_EXISTS):
                await connector.upload(RawId("/"), name, BytesSource(b"x"), on_conflict=OnConflict.FAIL)


async def test_only_the_link_goes_when_it_is_renamed_or_deleted(connector: Connector, furnished: Path) -> None:
    (furnished / "to file").symlink_to("folder/a.txt")
    (furnished / "to folder").symlink_to("folder")
    renamed = await connector.update(Ref("file", RawId("/to file")), name="renamed")
    assert (furnished / "renamed").is_symlink()
    await connector.delete(renamed.ref)
    await connector.delete(Ref("folder", RawId("/to folder")), is_recursive=True)
    assert [each.name for each in furnished.iterdir()] == ["folder"]
    assert (furnished / "folder" / "a.txt").read_bytes() == b"bytes"


async def test_bytes_change_behind_the_link_when_it_is_written_through(connector: Connector, furnished: Path) -> None:
    (furnished / "link").symlink_to("folder/a.txt")
    replaced = await connector.replace(RawId("/link"), BytesSource(b"second"))
    assert replaced.raw_id == "/link"
    assert (furnished / "folder" / "a.txt").read_bytes() == b"second"
    stored = await connector.upload(RawId("/"), "link", BytesSource(b"third"), on_conflict=OnConflict.REPLACE)
    assert (stored.raw_id, stored.is_replacement) == ("/link", True)
    session = await connector.start_upload(RawId("/"), "link", size_bytes=6, on_conflict=OnConflict.REPLACE)
    part = await connector.put_part(session, 1, BytesSource(b"fourth"))
    assert (await connector.finish_upload(session, [part])).raw_id == "/link"
    assert (furnished / "folder" / "a.txt").read_bytes() == b"fourth"
    assert (furnished / "link").is_symlink()
    assert [each.name for each in (furnished / "folder").iterdir()] == ["a.txt"]


@pytest.mark.parametrize("target", ["none", "{outside}", "{outside}/secret.txt", "link", "folder"])
async def test_already_exists_when_a_link_that_leads_to_no_file_would_be_replaced(
    connector: Connector, furnished: Path, outside: Path, target: str
) -> None:
    (furnished / "link").symlink_to(target.format(outside=outside))
    for call in (
        connector.upload(RawId("/"), "link", BytesSource(b"x"), on_conflict=OnConflict.REPLACE),
        connector.start_upload(RawId("/"), "link", size_bytes=1, on_conflict=OnConflict.REPLACE),
        connector.copy(
            Ref("file", RawId("/folder/a.txt")), parent=RawId("/"), name="link", on_conflict=OnConflict.REPLACE
        ),
    ):
        with refused(ErrorKind.ALREADY_EXISTS):
            await call
    assert (furnished / "link").is_symlink()
    assert (outside / "secret.txt").read_bytes() == b"secret"


async def test_nothing_outside_is_read_or_touched_when_a_folder_is_swapped_for_a_link(
    connector: Connector, furnished: Path, outside: Path
) -> None:
    (furnished / "folder" / "secret.txt").write_bytes(b"harmless")
    folder = RawId("/folder")
    with swapping(furnished, outside):
        for number in range(RACE_ROUNDS):
            with suppress(ConnectorError):
                async with connector.open_download(RawId("/folder/secret.txt")) as download:
                    assert b"".join([chunk async for chunk in download.chunks]) == b"harmless"
            with suppress(ConnectorError):
                assert (await connector.get(Ref("file", RawId("/folder/secret.txt")))).raw_id
            results = await asyncio.gather(
                connector.upload(folder, f"{number}", BytesSource(b"x"), on_conflict=OnConflict.REPLACE),
                connector.create_folder(folder, f"folder {number}"),
                connector.copy(Ref("file", RawId("/folder/a.txt")), parent=folder, name=f"copy {number}"),
                connector.delete(Ref("file", RawId(f"/folder/{number - 1}"))),
                connector.replace(RawId("/folder/a.txt"), BytesSource(b"new")),
                return_exceptions=True,
            )
            assert all(not isinstance(each, BaseException) or isinstance(each, ConnectorError) for each in results)
            listing = await asyncio.gather(connector.list_folder(folder), return_exceptions=True)
            assert "only outside" not in str(listing)
    assert sorted(each.name for each in outside.iterdir()) == ["only outside", "secret.txt"]
    assert (outside / "secret.txt").read_bytes() == b"secret"


@contextmanager
def swapping(root: Path, outside: Path) -> Iterator[None]:
    """A block during which "folder" is a folder, a link to outside, and a folder again, over and over."""
    (outside / "only outside").write_bytes(b"")
    is_over = threading.Event()

    def swap() -> None:
        while not is_over.is_set():
            (root / "folder").rename(root / "kept")
            (root / "folder").symlink_to(outside)
            (root / "folder").unlink()
            (root / "kept").rename(root / "folder")

    thread = threading.Thread(target=swap)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()
