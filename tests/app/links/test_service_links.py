"""Links that the storage itself has, asked for through the API."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from connectors.core.errors import ConnectorError, ErrorKind
from tests.app.drive import Drive, read_error, read_json
from tests.app.links.conftest import Links
from tests.app.sharing import SharingDrive

LATER = "2100-01-01T00:00:00Z"


@pytest.fixture(params=["file", "folder"])
def resource(request: pytest.FixtureRequest, sharing: SharingDrive) -> dict[str, Any]:
    """What is linked to."""
    return sharing.upload("a.txt", b"bytes") if request.param == "file" else sharing.create_folder("a")


def create(drive: Drive, resource: dict[str, Any], **body: object) -> dict[str, Any]:
    return read_json(drive.client.post(f"{resource['href']}/links", json=body), status=201)


def list_links(drive: Drive, resource: dict[str, Any]) -> list[dict[str, Any]]:
    """All, in the envelope that every list has."""
    page = read_json(drive.client.get(f"{resource['href']}/links"))
    assert (page["type"], page["api"], page["next_page"], page["page"]) == ("object_list", "storage", None, 1)
    assert page["count"] == page["total"] == len(page["objects"])
    links: list[dict[str, Any]] = page["objects"]
    return links


def test_link_is_shown_as_it_was_made(sharing: SharingDrive, resource: dict[str, Any]) -> None:
    assert list_links(sharing, resource) == []
    link = create(sharing, resource, password="secret", expiration=LATER, audience="domain", downloadable=False)
    is_file = resource["type"] == "file"
    assert link == {
        "id": f"{resource['raw_id']}:0 ?",
        "file_id": resource["id"] if is_file else None,
        "folder_id": None if is_file else resource["id"],
        "url": f"https://store.example/{resource['raw_id']}:0 ?",
        "account": sharing.caller.account_id,
        "active": True,
        "created": None,
        "modified": None,
        "expiration": LATER,
        "password": True,
        "direct": False,
        "audience": "domain",
        "role": "reader",
        "downloadable": False,
        "href": link["href"],
        "type": "link",
        "api": "storage",
    }
    assert list_links(sharing, resource) == [link]
    assert read_json(sharing.client.get(sharing.url("links")))["objects"] == []  # those are our own


def test_what_is_given_changes_and_all_else_stays(sharing: SharingDrive, resource: dict[str, Any]) -> None:
    link = create(sharing, resource, password="secret", expiration=LATER)
    changes: list[tuple[dict[str, Any], dict[str, Any]]] = [
        ({"downloadable": False}, {"downloadable": False}),
        ({"password": True, "audience": None}, {}),
        ({"password": None}, {"password": False}),
        ({"expiration": None, "downloadable": True}, {"expiration": None, "downloadable": True}),
        ({}, {}),
    ]
    for body, changed in changes:
        link |= changed
        assert read_json(sharing.client.patch(link["href"], json=body)) == link
        assert list_links(sharing, resource) == [link]


def test_link_is_gone_when_it_was_deleted(sharing: SharingDrive, resource: dict[str, Any]) -> None:
    link, other = create(sharing, resource), create(sharing, resource)
    assert sharing.client.delete(link["href"]).status_code == 204
    assert list_links(sharing, resource) == [other]
    assert read_error(sharing.client.delete(link["href"])) == (404, "not_found")
    assert read_error(sharing.client.patch(link["href"], json={})) == (404, "not_found")


def test_link_belongs_to_its_thing_alone(sharing: SharingDrive, resource: dict[str, Any]) -> None:
    link = create(sharing, resource)
    other = sharing.upload("other.txt")
    wrong = f"{other['href']}/links/{link['href'].rpartition('/')[2]}"
    assert read_error(sharing.client.patch(wrong, json={})) == (404, "not_found")
    assert read_error(sharing.client.delete(wrong)) == (404, "not_found")
    assert list_links(sharing, resource) == [link]


@pytest.mark.parametrize("raw_id", ["a/b", "../..", "%2F", "\u00e9 ?#&", "~"])
def test_link_is_found_by_its_address_however_the_storage_names_it(sharing: SharingDrive, raw_id: str) -> None:
    file = sharing.upload("a.txt")
    create(sharing, file)
    ((link,),) = sharing.store.links.values()
    sharing.store.links[link.ref.raw_id] = [msgspec.structs.replace(link, raw_id=raw_id)]
    (shown,) = list_links(sharing, file)
    assert read_json(sharing.client.patch(shown["href"], json={})) == shown
    assert sharing.client.delete(shown["href"]).status_code == 204


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"audience": "everybody"}, ["audience", "'anyone'", "'domain'", "'members'"]),
        ({"role": "owner"}, ["role", "'writer'", "'reader'"]),
        ({"expiration": "2020-01-01"}, ["expiration", "future"]),
        ({"expiration": "soon"}, ["expiration"]),
        ({"password": "x" * 300}, ["password", "256"]),
        ({"downloadable": "maybe"}, ["downloadable"]),
    ],
)
def test_body_is_refused_in_words_and_nothing_is_made(
    sharing: SharingDrive, resource: dict[str, Any], body: dict[str, object], words: list[str]
) -> None:
    reply = sharing.client.post(f"{resource['href']}/links", json=body)
    assert read_error(reply) == (400, "invalid_parameters")
    assert [word for word in words if word not in reply.json()["message"]] == []
    assert list_links(sharing, resource) == []


def test_not_implemented_and_nothing_made_when_the_storage_has_no_such_links(
    sharing: SharingDrive, resource: dict[str, Any]
) -> None:
    url = f"{resource['href']}/links"
    assert read_error(sharing.client.post(url, json={"role": "writer"})) == (501, "not_implemented")
    sharing.store.faults["create_link"] = [ConnectorError(ErrorKind.UNSUPPORTED, "the plan does not allow it")]
    reply = sharing.client.post(url, json={"password": "secret"})
    assert (*read_error(reply), reply.json()["message"]) == (501, "not_implemented", "the plan does not allow it")
    assert list_links(sharing, resource) == []


@pytest.mark.parametrize("kind", ["files", "folders"])
def test_there_are_none_and_can_be_none_where_the_storage_has_no_links(links: Links, kind: str) -> None:
    links.create()
    drive = links.drive
    resource = links.file if kind == "files" else drive.create_folder("folder")
    assert list_links(drive, resource) == []
    url = f"{resource['href']}/links"
    assert read_error(drive.client.post(url, json={})) == (501, "not_implemented")
    assert read_error(drive.client.patch(f"{url}/any", json={})) == (501, "not_implemented")
    assert read_error(drive.client.delete(f"{url}/any")) == (501, "not_implemented")
    assert drive.client.delete(resource["href"]).status_code == 204
    assert read_error(drive.client.get(url)) == (404, "not_found")
