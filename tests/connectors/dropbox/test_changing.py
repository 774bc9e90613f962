from __future__ import annotations

from dataclasses import replace

import pytest

from connectors.core.bytesource import BytesSource
from connectors.core.clock import ManualClock
from connectors.core.connector import Connector
from connectors.core.errors import ErrorKind
from connectors.core.layers.retry import RetryPolicy
from connectors.core.resources import File, Folder, OnConflict, PermissionChange, RawId, Ref, VersionId
from connectors.core.stack import Runtime
from connectors.dropbox import reading
from connectors.dropbox.manifest import MANIFEST
from connectors.dropbox.properties import REMEMBERED_SECONDS_MAX, TemplateMemory
from simulators.core.faults import FaultKind
from simulators.dropbox.scopes import DEFAULT_SCOPES
from tests.connectors.behavior.space import refused
from tests.connectors.dropbox.conftest import ADA, BEN, CLEO, Fail, Meddle
from tests.connectors.dropbox.target import open_account
from tests.servers.dropbox import Place

ROOT = MANIFEST.root.raw_id


async def put(connector: Connector, name: str, parent: RawId = ROOT) -> File:
    return await connector.upload(parent, name, BytesSource(b"bytes"), on_conflict=OnConflict.FAIL)


async def names(connector: Connector) -> list[str]:
    return [resource.name for resource in (await connector.list_folder(ROOT)).resources]


class TestCaseOfLetters:
    async def test_it_changes_when_nothing_else_does(self, connector: Connector) -> None:
        folder = await connector.create_folder(ROOT, "folder")
        inside = await put(connector, "inside", folder.raw_id)
        renamed = await connector.update(folder.ref, name="FOLDER")
        assert (renamed.name, renamed.raw_id) == ("FOLDER", folder.raw_id)
        assert (await connector.get(inside.ref)).path == "/FOLDER/inside"

    async def test_old_name_is_back_when_the_second_step_is_refused(self, connector: Connector, fail: Fail) -> None:
        file = await put(connector, "name")
        fail(FaultKind.UNAVAILABLE, "move_v2", skip=2, times=4)
        with refused(ErrorKind.UNAVAILABLE):
            await connector.update(file.ref, name="NAME")
        assert await names(connector) == ["name"]

    async def test_old_name_is_back_when_nobody_knows_of_the_first_step(
        self, connector: Connector, fail: Fail, meddle: Meddle
    ) -> None:
        folder = await connector.create_folder(ROOT, "folder")
        fail(FaultKind.LOST_ANSWER, "move_v2", skip=1, times=RetryPolicy().attempts_max)

        async def end() -> None:
            fail(FaultKind.UNAVAILABLE, "get_metadata", times=RetryPolicy().attempts_max)

        meddle(end)
        with refused(ErrorKind.UNAVAILABLE):
            await connector.update(folder.ref, name="FOLDER")
        assert await names(connector) == ["folder"]


@pytest.mark.parametrize(
    ("kind", "path"), [(FaultKind.RATE_LIMITED, "get_metadata"), (FaultKind.TOO_MANY_WRITES, "create_folder")]
)
async def test_it_is_done_after_the_time_that_dropbox_names(
    connector: Connector, clock: ManualClock, fail: Fail, kind: FaultKind, path: str
) -> None:
    fail(kind, path, seconds=7)
    await connector.create_folder(ROOT, "folder")
    assert clock.sleeps == [7]
    assert await names(connector) == ["folder"]


class TestCopy:
    @pytest.mark.parametrize("policy", list(OnConflict))
    async def test_file_is_there_once_when_only_the_answer_was_lost(
        self, connector: Connector, fail: Fail, policy: OnConflict
    ) -> None:
        file = await put(connector, "a")
        fail(FaultKind.LOST_ANSWER, "copy_v2")
        copy = await connector.copy(file.ref, parent=ROOT, name="b", on_conflict=policy)
        assert (copy.name, await names(connector)) == ("b", ["a", "b"])

    @pytest.mark.parametrize("is_whole", [True, False])
    async def test_folder_is_there_once_when_only_the_answer_was_lost_and_in_doubt_when_it_holds_something_else(
        self, connector: Connector, fail: Fail, meddle: Meddle, *, is_whole: bool
    ) -> None:
        folder = await connector.create_folder(ROOT, "a")
        inner = await connector.create_folder(folder.raw_id, "inner")
        file = await put(connector, "file", inner.raw_id)
        fail(FaultKind.LOST_ANSWER, "copy_v2")
        if is_whole:
            copy = await connector.copy(folder.ref, parent=ROOT)
            assert copy.name == "a (1)"
        else:
            meddle(lambda: connector.delete(file.ref))
            with refused(ErrorKind.UNAVAILABLE) as caught:
                await connector.copy(folder.ref, parent=ROOT)
            assert caught.value.maybe_applied
        assert await names(connector) == ["a", "a (1)"]

    async def test_folder_is_in_doubt_when_it_is_too_large_to_be_compared(
        self, connector: Connector, fail: Fail, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        folder = await connector.create_folder(ROOT, "a")
        for name in ("b", "c"):
            await connector.create_folder(folder.raw_id, name)
        monkeypatch.setattr(reading, "WHOLE_LIMIT", 1)
        monkeypatch.setattr(reading, "TREE_COUNT_MAX", 0)
        fail(FaultKind.LOST_ANSWER, "copy_v2")
        with refused(ErrorKind.UNAVAILABLE) as caught:
            await connector.copy(folder.ref, parent=ROOT)
        assert caught.value.maybe_applied

    async def test_others_file_is_not_taken_for_the_copy_when_it_comes_before_the_repeat(
        self, connector: Connector, fail: Fail, meddle: Meddle
    ) -> None:
        file = await put(connector, "a")
        fail(FaultKind.UNAVAILABLE, "copy_v2")
        meddle(lambda: connector.create_folder(ROOT, "b"))
        with refused(ErrorKind.ALREADY_EXISTS):
            await connector.copy(file.ref, parent=ROOT, name="b", on_conflict=OnConflict.FAIL)
        assert await names(connector) == ["a", "b"]


async def test_version_is_restored_once_when_only_the_answer_was_lost(connector: Connector, fail: Fail) -> None:
    file = await put(connector, "a")
    await connector.replace(file.raw_id, BytesSource(b"new"))
    fail(FaultKind.LOST_ANSWER, "files/restore")
    restored = await connector.restore_version(file.raw_id, VersionId(file.etag or ""))
    versions = (await connector.list_versions(file.raw_id)).versions
    assert [version.size_bytes for version in versions] == [5, 3, 5]
    assert restored.etag == versions[0].etag


class TestDelete:
    async def test_versions_are_kept_when_it_goes_to_the_trash_and_not_when_it_is_permanent(
        self, place: Place, connector: Connector
    ) -> None:
        for is_permanent in (False, True):
            file = await put(connector, "a")
            await connector.delete(file.ref, is_permanent=is_permanent)
            assert (file.etag in place.state.space.versions) is not is_permanent

    async def test_words_say_what_is_missing_when_the_app_may_not_delete_for_good(
        self, place: Place, runtime: Runtime
    ) -> None:
        connector = open_account(place, ADA, runtime, scopes=DEFAULT_SCOPES)
        file = await put(connector, "a")
        with refused(ErrorKind.PERMISSION_DENIED) as caught:
            await connector.delete(file.ref, is_permanent=True)
        assert "scope" in caught.value.message
        assert await names(connector) == ["a"]


class TestPermissions:
    @pytest.fixture
    def ada(self, place: Place, runtime: Runtime) -> Connector:
        return open_account(place, ADA, runtime)

    async def test_folder_is_shared_when_somebody_is_to_have_it(
        self, place: Place, ada: Connector, runtime: Runtime
    ) -> None:
        folder = await ada.create_folder(ROOT, "folder")
        await put(ada, "inside", folder.raw_id)
        wishes = [
            PermissionChange(role="writer", email="ben@example.com"),
            PermissionChange(role="reader", email="new@example.com"),
        ]
        granted = await ada.set_permissions(folder.ref, wishes, is_replacing=False)
        assert [(each.role, each.raw_role, each.email) for each in granted] == [
            ("owner", "owner", "ada@example.com"),
            ("writer", "editor", "ben@example.com"),
            ("reader", "viewer", "new@example.com"),
        ]
        seen = (await open_account(place, BEN, runtime).list_folder(ROOT)).resources
        assert [(type(each), each.name) for each in seen] == [(Folder, "folder")]
        assert (await ada.get(folder.ref)).raw_id == folder.raw_id

    async def test_somebody_is_removed_when_the_job_is_done(self, ada: Connector, clock: ManualClock) -> None:
        folder = await ada.create_folder(ROOT, "folder")
        ben = PermissionChange(role="reader", email="ben@example.com")
        await ada.set_permissions(folder.ref, [ben], is_replacing=False)
        assert clock.sleeps == []
        left = await ada.set_permissions(folder.ref, [], is_replacing=True)
        assert [permission.role for permission in left] == ["owner"]
        assert clock.sleeps != []

    async def test_role_is_changed_and_others_removed_when_replaced(self, ada: Connector) -> None:
        file = await put(ada, "a.txt")
        both = [PermissionChange(role="reader", email=email) for email in ("ben@example.com", "cleo@example.org")]
        await ada.set_permissions(file.ref, both, is_replacing=False)
        only = PermissionChange(role="writer", email="BEN@example.com")
        left = await ada.set_permissions(file.ref, [only], is_replacing=True)
        assert [(each.role, each.email) for each in left] == [
            ("owner", "ada@example.com"),
            ("writer", "ben@example.com"),
        ]

    @pytest.mark.parametrize(
        "wish",
        [
            PermissionChange(role="owner", email="ben@example.com"),
            PermissionChange(role="reader", type="anyone"),
            PermissionChange(role="reader", type="domain", raw_id="example.com"),
        ],
    )
    async def test_unsupported_and_nothing_is_shared_when_dropbox_has_no_such_permission(
        self, ada: Connector, wish: PermissionChange
    ) -> None:
        folder = await ada.create_folder(ROOT, "folder")
        with refused(ErrorKind.UNSUPPORTED):
            await ada.set_permissions(folder.ref, [wish], is_replacing=False)
        assert len(await ada.list_permissions(folder.ref)) == 1

    async def test_root_has_its_owner_and_cannot_be_shared(self, ada: Connector) -> None:
        assert [each.email for each in await ada.list_permissions(MANIFEST.root)] == ["ada@example.com"]
        with refused(ErrorKind.UNSUPPORTED):
            wish = PermissionChange(role="reader", email="ben@example.com")
            await ada.set_permissions(Ref("folder", ROOT), [wish], is_replacing=False)


class TestProperties:
    async def test_a_new_template_is_made_when_the_old_one_is_gone(self, place: Place, connector: Connector) -> None:
        file = await put(connector, "a")
        await connector.update_properties(file.raw_id, {"key": "value"})
        assert len(place.state.templates) == 1
        place.state.templates.clear()
        with refused(ErrorKind.NOT_FOUND):
            await connector.update_properties(file.raw_id, {"key": "value"})
        await connector.update_properties(file.raw_id, {"key": "value"})
        assert len(place.state.templates) == 1

    async def test_properties_are_found_by_others_when_the_answer_about_the_template_was_lost(
        self, place: Place, connector: Connector, runtime: Runtime, fail: Fail
    ) -> None:
        file = await put(connector, "a")
        fail(FaultKind.LOST_ANSWER, "add_for_user")
        written = await connector.update_properties(file.raw_id, {"key": "value"})
        for templates in (place.state.templates, dict(reversed(place.state.templates.items()))):
            place.state.templates = templates
            assert await open_account(place, CLEO, runtime).list_properties(file.raw_id) == written

    async def test_nothing_is_lost_when_two_servers_made_a_template_at_the_same_time(
        self, place: Place, connector: Connector, runtime: Runtime
    ) -> None:
        file, both = await put(connector, "a"), await put(connector, "b")
        await connector.update_properties(file.raw_id, {"key": "value"})
        await connector.update_properties(both.raw_id, {"key": "old", "mine": "1"})
        (template,) = place.state.templates.values()
        first = replace(template, template_id="ptid:/first")
        place.state.templates = {first.template_id: first, **place.state.templates}
        other = open_account(place, CLEO, runtime)
        for each in (file, both):
            await other.update_properties(each.raw_id, {"key": "new"})
        for reader in (other, open_account(place, CLEO, runtime)):
            assert [each.value for each in await reader.list_properties(file.raw_id)] == ["new"]
            assert [each.value for each in await reader.list_properties(both.raw_id)] == ["new", "1"]
        await other.update_properties(both.raw_id, {}, is_replacing=True)
        assert await open_account(place, CLEO, runtime).list_properties(both.raw_id) == []

    def test_templates_are_looked_for_again_when_another_server_may_have_made_one(self) -> None:
        clock = ManualClock()
        memory = TemplateMemory(clock.monotonic)
        memory.learn("account", ["ptid:a"])
        assert memory.find("account") == ["ptid:a"]
        clock.advance(REMEMBERED_SECONDS_MAX)
        assert not memory.find("account")

    async def test_invalid_name_and_nothing_changes_when_letters_need_too_many_bytes(
        self, connector: Connector
    ) -> None:
        file = await put(connector, "a")
        await connector.update_properties(file.raw_id, {"key": "value"})
        with refused(ErrorKind.INVALID_NAME):
            await connector.update_properties(file.raw_id, {"key": "\u65e5" * 400})
        assert [(each.key, each.value) for each in await connector.list_properties(file.raw_id)] == [("key", "value")]

    async def test_colons_and_digits_come_back_when_they_are_in_key_or_value(self, connector: Connector) -> None:
        file = await put(connector, "a")
        wanted = {"1:2": "3:4", ":": ":", "12": ""}
        returned = await connector.update_properties(file.raw_id, {**wanted})
        assert {each.key: each.value for each in returned} == wanted
        assert await connector.list_properties(file.raw_id) == returned
