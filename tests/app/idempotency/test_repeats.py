"""Requests that come again with their Idempotency-Key: nothing is done twice, the first reply is repeated."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from tests.app.drive import Drive, read_error, read_json
from tests.servers.api import ROOT, Api, Caller

KEY = {"Idempotency-Key": "one of a kind"}
REPLAYED = "idempotency-replayed"


@dataclass(frozen=True)
class Creation:
    """A request that creates something, and how to count what there is."""

    name: str
    path: str  # of a documented operation
    send: Callable[[Drive, dict[str, str]], httpx.Response]
    count: Callable[[Drive], int]


def count_names(drive: Drive) -> int:
    return len(drive.list_names())


def find_folder(drive: Drive) -> str:
    """The one folder that copies are made of, and the one file."""
    found = [entry for entry in contents(drive) if entry["name"] == "folder"]
    return str(found[0]["id"]) if found else str(drive.create_folder("folder")["id"])


def find_file(drive: Drive) -> str:
    found = [entry for entry in contents(drive) if entry["name"] == "file"]
    return str(found[0]["id"]) if found else str(drive.upload("file", b"bytes")["id"])


def contents(drive: Drive) -> list[dict[str, Any]]:
    objects: list[dict[str, Any]] = read_json(drive.client.get(drive.url("folders/root/contents")))["objects"]
    return objects


def import_account(drive: Drive, headers: dict[str, str]) -> httpx.Response:
    (drive.caller.folder / "inner").mkdir(exist_ok=True)
    folder = f"{drive.caller.folder.name}/inner"
    body = {"account": "inner", "service": "local", "token": ROOT, "folder": folder}
    return drive.client.post("/v1/accounts", json=body, headers=headers)


STORAGE = "/v1/accounts/{account_id}/storage"
CREATIONS = [
    Creation("upload", f"{STORAGE}/files", lambda drive, h: drive.send_file("a", b"x", headers=h), count_names),
    Creation(
        "folder",
        f"{STORAGE}/folders",
        lambda drive, h: drive.client.post(drive.url("folders"), json={"name": "new"}, headers=h),
        count_names,
    ),
    Creation(
        "copy of a file",
        f"{STORAGE}/files/{{file_id}}/copy",
        lambda drive, h: drive.client.post(drive.url(f"files/{find_file(drive)}/copy"), json={}, headers=h),
        count_names,
    ),
    Creation(
        "copy of a folder",
        f"{STORAGE}/folders/{{folder_id}}/copy",
        lambda drive, h: drive.client.post(drive.url(f"folders/{find_folder(drive)}/copy"), json={}, headers=h),
        count_names,
    ),
    Creation(
        "upload in parts",
        f"{STORAGE}/multipart",
        lambda drive, h: drive.client.post(drive.url("multipart"), json={"name": "parts"}, headers=h),
        lambda _: 0,
    ),
    Creation(
        "link",
        f"{STORAGE}/links",
        lambda drive, h: drive.client.post(drive.url("links"), json={"file_id": find_file(drive)}, headers=h),
        lambda drive: int(read_json(drive.client.get(drive.url("links")))["total"]),
    ),
    Creation(
        "account",
        "/v1/accounts",
        import_account,
        lambda drive: int(read_json(drive.client.get("/v1/accounts"))["total"]),
    ),
    Creation(
        "token",
        "/v1/accounts/{account_id}/tokens",
        lambda drive, h: drive.client.post(f"{drive.caller.account_url}/tokens", headers=h),
        lambda _: 0,
    ),
]

every_creation = pytest.mark.parametrize("creation", CREATIONS, ids=lambda creation: creation.name)


@every_creation
def test_first_reply_is_repeated_when_the_request_comes_again(drive: Drive, creation: Creation) -> None:
    first = creation.send(drive, KEY)
    assert first.status_code == 201, first.text
    assert REPLAYED not in first.headers
    count = creation.count(drive)
    for _ in range(2):
        again = creation.send(drive, KEY)
        assert (again.status_code, again.content) == (first.status_code, first.content)
        assert again.headers[REPLAYED] == "true"
        own = {"x-request-id", "date", REPLAYED}
        assert {name: again.headers[name] for name in again.headers if name not in own} == {
            name: first.headers[name] for name in first.headers if name not in own
        }
        assert again.headers["x-request-id"] != first.headers["x-request-id"]
    assert creation.count(drive) == count


@every_creation
def test_another_key_or_none_is_another_request(drive: Drive, creation: Creation) -> None:
    creation.send(drive, KEY)
    for headers in ({}, {"Idempotency-Key": "another"}):
        again = creation.send(drive, dict(headers))
        assert again.status_code in {200, 201}
        assert REPLAYED not in again.headers


def test_every_operation_that_takes_a_key_was_tried(client: httpx.Client) -> None:
    documented = {
        path
        for path, methods in read_json(client.get("/openapi.json"))["paths"].items()
        for operation in methods.values()
        if any(parameter["name"] == "Idempotency-Key" for parameter in operation.get("parameters", []))
    }
    assert documented == {creation.path for creation in CREATIONS}


def test_key_makes_no_difference_where_none_is_taken(drive: Drive) -> None:
    file = drive.upload("a", b"x")
    for name in ("b", "c"):
        renamed = drive.client.patch(drive.url(f"files/{file['id']}"), json={"name": name}, headers=KEY)
        file = read_json(renamed)
        assert file["name"] == name


def test_stream_without_declared_length_is_stored_once(drive: Drive) -> None:
    def read() -> Iterator[bytes]:
        yield from [b"some", b"thing"]

    first = drive.send_file("a", read(), headers=KEY)
    again = drive.send_file("a", read(), headers=KEY)
    assert (again.status_code, again.content) == (201, first.content)
    assert drive.list_names() == ["a"]
    assert drive.read(first.json()["id"]) == b"something"


def test_form_is_stored_once(drive: Drive) -> None:
    for _ in range(2):
        answer = drive.client.post(drive.url("files"), files={"file": ("a", b"bytes")}, headers=KEY)
        assert answer.status_code == 201
    assert drive.list_names() == ["a"]


@pytest.mark.parametrize("key", ["a", "x" * 255, "7c5e2ad1-1f0c-4c2a-8b5e-3d6e1f2a9b8c", '"quoted"', "with spaces"])
def test_key_may_be_any_short_text(drive: Drive, key: str) -> None:
    for expected in (None, "true"):
        answer = drive.client.post(drive.url("folders"), json={"name": "new"}, headers={"Idempotency-Key": key})
        assert answer.headers.get(REPLAYED) == expected


def test_same_key_of_other_callers_stands_for_requests_of_theirs(api: Api, caller: Caller, drive: Drive) -> None:
    names = {"name": "new"}
    mine = drive.client.post(drive.url("folders"), json=names, headers=KEY)
    with caller.client(caller.bearer_header) as own:
        answer = own.post(drive.url("folders"), json=names, headers=KEY)
        assert (answer.status_code, REPLAYED in answer.headers) == (200, False)
        assert own.post(drive.url("folders"), json=names, headers=KEY).headers[REPLAYED] == "true"
    other = api.create_caller()
    with other.client() as stranger:
        answer = stranger.post(f"{other.storage_url}/folders", json=names, headers=KEY)
        assert (answer.status_code, REPLAYED in answer.headers) == (201, False)
        assert answer.json()["account"] != mine.json()["account"]


def test_same_key_on_another_route_stands_for_another_request(drive: Drive) -> None:
    for path, body in (("folders", {"name": "new"}), ("multipart", {"name": "new"})):
        answer = drive.client.post(drive.url(path), json=body, headers=KEY)
        assert (answer.status_code, REPLAYED in answer.headers) == (201, False)


def test_reply_is_not_repeated_to_somebody_whose_token_has_ended(caller: Caller, drive: Drive) -> None:
    with caller.client(caller.bearer_header) as own:
        assert own.post(drive.url("folders"), json={"name": "new"}, headers=KEY).status_code == 201
        assert own.delete("/v1/oauth/token").status_code == 204
        assert read_error(own.post(drive.url("folders"), json={"name": "new"}, headers=KEY)) == (401, "unauthorized")
