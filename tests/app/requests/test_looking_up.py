"""Callers look up what they asked: their own requests, the newest first, and nothing that was in them."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from tests.app.drive import Drive, read_error, read_json
from tests.servers.api import ROOT, Api, Caller

URL = "/v1/requests"
STORAGE = "/v1/accounts/{account_id}/storage"


def look_up(client: httpx.Client, **params: object) -> list[dict[str, Any]]:
    objects: list[dict[str, Any]] = read_json(client.get(URL, params={k: str(v) for k, v in params.items()}))["objects"]
    return objects


def list_calls(client: httpx.Client, **params: object) -> list[tuple[str, str, int]]:
    return [(seen["method"], seen["route"], seen["status"]) for seen in look_up(client, **params)]


def test_request_is_shown_with_all_that_is_known_of_it(api: Api, drive: Drive) -> None:
    before = datetime.now(UTC)
    stored = drive.send_file("a.txt", b"12345")
    seen = look_up(drive.client)[0]
    assert {**seen, "started": "", "duration_ms": 0, "provider_calls": 0} == {
        "id": stored.headers["x-request-id"],
        "method": "POST",
        "route": f"{STORAGE}/files",
        "account": drive.caller.account_id,
        "service": "local",
        "status": 201,
        "error_code": None,
        "started": "",
        "duration_ms": 0,
        "bytes_in": 5,
        "bytes_out": len(stored.content),
        "provider_calls": 0,
        "href": f"{api.base_url}{URL}/{stored.headers['x-request-id']}",
        "type": "request",
        "api": "meta",
    }
    assert before - timedelta(seconds=1) <= datetime.fromisoformat(seen["started"]) <= datetime.now(UTC)
    assert seen["duration_ms"] > 0
    assert seen["provider_calls"] >= 1
    assert read_json(drive.client.get(seen["href"])) == seen


def test_calls_to_the_storage_are_counted_for_the_request_that_made_them(drive: Drive) -> None:
    file = drive.upload("a", b"x" * 100_000)
    drive.read(file["id"])
    download, upload = look_up(drive.client)[:2]
    assert (download["provider_calls"] > 0, download["bytes_out"], upload["bytes_in"]) == (True, 100_000, 100_000)
    drive.client.get("/v1/accounts")
    assert look_up(drive.client)[0]["provider_calls"] == 0


def test_error_is_found_by_the_id_of_its_body(drive: Drive) -> None:
    failed = drive.client.get(drive.url("files/nonsense"))
    seen = read_json(drive.client.get(f"{URL}/{failed.json()['id']}"))
    assert (seen["status"], seen["error_code"]) == (404, "not_found")
    refused = drive.client.get("/v1/accounts", params={"page": "0"})
    seen = read_json(drive.client.get(f"{URL}/{refused.json()['id']}"))
    assert (seen["status"], seen["error_code"]) == (400, "invalid_parameters")


def test_newest_request_comes_first_and_pages_join_without_gaps(drive: Drive) -> None:
    for number in range(5):
        drive.create_folder(f"folder {number}")
    drive.client.get(drive.url("quota"))
    everything = look_up(drive.client)
    assert everything[0]["route"] == f"{STORAGE}/quota"
    joined: list[dict[str, Any]] = []
    page: str | None = "1"
    while page is not None:
        reply = read_json(drive.client.get(URL, params={"page": page, "page_size": "2", "status": "2xx"}))
        assert reply["count"] == len(reply["objects"]) <= 2
        assert (reply["page"], reply["type"], reply["api"]) == (page, "object_list", "meta")
        joined += reply["objects"]
        page = reply["next_page"]
        if len(joined) > 50:  # each page is a request, too
            break
    ids = [seen["id"] for seen in joined]
    assert len(set(ids)) == len(ids)
    assert [seen["id"] for seen in everything] == [seen for seen in ids if seen in {s["id"] for s in everything}]


def test_page_is_refused_when_it_belongs_to_another_question(api: Api, drive: Drive) -> None:
    for _ in range(3):
        drive.client.get(drive.url("quota"))
    page = read_json(drive.client.get(URL, params={"page_size": "1"}))["next_page"]
    assert read_json(drive.client.get(URL, params={"page": page}))["page"] == page
    other = api.create_caller()
    with other.client() as stranger, drive.caller.client(drive.caller.bearer_header) as own:
        for client, params in ((drive.client, {"status": "2xx"}), (own, {}), (stranger, {})):
            answer = client.get(URL, params={"page": page, **params})
            assert read_error(answer) == (400, "invalid_parameters")


def test_only_wanted_requests_are_listed(drive: Drive) -> None:
    drive.client.get(drive.url("quota"))
    drive.client.get(drive.url("files/nonsense"))
    drive.client.get(drive.url("folders/root/contents?page_size=0"))
    missing, wrong = (
        ("GET", f"{STORAGE}/files/{{file_id}}", 404),
        ("GET", f"{STORAGE}/folders/{{folder_id}}/contents", 400),
    )
    assert list_calls(drive.client, status="4xx") == [wrong, missing]
    assert list_calls(drive.client, status="404") == [missing]
    assert list_calls(drive.client, status="5xx") == []
    future, past = datetime.now(UTC) + timedelta(hours=1), datetime.now(UTC) - timedelta(hours=1)
    assert list_calls(drive.client, since=future.isoformat()) == []
    assert len(list_calls(drive.client, since=past.replace(tzinfo=None).isoformat())) >= 3
    assert list_calls(drive.client, account=drive.caller.account_id, status="404") == [missing]
    assert list_calls(drive.client, account=10**15) == []


@pytest.mark.parametrize(
    "params",
    [
        {"status": "abc"},
        {"status": "6xx"},
        {"status": "4XX "},
        {"status": "99"},
        {"since": "yesterday"},
        {"page": "junk"},
        {"page": "2"},
        {"page_size": "0"},
        {"page_size": "1001"},
    ],
)
def test_wrong_question_is_refused(client: httpx.Client, params: dict[str, str]) -> None:
    assert read_error(client.get(URL, params=params)) == (400, "invalid_parameters")


def test_account_is_not_found_when_its_number_is_none(client: httpx.Client) -> None:
    for name in ("junk", "me", "99999999999999999999"):
        assert read_error(client.get(URL, params={"account": name})) == (404, "not_found")


def test_token_sees_requests_of_its_account_alone(caller: Caller, client: httpx.Client, drive: Drive) -> None:
    (caller.folder / "inner").mkdir()
    body = {"account": "b", "service": "local", "token": ROOT, "folder": f"{caller.folder.name}/inner"}
    other = client.post("/v1/accounts", json=body).json()["id"]
    theirs = client.get(f"/v1/accounts/{other}/storage/quota").headers["x-request-id"]
    mine = client.get(drive.url("quota")).headers["x-request-id"]
    with caller.client(caller.bearer_header) as own:
        own.get("/v1/accounts/me/storage/quota")
        own.get("/v1/oauth/token")
        seen = look_up(own)
        assert {entry["account"] for entry in seen} == {caller.account_id}
        assert mine in [entry["id"] for entry in seen]
        assert [entry["route"] for entry in seen[:2]] == ["/v1/oauth/token", f"{STORAGE}/quota"]
        for name in ("me", caller.account_id):
            assert len(look_up(own, account=name)) >= len(seen)
        assert read_json(own.get(f"{URL}/{mine}"))["id"] == mine
        assert read_error(own.get(f"{URL}/{theirs}")) == (404, "not_found")
        assert read_error(own.get(URL, params={"account": str(other)})) == (403, "forbidden")
    assert {theirs, mine} <= {entry["id"] for entry in look_up(client)}


def test_requests_of_other_applications_are_not_found(api: Api, client: httpx.Client) -> None:
    other = api.create_caller()
    with other.client() as stranger:
        theirs = stranger.get(f"{other.storage_url}/quota").headers["x-request-id"]
        assert theirs in [entry["id"] for entry in look_up(stranger)]
    assert theirs not in [entry["id"] for entry in look_up(client)]
    for name in (theirs, uuid.uuid4(), "junk", "%00", "x" * 1000):
        assert read_error(client.get(f"{URL}/{name}")) == (404, "not_found")


def test_nothing_that_was_asked_for_or_sent_is_kept(drive: Drive) -> None:
    secret = "verysecret"
    file = drive.upload(secret, secret.encode())
    drive.client.get(drive.url("path"), params={"path": f"/{secret}"})
    drive.client.get(drive.url("search"), params={"q": secret})
    drive.client.get(f"/v1/accounts/{secret}")
    drive.client.patch(file["href"], json={"name": secret * 2})
    shown = drive.client.get(URL).text
    assert secret not in shown
    assert file["id"] not in shown
    assert drive.caller.api_key not in shown


def test_requests_of_nobody_are_not_kept(api: Api, caller: Caller, client: httpx.Client) -> None:
    look_up(client)
    with api.client() as nobody:
        unknown = [
            nobody.get(url, headers=headers).headers["x-request-id"]
            for url in ("/v1/accounts", "/v1/public/services", "/health", "/nowhere")
            for headers in ({}, {"Authorization": "Bearer wrong"})
        ]
    for request_id in unknown:
        assert read_error(client.get(f"{URL}/{request_id}")) == (404, "not_found")


def test_log_is_closed_to_those_without_key_or_token(api: Api, caller: Caller) -> None:
    for headers in ({}, {"Authorization": "Bearer wrong"}, caller.developer_header):
        with api.client(headers) as client:
            for url in (URL, f"{URL}/{uuid.uuid4()}"):
                assert client.get(url).status_code == 401
