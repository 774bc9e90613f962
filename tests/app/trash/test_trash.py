from __future__ import annotations

from typing import Any

import httpx
import pytest

from connectors.core.errors import ConnectorError, ErrorKind
from tests.app.drive import Drive, read_error, read_json
from tests.app.sharing import SharingDrive
from tests.servers.api import Caller


def delete(drive: Drive, thing: dict[str, Any], **params: str) -> None:
    assert drive.client.delete(thing["href"], params=params).status_code == 204


def list_names(drive: Drive) -> list[str]:
    """What is in the trash, in order, page after page."""
    pages = drive.walk_pages("trash", page_size=1000)
    return [found["name"] for page in pages for found in page["objects"]]


def test_what_was_deleted_is_listed_in_pages(sharing: SharingDrive) -> None:
    things = [sharing.upload(f"{number}.txt", b"bytes") for number in range(3)]
    for thing in things:
        delete(sharing, thing)
    first, last = sharing.walk_pages("trash", page_size=2)
    assert (first["type"], first["api"], first["count"], first["page"]) == ("object_list", "storage", 2, "1")
    assert (last["count"], last["next_page"], last["partial"]) == (1, None, False)
    assert [*first["objects"], *last["objects"]] == things


def test_it_is_back_under_its_id_when_restored(sharing: SharingDrive) -> None:
    for thing in (sharing.upload("a.txt", b"bytes"), sharing.create_folder("folder")):
        delete(sharing, thing)
        assert read_error(sharing.client.get(thing["href"])) == (404, "not_found")
        assert read_json(sharing.client.post(f"{thing['href']}/restore")) == thing
        assert read_json(sharing.client.get(thing["href"])) == thing
    assert list_names(sharing) == []


def test_not_found_when_it_was_deleted_for_ever(sharing: SharingDrive) -> None:
    file = sharing.upload("a.txt")
    delete(sharing, file, permanent="true")
    assert list_names(sharing) == []
    assert read_error(sharing.client.post(f"{file['href']}/restore")) == (404, "not_found")


def test_it_is_returned_as_it_is_when_it_was_never_deleted(sharing: SharingDrive) -> None:
    file = sharing.upload("a.txt")
    assert read_json(sharing.client.post(f"{file['href']}/restore")) == file


def test_refused_when_the_id_is_of_the_other_kind(sharing: SharingDrive) -> None:
    file = sharing.upload("a.txt")
    reply = sharing.client.post(sharing.url(f"folders/{file['id']}/restore"))
    assert read_error(reply) == (400, "invalid_resource_type")


@pytest.mark.parametrize("params", [{"page": "nonsense"}, {"page": "2"}, {"page_size": "0"}, {"page_size": "1001"}])
def test_page_that_makes_no_sense_is_400(sharing: SharingDrive, params: dict[str, str]) -> None:
    assert read_error(sharing.client.get(sharing.url("trash"), params=params)) == (400, "invalid_parameters")


def test_empty_pages_are_skipped(sharing: SharingDrive, monkeypatch: pytest.MonkeyPatch) -> None:
    delete(sharing, sharing.upload("a.txt"))
    list_trash = sharing.store.list_trash

    async def begin_empty(*, cursor: str | None = None, limit: int = 1000) -> Any:
        page = await list_trash(cursor=cursor, limit=limit)
        return type(page)([], "0") if cursor is None else page

    monkeypatch.setattr(sharing.store, "list_trash", begin_empty)
    assert list_names(sharing) == ["a.txt"]


def test_permission_denied_when_the_storage_says_so(sharing: SharingDrive) -> None:
    file = sharing.upload("a.txt")
    sharing.store.faults["restore"] = [ConnectorError(ErrorKind.PERMISSION_DENIED, "it is another's")]
    assert read_error(sharing.client.post(f"{file['href']}/restore")) == (403, "permission_denied")


def test_not_implemented_where_the_storage_has_no_trash(caller: Caller, client: httpx.Client) -> None:
    drive = Drive(caller, client)
    file, folder = drive.upload("a.txt"), drive.create_folder("folder")
    assert read_error(client.get(drive.url("trash"))) == (501, "not_implemented")
    for thing in (file, folder):
        assert read_error(client.post(f"{thing['href']}/restore")) == (501, "not_implemented")
