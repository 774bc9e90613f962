from __future__ import annotations

import pytest

from app.permissions.schemas import PERMISSIONS_MAX
from connectors.core.errors import ConnectorError, ErrorKind
from tests.app.drive import Drive, read_error, read_json
from tests.app.permissions.conftest import OWNER, Shared
from tests.app.sharing import UNKNOWN_EMAIL
from tests.servers.api import Caller

ANN = {"id": "ann@example.com", "email": "ann@example.com", "name": None, "role": "writer", "type": "user"}
BEN = {"id": "ben@example.com", "email": "ben@example.com", "name": None, "role": "reader", "type": "user"}


def test_owner_alone_may_do_something_at_first(shared: Shared) -> None:
    assert shared.read() == [OWNER]


def test_patch_adds_and_changes_and_takes_nothing_away(shared: Shared) -> None:
    assert shared.read("PATCH", [{"type": "user", "role": "reader", "email": "ben@example.com"}]) == [OWNER, BEN]
    assert shared.read("PATCH", [{"role": "writer", "email": "ann@example.com"}]) == [OWNER, BEN, ANN]
    assert shared.read("PATCH", [{"id": "ann@example.com", "role": "reader"}])[2]["role"] == "reader"
    assert shared.read("PATCH", []) == shared.read() != [OWNER]


def test_put_replaces_all_but_the_owner(shared: Shared) -> None:
    shared.read("PATCH", [{"role": "reader", "email": "ben@example.com"}])
    assert shared.read("PUT", [{"role": "writer", "email": "ann@example.com"}]) == [OWNER, ANN]
    assert shared.read() == [OWNER, ANN]
    assert shared.read("PUT", []) == [OWNER]


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_older_mapping_of_addresses_to_roles_is_understood(shared: Shared, method: str) -> None:
    wishes = {"ann@example.com": "writer", "ben@example.com": "reader"}
    assert shared.read(method, wishes) == [OWNER, ANN, BEN]


@pytest.mark.parametrize("name", ["permissions", "objects"])
def test_reply_that_is_sent_back_changes_nothing(shared: Shared, name: str) -> None:
    shared.read("PATCH", {"ann@example.com": "writer"})
    reply = read_json(shared.ask("GET"))
    assert read_json(shared.ask("PUT", {name: reply[name], "type": "object_list"})) == reply
    assert shared.read("PUT", reply["objects"]) == reply["objects"]


@pytest.mark.parametrize(
    ("wish", "expected"),
    [
        ({"type": "anyone", "role": "reader"}, {"id": "anyone", "email": None, "type": "anyone", "role": "reader"}),
        (
            {"type": "domain", "email": "example.com", "role": "reader"},
            {"id": "example.com", "email": "example.com", "type": "domain", "role": "reader"},
        ),
        (
            {"type": "group", "email": "all@example.com", "role": "writer"},
            {"id": "all@example.com", "email": "all@example.com", "type": "group", "role": "writer"},
        ),
        ({"id": "77", "role": "writer", "type": "group"}, {"id": "77", "email": None, "type": "group"}),
    ],
)
def test_groups_domains_and_everybody_can_be_allowed_something(
    shared: Shared, wish: dict[str, str], expected: dict[str, object]
) -> None:
    added = shared.read("PATCH", [wish])[1]
    assert {name: added[name] for name in expected} == expected


def test_type_of_somebody_who_is_named_by_id_stays(shared: Shared) -> None:
    shared.read("PATCH", [{"id": "77", "role": "writer", "type": "group"}])
    assert shared.read("PATCH", [{"id": "77", "role": "reader"}])[1]["type"] == "group"
    assert shared.read("PATCH", [{"id": "88", "role": "reader"}])[2]["type"] == "user"


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ([{"email": "ann@example.com"}], ["0.role", "required"]),
        ([{"email": "ann@example.com", "role": "king"}], ["0.role", "'owner'", "'writer'", "'reader'"]),
        ([{"email": "ann@example.com", "role": None}], ["0.role", "'owner'", "'writer'", "'reader'"]),
        ({"ann@example.com": "king"}, ["0.role", "'owner'"]),
        ({"ann@example.com": None}, ["0.role", "'owner'"]),
        ({"ann": "reader"}, ["email", "ann@example.com"]),
        (
            [{"email": "ann@example.com", "role": "reader", "type": "robot"}],
            ["0.type", "'user'", "'group'", "'domain'", "'anyone'"],
        ),
        ([{"email": "nonsense", "role": "reader"}], ["email", "ann@example.com"]),
        ([{"email": "a@b c", "role": "reader"}], ["email", "ann@example.com"]),
        ([{"email": f"{'a' * 320}@b", "role": "reader"}], ["0.email", "320"]),
        ([{"email": "a@b", "role": "reader", "type": "domain"}], ["domain", "example.com"]),
        ([{"role": "reader"}], ["id", "email"]),
        ([{"role": "reader", "type": "group"}], ["id", "email"]),
        ([{"id": "", "role": "reader"}], ["0.id"]),
        ([{"id": "a\0", "role": "reader"}], ["0.id"]),
        (["reader"], ["0"]),
        ("reader", ["list"]),
        (7, ["list"]),
        (None, ["required"]),
        ([{"email": "a@b.c", "role": "reader"}, {"email": "A@b.c", "role": "writer"}], ["'A@b.c'", "twice"]),
        ([{"id": "7", "role": "reader"}, {"id": "7", "role": "writer", "type": "group"}], ["'7'", "twice"]),
        ([{"type": "anyone", "role": "reader"}] * 2, ["'anyone'", "twice"]),
        ([{"email": "a@b.c", "role": "reader"}] * (PERMISSIONS_MAX + 1), [str(PERMISSIONS_MAX)]),
    ],
)
@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_wish_that_makes_no_sense_is_400_that_says_what_would(
    shared: Shared, method: str, body: object, words: list[str]
) -> None:
    refused = shared.ask(method, body)
    assert read_error(refused) == (400, "invalid_parameters")
    assert [word for word in words if word not in refused.json()["message"]] == []
    assert shared.read() == [OWNER]


def test_body_that_is_no_json_is_400(shared: Shared) -> None:
    refused = shared.drive.client.put(shared.url, content=b"[{", headers={"Content-Type": "application/json"})
    assert read_error(refused) == (400, "bad_request")


def test_somebody_whom_the_storage_does_not_know_is_404_with_its_words(shared: Shared) -> None:
    refused = shared.ask("PATCH", {UNKNOWN_EMAIL: "reader"})
    assert read_error(refused) == (404, "not_found")
    assert "nobody has this address" in refused.json()["message"]


def test_word_of_the_storage_is_shown_only_when_raw_data_is_asked_for(shared: Shared) -> None:
    assert "raw" not in shared.read()[0]
    raw = read_json(shared.ask("GET", headers={"X-Kloudless-Raw-Data": "true"}))["objects"][0]["raw"]
    assert raw == {"id": "owner-1", "object": {"role": "FULL_CONTROL"}}


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH"])
def test_file_or_folder_of_another_account_is_404(shared: Shared, method: str) -> None:
    foreign = shared.drive.caller.api.create_caller()
    own = f"{foreign.storage_url}/{shared.resource['type']}s/{shared.resource['id']}/permissions"
    with foreign.client() as stranger:
        for url in (shared.url, own):
            assert read_error(stranger.request(method, url, json=[])) == (404, "not_found")
    assert shared.read() == [OWNER]


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH"])
def test_what_is_gone_is_404(shared: Shared, method: str) -> None:
    assert shared.drive.client.delete(shared.resource["href"]).status_code == 204
    assert read_error(shared.ask(method, [])) == (404, "not_found")


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH"])
def test_id_of_the_other_kind_is_400(shared: Shared, method: str) -> None:
    other = "folders" if shared.resource["type"] == "file" else "files"
    url = shared.drive.url(f"{other}/{shared.resource['id']}/permissions")
    refused = shared.drive.client.request(method, url, json=[])
    assert read_error(refused) == (400, "invalid_resource_type")


@pytest.mark.parametrize("kind", ["files", "folders"])
@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH"])
def test_permissions_are_501_where_the_storage_has_none(caller: Caller, shared: Shared, method: str, kind: str) -> None:
    drive = Drive(caller, shared.drive.client)
    resource = drive.upload("a.txt") if kind == "files" else drive.create_folder("a")
    refused = drive.client.request(method, f"{resource['href']}/permissions", json=[])
    assert read_error(refused) == (501, "not_implemented")
    assert "permissions" in refused.json()["message"]


def test_root_has_permissions_too(shared: Shared) -> None:
    reply = read_json(shared.drive.client.get(shared.drive.url("folders/root/permissions")))
    assert reply["permissions"] == [OWNER]


def test_error_of_the_storage_reaches_the_client(shared: Shared) -> None:
    shared.drive.store.faults["set_permissions"] = [ConnectorError(ErrorKind.PERMISSION_DENIED, "only the owner may")]
    refused = shared.ask("PUT", [])
    assert read_error(refused) == (403, "permission_denied")
    assert refused.json()["message"] == "only the owner may"
