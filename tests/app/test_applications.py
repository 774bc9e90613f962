"""The Meta API: applications and their keys, under both generations of paths."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from app.applications.service import KEYS_MAX
from tests.servers.api import Api, Caller

SETTINGS = {
    "description": "Does things",
    "logo_url": "https://example.com/logo.png",
    "implicit_grant_enabled": True,
    "recent_enabled": True,
    "events_grant_enabled": True,
}


both_generations = pytest.mark.parametrize("url", ["/v1/meta/applications", "/v1/applications"], indirect=True)


@pytest.fixture
def url(request: pytest.FixtureRequest) -> str:
    return str(getattr(request, "param", "/v1/meta/applications"))


@pytest.fixture
def developer(caller: Caller) -> Iterator[httpx.Client]:
    with caller.client(caller.developer_header) as opened:
        yield opened


@both_generations
def test_application_is_shown_whole(api: Api, caller: Caller, developer: httpx.Client, url: str) -> None:
    answer = developer.get(f"{url}/{caller.application_id}")
    application = answer.json()
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    assert {**application, "created": "", "modified": ""} == {
        "id": caller.application_id,
        "name": "An application",
        "description": "",
        "logo_url": None,
        "active": True,
        "implicit_grant_enabled": False,
        "recent_enabled": False,
        "events_grant_enabled": False,
        "created": "",
        "modified": "",
        "href": f"{api.base_url}/v1/meta/applications/{caller.application_id}",
        "type": "application",
        "api": "meta",
    }


@both_generations
def test_doubled_and_trailing_slashes_lead_to_the_same_application(
    caller: Caller, developer: httpx.Client, url: str
) -> None:
    plain = developer.get(f"{url}/{caller.application_id}").json()
    for path in (f"{url}//{caller.application_id}", f"{url}/{caller.application_id}/"):
        answer = developer.request("GET", path, json={"application_id": caller.application_id})
        assert (answer.status_code, answer.json()) == (200, plain)


@both_generations
def test_only_own_applications_are_listed_in_order(api: Api, caller: Caller, developer: httpx.Client, url: str) -> None:
    api.create_caller()
    ids = [caller.application_id, *(developer.post(url, json={"name": name}).json()["id"] for name in "ab")]
    listed = developer.get(f"{url}/").json()
    assert [entry["id"] for entry in listed["objects"]] == ids
    envelope = {"type": "object_list", "api": "meta", "total": 3, "count": 3, "page": 1, "next_page": None}
    assert {name: listed[name] for name in envelope} == envelope
    first = developer.get(url, params={"page_size": 2}).json()
    second = developer.get(url, params={"page_size": 2, "page": first["next_page"]}).json()
    assert [entry["id"] for page in (first, second) for entry in page["objects"]] == ids
    assert developer.get(url, params={"page_size": 2, "page": 3}).status_code == 404
    assert developer.get(url, params={"page_size": 0}).status_code == 400
    developer.patch(f"{url}/{ids[1]}", json={"active": "False"})
    for active, expected in (("True", [ids[0], ids[2]]), ("0", [ids[1]])):
        objects = developer.get(url, params={"active": active}).json()["objects"]
        assert [entry["id"] for entry in objects] == expected


@both_generations
def test_new_application_has_one_key_that_works(api: Api, developer: httpx.Client, url: str) -> None:
    answer = developer.post(url, json={"name": "  New ", "unknown": 1, "active": "True"})
    application = answer.json()
    assert (answer.status_code, application["name"], application["active"]) == (201, "New", True)
    keys = developer.get(f"{url}/{application['id']}/apikeys").json()
    assert (keys["total"], keys["count"]) == (1, 1)
    with api.client({"Authorization": f"APIKey {keys['objects'][0]['key']}"}) as client:
        assert client.get("/v1/accounts").json()["total"] == 0


def test_settings_are_taken_over_when_a_source_is_given(developer: httpx.Client, url: str) -> None:
    source = developer.post(url, json={"name": "Template", **SETTINGS}).json()
    assert {name: source[name] for name in SETTINGS} == SETTINGS
    copy = developer.post(url, json={"name": "Copy", "source": source["id"], "recent_enabled": False}).json()
    assert {name: copy[name] for name in SETTINGS} == {**SETTINGS, "recent_enabled": False}
    assert (copy["name"], copy["id"] != source["id"]) == ("Copy", True)


def test_source_of_another_developer_is_refused(api: Api, developer: httpx.Client, url: str) -> None:
    answer = developer.post(url, json={"name": "Copy", "source": api.create_caller().application_id})
    assert (answer.status_code, answer.json()["error_code"]) == (400, "invalid_parameters")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"name": ""},
        {"name": "x" * 201},
        {"name": None},
        {"name": 7},
        {"name": "nul\0"},
        {"name": "a", "logo_url": "javascript:alert(1)"},
        {"name": "a", "active": "perhaps"},
        {"name": "a", "description": "x" * 10_001},
    ],
)
def test_application_is_not_created_when_a_field_is_wrong(
    developer: httpx.Client, url: str, body: dict[str, object]
) -> None:
    answer = developer.post(url, json=body)
    assert (answer.status_code, answer.json()["error_code"]) == (400, "invalid_parameters")
    assert developer.get(url).json()["total"] == 1


@both_generations
def test_only_given_fields_change_when_an_application_is_patched(
    caller: Caller, developer: httpx.Client, url: str
) -> None:
    before = developer.get(f"{url}/{caller.application_id}").json()
    answer = developer.patch(f"{url}/{caller.application_id}", json={"description": "New", "name": None})
    changed = answer.json()
    assert answer.status_code == 200
    assert {**changed, "modified": 0} == {**before, "description": "New", "modified": 0}
    assert changed["modified"] > before["modified"]
    assert developer.patch(f"{url}/{caller.application_id}", json={"logo_url": SETTINGS["logo_url"]}).is_success
    assert developer.patch(f"{url}/{caller.application_id}", json={"logo_url": None}).json()["logo_url"] is None
    assert developer.patch(f"{url}/{caller.application_id}", json={"name": ""}).status_code == 400


@both_generations
def test_application_is_gone_when_it_is_deleted(caller: Caller, developer: httpx.Client, url: str) -> None:
    place = f"{url}/{caller.application_id}"
    answer = developer.delete(place)
    assert (answer.status_code, answer.content) == (204, b"")
    assert developer.get(url).json()["objects"] == []
    for method, path in (("GET", place), ("PATCH", place), ("DELETE", place), ("GET", f"{place}/apikeys")):
        answer = developer.request(method, path, json={})
        assert (answer.status_code, answer.json()["error_code"]) == (404, "not_found")


@both_generations
def test_keys_are_made_listed_and_deleted(api: Api, caller: Caller, developer: httpx.Client, url: str) -> None:
    keys = f"{url}/{caller.application_id}/apikeys"
    made = developer.post(keys)
    assert made.status_code == 201
    assert set(made.json()) == {"key", "created", "modified", "href", "type", "api"}
    listed = developer.get(keys).json()
    assert [entry["key"] for entry in listed["objects"]] == [caller.api_key, made.json()["key"]]
    assert listed["objects"][1] == made.json()
    page = developer.get(keys, params={"page_size": 1, "page": 2}).json()
    assert ([entry["key"] for entry in page["objects"]], page["next_page"]) == ([made.json()["key"]], None)
    assert developer.delete(made.json()["href"]).status_code == 204
    assert developer.delete(made.json()["href"]).status_code == 404
    with api.client({"Authorization": f"APIKey {made.json()['key']}"}) as client:
        assert client.get("/v1/accounts").status_code == 401


def test_key_list_is_empty_when_all_keys_were_deleted(caller: Caller, developer: httpx.Client, url: str) -> None:
    keys = f"{url}/{caller.application_id}/apikeys"
    developer.delete(f"{keys}/{caller.api_key}")
    answer = developer.get(keys)
    assert (answer.status_code, answer.json()["objects"], answer.json()["total"]) == (200, [], 0)


def test_further_key_is_refused_when_there_are_too_many(caller: Caller, developer: httpx.Client) -> None:
    keys = f"/v1/meta/applications/{caller.application_id}/apikeys"
    for _ in range(KEYS_MAX - 1):
        assert developer.post(keys).status_code == 201
    answer = developer.post(keys)
    assert (answer.status_code, answer.json()["error_code"]) == (400, "request_failed")


@pytest.mark.parametrize("name", ["{other}", "%00", "junk", "%2e%2e", "a%2Fb"])
def test_application_of_another_developer_is_not_found(api: Api, developer: httpx.Client, url: str, name: str) -> None:
    other = api.create_caller()
    place = f"{url}/{name.format(other=other.application_id)}"
    requests = [
        ("GET", place),
        ("PATCH", place),
        ("DELETE", place),
        ("GET", f"{place}/apikeys"),
        ("POST", f"{place}/apikeys"),
        ("DELETE", f"{place}/apikeys/{other.api_key}"),
    ]
    for method, path in requests:
        answer = developer.request(method, path, json={})
        assert (answer.status_code, answer.json()["error_code"]) == (404, "not_found"), (method, path)
    with other.client() as client:
        assert client.get("/v1/accounts").status_code == 200


def test_key_of_another_application_is_not_found(api: Api, caller: Caller, developer: httpx.Client, url: str) -> None:
    other = api.create_caller()
    assert developer.delete(f"{url}/{caller.application_id}/apikeys/{other.api_key}").status_code == 404
    with other.client() as client:
        assert client.get("/v1/accounts").status_code == 200
