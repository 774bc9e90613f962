"""What Drive has beside files and folders: its own documents, shortcuts, shared drives, what others shared."""

from __future__ import annotations

from typing import Any

import pytest

from connectors.core.bytesource import BytesSource
from connectors.core.errors import ErrorKind
from connectors.core.resources import ByteRange, File, Folder, OnConflict, PermissionChange, RawId, Ref
from tests.connectors.behavior.space import refused
from tests.connectors.gdrive.conftest import ROOT, Account, Open

NATIVE = "application/vnd.google-apps."
WORD = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"


def create(account: Account, **body: Any) -> RawId:
    """Something that the connector does not make."""
    with account.place.client(1) as client:
        return RawId(client.post("/drive/v3/files", json=body).json()["id"])


class TestDocuments:
    @pytest.fixture
    def document(self, account: Account) -> Ref:
        with account.place.client(1) as client:
            body = {"name": "notes", "mimeType": f"{NATIVE}document"}
            raw_id = client.post("/drive/v3/files", json=body).json()["id"]
            client.patch(f"/upload/drive/v3/files/{raw_id}?uploadType=media", content=b"some words").raise_for_status()
        return Ref("file", RawId(raw_id))

    async def test_size_is_unknown_and_type_is_its_own_when_described(self, account: Account, document: Ref) -> None:
        file = await account.connector.get(document)
        assert isinstance(file, File)
        assert (file.media_type, file.size_bytes, file.etag, file.hashes) == (f"{NATIVE}document", None, None, None)
        assert file.is_downloadable

    async def test_export_for_office_programs_comes_when_nothing_else_is_set(
        self, account: Account, document: Ref
    ) -> None:
        async with account.connector.open_download(document.raw_id) as download:
            assert (download.name, download.media_type, download.size_bytes) == ("notes.docx", WORD, None)
            assert b"".join([chunk async for chunk in download.chunks]).startswith(b"PK")

    async def test_export_is_of_the_format_that_the_operator_chose(self, open_as: Open, document: Ref) -> None:
        account = open_as(export_formats={"document": "md"})
        async with account.connector.open_download(document.raw_id) as download:
            assert (download.name, download.media_type) == ("notes.md", "text/markdown")
            assert b"".join([chunk async for chunk in download.chunks]) == b"some words"

    @pytest.mark.parametrize("wish", ["pdf", ".PDF", "application/pdf"])
    async def test_export_is_of_the_format_that_is_asked_for_whatever_the_operator_chose(
        self, open_as: Open, document: Ref, wish: str
    ) -> None:
        account = open_as(export_formats={"document": "md"})
        async with account.connector.open_export(document.raw_id, wish) as download:
            assert (download.name, download.media_type, download.size_bytes) == ("notes.pdf", "application/pdf", None)
            assert b"".join([chunk async for chunk in download.chunks]).startswith(b"%PDF")

    async def test_formats_are_told_with_the_document_and_when_another_is_asked_for(
        self, account: Account, document: Ref
    ) -> None:
        file = await account.connector.get(document)
        assert isinstance(file, File)
        assert file.export_formats == ("docx", "pdf", "odt", "rtf", "txt", "md", "zip", "epub")
        with refused(ErrorKind.FORMAT_INVALID) as caught:
            async with account.connector.open_export(document.raw_id, "xlsx"):
                pass
        assert ", ".join(file.export_formats) in caught.value.message

    async def test_shortcut_is_exported_as_the_document_that_it_leads_to(self, account: Account, document: Ref) -> None:
        details = {"targetId": document.raw_id}
        shortcut = Ref("file", create(account, name="to it", mimeType=f"{NATIVE}shortcut", shortcutDetails=details))
        file = await account.connector.get(shortcut)
        assert isinstance(file, File)
        assert "md" in file.export_formats
        async with account.connector.open_export(shortcut.raw_id, "md") as download:
            assert b"".join([chunk async for chunk in download.chunks]) == b"some words"

    async def test_unsupported_when_documents_of_its_type_are_not_exported(self, account: Account) -> None:
        form = RawId(account.place.store(1, "form", b"", f"{NATIVE}form"))
        for opening in (account.connector.open_export(form, "pdf"), account.connector.open_download(form)):
            with refused(ErrorKind.UNSUPPORTED):
                async with opening:
                    pass

    async def test_unsupported_when_it_has_no_bytes_for_it(self, account: Account, document: Ref) -> None:
        (version,) = (await account.connector.list_versions(document.raw_id)).versions[-1:]
        assert version.size_bytes is None
        with refused(ErrorKind.UNSUPPORTED):
            await account.connector.replace(document.raw_id, BytesSource(b"x"))
        for opening in (
            account.connector.open_download(document.raw_id, byte_range=ByteRange(0, 1)),
            account.connector.open_version(document.raw_id, version.raw_id),
        ):
            with refused(ErrorKind.UNSUPPORTED):
                async with opening:
                    pass

    async def test_copy_is_a_document_when_copied(self, account: Account, document: Ref) -> None:
        copy = await account.connector.copy(document, parent=ROOT)
        assert (copy.name, getattr(copy, "media_type", None)) == ("notes (1)", f"{NATIVE}document")


class TestShortcuts:
    async def test_bytes_are_the_targets_and_all_else_is_the_shortcuts(self, account: Account) -> None:
        file = await account.put("a.txt", b"bytes")
        details = {"targetId": file.raw_id}
        shortcut = Ref("file", create(account, name="to a", mimeType=f"{NATIVE}shortcut", shortcutDetails=details))
        seen = await account.connector.get(shortcut)
        assert isinstance(seen, File)
        assert (seen.media_type, seen.size_bytes, seen.is_downloadable) == (f"{NATIVE}shortcut", None, True)
        assert await account.read(shortcut.raw_id) == b"bytes"
        with refused(ErrorKind.UNSUPPORTED):
            await account.connector.replace(shortcut.raw_id, BytesSource(b"new"))
        await account.connector.delete(shortcut)
        assert await account.names() == ["a.txt"]

    async def test_walk_does_not_enter_it_when_it_leads_to_a_folder(self, account: Account) -> None:
        folder = await account.connector.create_folder(ROOT, "a")
        details = {"targetId": folder.raw_id}
        body = {"name": "up", "mimeType": f"{NATIVE}shortcut", "parents": [folder.raw_id], "shortcutDetails": details}
        raw_id = create(account, **body)
        page = await account.connector.list_recursive(ROOT)
        assert [resource.name for resource in page.resources] == ["a", "up"]
        with refused(ErrorKind.WRONG_TYPE):
            await account.read(raw_id)
        assert not getattr(page.resources[1], "is_downloadable", True)


class TestSharedDrives:
    @pytest.fixture
    def drive(self, account: Account) -> RawId:
        """One with a file in it."""
        with account.place.client(1) as client:
            answer = client.post("/drive/v3/drives?requestId=1", json={"name": "Team"})
            drive_id = RawId(answer.json()["id"])
            body = {"name": "plan.txt", "parents": [drive_id]}
            client.post("/drive/v3/files?supportsAllDrives=true", json=body).raise_for_status()
        return drive_id

    async def test_they_are_folders_in_the_root_behind_its_own_content(self, account: Account, drive: RawId) -> None:
        for name in ("a", "b"):
            await account.put(name)
        names: list[str] = []
        cursor: str | None = None
        while True:
            page = await account.connector.list_folder(ROOT, cursor=cursor, limit=2)
            names += [resource.name for resource in page.resources]
            cursor = page.next_cursor
            if cursor is None:
                break
        assert (sorted(names[:2]), names[2:]) == (["a", "b"], ["Team"])
        assert page.resources[-1] == await account.connector.get(Ref("folder", drive))
        assert page.resources[-1].parent == (await account.connector.get_by_path("/a")).parent

    async def test_files_live_in_them_as_elsewhere(self, account: Account, drive: RawId) -> None:
        file = await account.connector.upload(drive, "a.txt", BytesSource(b"bytes"), on_conflict=OnConflict.FAIL)
        assert await account.connector.get_by_path("/Team/a.txt") == file
        assert await account.read(file.raw_id) == b"bytes"
        moved = await account.connector.update(file.ref, name="b.txt", parent=ROOT)
        assert await account.names(drive) == ["plan.txt"]
        assert (await account.connector.get_by_path("/b.txt")).ref == moved.ref
        page = await account.connector.search("plan")
        assert [resource.name for resource in page.resources] == ["plan.txt"]

    async def test_permission_denied_when_one_is_to_be_deleted(self, account: Account, drive: RawId) -> None:
        for is_recursive in (False, True):
            with refused(ErrorKind.PERMISSION_DENIED):
                await account.connector.delete(Ref("folder", drive), is_recursive=is_recursive)

    async def test_managers_are_owners_and_keep_their_own_role(self, account: Account, drive: RawId) -> None:
        (permission,) = await account.connector.list_permissions(Ref("folder", drive))
        assert (permission.role, permission.raw_role) == ("owner", "organizer")


async def test_it_has_no_parent_and_is_found_when_others_shared_it(account: Account, open_as: Open) -> None:
    file = await account.put("shared words.txt")
    for wish in (
        PermissionChange(role="reader", email="ben@example.com"),
        PermissionChange(role="reader", type="anyone"),
        PermissionChange(role="writer", type="domain", email="example.com"),
    ):
        granted = await account.connector.set_permissions(file.ref, [wish], is_replacing=False)
    assert sorted((each.type, each.role) for each in granted) == [
        ("anyone", "reader"),
        ("domain", "writer"),
        ("user", "owner"),
        ("user", "reader"),
    ]
    ben = open_as(2)
    (found,) = (await ben.connector.search("shared")).resources
    assert (found.raw_id, found.parent) == (file.raw_id, None)
    assert await ben.names() == []
    with refused(ErrorKind.PERMISSION_DENIED):
        await ben.connector.delete(file.ref, is_permanent=True)


async def test_ownership_is_handed_over_when_somebody_else_is_made_the_owner(account: Account) -> None:
    file = await account.put("a.txt")
    wish = PermissionChange(role="owner", email="ben@example.com")
    granted = await account.connector.set_permissions(file.ref, [wish], is_replacing=False)
    assert [each.email for each in granted if each.role == "owner"] == ["ben@example.com"]


async def test_deleted_things_are_in_the_trash_unless_it_is_to_be_for_ever(account: Account) -> None:
    folder = await account.connector.create_folder(ROOT, "a")
    inner = await account.connector.create_folder(folder.raw_id, "b")
    file = await account.put("c.txt")
    await account.connector.delete(folder.ref, is_recursive=True)
    await account.connector.delete(file.ref, is_permanent=True)
    store = account.place.drive.store
    assert store.get(folder.raw_id).is_trashed
    assert store.find(file.raw_id) is None
    for gone in (folder, inner):
        with refused(ErrorKind.NOT_FOUND):
            await account.connector.get(gone.ref)
        with refused(ErrorKind.NOT_FOUND):
            await account.connector.create_folder(gone.raw_id, "c")


async def test_root_is_itself_when_asked_for_by_its_real_id(account: Account) -> None:
    real_id = account.place.drive.store.get_root(account.place.get_user(1)).id
    folder = await account.connector.get(Ref("folder", RawId(real_id)))
    assert isinstance(folder, Folder)
    assert (folder.raw_id, folder.parent) == (ROOT, None)
