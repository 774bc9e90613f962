from __future__ import annotations

import pytest

from connectors.core.bytesource import BytesSource
from connectors.core.errors import ConnectorError, ErrorKind
from connectors.core.resources import File, OnConflict, Resource
from tests.connectors.behavior.space import refused
from tests.connectors.gdrive.conftest import ROOT, Account


async def test_already_exists_and_nothing_changes_when_name_is_taken(account: Account) -> None:
    old = await account.put("a.txt", b"old")
    folder = await account.connector.create_folder(ROOT, "b")
    other = await account.put("c.txt", b"other")
    for call in (
        account.put("a.txt", b"new"),
        account.connector.create_folder(ROOT, "a.txt"),
        account.connector.update(other.ref, name="a.txt"),
        account.connector.copy(other.ref, parent=ROOT, name="a.txt", on_conflict=OnConflict.FAIL),
        account.connector.start_upload(ROOT, "a.txt", size_bytes=3, on_conflict=OnConflict.FAIL),
    ):
        with refused(ErrorKind.ALREADY_EXISTS) as caught:
            await call
        assert caught.value.conflict == old.ref
    for call in (
        account.put("b", on_conflict=OnConflict.REPLACE),
        account.connector.copy(old.ref, parent=ROOT, name="b", on_conflict=OnConflict.REPLACE),
        account.connector.update(other.ref, name="b"),
    ):
        with refused(ErrorKind.ALREADY_EXISTS) as caught:
            await call
        assert caught.value.conflict == folder.ref
    assert await account.names() == ["a.txt", "b", "c.txt"]
    assert await account.read(old.raw_id) == b"old"


async def test_free_names_are_found_when_files_are_renamed(account: Account) -> None:
    await account.put("a.txt")
    files = [await account.put("a.txt", on_conflict=OnConflict.RENAME) for _ in range(2)]
    assert [file.name for file in files] == ["a (1).txt", "a (2).txt"]


@pytest.mark.parametrize("size_bytes", [3, 9 * 2**20])
async def test_bytes_are_new_and_id_and_type_stay_when_file_is_replaced(account: Account, size_bytes: int) -> None:
    old = await account.put("a.txt", b"old")
    new = await account.put("a.txt", b"n" * size_bytes, on_conflict=OnConflict.REPLACE)
    assert (new.raw_id, new.media_type, new.is_replacement) == (old.raw_id, old.media_type, True)
    assert new.etag != old.etag
    assert await account.read(old.raw_id) == b"n" * size_bytes
    assert await account.names() == ["a.txt"]


async def test_old_file_is_in_the_trash_when_a_copy_takes_its_name(account: Account) -> None:
    source, old = await account.put("a.txt", b"a"), await account.put("b.txt", b"b")
    copy = await account.connector.copy(source.ref, parent=ROOT, name="b.txt", on_conflict=OnConflict.REPLACE)
    assert await account.read(copy.raw_id) == b"a"
    assert await account.names() == ["a.txt", "b.txt"]
    assert account.place.drive.store.get(old.raw_id).is_trashed
    again = await account.connector.copy(source.ref, parent=ROOT, on_conflict=OnConflict.REPLACE)
    assert again.ref == source.ref


@pytest.mark.parametrize("policy", list(OnConflict))
async def test_policy_holds_when_name_is_taken_while_parts_come(account: Account, policy: OnConflict) -> None:
    session = await account.connector.start_upload(ROOT, "a.txt", size_bytes=3, on_conflict=policy)
    part = await account.connector.put_part(session, 1, BytesSource(b"new"))
    old = await account.put("a.txt", b"old")
    try:
        file = await account.connector.finish_upload(session, [part])
    except ConnectorError as error:
        assert (error.kind, error.conflict) == (ErrorKind.ALREADY_EXISTS, old.ref)  # noqa: PT017 - but for REPLACE
        assert policy is not OnConflict.REPLACE
        assert await account.read(old.raw_id) == b"old"
    else:
        assert policy is OnConflict.REPLACE
        assert file.is_replacement
        assert await account.read(file.raw_id) == b"new"
    assert await account.names() == ["a.txt"]


class TestNamesakes:
    @pytest.fixture
    async def oldest(self, account: Account) -> File:
        """Of three files of one name the one that was made first."""
        oldest = await account.put("a.txt", b"first")
        for data in (b"second", b"third"):
            account.store_again("a.txt", data)
        return oldest

    async def test_all_are_listed_and_the_oldest_is_found_by_path(self, account: Account, oldest: File) -> None:
        assert await account.names() == ["a.txt"] * 3
        found: Resource = await account.connector.get_by_path("/a.txt")
        assert found == oldest

    async def test_the_oldest_is_replaced_and_stands_in_the_way(self, account: Account, oldest: File) -> None:
        new = await account.put("a.txt", b"new", on_conflict=OnConflict.REPLACE)
        assert new.raw_id == oldest.raw_id
        with refused(ErrorKind.ALREADY_EXISTS) as caught:
            await account.put("a.txt")
        assert caught.value.conflict == oldest.ref

    async def test_folder_is_found_when_path_goes_on_below_it(self, account: Account, oldest: File) -> None:
        with account.place.client(1) as client:
            body = {"name": "a.txt", "mimeType": "application/vnd.google-apps.folder"}
            folder_id = client.post("/drive/v3/files", json=body).json()["id"]
        file = await account.connector.upload(folder_id, "b", BytesSource(b""), on_conflict=OnConflict.FAIL)
        assert await account.connector.get_by_path("/a.txt/b") == file
        assert (await account.connector.get_by_path("/a.txt/")).raw_id == folder_id
        assert (await account.connector.get_by_path("/a.txt")).raw_id == oldest.raw_id
