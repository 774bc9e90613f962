"""What is peculiar to Drive's trash: what went along with a folder, what others threw away, shared drives."""

from __future__ import annotations

from connectors.core.bytesource import BytesSource
from connectors.core.errors import ErrorKind
from connectors.core.resources import OnConflict, Parent, PermissionChange, RawId, Ref
from tests.connectors.behavior.space import refused
from tests.connectors.gdrive.conftest import ROOT, Account, Open


async def list_trash(account: Account) -> list[str]:
    return sorted(resource.name for resource in (await account.connector.list_trash()).resources)


async def test_what_went_with_its_folder_comes_back_alone_when_asked_for(account: Account) -> None:
    folder = await account.connector.create_folder(ROOT, "folder")
    file = await account.connector.upload(folder.raw_id, "a.txt", BytesSource(b"bytes"), on_conflict=OnConflict.FAIL)
    await account.connector.delete(folder.ref, is_recursive=True)
    assert await list_trash(account) == ["folder"]
    restored = await account.connector.restore(file.ref)
    assert (restored.ref, restored.parent) == (file.ref, Parent(ROOT))
    assert (await list_trash(account), await account.names()) == (["folder"], ["a.txt"])


async def test_it_stays_where_it_is_when_it_is_in_somebody_elses_trash(account: Account, open_as: Open) -> None:
    file = await account.put("a.txt")
    wish = PermissionChange(role="writer", email="ben@example.com")
    await account.connector.set_permissions(file.ref, [wish], is_replacing=False)
    await account.connector.delete(file.ref)
    ben = open_as(2)
    assert await list_trash(ben) == []
    with refused(ErrorKind.PERMISSION_DENIED):
        await ben.connector.restore(file.ref)
    assert await list_trash(account) == ["a.txt"]


async def test_wrong_type_when_it_is_of_the_other_kind(account: Account) -> None:
    file = await account.put("a.txt")
    await account.connector.delete(file.ref)
    with refused(ErrorKind.WRONG_TYPE):
        await account.connector.restore(Ref("folder", file.raw_id))
    assert await list_trash(account) == ["a.txt"]


async def test_it_goes_to_the_top_of_its_shared_drive_when_its_folder_is_gone(account: Account) -> None:
    with account.place.client(1) as client:
        drive = RawId(client.post("/drive/v3/drives?requestId=1", json={"name": "Team"}).json()["id"])
    folder = await account.connector.create_folder(drive, "folder")
    file = await account.connector.upload(folder.raw_id, "a.txt", BytesSource(b"bytes"), on_conflict=OnConflict.FAIL)
    await account.connector.delete(file.ref)
    await account.connector.delete(folder.ref)
    assert await list_trash(account) == ["a.txt", "folder"]
    assert (await account.connector.restore(file.ref)).parent == Parent(drive)
    assert (await account.connector.restore(folder.ref)).parent == Parent(drive)
    assert (await list_trash(account), await account.names(drive)) == ([], ["a.txt", "folder"])
