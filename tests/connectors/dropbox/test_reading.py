from __future__ import annotations

import pytest

from connectors.core.bytesource import BytesSource
from connectors.core.clock import ManualClock
from connectors.core.connector import Connector
from connectors.core.errors import ErrorKind
from connectors.core.resources import Change, File, Folder, OnConflict, RawId, VersionId
from connectors.core.stack import Runtime
from connectors.dropbox.manifest import MANIFEST
from simulators.core.faults import FaultKind
from tests.connectors.behavior.space import refused
from tests.connectors.dropbox.conftest import BEN, Fail
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

    async def test_not_found_when_the_version_is_another_files(self, connector: Connector) -> None:
        file, other = await put(connector, "a"), await put(connector, "b")
        version = VersionId(other.etag or "")
        with refused(ErrorKind.NOT_FOUND):
            await connector.restore_version(file.raw_id, version)
        with refused(ErrorKind.NOT_FOUND):
            async with connector.open_version(file.raw_id, version):
                pass


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
