"""What only real servers can show: locks that others hold, uploads that are cut off, names that are no text."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from connectors.core.bytesource import BytesSource
from connectors.core.connector import Connector
from connectors.core.errors import ErrorKind
from connectors.core.resources import File, OnConflict, RawId, Ref
from connectors.core.stack import Runtime
from tests.connectors.behavior.space import FailingSource, StalledSource, refused
from tests.connectors.webdav.servers import APACHE, RCLONE, WSGIDAV, get_credentials, open_account
from tests.servers.apache import SHARED_APACHE
from tests.servers.rclone import SHARED_RCLONE_WEBDAV
from tests.servers.webdav import WebDavServer
from tests.servers.wsgidav import SHARED_WSGIDAV

ROOT = RawId("/")
LOCK = '<lockinfo xmlns="DAV:"><lockscope><exclusive/></lockscope><locktype><write/></locktype></lockinfo>'
SERVERS = {
    "apache": (SHARED_APACHE, APACHE),
    "wsgidav": (SHARED_WSGIDAV, WSGIDAV),
    "rclone": (SHARED_RCLONE_WEBDAV, RCLONE),
}


@dataclass(frozen=True)
class Place:
    """An account on a folder of its own, and the same folder on the disk and for an independent client."""

    server: WebDavServer
    folder: Path
    connector: Connector

    def names(self) -> set[str]:
        """What is there, our hidden files aside."""
        return {path.name for path in self.folder.iterdir() if not path.name.startswith(".")}


@pytest.fixture(params=SERVERS)
async def place(request: pytest.FixtureRequest, runtime: Runtime) -> Place:
    shared, traits = SERVERS[request.param]
    server = shared.get()
    folder = server.root / f"place-{secrets.token_hex(6)}"
    credentials = get_credentials(server)
    learned = msgspec.to_builtins(traits)
    await open_account(credentials, runtime, learned=learned).create_folder(ROOT, folder.name)
    credentials |= {"url": f"{server.url}{folder.name}/"}
    return Place(server, folder, open_account(credentials, runtime, learned=learned))


Ask = Callable[..., Awaitable[httpx.Response]]


@pytest.fixture
async def ask(place: Place) -> AsyncIterator[Ask]:
    """What somebody else says, in the same folder."""
    with place.server.client() as client:
        client.base_url = f"{place.server.url}{place.folder.name}/"

        async def ask(method: str, url: str, **arguments: Any) -> httpx.Response:
            return await asyncio.to_thread(client.request, method, url, **arguments)

        yield ask


@pytest.fixture
async def locked(place: Place, ask: Ask) -> File:
    """A file that somebody else has locked."""
    file = await place.connector.upload(ROOT, "a.txt", BytesSource(b"theirs"), on_conflict=OnConflict.FAIL)
    assert (await ask("LOCK", "a.txt", content=LOCK, headers={"Depth": "0"})).status_code == 200
    return file


class TestLocked:
    async def test_nothing_is_written_when_somebody_holds_the_lock(self, place: Place, locked: File) -> None:
        for call in (
            place.connector.replace(locked.raw_id, BytesSource(b"ours")),
            place.connector.upload(ROOT, "a.txt", BytesSource(b"ours"), on_conflict=OnConflict.REPLACE),
            place.connector.update(locked.ref, name="b.txt"),
            place.connector.delete(locked.ref),
        ):
            with refused(ErrorKind.PERMISSION_DENIED) as caught:
                await call
            assert "locked" in caught.value.message
        assert place.names() == {"a.txt"}
        assert not [path for path in place.folder.iterdir() if path.name.startswith(".kloudless-")]
        assert (place.folder / "a.txt").read_bytes() == b"theirs"

    async def test_reading_goes_on_when_somebody_holds_the_lock(self, place: Place, locked: File) -> None:
        async with place.connector.open_download(locked.raw_id) as download:
            assert b"".join([chunk async for chunk in download.chunks]) == b"theirs"

    @pytest.mark.parametrize("place", ["apache", "wsgidav"], indirect=True)  # rclone deletes what is locked inside
    async def test_error_names_the_member_when_a_folder_is_deleted_with_a_lock_in_it(
        self, place: Place, ask: Ask
    ) -> None:
        folder = await place.connector.create_folder(ROOT, "folder")
        await place.connector.upload(folder.raw_id, "in use.txt", BytesSource(b"x"), on_conflict=OnConflict.FAIL)
        assert (await ask("LOCK", "folder/in%20use.txt", content=LOCK, headers={"Depth": "0"})).is_success
        with refused(ErrorKind.PERMISSION_DENIED) as caught:
            await place.connector.delete(folder.ref, is_recursive=True)
        assert "folder/in use.txt" in caught.value.message


class TestCutOff:
    @pytest.mark.parametrize("is_there", [False, True])
    @pytest.mark.parametrize("size_bytes", [4 * 2**20, None])
    async def test_nothing_is_seen_when_the_source_breaks(
        self, place: Place, is_there: bool, size_bytes: int | None
    ) -> None:
        if is_there:
            await place.connector.upload(ROOT, "a.txt", BytesSource(b"old"), on_conflict=OnConflict.FAIL)
        source = FailingSource([b"x" * 2**20] * 3, size_bytes=size_bytes, fails=True)
        with refused(ErrorKind.SOURCE_FAILED):
            await place.connector.upload(ROOT, "a.txt", source, on_conflict=OnConflict.REPLACE)
        assert place.names() == ({"a.txt"} if is_there else set())
        if is_there:
            assert (place.folder / "a.txt").read_bytes() == b"old"

    @pytest.mark.parametrize("policy", list(OnConflict))
    async def test_nothing_is_seen_before_and_after_the_upload_is_cancelled(
        self, place: Place, policy: OnConflict
    ) -> None:
        source = StalledSource(b"x" * 2**20)
        task = asyncio.create_task(place.connector.upload(ROOT, "a.txt", source, on_conflict=policy))
        await source.is_stalled.wait()
        assert place.names() == set()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert source.is_closed
        assert place.names() == set()


@pytest.mark.parametrize("place", ["apache"], indirect=True)  # the others cannot list such a name
async def test_name_that_is_no_text_can_be_read_renamed_and_deleted(place: Place) -> None:
    name = b"caf\xe9.txt".decode("utf-8", "surrogateescape")
    (place.folder / name).write_bytes(b"bytes")
    (found,) = (await place.connector.list_folder(ROOT)).resources
    assert (found.name, found.raw_id) == ("caf\N{REPLACEMENT CHARACTER}.txt", "bytes:/caf%E9.txt")
    async with place.connector.open_download(found.raw_id) as download:
        assert b"".join([chunk async for chunk in download.chunks]) == b"bytes"
    renamed = await place.connector.update(found.ref, name="plain.txt")
    assert place.names() == {"plain.txt"}
    await place.connector.delete(renamed.ref)


async def test_many_members_come_in_pages_with_one_request(place: Place) -> None:
    for number in range(2500):
        (place.folder / f"{number:04}").touch()
    names: list[str] = []
    cursor: str | None = None
    while True:
        page = await place.connector.list_folder(ROOT, cursor=cursor, limit=999)
        names += [resource.name for resource in page.resources]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert names == [f"{number:04}" for number in range(2500)]


async def test_folder_that_others_fill_is_not_deleted_as_empty(place: Place, ask: Ask) -> None:
    folder = await place.connector.create_folder(ROOT, "a")
    assert (await ask("PUT", "a/theirs.txt", content=b"x")).is_success
    with refused(ErrorKind.FOLDER_NOT_EMPTY):
        await place.connector.delete(folder.ref)
    assert (place.folder / "a" / "theirs.txt").exists()


async def test_file_is_left_alone_when_a_folder_was_meant(place: Place) -> None:
    file = await place.connector.upload(ROOT, "a", BytesSource(b"x"), on_conflict=OnConflict.FAIL)
    for is_recursive in (False, True):
        with refused(ErrorKind.WRONG_TYPE, ErrorKind.NOT_FOUND):
            await place.connector.delete(Ref("folder", file.raw_id), is_recursive=is_recursive)
    folder = await place.connector.create_folder(ROOT, "b")
    with refused(ErrorKind.WRONG_TYPE, ErrorKind.NOT_FOUND):
        await place.connector.delete(Ref("file", folder.raw_id))
    assert place.names() == {"a", "b"}


@pytest.mark.parametrize("place", ["wsgidav"], indirect=True)  # the only one that knows
async def test_quota_is_told_where_it_is_known(place: Place) -> None:
    quota = await place.connector.get_quota()
    assert quota.used_bytes is not None
    assert quota.remaining_bytes is not None
    assert quota.total_bytes == quota.used_bytes + quota.remaining_bytes
