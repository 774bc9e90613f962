from __future__ import annotations

import io

import pytest
from PIL import Image

from connectors.core.bytesource import BytesSource
from connectors.core.clock import ManualClock
from connectors.core.connector import Connector
from connectors.core.errors import ErrorKind
from connectors.core.resources import ByteRange, Change, File, Folder, OnConflict, RawId, VersionId
from connectors.core.stack import Runtime
from connectors.dropbox.manifest import BLOCK_BYTES, MANIFEST
from simulators.core.faults import FaultKind
from simulators.dropbox import thumbnails
from simulators.dropbox.tree import File as SimulatedFile
from tests.connectors.behavior.space import refused
from tests.connectors.dropbox.conftest import BEN, CLEO, Fail
from tests.connectors.dropbox.target import open_account
from tests.servers.dropbox import Place

ROOT = MANIFEST.root.raw_id


async def put(connector: Connector, name: str, parent: RawId = ROOT, data: bytes = b"bytes") -> File:
    return await connector.upload(parent, name, BytesSource(data), on_conflict=OnConflict.REPLACE)


def show(changes: list[Change]) -> list[str | None]:
    """Paths, with a minus before those of what is gone."""
    return [change.resource.path if change.resource else f"-{change.path}" for change in changes]


async def test_every_file_comes_once_when_later_pages_are_smaller_than_the_first(connector: Connector) -> None:
    expected = [(await put(connector, f"{number}")).name for number in range(8)]
    for is_recursive in (False, True):
        read = connector.list_recursive if is_recursive else connector.list_folder
        page = await read(ROOT, limit=4)
        seen = [resource.name for resource in page.resources]
        while page.next_cursor is not None:
            page = await read(ROOT, cursor=page.next_cursor, limit=1)
            assert len(page.resources) <= 1
            seen += [resource.name for resource in page.resources]
        assert seen == expected


async def test_file_is_found_when_only_its_content_has_the_words(connector: Connector) -> None:
    await put(connector, "letter.txt", data=b"a needle in it")
    page = await connector.search("needle")
    assert [resource.name for resource in page.resources] == ["letter.txt"]


class TestChanges:
    async def test_nothing_has_changed_when_the_cursor_is_new(self, connector: Connector) -> None:
        await put(connector, "a")
        first = await connector.list_changes()
        again = await connector.list_changes(cursor=first.cursor)
        assert (first.changes, again.changes, again.has_more) == ([], [], False)

    async def test_all_that_happened_is_told_when_asked_later(self, connector: Connector) -> None:
        folder = await connector.create_folder(ROOT, "folder")
        old, gone = await put(connector, "old"), await put(connector, "gone")
        cursor = (await connector.list_changes()).cursor
        await put(connector, "new", folder.raw_id)
        await connector.update(old.ref, name="renamed")
        await connector.delete(gone.ref)
        for _ in range(2):  # a cursor can be used again
            page = await connector.list_changes(cursor=cursor)
            assert show(page.changes) == ["/folder/new", "-/old", "/renamed", "-/gone"]
            assert not page.has_more
        for change in page.changes:
            if change.resource is not None:
                assert await connector.get(change.resource.ref) == change.resource

    async def test_all_is_told_once_when_pages_are_small(self, connector: Connector) -> None:
        page = await connector.list_changes(limit=3)
        expected = [(await put(connector, f"{number}")).path for number in range(7)]
        seen: list[str | None] = []
        while len(seen) < len(expected):
            page = await connector.list_changes(cursor=page.cursor, limit=2)
            assert len(page.changes) <= 2
            seen += show(page.changes)
        assert seen == expected
        assert not page.has_more

    async def test_cursor_reset_when_the_provider_has_forgotten_it(self, connector: Connector, fail: Fail) -> None:
        cursor = (await connector.list_changes()).cursor
        fail(FaultKind.CURSOR_RESET, "list_folder/continue")
        with refused(ErrorKind.CURSOR_RESET):
            await connector.list_changes(cursor=cursor)

    async def test_listing_begins_anew_when_its_cursor_is_forgotten(self, connector: Connector, fail: Fail) -> None:
        for number in range(2):
            await put(connector, f"{number}")
        page = await connector.list_folder(ROOT, limit=1)
        fail(FaultKind.CURSOR_RESET, "list_folder/continue")
        with refused(ErrorKind.CURSOR_INVALID):
            await connector.list_folder(ROOT, cursor=page.next_cursor)

    @pytest.mark.parametrize("cursor", ["", "junk", "0.0.", "\u00e9"])
    async def test_cursor_invalid_when_it_was_not_given_out(self, connector: Connector, cursor: str) -> None:
        with refused(ErrorKind.CURSOR_INVALID):
            await connector.list_changes(cursor=cursor)


class TestVersions:
    async def test_versions_follow_the_file_when_it_is_moved(self, connector: Connector) -> None:
        file = await put(connector, "a", data=b"one")
        moved = await connector.update(file.ref, name="b")
        await put(connector, "b", data=b"two")
        await put(connector, "a", data=b"another file")
        versions = (await connector.list_versions(file.raw_id)).versions
        assert moved.raw_id == file.raw_id
        assert [version.size_bytes for version in versions] == [3, 3, 3]
        restored = await connector.restore_version(file.raw_id, versions[-1].raw_id)
        assert (restored.raw_id, restored.name) == (file.raw_id, "b")

    async def test_all_are_listed_once_when_there_are_more_than_one_answer_holds(
        self, place: Place, connector: Connector
    ) -> None:
        file = await put(connector, "a")
        await put_often(place, "/a", times=249)
        for limit in (1000, 30):
            listed = await walk_versions(connector, file, limit=limit)
            assert [len(listed), len(set(listed))] == [250, 250]
        async with connector.open_version(file.raw_id, listed[-1]) as download:
            assert b"".join([chunk async for chunk in download.chunks]) == b"bytes"

    async def test_only_the_newest_are_listed_when_the_file_was_elsewhere_before(
        self, place: Place, connector: Connector
    ) -> None:
        other = await put(connector, "b")
        file = await put(connector, "a")
        await put_often(place, "/a", times=120)
        await connector.delete(other.ref)
        await connector.update(file.ref, name="b")
        assert len(await walk_versions(connector, file)) == 100
        await put_often(place, "/b", times=99)
        assert len(await walk_versions(connector, file)) == 100
        await put_often(place, "/b", times=20)
        assert len(await walk_versions(connector, file)) == 120  # all that it had at this path

    async def test_not_found_when_the_version_is_another_files(self, connector: Connector) -> None:
        file, other = await put(connector, "a"), await put(connector, "b")
        version = VersionId(other.etag or "")
        with refused(ErrorKind.NOT_FOUND):
            await connector.restore_version(file.raw_id, version)
        with refused(ErrorKind.NOT_FOUND):
            async with connector.open_version(file.raw_id, version):
                pass


async def walk_versions(connector: Connector, file: File, *, limit: int = 1000) -> list[VersionId]:
    page = await connector.list_versions(file.raw_id, limit=limit)
    versions = list(page.versions)
    while page.next_cursor is not None:
        page = await connector.list_versions(file.raw_id, cursor=page.next_cursor, limit=limit)
        versions += page.versions
    assert [version.is_current for version in versions] == [True, *[False] * (len(versions) - 1)]
    return [version.raw_id for version in versions]


async def put_often(place: Place, path: str, *, times: int) -> None:
    """Other bytes again and again, behind the connector's back."""
    space = place.state.space
    folder = space.get_home(place.get_user(CLEO)).root
    for number in range(times):
        content = place.world.contents.keep(f"{number}".encode())
        space.put_file(folder, path.removeprefix("/"), content, f"{number:064}")


class TestDocuments:
    async def test_export_comes_when_a_document_cannot_be_downloaded(self, connector: Connector) -> None:
        await put(connector, "Plan.paper", data=b"<h1>Plan</h1>")
        (file,) = (await connector.list_folder(ROOT)).resources
        assert isinstance(file, File)
        assert (file.size_bytes, file.is_downloadable) == (None, True)
        async with connector.open_download(file.raw_id, if_match=file.etag) as download:
            assert (download.name, download.media_type, download.size_bytes) == ("Plan.html", "text/html", 13)
            assert download.etag == file.etag
            assert b"".join([chunk async for chunk in download.chunks]) == b"<h1>Plan</h1>"

    @pytest.mark.parametrize(("wish", "name"), [("md", "Plan.md"), ("text/markdown", "Plan.md"), ("html", "Plan.html")])
    async def test_export_is_of_the_format_that_is_asked_for(self, connector: Connector, wish: str, name: str) -> None:
        file = await put(connector, "Plan.paper", data=b"# Plan")
        assert file.export_formats == ("html", "md")
        async with connector.open_export(file.raw_id, wish) as download:
            assert (download.name, download.etag, download.size_bytes) == (name, file.etag, 6)
            assert b"".join([chunk async for chunk in download.chunks]) == b"# Plan"
        with refused(ErrorKind.FORMAT_INVALID) as caught:
            async with connector.open_export(file.raw_id, "pdf"):
                pass
        assert "html, md" in caught.value.message

    async def test_a_part_is_unsupported_and_an_old_etag_refused(self, connector: Connector) -> None:
        file = await put(connector, "Plan.paper")
        with refused(ErrorKind.UNSUPPORTED) as caught:
            async with connector.open_download(file.raw_id, byte_range=ByteRange(0, 1)):
                pass
        assert "whole" in caught.value.message
        with refused(ErrorKind.PRECONDITION_FAILED):
            async with connector.open_download(file.raw_id, if_match="0" * 12):
                pass

    async def test_an_export_that_breaks_off_is_no_whole_one(self, connector: Connector, fail: Fail) -> None:
        file = await put(connector, "Plan.paper", data=b"x" * 1000)
        fail(FaultKind.CUT_BODY, "files/export")
        with refused(ErrorKind.UNAVAILABLE):
            async with connector.open_download(file.raw_id) as download:
                async for _ in download.chunks:
                    pass

    async def test_old_versions_are_exported_too(self, connector: Connector) -> None:
        file = await put(connector, "Plan.paper", data=b"old")
        await connector.replace(file.raw_id, BytesSource(b"newer"))
        versions = (await connector.list_versions(file.raw_id)).versions
        assert [version.size_bytes for version in versions] == [None, None]
        async with connector.open_version(file.raw_id, versions[1].raw_id) as download:
            assert b"".join([chunk async for chunk in download.chunks]) == b"old"


class TestThumbnails:
    async def test_one_size_larger_is_taken_when_none_is_as_wished(self, connector: Connector) -> None:
        picture = io.BytesIO()
        Image.new("L", (4000, 4000)).save(picture, "PNG")
        file = await put(connector, "a.png", data=picture.getvalue())
        sizes = []
        for size_px in (1, 32, 33, 256, 257, 480, 1000, 5000):
            thumbnail = await connector.get_thumbnail(file.raw_id, size_px=size_px, image_format="png")
            assert thumbnail is not None
            with Image.open(io.BytesIO(thumbnail.data)) as image:
                sizes.append(image.width)
        assert sizes == [32, 32, 64, 256, 320, 480, 1536, 1536]

    async def test_there_is_none_when_the_picture_has_too_many_bytes(
        self, connector: Connector, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(thumbnails, "PICTURE_BYTES_MAX", 10)
        file = await put(connector, "a.png", data=b"x" * 11)
        assert await connector.get_thumbnail(file.raw_id, size_px=64, image_format="png") is None


class TestTeamSpace:
    async def test_only_accounts_in_a_team_have_its_space_around_them(
        self, connector: Connector, team: Connector
    ) -> None:
        assert (await connector.probe()).learned == {}
        assert (await team.probe()).learned != {}

    async def test_own_and_common_folders_are_seen_when_the_root_is_the_teams(
        self, place: Place, team: Connector, runtime: Runtime
    ) -> None:
        place.state.space.add_team_folder("Sample Works", "Common")
        names = {resource.name: resource for resource in (await team.list_folder(ROOT)).resources}
        assert names.keys() == {"Ada Sample", "Common"}
        file = await put(team, "a.txt", names["Common"].raw_id)
        assert file.path == "/Common/a.txt"
        colleague = open_account(place, BEN, runtime)
        ben = open_account(place, BEN, runtime, learned=(await colleague.probe()).learned)
        assert (await ben.get_by_path("/Common/a.txt")).raw_id == file.raw_id
        with refused(ErrorKind.PERMISSION_DENIED):
            await ben.create_folder(ROOT, "only administrators may")

    async def test_members_of_the_team_stay_when_all_others_are_removed(self, place: Place, team: Connector) -> None:
        place.state.space.add_team_folder("Sample Works", "Common")
        common = await team.get_by_path("/Common")
        file = await put(team, "a.txt", common.raw_id)
        before = await team.list_permissions(file.ref)
        assert await team.set_permissions(file.ref, [], is_replacing=True) == before
        assert {permission.raw_role for permission in before} == {"editor"}

    async def test_permission_denied_when_the_team_has_gone(self, place: Place, runtime: Runtime) -> None:
        stale = open_account(place, 3, runtime, learned={"root_namespace_id": "1"})
        with refused(ErrorKind.PERMISSION_DENIED):
            await stale.list_folder(ROOT)


async def test_raw_object_comes_along_when_it_is_asked_for(place: Place, runtime: Runtime) -> None:
    file = await put(open_account(place, 3, runtime), "a")
    seen = await open_account(place, 3, runtime, include_raw=True).get(file.ref)
    assert isinstance(seen, File)
    assert (seen.raw or {})["rev"] == file.etag
    assert file.raw is None


async def test_account_works_on_when_its_token_has_ended_and_another_is_given(
    place: Place, clock: ManualClock, fail: Fail
) -> None:
    class Tokens:
        async def current(self, *, remaining_seconds_min: float = 0) -> str:  # noqa: ARG002 - the protocol's
            return place.issue(3)[0]

        async def refreshed(self, stale: str) -> str:  # noqa: ARG002 - the protocol's
            return place.issue(3)[0]

    runtime = Runtime(clock=clock)
    connector = open_account(place, 3, runtime, tokens=Tokens())
    fail(FaultKind.EXPIRED_TOKEN)
    root = await connector.get(MANIFEST.root)
    assert isinstance(root, Folder)
    assert (await connector.get_identity()).label == "cleo@example.org"
    await runtime.aclose()


@pytest.mark.parametrize("size_bytes", [2, BLOCK_BYTES, 2 * BLOCK_BYTES + 1])
async def test_end_is_kept_back_when_other_bytes_come_than_the_file_has(
    connector: Connector, place: Place, size_bytes: int
) -> None:
    file = await connector.upload(ROOT, "a", BytesSource(bytes(size_bytes)), on_conflict=OnConflict.FAIL)
    [stored] = [resource for resource in place.state.space.resources.values() if isinstance(resource, SimulatedFile)]
    stored.version.content.path.write_bytes(bytes(size_bytes - 1) + b"\1")
    seen_bytes = 0
    with refused(ErrorKind.UNAVAILABLE):
        async with connector.open_download(file.raw_id) as download:
            async for chunk in download.chunks:
                seen_bytes += len(chunk)
    assert seen_bytes < size_bytes
    async with connector.open_download(file.raw_id, byte_range=ByteRange(0, 0)) as part:  # has no hash of its own
        assert len(b"".join([chunk async for chunk in part.chunks])) == 1
