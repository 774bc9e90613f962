from __future__ import annotations

import pytest

from connectors.core.errors import ErrorKind
from connectors.core.resources import Change
from simulators.core.faults import FaultKind
from tests.connectors.behavior.space import refused
from tests.connectors.gdrive.conftest import ROOT, Account, Open


async def read_all(account: Account, cursor: str, *, limit: int = 1000) -> tuple[list[Change], str]:
    """All that happened since, and the cursor of now."""
    changes: list[Change] = []
    while True:
        page = await account.connector.list_changes(cursor=cursor, limit=limit)
        changes += page.changes
        cursor = page.cursor
        if not page.has_more:
            return changes, cursor


@pytest.mark.parametrize("limit", [1, 1000])
async def test_everything_comes_in_its_latest_state_when_it_changed_since(account: Account, limit: int) -> None:
    kept, gone, removed = [await account.put(name) for name in ("kept", "gone", "removed")]
    start = await account.connector.list_changes()
    assert (start.changes, start.has_more) == ([], False)
    await account.connector.update(kept.ref, name="renamed")
    folder = await account.connector.create_folder(ROOT, "new")
    await account.connector.delete(gone.ref)
    await account.connector.delete(removed.ref, is_permanent=True)
    changes, cursor = await read_all(account, start.cursor, limit=limit)
    found = {change.raw_id: change.resource for change in changes}
    assert found.pop(gone.raw_id) is None
    assert found.pop(removed.raw_id) is None
    assert found == {raw_id: await account.connector.get(ref) for raw_id, ref in {
        kept.raw_id: kept.ref, folder.raw_id: folder.ref
    }.items()}  # fmt: skip
    assert await read_all(account, cursor) == ([], cursor)
    assert {change.raw_id for change in (await read_all(account, start.cursor))[0]} >= {kept.raw_id}


async def test_shared_drive_comes_and_goes_when_it_is_made_and_deleted(account: Account) -> None:
    start = (await account.connector.list_changes()).cursor
    with account.place.client(1) as client:
        drive_id = client.post("/drive/v3/drives?requestId=1", json={"name": "Team"}).json()["id"]
        made, cursor = await read_all(account, start)
        client.delete(f"/drive/v3/drives/{drive_id}").raise_for_status()
    deleted, _ = await read_all(account, cursor)
    assert [change.resource.name for change in made if change.resource and change.raw_id == drive_id] == ["Team"]
    assert [change.resource for change in deleted if change.raw_id == drive_id] == [None]


async def test_cursor_reset_when_it_is_not_known_any_more(account: Account) -> None:
    cursor = (await account.connector.list_changes()).cursor
    account.fail(FaultKind.CURSOR_RESET, r"^/drive/v3/changes$")
    with refused(ErrorKind.CURSOR_RESET):
        await account.connector.list_changes(cursor=cursor)


async def test_cursor_invalid_when_a_listing_has_become_too_old(account: Account, open_as: Open) -> None:
    for name in "abc":
        await account.put(name)
    page = await account.connector.list_folder(ROOT, limit=2)
    account.place.world.clock.advance(7 * 3600)
    with refused(ErrorKind.CURSOR_INVALID):
        await open_as().connector.list_folder(ROOT, cursor=page.next_cursor, limit=2)


@pytest.mark.parametrize("name", ["it's", "back\\slash", "\\'", '"quoted"', "a' or name contains '"])
async def test_names_are_found_when_they_have_signs_of_the_search_language(account: Account, name: str) -> None:
    file = await account.put(name)
    await account.put("other")
    assert [resource.ref for resource in (await account.connector.search(name)).resources] == [file.ref]
    assert (await account.connector.get_by_path(f"/{name}")).ref == file.ref


async def test_files_are_found_when_their_content_has_the_words(account: Account) -> None:
    file = await account.put("a.txt", b"Somewhere in here are marigolds.")
    await account.put("b.txt", b"but not here")
    assert [resource.ref for resource in (await account.connector.search("marigolds")).resources] == [file.ref]
