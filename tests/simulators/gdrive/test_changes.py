"""The change feed, and the messages that tell of it."""

from __future__ import annotations

from collections.abc import Iterator
from queue import Queue
from typing import Any

import pytest
from googleapiclient.errors import HttpError
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from simulators.core.faults import Fault, FaultKind, Rule
from tests.servers.asgi import serving
from tests.servers.gdrive import Place

FOLDER = "application/vnd.google-apps.folder"
MESSAGE_SECONDS_MAX = 20
HEADERS = {
    "id": "x-goog-channel-id",
    "token": "x-goog-channel-token",
    "state": "x-goog-resource-state",
    "changed": "x-goog-changed",
    "number": "x-goog-message-number",
}


class Hook:
    """An application's server that keeps the messages it gets."""

    def __init__(self) -> None:
        self.url = ""
        self._messages: Queue[dict[str, str]] = Queue()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            headers = Request(scope).headers
            found = {name: headers[header] for name, header in HEADERS.items() if header in headers}
            self._messages.put(found)
            await Response()(scope, receive, send)

    def wait(self) -> dict[str, str]:
        """The next message."""
        return self._messages.get(timeout=MESSAGE_SECONDS_MAX)


@pytest.fixture
def hook() -> Iterator[Hook]:
    hook = Hook()
    with serving(hook) as url:
        hook.url = f"{url}/hook"
        yield hook


def start(service: Any) -> str:
    return str(service.changes().getStartPageToken().execute()["startPageToken"])


def read(service: Any, token: str, **more: Any) -> tuple[list[tuple[str, bool]], str]:
    """All changes since the token as ids and whether they are gone, and the next token."""
    seen = []
    while True:
        answer = service.changes().list(pageToken=token, **more).execute()
        seen += [(change.get("fileId", change.get("driveId")), change["removed"]) for change in answer["changes"]]
        if "newStartPageToken" in answer:
            return seen, answer["newStartPageToken"]
        token = answer["nextPageToken"]


def test_each_file_comes_once_when_it_changed_several_times(place: Place, service: Any) -> None:
    token = start(service)
    first, second = place.store(1, "a", b""), place.store(1, "b", b"")
    for name in ("a1", "a2"):
        service.files().update(fileId=first, body={"name": name}).execute()
    seen, token = read(service, token, pageSize=1)
    assert seen == [(second, False), (first, False)]
    answer = service.changes().list(pageToken=token, fields="*").execute()
    assert answer["changes"] == []
    service.files().delete(fileId=second).execute()
    assert read(service, token)[0] == [(second, True)]
    assert read(service, token, includeRemoved=False)[0] == []


def test_a_file_is_gone_for_a_guest_when_it_is_no_longer_shared(place: Place, service: Any) -> None:
    guest = place.build_service(2)
    token = start(guest)
    file_id = place.store(1, "a", b"")
    assert read(guest, token)[0] == []
    body = {"type": "user", "role": "reader", "emailAddress": "ben@example.com"}
    permission = service.permissions().create(fileId=file_id, body=body).execute()
    seen, token = read(guest, token)
    assert seen == [(file_id, False)]
    service.permissions().delete(fileId=file_id, permissionId=permission["id"]).execute()
    assert read(guest, token)[0] == [(file_id, True)]
    guest.close()


def test_all_that_is_below_changes_when_a_folder_goes_to_the_trash(service: Any) -> None:
    folder = service.files().create(body={"name": "F", "mimeType": FOLDER}).execute()["id"]
    inner = service.files().create(body={"name": "inner", "parents": [folder]}).execute()["id"]
    token = start(service)
    service.files().update(fileId=folder, body={"trashed": True}).execute()
    answer = service.changes().list(pageToken=token, fields="changes(fileId,file/trashed)").execute()
    assert {(change["fileId"], change["file"]["trashed"]) for change in answer["changes"]} == {
        (folder, True),
        (inner, True),
    }


def test_shared_drives_are_in_the_feed_when_they_are_asked_for(service: Any) -> None:
    token = start(service)
    drive = service.drives().create(requestId="1", body={"name": "Team"}).execute()["id"]
    body = {"name": "a", "parents": [drive]}
    file_id = service.files().create(body=body, supportsAllDrives=True).execute()["id"]
    assert read(service, token)[0] == []
    everything = {"supportsAllDrives": True, "includeItemsFromAllDrives": True}
    assert read(service, token, **everything)[0] == [(drive, False), (file_id, False)]
    assert read(service, token, **everything, driveId=drive)[0] == [(drive, False), (file_id, False)]


def test_a_token_is_refused_when_the_feed_has_forgotten_it(place: Place, service: Any) -> None:
    token = start(service)
    place.store(1, "a", b"")
    place.world.faults.add(Rule(fault=Fault(kind=FaultKind.CURSOR_RESET), path="/changes$", times=1))
    for wrong in (token, token, "made-up", "999999"):
        with pytest.raises(HttpError) as caught:
            service.changes().list(pageToken=wrong).execute()
        assert (caught.value.status_code, caught.value.error_details[0]["location"]) == (400, "pageToken")
    assert read(service, start(service))[0] == []


def test_an_application_is_told_when_something_changed(place: Place, hook: Hook) -> None:
    with place.client(1) as client:
        token = client.get("/drive/v3/changes/startPageToken").json()["startPageToken"]
        wish = {"id": "channel-1", "type": "web_hook", "address": hook.url, "token": "secret"}
        channel = client.post("/drive/v3/changes/watch", params={"pageToken": token}, json=wish).json()
        assert hook.wait() == {"id": "channel-1", "token": "secret", "state": "sync", "number": "1"}
        again = client.post("/drive/v3/changes/watch", params={"pageToken": token}, json=wish)
        assert again.json()["error"]["errors"][0]["reason"] == "channelIdNotUnique"
        client.post("/drive/v3/files", json={"name": "a"})
        assert hook.wait() == {"id": "channel-1", "token": "secret", "state": "change", "number": "2"}
        stop = {"id": channel["id"], "resourceId": channel["resourceId"]}
        assert client.post("/drive/v3/channels/stop", json=stop).status_code == 204
        assert client.post("/drive/v3/channels/stop", json=stop).status_code == 404
        client.post("/drive/v3/files", json={"name": "b"})
        client.post("/drive/v3/changes/watch", params={"pageToken": token}, json=wish | {"id": "channel-2"})
    assert hook.wait()["id"] == "channel-2"


def test_what_changed_is_told_when_one_file_is_watched(place: Place, hook: Hook) -> None:
    file_id = place.store(1, "a", b"")
    wish = {"id": "c", "type": "web_hook", "address": hook.url}
    with place.client(1) as client:
        path = f"/drive/v3/files/{file_id}"
        client.post(f"{path}/watch", json=wish)
        assert hook.wait()["state"] == "sync"
        client.patch(path, json={"name": "b"})
        assert hook.wait() == {"id": "c", "state": "update", "changed": "properties", "number": "2"}
        client.patch(path, json={"trashed": True})
        assert hook.wait()["state"] == "trash"
        client.delete(path)
        assert hook.wait()["state"] == "remove"


def test_one_message_comes_when_many_files_change_at_once(place: Place, service: Any, hook: Hook) -> None:
    folder = service.files().create(body={"name": "F", "mimeType": FOLDER}).execute()["id"]
    for name in ("a", "b"):
        service.files().create(body={"name": name, "parents": [folder]}).execute()
    wish = {"id": "c", "type": "web_hook", "address": hook.url}
    service.changes().watch(pageToken=start(service), body=wish).execute()
    assert hook.wait()["state"] == "sync"
    service.files().update(fileId=folder, body={"trashed": True}).execute()
    service.files().create(body={"name": "later"}).execute()
    assert [hook.wait()["number"], hook.wait()["number"]] in (["2", "3"], ["3", "2"])


def test_nobody_is_told_when_a_channel_has_ended(place: Place, hook: Hook) -> None:
    file_id = place.store(1, "a", b"")
    wish = {"id": "c", "type": "web_hook", "address": hook.url}
    with place.client(1) as client:
        client.post(f"/drive/v3/files/{file_id}/watch", json=wish)
        assert hook.wait()["state"] == "sync"
        place.world.clock.advance(3601)
    with place.client(1) as client:
        client.patch(f"/drive/v3/files/{file_id}", json={"name": "b"})
        client.post(f"/drive/v3/files/{file_id}/watch", json=wish | {"id": "d"})
        assert hook.wait()["id"] == "d"


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"address": "http://far.example/hook"}, "push.webhookUrlNotHttps"),
        ({"type": "letter"}, "channelUnknownType"),
        ({"id": ""}, "required"),
        ({"token": "x" * 300}, "invalid"),
    ],
)
def test_a_channel_is_refused_when_it_is_not_allowed(place: Place, wrong: dict[str, str], reason: str) -> None:
    wish = {"id": "c", "type": "web_hook", "address": "https://far.example/hook"}
    with place.client(1) as client:
        answer = client.post("/drive/v3/files/root/watch", json=wish | wrong)
    assert answer.json()["error"]["errors"][0]["reason"] == reason
