from __future__ import annotations

import re
import secrets
from typing import Any

import httpx
import pytest
from sqlalchemy import insert

from app.core.clock import now
from app.links.schemas import PASSWORD_CHARACTERS_MAX
from app.links.service import LINKS_MAX
from app.models import Link
from tests.app.drive import Drive, read_error, read_json
from tests.app.links.conftest import Links
from tests.servers.api import Caller


def test_new_link_says_all_that_is_known_of_it(links: Links) -> None:
    link = links.create()
    origin = links.drive.caller.api.base_url
    assert re.fullmatch(rf"{origin}/l/[\w-]{{43}}", link["url"])
    assert link == {
        "type": "link",
        "api": "storage",
        "id": link["id"],
        "file_id": links.file["id"],
        "url": link["url"],
        "account": links.drive.caller.account_id,
        "active": True,
        "created": link["created"],
        "modified": link["created"],
        "expiration": None,
        "password": False,
        "direct": False,
        "href": f"{origin}{links.url}/{link['id']}",
    }


def test_link_is_the_same_wherever_it_is_read(links: Links) -> None:
    link = links.create(password="secret", direct=True, active=False, expiration="2030-01-02T03:04:05.678901")
    assert read_json(links.drive.client.get(link["href"])) == link
    assert read_json(links.drive.client.get(links.url))["objects"] == [link]
    assert (link["password"], link["direct"], link["active"]) == (True, True, False)
    assert link["expiration"] == "2030-01-02T03:04:05.678901Z"


def test_each_link_has_an_address_of_its_own(links: Links) -> None:
    assert len({links.create()[name] for name in ("url", "id") for _ in range(3)}) == 6


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        ("2020-10-12T00:00:00", "2020-10-12T00:00:00Z"),
        ("2020-10-12 00:00:00", "2020-10-12T00:00:00Z"),
        ("2020-10-12T02:00:00+02:00", "2020-10-12T00:00:00Z"),
        ("2020-10-12T00:00:00.5Z", "2020-10-12T00:00:00.500000Z"),
        ("2020-10-12", "2020-10-12T00:00:00Z"),
        (None, None),
        ("", None),
    ],
)
def test_expiration_is_an_iso_time_that_may_be_past(links: Links, sent: str | None, shown: str | None) -> None:
    assert links.create(expiration=sent)["expiration"] == shown


@pytest.mark.parametrize(
    ("body", "word"),
    [
        ({"expiration": "tomorrow"}, "expiration"),
        ({"expiration": 7}, "expiration"),
        ({"expiration": "0001-01-01T00:00:00+23:59"}, "expiration"),
        ({"expiration": "9999-12-31T23:59:59-23:59"}, "expiration"),
        ({"active": "maybe"}, "active"),
        ({"direct": 3}, "direct"),
        ({"direct": 1}, "direct"),
        ({"active": "yes"}, "active"),
        ({"password": 7}, "password"),
        ({"password": ["a"]}, "password"),
        ({"password": "a\0"}, "password"),
        ({"password": "x" * (PASSWORD_CHARACTERS_MAX + 1)}, str(PASSWORD_CHARACTERS_MAX)),
    ],
)
def test_field_that_makes_no_sense_is_400_that_names_it(links: Links, body: dict[str, object], word: str) -> None:
    created = links.drive.client.post(links.url, json={"file_id": links.file["id"], **body})
    assert read_error(created) == (400, "invalid_parameters")
    assert word in created.json()["message"]
    link = links.create()
    changed = links.drive.client.patch(link["href"], json=body)
    assert read_error(changed) == (400, "invalid_parameters")
    assert word in changed.json()["message"]
    assert read_json(links.drive.client.get(link["href"])) == link


def test_flag_in_place_of_a_new_links_password_is_400(links: Links) -> None:
    created = links.drive.client.post(links.url, json={"file_id": links.file["id"], "password": True})
    assert read_error(created) == (400, "invalid_parameters")
    assert links.create(password=False)["password"] is False


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({}, (400, "invalid_parameters")),
        ({"file_id": None}, (400, "invalid_parameters")),
        ({"file_id": 7}, (400, "invalid_parameters")),
        ({"file_id": "nonsense"}, (404, "not_found")),
        ({"file_id": ""}, (404, "not_found")),
        ({"file_id": "root"}, (400, "invalid_resource_type")),
    ],
)
def test_bad_file_id_is_an_error_that_clients_understand(
    links: Links, body: dict[str, object], expected: tuple[int, str]
) -> None:
    assert read_error(links.drive.client.post(links.url, json=body)) == expected
    assert links.list_ids() == []


def test_folder_and_file_that_is_gone_cannot_be_linked_to(links: Links) -> None:
    folder = links.drive.create_folder("folder")
    refused = links.drive.client.post(links.url, json={"file_id": folder["id"]})
    assert read_error(refused) == (400, "invalid_resource_type")
    assert links.drive.client.delete(links.file["href"]).status_code == 204
    refused = links.drive.client.post(links.url, json={"file_id": links.file["id"]})
    assert read_error(refused) == (404, "not_found")


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"active": False}, {"active": False}),
        ({"active": "False"}, {"active": False}),
        ({"direct": True}, {"direct": True}),
        ({"password": "new"}, {"password": True}),
        ({"password": True}, {"password": True}),
        ({"password": None}, {"password": False}),
        ({"password": ""}, {"password": False}),
        ({"password": False}, {"password": False}),
        ({"expiration": "2031-01-01"}, {"expiration": "2031-01-01T00:00:00Z"}),
        ({"expiration": None}, {"expiration": None}),
        ({"active": None, "direct": None}, {}),
        ({}, {}),
        ({"file_id": "other", "url": "other", "id": "other", "account": 7}, {}),
    ],
)
def test_patch_changes_what_is_given_and_nothing_else(
    links: Links, body: dict[str, object], expected: dict[str, object]
) -> None:
    link = links.create(password="old", expiration="2030-01-01")
    changed = links.change(link, **body)
    assert changed["modified"] >= link["modified"]
    assert {**changed, "modified": None} == {**link, "modified": None, **expected}
    assert read_json(links.drive.client.get(link["href"])) == changed


def test_patch_comes_with_a_file_id_in_its_address_too(links: Links) -> None:
    link = links.create()
    changed = links.drive.client.patch(link["href"], params={"file_id": "whatever"}, json={"active": False})
    assert read_json(changed)["active"] is False


def test_reply_that_is_sent_back_changes_nothing(links: Links) -> None:
    for link in (links.create(password="secret", expiration="2030-01-01"), links.create()):
        row = links.get_row(link)
        changed = links.change(link, **link)
        assert {**changed, "modified": None} == {**link, "modified": None}
        assert links.get_row(link).password_hash == row.password_hash


def test_deleted_link_is_gone_at_once(links: Links, visitor: httpx.Client) -> None:
    link, kept = links.create(), links.create()
    assert visitor.get(link["url"]).status_code == 200
    deleted = links.drive.client.delete(link["href"])
    assert (deleted.status_code, deleted.content) == (204, b"")
    assert read_error(links.drive.client.delete(link["href"])) == (404, "not_found")
    assert read_error(links.drive.client.get(link["href"])) == (404, "not_found")
    assert read_error(links.drive.client.patch(link["href"], json={"active": True})) == (404, "not_found")
    assert read_error(visitor.get(link["url"])) == (404, "not_found")
    assert links.list_ids() == [kept["id"]]
    assert links.drive.read(links.file["id"]) == b"0123456789"


def test_links_come_newest_first_in_numbered_pages(links: Links) -> None:
    ids = [links.create()["id"] for _ in range(5)]
    pages = [read_json(links.drive.client.get(links.url, params={"page": n, "page_size": 2})) for n in (1, 2, 3)]
    assert [link["id"] for page in pages for link in page["objects"]] == ids[::-1]
    shown = [(page["count"], page["page"], page["next_page"], page["total"]) for page in pages]
    assert shown == [(2, 1, 2, 5), (2, 2, 3, 5), (1, 3, None, 5)]
    assert read_error(links.drive.client.get(links.url, params={"page": 4, "page_size": 2})) == (404, "not_found")


def test_order_is_what_was_asked_for(links: Links) -> None:
    first, second, third = (links.create()["id"] for _ in range(3))
    links.drive.client.patch(links.drive.url(f"links/{first}"), json={"direct": True})
    assert links.list_ids() == links.list_ids(ordering="-created") == [third, second, first]
    assert links.list_ids(ordering="created") == [first, second, third]
    assert links.list_ids(ordering="modified") == [second, third, first]
    assert links.list_ids(ordering="-modified") == [first, third, second]


def test_unknown_order_is_400_that_names_the_choices(links: Links) -> None:
    refused = links.drive.client.get(links.url, params={"ordering": "name"})
    assert read_error(refused) == (400, "invalid_parameters")
    assert all(f"'{choice}'" in refused.json()["message"] for choice in ("created", "-created", "-modified"))


@pytest.mark.parametrize("params", [{"page": "0"}, {"page_size": "0"}, {"page_size": "1001"}, {"active": "maybe"}])
def test_list_that_makes_no_sense_is_400(links: Links, params: dict[str, str]) -> None:
    assert read_error(links.drive.client.get(links.url, params=params)) == (400, "invalid_parameters")


def test_list_holds_only_active_links_or_only_others_when_asked(links: Links) -> None:
    active, passive = links.create()["id"], links.create(active=False)["id"]
    assert links.list_ids(active="True") == [active]
    assert links.list_ids(active="false") == [passive]
    assert set(links.list_ids()) == {active, passive}


def test_addresses_start_with_the_origin_that_was_used(links: Links) -> None:
    link = links.create()
    port = links.drive.caller.api.settings.port
    asked = links.drive.client.get(link["href"], headers={"Host": f"localhost:{port}"})
    token = link["url"].rpartition("/")[2]
    assert read_json(asked)["url"] == f"http://localhost:{port}/l/{token}"


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
def test_link_of_another_account_is_404(links: Links, method: str) -> None:
    link = links.create()
    foreign = links.drive.caller.api.create_caller()
    with foreign.client() as stranger:
        for url in (link["href"], f"{foreign.storage_url}/links/{link['id']}"):
            assert read_error(stranger.request(method, url, json={"active": False})) == (404, "not_found")
        assert read_json(stranger.get(f"{foreign.storage_url}/links"))["objects"] == []
        body = {"file_id": links.file["id"]}
        assert read_error(stranger.post(f"{foreign.storage_url}/links", json=body)) == (404, "not_found")
    assert read_json(links.drive.client.get(link["href"])) == link


@pytest.mark.parametrize("link_id", ["nonsense", "%00", "1", "x" * 1000])
def test_link_that_never_was_is_404(links: Links, link_id: str) -> None:
    assert read_error(links.drive.client.get(f"{links.url}/{link_id}")) == (404, "not_found")


def test_one_more_link_than_an_account_may_have_is_400(links: Links) -> None:
    rows = [_build_row(links.drive.caller) for _ in range(LINKS_MAX)]

    async def fill() -> None:
        async with links.drive.caller.api.state.db.writing() as session:
            await session.execute(insert(Link), rows)

    links.drive.caller.api.run(fill())
    refused = links.drive.client.post(links.url, json={"file_id": links.file["id"]})
    assert read_error(refused) == (400, "request_failed")
    assert str(LINKS_MAX) in refused.json()["message"]
    assert links.drive.client.delete(links.drive.url(f"links/{rows[0]['id']}")).status_code == 204
    links.create()
    assert links.drive.client.delete(links.drive.caller.account_url).status_code == 204  # what was never sealed goes


def _build_row(caller: Caller) -> dict[str, Any]:
    token_hash = secrets.token_hex(32)
    return {
        "id": secrets.token_urlsafe(16),
        "account_id": caller.account_id,
        "file_raw_id": "/a",
        "token_hash": token_hash,
        "sealed_token": caller.api.state.keys.seal(b"token", purpose=f"link:{token_hash}"),
        "created_at": now(),
        "modified_at": now(),
    }


def test_address_and_password_are_not_in_the_database_as_they_are(links: Links) -> None:
    link = links.create(password="pass-w0rd")
    row = links.get_row(link)
    token = link["url"].rpartition("/")[2]
    stored = repr({column.name: getattr(row, column.name) for column in Link.__table__.columns})
    assert token not in stored
    assert "pass-w0rd" not in stored
    assert row.password_hash is not None
    assert row.password_hash.startswith("scrypt$")


def test_links_of_a_switched_off_account_cannot_be_managed(links: Links) -> None:
    drive: Drive = links.drive
    link = links.create()
    assert drive.client.patch(drive.caller.account_url, json={"enabled": False}).status_code == 200
    for reply in (drive.client.get(link["href"]), drive.client.get(links.url)):
        assert read_error(reply) == (403, "forbidden")
