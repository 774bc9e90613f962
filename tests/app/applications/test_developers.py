"""Developers, each for itself, under both generations of paths."""

from __future__ import annotations

from datetime import datetime

import httpx
import pytest

from tests.app.drive import read_error, read_json
from tests.servers.api import Api, Caller


@pytest.fixture(params=["/v1/meta/developers", "/v1/developers"])
def url(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_developer_sees_itself_and_nobody_else(api: Api, developer: httpx.Client, url: str) -> None:
    listed = read_json(developer.get(f"{url}/"))
    (own,) = listed["objects"]
    envelope = {"type": "object_list", "api": "meta", "total": 1, "count": 1, "page": 1, "next_page": None}
    assert {name: listed[name] for name in envelope} == envelope
    assert {**own, "id": 0, "created": "", "modified": ""} == {
        "id": 0,
        "name": "A developer",
        "first_name": "",
        "last_name": "",
        "created": "",
        "modified": "",
        "href": f"{api.base_url}/v1/meta/developers/{own['id']}",
        "type": "developer",
        "api": "meta",
    }
    assert read_json(developer.get(f"{url}/{own['id']}")) == read_json(developer.get(f"{url}//me")) == own
    assert read_error(developer.get(url, params={"page": 2})) == (404, "not_found")


def test_other_developers_are_not_found(api: Api, developer: httpx.Client, url: str) -> None:
    other = api.create_caller()
    with other.client(other.developer_header) as stranger:
        theirs = read_json(stranger.get(f"{url}/me"))
        for name in (theirs["id"], 0, "junk", "99999999999999999999"):
            assert read_error(developer.get(f"{url}/{name}")) == (404, "not_found")
            assert read_error(developer.patch(f"{url}/{name}", json={"name": "x"})) == (404, "not_found")
        assert read_json(stranger.get(f"{url}/me")) == theirs


def test_only_given_fields_change_when_a_developer_is_patched(developer: httpx.Client, url: str) -> None:
    before = read_json(developer.get(f"{url}/me"))
    changed = read_json(developer.patch(f"{url}/me", json={"first_name": " Ada ", "last_name": "L.", "name": None}))
    assert {**changed, "modified": ""} == {**before, "first_name": "Ada", "last_name": "L.", "modified": ""}
    assert datetime.fromisoformat(changed["modified"]) > datetime.fromisoformat(before["modified"])
    assert read_json(developer.patch(f"{url}/{before['id']}", json=changed | {"name": "Ada L."}))["name"] == "Ada L."


@pytest.mark.parametrize("body", [{"name": ""}, {"name": 7}, {"first_name": "x" * 201}, {"last_name": "nul\0"}])
def test_developer_stays_when_a_field_is_wrong(developer: httpx.Client, url: str, body: dict[str, object]) -> None:
    before = read_json(developer.get(f"{url}/me"))
    assert read_error(developer.patch(f"{url}/me", json=body)) == (400, "invalid_parameters")
    assert read_json(developer.get(f"{url}/me")) == before


def test_developers_are_closed_to_keys_and_tokens_of_applications(caller: Caller, url: str) -> None:
    for headers in (caller.key_header, caller.bearer_header):
        with caller.client(headers) as client:
            assert read_error(client.get(url)) == (401, "unauthorized")
