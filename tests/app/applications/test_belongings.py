"""What belongs to an application: trusted domains, redirect URIs, service keys, for its developer alone."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from app.applications.belongings import BELONGINGS_MAX, Owner, add_trusted_domain
from app.core.db import METADATA
from app.core.state import State
from tests.app.drive import read_error, read_json
from tests.servers.api import Api, Caller

SERVICE = "local"
SECRET = "a-client-secret-of-some-length-9876"
OAUTH_CLIENT = {"service": SERVICE, "client_id": "me", "client_secret": SECRET}


@dataclass(frozen=True)
class Kind:
    """One of the lists that an application has."""

    path: str
    type: str
    body: dict[str, str]
    shown: dict[str, str]  # of the reply
    wrong: dict[str, str]


KINDS = [
    Kind(
        "trusted_domains",
        "trusted_domain",
        {"domain": "https://Example.com/"},
        {"domain": "example.com"},
        {"domain": "*.example.com"},
    ),
    Kind(
        "redirect_uris",
        "redirect_uri",
        {"url": "https://example.com/back"},
        {"url": "https://example.com/back"},
        {"url": "http://example.com/back"},
    ),
    Kind(
        "service_keys",
        "service_key",
        OAUTH_CLIENT,
        OAUTH_CLIENT | {"client_secret": "********9876"},
        OAUTH_CLIENT | {"service": "unheard of"},
    ),
]

every_kind = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.path)


def build_many(kind: Kind, number: int) -> dict[str, str]:
    """Bodies that differ, where there may be more than one."""
    return (
        {"domain": f"host{number}.example.com"} if "domain" in kind.body else {"url": f"https://example.com/{number}"}
    )


@every_kind
@pytest.mark.parametrize("generation", ["/v1/meta/applications", "/v1/applications"])
def test_belonging_is_made_shown_listed_and_deleted(
    caller: Caller, developer: httpx.Client, kind: Kind, generation: str
) -> None:
    place = f"{generation}/{caller.application_id}/{kind.path}"
    made = read_json(developer.post(place, json=kind.body), status=201)
    assert {name: made[name] for name in kind.shown} == kind.shown
    assert (made["type"], made["api"], type(made["id"])) == (kind.type, "meta", int)
    href = f"{caller.api.base_url}/v1/meta/applications/{caller.application_id}/{kind.path}/{made['id']}"
    assert made["href"] == href
    assert read_json(developer.get(href)) == made
    listed = read_json(developer.get(place))
    envelope = {"type": "object_list", "api": "meta", "total": 1, "count": 1, "page": 1, "next_page": None}
    assert listed == {**envelope, "objects": [made]}
    assert developer.delete(href).status_code == 204
    assert read_error(developer.delete(href)) == (404, "not_found")
    assert read_error(developer.get(href)) == (404, "not_found")
    assert read_json(developer.get(place))["objects"] == []


@every_kind
def test_belonging_is_refused_when_it_is_wrong(developer: httpx.Client, place: str, kind: Kind) -> None:
    for body in (
        kind.wrong,
        {},
        dict.fromkeys(kind.body),
        dict.fromkeys(kind.body, "nul\0"),
        dict.fromkeys(kind.body, 7),
    ):
        assert read_error(developer.post(f"{place}/{kind.path}", json=body)) == (400, "invalid_parameters"), body
    assert read_json(developer.get(f"{place}/{kind.path}"))["total"] == 0


@pytest.mark.parametrize("kind", KINDS[:2], ids=lambda kind: kind.path)
def test_belonging_is_returned_when_it_is_there_already(developer: httpx.Client, place: str, kind: Kind) -> None:
    made = read_json(developer.post(f"{place}/{kind.path}", json=kind.body), status=201)
    assert read_json(developer.post(f"{place}/{kind.path}", json=kind.body)) == made
    assert read_json(developer.get(f"{place}/{kind.path}"))["total"] == 1


@pytest.mark.parametrize("kind", KINDS[:2], ids=lambda kind: kind.path)
def test_further_belonging_is_refused_when_there_are_too_many(developer: httpx.Client, place: str, kind: Kind) -> None:
    for number in range(BELONGINGS_MAX):
        assert developer.post(f"{place}/{kind.path}", json=build_many(kind, number)).status_code == 201
    refused = developer.post(f"{place}/{kind.path}", json=kind.body)
    assert read_error(refused) == (400, "request_failed")
    assert str(BELONGINGS_MAX) in refused.json()["message"]
    last = read_json(developer.get(f"{place}/{kind.path}", params={"page": 4, "page_size": 30}))
    assert (last["count"], last["total"], last["next_page"]) == (10, BELONGINGS_MAX, None)
    assert developer.get(f"{place}/{kind.path}", params={"page": 5, "page_size": 30}).status_code == 404


def test_one_row_is_made_when_the_same_is_added_many_times_at_once(api: Api, caller: Caller) -> None:
    async def add_all() -> list[tuple[Any, bool]]:
        developer_id = (await read_rows(api.state, "applications", caller.application_id))[0]["developer_id"]
        owner = Owner(caller.application_id, developer_id)
        return await asyncio.gather(*(add_trusted_domain(api.state, owner, host="many.example.com") for _ in range(8)))

    added = api.run(add_all())
    assert len({row.id for row, _ in added}) == 1
    assert sum(is_new for _, is_new in added) == 1


async def read_rows(state: State, table: str, application_id: str) -> list[dict[str, Any]]:
    """An application's rows, as they are stored."""
    stored = METADATA.tables[table]
    column = stored.c["id" if table == "applications" else "application_id"]
    async with state.db.reading() as session:
        return [dict(row._mapping) for row in await session.execute(stored.select().where(column == application_id))]


@every_kind
@pytest.mark.parametrize(
    "number", ["0", "junk", "99999999999999999999", "-1", "1.0", "%00", "\N{ARABIC-INDIC DIGIT ONE}"]
)
def test_belonging_is_not_found_when_its_number_is_none(
    developer: httpx.Client, place: str, kind: Kind, number: str
) -> None:
    for method in ("GET", "DELETE", *(["PATCH"] if kind.type == "service_key" else [])):
        answer = developer.request(method, f"{place}/{kind.path}/{number}", json={})
        assert read_error(answer) == (404, "not_found"), method


@every_kind
def test_belonging_of_another_application_is_not_found(
    api: Api, caller: Caller, developer: httpx.Client, place: str, kind: Kind
) -> None:
    made = read_json(developer.post(f"{place}/{kind.path}", json=kind.body), status=201)
    other = api.create_caller()
    with other.client(other.developer_header) as stranger:
        mixed = f"/v1/meta/applications/{other.application_id}/{kind.path}/{made['id']}"
        for url in (made["href"], mixed, f"{place}/{kind.path}"):
            assert read_error(stranger.get(url)) == (404, "not_found")
            assert stranger.delete(url).status_code in {404, 405}
        assert read_error(stranger.post(f"{place}/{kind.path}", json=kind.body)) == (404, "not_found")
        assert read_json(stranger.get(f"/v1/meta/applications/{other.application_id}/{kind.path}"))["total"] == 0
    assert read_json(developer.get(made["href"])) == made


def test_second_key_for_a_service_conflicts_with_the_first(developer: httpx.Client, place: str) -> None:
    made = read_json(developer.post(f"{place}/service_keys", json=OAUTH_CLIENT), status=201)
    refused = developer.post(f"{place}/service_keys", json=OAUTH_CLIENT | {"client_id": "other"})
    assert read_error(refused) == (409, "naming_conflict")
    assert refused.json()["conflicting_resource_id"] == str(made["id"])
    assert read_json(developer.get(made["href"])) == made


@pytest.mark.parametrize(("secret", "shown"), [(SECRET, "********9876"), ("x" * 15, "********"), ("y", "********")])
def test_secret_is_stored_sealed_and_never_shown_whole(
    api: Api, caller: Caller, developer: httpx.Client, place: str, secret: str, shown: str
) -> None:
    made = read_json(developer.post(f"{place}/service_keys", json=OAUTH_CLIENT | {"client_secret": secret}), status=201)
    assert made["client_secret"] == shown
    (row,) = api.run(read_rows(api.state, "service_keys", caller.application_id))
    assert secret not in str(row) or len(secret) == 1
    assert api.state.keys.open(row["sealed_secret"], purpose=f"service_key:{caller.application_id}:{SERVICE}") == (
        secret.encode()
    )


def test_only_given_fields_of_a_key_change_when_it_is_patched(
    api: Api, caller: Caller, developer: httpx.Client, place: str
) -> None:
    made = read_json(developer.post(f"{place}/service_keys", json=OAUTH_CLIENT), status=201)
    same = read_json(developer.patch(made["href"], json=made))
    assert {**same, "modified": ""} == {**made, "modified": ""}
    (row,) = api.run(read_rows(api.state, "service_keys", caller.application_id))
    purpose = f"service_key:{caller.application_id}:{SERVICE}"
    assert api.state.keys.open(row["sealed_secret"], purpose=purpose) == SECRET.encode()
    changed = read_json(developer.patch(made["href"], json={"client_secret": "another secret, as long 1234"}))
    assert (changed["client_id"], changed["client_secret"]) == ("me", "********1234")
    assert read_json(developer.patch(made["href"], json={"client_id": "you"}))["client_id"] == "you"
    assert read_error(developer.patch(made["href"], json={"service": "other"})) == (400, "invalid_parameters")
    assert read_error(developer.patch(made["href"], json={"client_id": ""})) == (400, "invalid_parameters")


def test_belongings_are_taken_over_when_an_application_is_a_template(
    api: Api, caller: Caller, developer: httpx.Client, place: str
) -> None:
    for kind in KINDS:
        developer.post(f"{place}/{kind.path}", json=kind.body)
    developer.patch(place, json={"name": "Template", "recent_enabled": True})
    copy = read_json(developer.post("/v1/meta/applications", json={"source": caller.application_id}), status=201)
    assert (copy["name"], copy["recent_enabled"]) == ("Template", True)
    for kind in KINDS:
        (taken,) = read_json(developer.get(f"/v1/meta/applications/{copy['id']}/{kind.path}"))["objects"]
        assert {name: taken[name] for name in kind.shown} == kind.shown
        developer.delete(taken["href"])
        assert read_json(developer.get(f"{place}/{kind.path}"))["total"] == 1
    (key,) = read_json(developer.get(f"/v1/meta/applications/{copy['id']}/apikeys"))["objects"]
    assert key["key"] != caller.api_key
    with api.client({"Authorization": f"APIKey {key['key']}"}) as client:
        assert read_json(client.get("/v1/accounts"))["total"] == 0


def test_secret_of_a_template_opens_for_the_copy_alone(
    api: Api, caller: Caller, developer: httpx.Client, place: str
) -> None:
    developer.post(f"{place}/service_keys", json=OAUTH_CLIENT)
    copy = read_json(developer.post("/v1/meta/applications", json={"source": caller.application_id}), status=201)
    (row,) = api.run(read_rows(api.state, "service_keys", copy["id"]))
    plain = api.state.keys.open(row["sealed_secret"], purpose=f"service_key:{copy['id']}:{SERVICE}")
    assert plain == SECRET.encode()
