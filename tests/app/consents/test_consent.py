"""From an application's link over the provider's page of consent to an account, and all that may go wrong there."""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from sqlalchemy import update

from app.connect.consents import CONSENT_SECONDS_MAX
from app.connect.service import delete_ended
from app.core.clock import now
from app.doctor.configuration import describe_services
from app.models import Consent, Journey
from connectors.core.service import Registry
from simulators.core.faults import Fault, FaultKind
from simulators.core.grants import Client
from tests.app.connect.conftest import REDIRECT_URI, Browser, read_query
from tests.app.consenting import CLIENT, SERVICE, build_service
from tests.app.consents.conftest import CLIENTLESS, LONELY, Person


def read_params(url: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}


def test_account_is_the_persons_when_they_consent(person: Person) -> None:
    reply = person.connect(state="a b", custom_properties='{"user": 7}')
    query = read_query(reply)
    assert (query["from"], query["state"]) == ("here", "a b")
    token = person.browser.exchange(query["code"]).json()
    account = person.look(token["account_id"])
    assert (account["service"], account["account"]) == (SERVICE, person.place.get_user(person.number).email)
    assert (account["custom_properties"], account["reconnect"]) == ({"user": 7}, False)
    assert account["refresh_token"]
    assert account["token_expiry"]
    assert person.get_quota(account["id"]).status_code == 200


def test_page_is_asked_for_everything_that_the_manifest_declares(person: Person) -> None:
    url = person.open_consent(
        **{"raw[login_hint]": "ada@example.com", "raw[state]": "mine", "raw[token_access_type]": "x"}
    )
    params = read_params(url)
    assert len(params.pop("state")) >= 43
    assert len(params.pop("code_challenge")) == 43
    assert params == {
        "response_type": "code",
        "client_id": CLIENT.client_id,
        "redirect_uri": f"{person.browser.caller.api.base_url}/v1/oauth/callback",
        "scope": "account_info.read files.metadata.read",
        "token_access_type": "offline",
        "code_challenge_method": "S256",
        "login_hint": "ada@example.com",
    }


@pytest.mark.parametrize(
    ("scope", "asked"),
    [
        ('{0}:normal.storage."sharing.read account_info.read":raw', "sharing.read account_info.read"),
        ("{0}:normal.storage.sharing.read:raw {0}:normal.basic", "sharing.read"),
        ('{0} {0}:normal.storage."sharing.read":raw', "account_info.read files.metadata.read sharing.read"),
        ("all another:normal.storage.sharing.read:raw", "account_info.read files.metadata.read"),
    ],
)
def test_page_is_asked_for_the_providers_own_scopes_when_the_application_names_them(
    person: Person, scope: str, asked: str
) -> None:
    reply = person.browser.start(scope=scope.format(SERVICE))
    path = f"{reply.headers['location'].partition('/services/')[0]}/services/{SERVICE}"
    url = person.browser.client.get(path).headers["location"]
    assert read_params(url)["scope"] == asked


def test_application_hears_of_a_refusal_when_the_person_says_no(person: Person) -> None:
    query = read_query(person.come_back(person.answer(person.open_consent(state="s"), "deny")))
    assert (query["error"], query["state"]) == ("access_denied", "s")
    assert "refused" in query["error_description"]


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ({"error": "temporarily_unavailable"}, "temporarily_unavailable"),
        ({"error": "invalid_scope"}, "server_error"),
        ({"error": "<b>"}, "server_error"),
        ({}, "server_error"),
        ({"code": "made-up"}, "access_denied"),
    ],
    ids=str,
)
def test_application_hears_why_when_the_provider_answers_otherwise(
    person: Person, answer: dict[str, str], error: str
) -> None:
    state = read_params(person.open_consent())["state"]
    reply = person.browser.client.get("/v1/oauth/callback", params={"state": state, **answer})
    query = read_query(reply)
    assert query["error"] == error
    assert query["error_description"].startswith("The account was not connected: ")
    assert "<" not in query["error_description"]
    assert person.browser.client.get("/v1/oauth/callback", params={"state": state, **answer}).status_code == 404


def test_state_is_worth_nothing_when_it_was_used(person: Person) -> None:
    url = person.answer(person.open_consent())
    assert person.come_back(url).status_code == 303
    assert person.come_back(url).status_code == 404


def test_state_is_worth_nothing_in_another_browser_and_stays_good_in_its_own(person: Person) -> None:
    url = person.answer(person.open_consent())
    with person.browser.caller.api.client({"Accept": "text/html"}) as stranger:
        assert stranger.get(url).status_code == 404
        assert Browser(person.browser.caller, stranger).start(scope=SERVICE).status_code == 303
        assert stranger.get(url).status_code == 404
    assert "code" in read_query(person.come_back(url))


@pytest.mark.parametrize("model", [Consent, Journey])
def test_state_is_worth_nothing_when_it_or_its_journey_has_expired(
    person: Person, model: type[Consent | Journey]
) -> None:
    url = person.answer(person.open_consent())
    state = person.browser.caller.api.state

    async def expire() -> None:
        async with state.db.writing() as session:
            await session.execute(update(model).values(expires_at=now() - timedelta(days=2)))

    person.browser.caller.api.run(expire())
    assert person.come_back(url).status_code == 404
    assert (person.browser.caller.api.run(delete_ended(state)) > 0) == (model is Journey)


def test_state_ends_before_its_journey(person: Person) -> None:
    assert CONSENT_SECONDS_MAX < 1800
    reply = person.browser.client.get("/v1/oauth/callback", params={"state": "unknown", "code": "c"})
    assert (reply.status_code, reply.headers["content-type"]) == (404, "text/html; charset=utf-8")


def test_account_keeps_its_number_when_the_person_consents_again(person: Person) -> None:
    first = person.get_account()
    person.grants.revoke_user(person.number)
    assert person.get_quota(first["id"]).json()["error_code"] == "service_unauthorized"
    second = person.get_account()
    assert second["id"] == first["id"]
    assert second["refresh_token"] != first["refresh_token"]
    assert (second["reconnect"], person.get_quota(first["id"]).status_code) == (False, 200)


def test_service_is_not_offered_when_nobody_set_a_client(person: Person) -> None:
    query = read_query(person.browser.start(scope=CLIENTLESS))
    assert query["error"] == "invalid_scope"
    assert "KLOUDLESS_CONNECTORS" in query["error_description"]
    reply = person.browser.client.get(person.browser.start(scope="all").headers["location"])
    assert f"services/{SERVICE}" in reply.text
    assert f"services/{CLIENTLESS}" not in reply.text


def list_public_services(person: Person, **query: str) -> set[str]:
    reply = person.browser.client.get("/v1/public/services", params=query)
    assert reply.status_code == 200, reply.text
    return {service["name"] for service in reply.json()["objects"]}


def test_service_is_in_the_public_list_when_there_is_a_client_for_whoever_asks(person: Person) -> None:
    application_id = person.browser.caller.application_id
    assert SERVICE in list_public_services(person)
    assert CLIENTLESS not in list_public_services(person) | list_public_services(person, app_id=application_id)
    assert person.browser.client.get(f"/v1/public/services/{CLIENTLESS}").status_code == 404
    add_own_client(person, CLIENTLESS)
    assert {SERVICE, CLIENTLESS} <= list_public_services(person, app_id=application_id)
    assert CLIENTLESS not in list_public_services(person)
    query = {"app_id": application_id}
    assert person.browser.client.get(f"/v1/public/services/{CLIENTLESS}", params=query).status_code == 200


REFUSED = Fault(kind=FaultKind.UNAVAILABLE, status=501)  # nobody asks again


@pytest.mark.parametrize(
    ("service", "times", "is_kept"), [(SERVICE, 1, False), (LONELY, None, False), (SERVICE, None, True)]
)
def test_consent_is_given_back_when_no_account_came_of_it(
    person: Person, service: str, times: int | None, is_kept: bool
) -> None:
    """Unless nobody can say whose it is, and it might be that of another account of the service."""
    token, _ = person.place.issue(1)
    with person.browser.caller.client() as client:
        body = {"account": "another", "service": SERVICE, "token": token}
        assert client.post("/v1/accounts", json=body).is_success
    person.fail("get_current_account", REFUSED, times=times)
    query = read_query(person.connect(scope=service))
    assert query["error"] == "server_error"
    assert person.has_consented is is_kept


def test_consent_is_kept_when_an_older_account_lives_by_it_and_connecting_again_fails(person: Person) -> None:
    account = person.get_account()
    person.fail("get_current_account", REFUSED, times=1)
    assert read_query(person.connect())["error"] == "server_error"
    assert person.has_consented
    assert person.get_quota(account["id"]).status_code == 200


def add_own_client(person: Person, service: str) -> Client:
    own = Client(client_id="own-client", client_secret="own-secret-of-length", name="Own application")
    person.grants.register(own)
    caller = person.browser.caller
    with caller.api.client(caller.developer_header) as developer:
        body = {"service": service, "client_id": own.client_id, "client_secret": own.client_secret}
        reply = developer.post(f"/v1/meta/applications/{caller.application_id}/service_keys", json=body)
    assert reply.status_code == 201, reply.text
    return own


@pytest.mark.parametrize("service", [SERVICE, CLIENTLESS])
def test_applications_own_client_is_used_when_it_has_one(person: Person, service: str) -> None:
    own = add_own_client(person, service)
    assert read_params(person.open_consent(scope=service))["client_id"] == own.client_id
    assert "code" in read_query(person.connect(scope=service))


def test_account_stays_with_the_client_that_it_was_connected_by(person: Person) -> None:
    account = person.get_account()
    add_own_client(person, SERVICE)
    person.grants.expire(str(account["token"]))
    assert person.get_quota(account["id"]).status_code == 200
    assert person.look(account["id"])["reconnect"] is False


def delete(person: Person, account_id: object) -> None:
    with person.browser.caller.client() as client:
        assert client.delete(f"/v1/accounts/{account_id}").status_code == 204


def is_revoked(person: Person, account: dict[str, object]) -> bool:
    grant = person.grants.find_grant(str(account["refresh_token"]))
    assert grant is not None
    return grant.is_revoked


def test_consent_is_given_back_when_the_account_is_deleted(person: Person) -> None:
    account = person.get_account()
    person.grants.expire(str(account["token"]))  # it has to be renewed for that
    delete(person, account["id"])
    assert is_revoked(person, account)


def test_consent_is_kept_when_another_account_lives_by_it(person: Person) -> None:
    account = person.get_account()
    other = person.browser.caller.api.create_caller()
    token, refresh_token = person.place.issue(person.number)
    with other.client() as client:
        body = {"account": "other", "service": SERVICE, "token": token, "refresh_token": refresh_token}
        other_id = client.post("/v1/accounts", json=body).json()["id"]
        delete(person, account["id"])
        assert not is_revoked(person, account)
        assert client.delete(f"/v1/accounts/{other_id}").status_code == 204
    assert is_revoked(person, {"refresh_token": refresh_token})


def test_account_is_deleted_although_the_provider_takes_nothing_back(person: Person) -> None:
    account = person.get_account()
    person.fail("token/revoke$", Fault(kind=FaultKind.UNAVAILABLE, status=501))
    delete(person, account["id"])
    assert not is_revoked(person, account)
    with person.browser.caller.client() as client:
        assert client.get(f"/v1/accounts/{account['id']}").status_code == 404


def test_form_is_nowhere_when_a_service_has_none(person: Person) -> None:
    path = person.browser.start(scope=SERVICE).headers["location"]
    assert person.browser.client.post(path, data={"access_token": "a"}).status_code == 404


def test_imported_tokens_are_tried_and_renewed(person: Person) -> None:
    token, refresh_token = person.place.issue(person.number)
    body = {"account": "mine", "service": SERVICE, "token": token, "refresh_token": refresh_token}
    person.grants.expire(token)
    with person.browser.caller.client() as client:
        account = client.post("/v1/accounts", json=body)
    assert account.status_code == 201, account.text
    renewed = person.look(account.json()["id"])["token"]
    assert renewed != token
    assert person.get_quota(account.json()["id"]).status_code == 200


def test_changed_token_has_no_end_of_the_older_one(person: Person) -> None:
    account = person.get_account()
    token, refresh_token = person.place.issue(person.number)
    with person.browser.caller.client() as client:
        body = {"token": token, "refresh_token": refresh_token}
        reply = client.patch(f"/v1/accounts/{account['id']}", json=body)
    assert (reply.status_code, reply.json()["token_expiry"]) == (200, None)
    assert person.look(account["id"])["token"] == token


def test_older_refresh_token_stays_when_the_provider_gives_none_again(person: Person) -> None:
    account = person.get_account()
    token, _ = person.place.issue(person.number)
    with person.browser.caller.client() as client:
        again = client.post("/v1/accounts", json={"account": "mine", "service": SERVICE, "token": token}).json()
    kept = person.look(again["id"])
    assert (again["id"], kept["token"], kept["refresh_token"]) == (account["id"], token, account["refresh_token"])


def test_operator_is_told_which_services_have_no_client() -> None:
    services = [build_service("http://127.0.0.1:9"), build_service("http://127.0.0.1:9", name=CLIENTLESS, client=None)]
    told = describe_services(Registry(services))
    hint = f"people cannot connect {CLIENTLESS}: no client_id is set in KLOUDLESS_CONNECTORS"
    assert told == f"{SERVICE}, {CLIENTLESS}; {hint}"


def test_redirect_is_not_kept_and_says_nothing_of_where_it_came_from(person: Person) -> None:
    reply: httpx.Response = person.connect()
    assert reply.headers["location"].startswith(REDIRECT_URI)
    assert reply.headers["cache-control"] == "no-store"
    assert reply.headers["referrer-policy"] == "no-referrer"
