"""Who may do what: permissions of every kind, ownership, shared drives, and what each user sees of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from googleapiclient.errors import HttpError

from tests.servers.gdrive import Place

FOLDER = "application/vnd.google-apps.folder"


@pytest.fixture
def guest(place: Place) -> Iterator[Any]:
    """The official client as the second user, of the first one's team."""
    service = place.build_service(2)
    yield service
    service.close()


def share(service: Any, file_id: str, **body: Any) -> Any:
    return service.permissions().create(fileId=file_id, body=body, fields="*").execute()


def refused(request: Any) -> tuple[int, str]:
    with pytest.raises(HttpError) as caught:
        request.execute()
    return caught.value.status_code, caught.value.error_details[0]["reason"]


def test_a_reader_reads_and_no_more_when_a_file_is_shared(place: Place, service: Any, guest: Any) -> None:
    file_id = place.store(1, "plan.txt", b"plan")
    assert refused(guest.files().get(fileId=file_id)) == (404, "notFound")
    granted = share(service, file_id, type="user", role="reader", emailAddress="ben@example.com")
    assert (granted["role"], granted["displayName"]) == ("reader", "Ben Sample")
    assert guest.files().get_media(fileId=file_id).execute() == b"plan"
    assert refused(guest.files().update(fileId=file_id, body={"name": "x"})) == (403, "insufficientFilePermissions")
    assert refused(guest.files().delete(fileId=file_id)) == (403, "insufficientFilePermissions")
    found = guest.files().list(q="sharedWithMe = true", fields="files(id,parents,sharingUser,ownedByMe)").execute()
    assert [file["id"] for file in found["files"]] == [file_id]
    assert "parents" not in found["files"][0]


def test_what_is_below_is_reached_when_a_folder_is_shared(place: Place, service: Any, guest: Any) -> None:
    folder = service.files().create(body={"name": "F", "mimeType": FOLDER}).execute()["id"]
    inner = service.files().create(body={"name": "inner", "parents": [folder]}).execute()["id"]
    permission = share(service, folder, type="user", role="writer", emailAddress="ben@example.com")
    made = guest.files().create(body={"name": "by Ben", "parents": [folder]}, fields="owners,parents").execute()
    assert made["owners"][0]["emailAddress"] == "ben@example.com"
    assert guest.files().update(fileId=inner, body={"name": "renamed"}).execute()["name"] == "renamed"
    assert refused(service.permissions().delete(fileId=inner, permissionId=permission["id"])) == (
        403,
        "cannotModifyInheritedPermission",
    )
    service.permissions().delete(fileId=folder, permissionId=permission["id"]).execute()
    assert refused(guest.files().get(fileId=inner)) == (404, "notFound")


def test_a_role_changes_when_a_permission_is_updated(place: Place, service: Any) -> None:
    file_id = place.store(1, "a", b"")
    permission = share(service, file_id, type="user", role="reader", emailAddress="new@example.net")
    updated = service.permissions().update(fileId=file_id, permissionId=permission["id"], body={"role": "commenter"})
    assert updated.execute()["role"] == "commenter"
    listed = service.permissions().list(fileId=file_id, fields="permissions(emailAddress,role)").execute()
    assert listed["permissions"] == [
        {"emailAddress": "ada@example.com", "role": "owner"},
        {"emailAddress": "new@example.net", "role": "commenter"},
    ]


def test_a_permission_ends_when_its_time_is_over(place: Place, service: Any, guest: Any) -> None:
    file_id = place.store(1, "a", b"")
    until = (place.world.clock.now().replace(microsecond=0)).isoformat()
    body = {"type": "user", "role": "reader", "emailAddress": "ben@example.com", "expirationTime": until}
    assert refused(service.permissions().create(fileId=file_id, body=body)) == (400, "invalid")
    body["expirationTime"] = until.replace(until[:4], str(int(until[:4]) + 1), 1)
    share(service, file_id, **body)
    guest.files().get(fileId=file_id).execute()
    place.world.clock.advance(366 * 24 * 3600)
    late = place.build_service(2)
    assert refused(late.files().get(fileId=file_id)) == (404, "notFound")
    late.close()


def test_anyone_reads_by_the_link_when_a_file_is_public(place: Place, service: Any) -> None:
    file_id = place.store(1, "public.txt", b"public")
    link = service.files().get(fileId=file_id, fields="webContentLink,webViewLink").execute()
    assert httpx.get(link["webContentLink"], trust_env=False, timeout=60).status_code == 401
    permission = share(service, file_id, type="anyone", role="reader")
    assert permission["id"] == "anyoneWithLink"
    assert httpx.get(link["webContentLink"], trust_env=False, timeout=60).content == b"public"
    stranger = place.build_service(3)
    assert stranger.files().list().execute()["files"] == []
    stranger.files().get_media(fileId=file_id).execute()
    service.permissions().delete(fileId=file_id, permissionId="anyoneWithLink").execute()
    assert refused(stranger.files().get(fileId=file_id)) == (404, "notFound")
    stranger.close()


def test_an_owner_gives_a_file_away_when_it_says_so(place: Place, service: Any, guest: Any) -> None:
    file_id = place.store(1, "a", b"")
    body = {"type": "user", "role": "owner", "emailAddress": "ben@example.com"}
    assert refused(service.permissions().create(fileId=file_id, body=body)) == (403, "forbidden")
    service.permissions().create(fileId=file_id, body=body, transferOwnership=True).execute()
    assert guest.files().get(fileId=file_id, fields="ownedByMe").execute() == {"ownedByMe": True}
    own = service.files().get(fileId=file_id, fields="ownedByMe,capabilities/canEdit").execute()
    assert own == {"ownedByMe": False, "capabilities": {"canEdit": True}}


def test_a_stranger_has_to_accept_when_a_file_is_given_away(place: Place, service: Any) -> None:
    file_id = place.store(1, "a", b"")
    body = {"type": "user", "role": "owner", "emailAddress": "cleo@example.org"}
    given = service.permissions().create(fileId=file_id, body=body, transferOwnership=True)
    assert refused(given) == (403, "consentRequiredForOwnershipTransfer")
    pending = share(service, file_id, type="user", role="writer", emailAddress="cleo@example.org", pendingOwner=True)
    heir = place.build_service(3)
    accepted = heir.permissions().update(
        fileId=file_id, permissionId=pending["id"], body={"role": "owner"}, transferOwnership=True
    )
    assert accepted.execute()["role"] == "owner"
    heir.close()


def test_members_share_everything_when_there_is_a_shared_drive(place: Place, service: Any, guest: Any) -> None:
    drive = service.drives().create(requestId="r1", body={"name": "Team"}).execute()
    member = {"type": "user", "role": "writer", "emailAddress": "ben@example.com"}
    service.permissions().create(fileId=drive["id"], body=member, supportsAllDrives=True).execute()
    assert [one["name"] for one in guest.drives().list().execute()["drives"]] == ["Team"]
    body = {"name": "a", "parents": [drive["id"]]}
    fields = "id,driveId,owners,parents"
    made = guest.files().create(body=body, supportsAllDrives=True, fields=fields).execute()
    assert (made["driveId"], made["parents"]) == (drive["id"], [drive["id"]])
    assert "owners" not in made
    assert refused(service.files().get(fileId=made["id"])) == (404, "notFound")
    assert refused(guest.files().delete(fileId=made["id"], supportsAllDrives=True))[0] == 403
    listing = {"corpora": "drive", "driveId": drive["id"], "supportsAllDrives": True}
    found = service.files().list(**listing, includeItemsFromAllDrives=True).execute()["files"]
    assert [file["id"] for file in found] == [made["id"]]
    shown = service.permissions().list(fileId=made["id"], supportsAllDrives=True, fields="*").execute()["permissions"]
    assert {one["permissionDetails"][0]["inherited"] for one in shown} == {True}
    assert refused(service.drives().delete(driveId=drive["id"])) == (403, "cannotDeleteResourceWithChildren")
    service.files().delete(fileId=made["id"], supportsAllDrives=True).execute()
    service.drives().delete(driveId=drive["id"]).execute()
    assert service.drives().list().execute()["drives"] == []


def test_a_file_changes_hands_when_it_moves_into_a_shared_drive(place: Place, service: Any) -> None:
    drive = service.drives().create(requestId="r1", body={"name": "Team"}).execute()
    file_id = place.store(1, "a", b"a")
    root = service.files().get(fileId="root").execute()["id"]
    move = {"fileId": file_id, "supportsAllDrives": True, "fields": "driveId,owners"}
    moved = service.files().update(addParents=drive["id"], removeParents=root, **move).execute()
    assert moved == {"driveId": drive["id"]}
    back = service.files().update(addParents=root, removeParents=drive["id"], **move).execute()
    assert back["owners"][0]["me"] is True
    folder = service.files().create(body={"name": "F", "mimeType": FOLDER}).execute()["id"]
    refusal = refused(
        service.files().update(fileId=folder, addParents=drive["id"], removeParents=root, supportsAllDrives=True)
    )
    assert refusal == (403, "teamDrivesFolderMoveInNotSupported")
