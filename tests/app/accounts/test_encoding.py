from __future__ import annotations

import httpx
import pytest

from tests.servers.api import Caller


@pytest.fixture(params=["encode_raw_id", "storage/convert_id"])
def url(request: pytest.FixtureRequest, caller: Caller) -> str:
    return f"{caller.account_url}/{request.param}"


@pytest.mark.parametrize("is_typed", [True, False])
def test_id_equals_the_listed_one_when_a_raw_id_is_encoded(
    caller: Caller, client: httpx.Client, url: str, *, is_typed: bool
) -> None:
    (caller.folder / "a file.txt").write_text("x")
    (caller.folder / "Ordner").mkdir()
    listed = client.get(f"{caller.storage_url}/folders/root/contents").json()["objects"]
    assert {entry["type"] for entry in listed} == {"file", "folder"}
    for entry in listed:
        body = {"raw_id": entry["raw_id"]} | ({"type": entry["type"]} if is_typed else {})
        answer = client.post(url, json=body, headers={"X-Kloudless-Raw-Data": "True"})
        assert answer.status_code == 200
        names = ("id", "raw_id", "type", "account", "href")
        assert {name: answer.json()[name] for name in names} == {name: entry[name] for name in names}


@pytest.mark.parametrize("body", [{"raw_id": "/"}, {"raw_id": "/", "type": "folder"}])
def test_root_is_called_root_when_its_raw_id_is_encoded(client: httpx.Client, url: str, body: dict[str, str]) -> None:
    answer = client.post(url, json=body).json()
    assert (answer["id"], answer["type"]) == ("root", "folder")
    assert client.get(answer["href"]).json()["id"] == "root"


def test_older_name_of_the_field_is_accepted(caller: Caller, client: httpx.Client, url: str) -> None:
    (caller.folder / "a").write_text("x")
    assert client.post(url, json={"id": "/a"}).json() == client.post(url, json={"raw_id": "/a"}).json()


def test_raw_id_is_not_found_when_the_storage_does_not_know_it(client: httpx.Client, url: str) -> None:
    answer = client.post(url, json={"raw_id": "/nothing"})
    assert (answer.status_code, answer.json()["error_code"]) == (404, "not_found")


@pytest.mark.parametrize("body", [{}, {"raw_id": ""}, {"raw_id": 7}, {"raw_id": "/", "type": "link"}, {"raw_id": None}])
def test_body_is_refused_when_it_names_nothing(client: httpx.Client, url: str, body: dict[str, object]) -> None:
    answer = client.post(url, json=body)
    assert (answer.status_code, answer.json()["error_code"]) == (400, "invalid_parameters")


@pytest.mark.parametrize("raw_id", ["/../x", "/a/./b", "//a", "a", "/nul\\u0000", "/\\ud800"])
def test_encoded_id_opens_nothing_when_the_raw_id_is_no_place(
    caller: Caller, client: httpx.Client, url: str, raw_id: str
) -> None:
    answer = client.post(
        url, content=f'{{"raw_id": "{raw_id}", "type": "file"}}', headers={"Content-Type": "application/json"}
    )
    if answer.status_code == 200:
        answer = client.get(answer.json()["href"])
        assert answer.status_code == 404
    else:
        assert answer.status_code == 400
