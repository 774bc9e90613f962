"""Simulated abilities, and repeated writes that are recognised."""

from __future__ import annotations

import pytest

from connectors.core.bytesource import BytesSource
from connectors.core.errors import ConnectorError, ErrorKind
from connectors.core.layers import simulate
from connectors.core.layers.simulate import SimulatingConnector
from connectors.core.manifest import Capabilities
from connectors.core.resources import File, Folder, OnConflict, RawId, Ref, Resource
from tests.connectors.core.fakes import build_manifest
from tests.connectors.core.memory import ROOT, MemoryConnector


def replayed(kind: ErrorKind, conflict: Ref | None = None) -> ConnectorError:
    error = ConnectorError(kind, conflict=conflict)
    error.is_replay = True
    return error


@pytest.fixture
def memory() -> MemoryConnector:
    memory = MemoryConnector()
    memory.add("/a/b/deep.txt", b"deep bytes")
    memory.add("/a/one.txt", b"one")
    memory.add("/a/two.txt", b"two")
    memory.add("/a/empty.txt", b"")
    memory.add("/a/c")
    memory.add("/z.txt", b"z")
    return memory


@pytest.fixture
def connector(memory: MemoryConnector) -> SimulatingConnector:
    return SimulatingConnector(memory)


async def find(connector: SimulatingConnector, path: str) -> Resource:
    return await connector.get_by_path(path)


async def test_one_effective_set_of_capabilities_is_shown(memory: MemoryConnector) -> None:
    effective = SimulatingConnector(memory).capabilities
    assert effective == Capabilities(get_by_path=True, delete_recursive=True, copy=True, copy_folder=True)


class TestGetByPath:
    @pytest.mark.parametrize(
        ("path", "name", "kind"),
        [
            ("/", "", Folder),
            ("/a", "a", Folder),
            ("/a/", "a", Folder),
            ("/a/b/deep.txt", "deep.txt", File),
            ("/z.txt", "z.txt", File),
        ],
    )
    async def test_resource_is_found(
        self, connector: SimulatingConnector, path: str, name: str, kind: type[Resource]
    ) -> None:
        found = await connector.get_by_path(path)
        assert (found.name, type(found)) == (name, kind)

    @pytest.mark.parametrize("path", ["/nothing", "/a/nothing", "/z.txt/below", "/z.txt/", "/nothing/at/all"])
    async def test_not_found_when_nothing_stands_there(self, connector: SimulatingConnector, path: str) -> None:
        with pytest.raises(ConnectorError) as caught:
            await connector.get_by_path(path)
        assert caught.value.kind is ErrorKind.NOT_FOUND

    async def test_path_is_refused_when_it_is_too_deep(
        self, connector: SimulatingConnector, memory: MemoryConnector
    ) -> None:
        with pytest.raises(ConnectorError) as caught:
            await connector.get_by_path("/a" * (simulate.PATH_NAMES_MAX + 1))
        assert (caught.value.kind, memory.calls) == (ErrorKind.INVALID_NAME, [])

    async def test_native_ability_is_used_when_there_is_one(self) -> None:
        class Native(MemoryConnector):
            async def get_by_path(self, path: str) -> Resource:
                return Folder(raw_id=RawId("native"), name=path)

        native = Native(manifest=build_manifest(capabilities=Capabilities(get_by_path=True)))
        assert (await SimulatingConnector(native).get_by_path("/a")).raw_id == "native"


class TestDelete:
    async def test_folder_goes_with_its_content_children_first(
        self, connector: SimulatingConnector, memory: MemoryConnector
    ) -> None:
        folder = await find(connector, "/a")
        await connector.delete(folder.ref, is_recursive=True)
        assert memory.tree() == {"/z.txt": b"z"}

    async def test_folder_with_content_stays_when_it_may_not_go_with_it(
        self, connector: SimulatingConnector, memory: MemoryConnector
    ) -> None:
        folder = await find(connector, "/a")
        with pytest.raises(ConnectorError) as caught:
            await connector.delete(folder.ref)
        assert (caught.value.kind, len(memory.tree())) == (ErrorKind.FOLDER_NOT_EMPTY, 8)

    async def test_child_that_vanished_meanwhile_is_no_error(
        self, connector: SimulatingConnector, memory: MemoryConnector
    ) -> None:
        folder = await find(connector, "/a/c")
        memory.add("/a/c/x", b"")
        memory.faults["delete"] = [ConnectorError(ErrorKind.NOT_FOUND)]
        with pytest.raises(ConnectorError) as caught:  # the child is still there, so the folder is not empty
            await connector.delete(folder.ref, is_recursive=True)
        assert caught.value.kind is ErrorKind.FOLDER_NOT_EMPTY

    async def test_deleting_ends_when_a_child_may_not_be_deleted(
        self, connector: SimulatingConnector, memory: MemoryConnector
    ) -> None:
        folder = await find(connector, "/a")
        memory.faults["delete"] = [ConnectorError(ErrorKind.PERMISSION_DENIED)]
        with pytest.raises(ConnectorError) as caught:
            await connector.delete(folder.ref, is_recursive=True)
        assert caught.value.kind is ErrorKind.PERMISSION_DENIED
        assert folder.raw_id in memory.nodes

    @pytest.mark.parametrize("limit", ["TREE_RESOURCES_MAX", "TREE_DEPTH_MAX"])
    async def test_nothing_is_deleted_when_the_tree_is_too_large(
        self, connector: SimulatingConnector, memory: MemoryConnector, monkeypatch: pytest.MonkeyPatch, limit: str
    ) -> None:
        monkeypatch.setattr(simulate, limit, 1)
        folder = await find(connector, "/a")
        with pytest.raises(ConnectorError) as caught:
            await connector.delete(folder.ref, is_recursive=True)
        assert (caught.value.kind, len(memory.tree())) == (ErrorKind.UNSUPPORTED, 8)

    async def test_repeat_that_finds_nothing_is_done(
        self, connector: SimulatingConnector, memory: MemoryConnector
    ) -> None:
        memory.faults["delete"] = [replayed(ErrorKind.NOT_FOUND)]
        await connector.delete(Ref("file", RawId("gone")))

    async def test_first_attempt_that_finds_nothing_is_not_found(self, connector: SimulatingConnector) -> None:
        with pytest.raises(ConnectorError) as caught:
            await connector.delete(Ref("file", RawId("gone")))
        assert caught.value.kind is ErrorKind.NOT_FOUND


class TestCreateFolder:
    @pytest.mark.parametrize("says_conflict", [True, False])
    async def test_repeat_that_finds_the_folder_returns_it(
        self, connector: SimulatingConnector, memory: MemoryConnector, says_conflict: bool
    ) -> None:
        created = memory.add("/new")
        conflict = Ref("folder", created) if says_conflict else None
        memory.faults["create_folder"] = [replayed(ErrorKind.ALREADY_EXISTS, conflict)]
        assert (await connector.create_folder(ROOT, "new")).raw_id == created

    @pytest.mark.parametrize("says_conflict", [True, False])
    async def test_repeat_that_finds_a_file_is_an_error(
        self, connector: SimulatingConnector, memory: MemoryConnector, says_conflict: bool
    ) -> None:
        file = memory.add("/new", b"")
        conflict = Ref("file", file) if says_conflict else None
        memory.faults["create_folder"] = [replayed(ErrorKind.ALREADY_EXISTS, conflict)]
        with pytest.raises(ConnectorError) as caught:
            await connector.create_folder(ROOT, "new")
        assert caught.value.kind is ErrorKind.ALREADY_EXISTS

    async def test_first_attempt_that_finds_the_folder_is_an_error(
        self, connector: SimulatingConnector, memory: MemoryConnector
    ) -> None:
        memory.add("/new")
        with pytest.raises(ConnectorError) as caught:
            await connector.create_folder(ROOT, "new")
        assert caught.value.kind is ErrorKind.ALREADY_EXISTS


class TestCopy:
    async def test_file_is_copied_through_us(self, connector: SimulatingConnector, memory: MemoryConnector) -> None:
        source, target = await find(connector, "/a/b/deep.txt"), await find(connector, "/a/c")
        copied = await connector.copy(source.ref, parent=target.raw_id)
        assert (copied.name, memory.tree()["/a/c/deep.txt"]) == ("deep.txt", b"deep bytes")

    @pytest.mark.parametrize(
        ("on_conflict", "stored"), [(OnConflict.RENAME, "/one.txt (1)"), (OnConflict.REPLACE, "/one.txt")]
    )
    async def test_conflict_is_solved_as_asked(
        self, connector: SimulatingConnector, memory: MemoryConnector, on_conflict: OnConflict, stored: str
    ) -> None:
        await memory.upload(ROOT, "one.txt", BytesSource(b"older"), on_conflict=OnConflict.FAIL)
        source = await find(connector, "/a/one.txt")
        await connector.copy(source.ref, parent=ROOT, on_conflict=on_conflict)
        assert memory.tree()[stored] == b"one"

    async def test_folder_is_copied_with_all_it_holds(
        self, connector: SimulatingConnector, memory: MemoryConnector
    ) -> None:
        source = await find(connector, "/a")
        copied = await connector.copy(source.ref, parent=ROOT, name="copy", on_conflict=OnConflict.FAIL)
        tree = memory.tree()
        expected = {path.replace("/a", "/copy", 1): data for path, data in tree.items() if path.startswith("/a")}
        assert {path: data for path, data in tree.items() if path.startswith("/copy")} == expected
        assert isinstance(copied, Folder)

    async def test_folder_gets_a_free_name_when_its_own_is_taken(
        self, connector: SimulatingConnector, memory: MemoryConnector
    ) -> None:
        source = await find(connector, "/a/c")
        for _ in range(3):
            await connector.copy(source.ref, parent=ROOT)
        assert {"/c", "/c (1)", "/c (2)"} <= set(memory.tree())

    async def test_copying_ends_when_no_free_name_is_found(
        self, connector: SimulatingConnector, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(simulate, "FREE_NAMES_TRIED_MAX", 2)
        source = await find(connector, "/a/c")
        for _ in range(2):
            await connector.copy(source.ref, parent=ROOT)
        with pytest.raises(ConnectorError) as caught:
            await connector.copy(source.ref, parent=ROOT)
        assert caught.value.kind is ErrorKind.ALREADY_EXISTS

    async def test_folder_is_not_copied_when_its_name_is_taken_and_must_not_be(
        self, connector: SimulatingConnector, memory: MemoryConnector
    ) -> None:
        memory.add("/c")
        source = await find(connector, "/a/c")
        with pytest.raises(ConnectorError) as caught:
            await connector.copy(source.ref, parent=ROOT, on_conflict=OnConflict.FAIL)
        assert caught.value.kind is ErrorKind.ALREADY_EXISTS

    @pytest.mark.parametrize("target", ["/a", "/a/b"])
    async def test_folder_cannot_be_copied_below_itself(
        self, connector: SimulatingConnector, memory: MemoryConnector, target: str
    ) -> None:
        source, parent = await find(connector, "/a"), await find(connector, target)
        with pytest.raises(ConnectorError) as caught:
            await connector.copy(source.ref, parent=parent.raw_id)
        assert (caught.value.kind, len(memory.tree())) == (ErrorKind.INVALID_TARGET, 8)

    async def test_files_are_copied_natively_when_only_folders_cannot(self) -> None:
        class Native(MemoryConnector):
            async def copy(
                self, ref: Ref, *, parent: RawId, name: str | None = None, on_conflict: OnConflict = OnConflict.RENAME
            ) -> Resource:
                assert (ref.kind, on_conflict, parent) == ("file", OnConflict.RENAME, RawId("3"))
                self.calls.append(("copy", name))
                return self._resource(self._store(self.nodes[ref.raw_id]))

        native = Native(manifest=build_manifest(capabilities=Capabilities(copy=True)))
        folder = Ref("folder", native.add("/a"))
        native.add("/a/x", b"x")
        await SimulatingConnector(native).copy(folder, parent=ROOT, name="b")
        assert ("copy", "x") in native.calls
        assert "open_download" not in [name for name, _ in native.calls]
