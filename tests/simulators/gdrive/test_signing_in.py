"""Consent, tokens, their refresh and their end, as Google's own library and a browser see them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest
from google.auth.exceptions import RefreshError
from google.auth.transport.requests import Request
from google.oauth2 import service_account
from google_auth_oauthlib.flow import Flow
from googleapiclient.discovery import build_from_document
from googleapiclient.errors import HttpError

from simulators.core.faults import Fault, FaultKind, Rule
from simulators.core.world import SANDBOX_CLIENT
from simulators.gdrive.discovery import load_document, localize
from tests.servers.gdrive import Place

BACK = "http://127.0.0.1/back"
DRIVE = "https://www.googleapis.com/auth/drive"


@pytest.fixture
def browser(place: Place) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=place.url, trust_env=False, timeout=30) as browser:
        yield browser


@pytest.fixture(autouse=True)
def _plain_http(monkeypatch: pytest.MonkeyPatch) -> None:
    """The library refuses addresses without TLS unless it is told that this is a test."""
    monkeypatch.setenv("OAUTHLIB_INSECURE_TRANSPORT", "1")


def build_flow(place: Place, *scopes: str) -> Flow:
    config = {
        "client_id": SANDBOX_CLIENT.client_id,
        "client_secret": SANDBOX_CLIENT.client_secret,
        "auth_uri": f"{place.url}/o/oauth2/v2/auth",
        "token_uri": f"{place.url}/token",
    }
    return Flow.from_client_config({"web": config}, scopes=scopes or (DRIVE,), redirect_uri=BACK)


def answer_page(browser: httpx.Client, url: str, **answer: str) -> dict[str, str]:
    """Opens the consent page, fills it in, and returns what the application gets."""
    page = browser.get(url).text
    hidden = dict(re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', page))
    answered = browser.post(urlsplit(url).path, data=hidden | answer)
    assert answered.status_code == 302
    assert answered.headers["location"].startswith(BACK + "?")
    return dict(parse_qsl(urlsplit(answered.headers["location"]).query))


def test_a_user_is_signed_in_when_it_consents(place: Place, browser: httpx.Client) -> None:
    flow = build_flow(place)
    url, client_state = flow.authorization_url(access_type="offline", prompt="consent")
    got = answer_page(browser, url, user="2", decision="allow")
    assert got["state"] == client_state
    flow.fetch_token(code=got["code"])
    service = build_from_document(localize(load_document(), place.url), credentials=flow.credentials)
    user = service.about().get(fields="user(emailAddress)").execute()["user"]
    assert user == {"emailAddress": "ben@example.com"}
    assert flow.credentials.refresh_token
    service.close()


def test_nothing_is_given_when_the_user_says_no(place: Place, browser: httpx.Client) -> None:
    url, client_state = build_flow(place).authorization_url()
    assert answer_page(browser, url, user="1", decision="deny") == {"error": "access_denied", "state": client_state}


def test_a_second_consent_brings_no_refresh_token_when_it_is_not_asked_for_anew(
    place: Place, browser: httpx.Client
) -> None:
    tokens = []
    for prompt in ({}, {}, {"prompt": "consent"}, None):
        if prompt is None:
            place.world.grants.revoke_user(1)
        flow = build_flow(place)
        url, _ = flow.authorization_url(access_type="offline", **(prompt or {}))
        flow.fetch_token(code=answer_page(browser, url, user="1", decision="allow")["code"])
        tokens.append(bool(flow.credentials.refresh_token))
    assert tokens == [True, False, True, True]


def test_a_code_is_good_once_when_it_is_exchanged(place: Place, browser: httpx.Client) -> None:
    flow = build_flow(place)
    url, _ = flow.authorization_url(access_type="offline")
    code = answer_page(browser, url, user="1", decision="allow")["code"]
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": BACK,
        "client_id": SANDBOX_CLIENT.client_id,
        "client_secret": SANDBOX_CLIENT.client_secret,
        "code_verifier": flow.code_verifier,
    }
    wrong = browser.post("/token", data=form | {"client_secret": "guess"})
    assert (wrong.status_code, wrong.json()["error"]) == (401, "invalid_client")
    assert browser.post("/token", data=form).json()["token_type"] == "Bearer"
    again = browser.post("/token", data=form)
    assert (again.status_code, again.json()["error"]) == (400, "invalid_grant")


def test_the_library_refreshes_by_itself_when_a_token_has_ended(place: Place, service: Any) -> None:
    place.world.clock.advance(3601)
    assert service.files().get(fileId="root").execute()["name"] == "My Drive"
    assert place.world.grants.refresh_count == 1


def test_a_refresh_is_refused_when_the_user_took_the_consent_back(place: Place) -> None:
    credentials = place.build_credentials(1)
    answered = httpx.post(f"{place.url}/revoke", data={"token": credentials.refresh_token}, trust_env=False, timeout=60)
    assert answered.status_code == 200
    with pytest.raises(RefreshError, match="invalid_grant"):
        credentials.refresh(Request())  # type: ignore[no-untyped-call]  # the library leaves it without types
    with httpx.Client(base_url=place.url, trust_env=False, timeout=60) as client:
        client.headers["Authorization"] = f"Bearer {credentials.token}"
        refusal = client.get("/drive/v3/files/root")
    assert (refusal.status_code, refusal.json()["error"]["errors"][0]["reason"]) == (401, "authError")


def test_a_refresh_token_is_replaced_when_that_is_wanted(place: Place) -> None:
    place.world.faults.add(Rule(fault=Fault(kind=FaultKind.ROTATED_TOKEN), path="^/token$", times=1))
    credentials = place.build_credentials(1)
    before = credentials.refresh_token
    credentials.refresh(Request())  # type: ignore[no-untyped-call]  # the library leaves it without types
    assert credentials.refresh_token not in {None, before}


@pytest.mark.parametrize(
    ("query", "word"),
    [
        ({"client_id": "stranger"}, "invalid_client"),
        ({"scope": "https://www.googleapis.com/auth/everything"}, "invalid_scope"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"scope": ""}, "invalid_request"),
        ({"redirect_uri": ""}, "invalid_request"),
    ],
)
def test_the_page_says_what_is_wrong_when_the_request_is(
    browser: httpx.Client, query: dict[str, str], word: str
) -> None:
    good = {
        "client_id": SANDBOX_CLIENT.client_id,
        "redirect_uri": BACK,
        "response_type": "code",
        "scope": DRIVE,
    }
    page = browser.get("/o/oauth2/v2/auth", params=good | query)
    assert page.status_code == 400
    assert word in page.text


def test_only_its_own_files_are_seen_when_an_application_has_the_narrow_scope(place: Place) -> None:
    other = place.store(1, "other", b"")
    place.drive.store.get(other).client_id = "another-client"
    service = place.build_service(1, "drive.file")
    own = service.files().create(body={"name": "own"}).execute()["id"]
    assert [file["id"] for file in service.files().list().execute()["files"]] == [own]
    with pytest.raises(HttpError) as caught:
        service.files().get(fileId=other).execute()
    assert caught.value.status_code == 404
    service.close()


def test_reading_is_all_when_the_scope_says_so(place: Place) -> None:
    file_id = place.store(1, "a", b"a")
    reader, viewer = place.build_service(1, "drive.readonly"), place.build_service(1, "drive.metadata.readonly")
    assert reader.files().get_media(fileId=file_id).execute() == b"a"
    for request in (
        reader.files().delete(fileId=file_id),
        viewer.files().get_media(fileId=file_id),
    ):
        with pytest.raises(HttpError) as caught:
            request.execute()
        assert (caught.value.status_code, caught.value.error_details[0]["reason"]) == (403, "insufficientPermissions")
    reader.close()
    viewer.close()


def test_application_data_is_apart_when_the_scope_allows_it(place: Place, service: Any) -> None:
    hidden = place.build_service(1, "drive.appdata")
    body = {"name": "settings", "parents": ["appDataFolder"]}
    made = hidden.files().create(body=body, fields="id,spaces").execute()
    assert made["spaces"] == ["appDataFolder"]
    assert [file["id"] for file in hidden.files().list(spaces="appDataFolder").execute()["files"]] == [made["id"]]
    assert service.files().list().execute()["files"] == []
    with pytest.raises(HttpError) as caught:
        service.files().list(spaces="appDataFolder").execute()
    assert caught.value.error_details[0]["reason"] == "insufficientScopes"
    hidden.close()


def test_a_service_account_stands_in_for_a_user_when_the_user_is_of_a_team(place: Place, browser: httpx.Client) -> None:
    file_id = place.store(2, "plan", b"")
    info = browser.post("/simulator/service-accounts", json={"name": "robot"}).json()
    robot = service_account.Credentials.from_service_account_info(info, scopes=[DRIVE])  # type: ignore[no-untyped-call]  # the library leaves it without types
    seen = {}
    for email in (None, "ben@example.com"):
        credentials = robot.with_subject(email) if email else robot
        service = build_from_document(localize(load_document(), place.url), credentials=credentials)
        user = service.about().get(fields="user(emailAddress)").execute()["user"]
        seen[user["emailAddress"]] = [file["id"] for file in service.files().list().execute()["files"]]
        service.close()
    assert seen == {info["client_email"]: [], "ben@example.com": [file_id]}
    for email, word in (("cleo@example.org", "unauthorized_client"), ("nobody@example.com", "invalid_grant")):
        with pytest.raises(RefreshError, match=word):
            robot.with_subject(email).refresh(Request())


def test_a_service_account_is_refused_when_the_key_is_not_its_own(place: Place, browser: httpx.Client) -> None:
    first, second = (
        browser.post("/simulator/service-accounts", json={"name": name}).json() for name in ("first", "second")
    )
    mixed = first | {"private_key": second["private_key"]}
    robot = service_account.Credentials.from_service_account_info(mixed, scopes=[DRIVE])  # type: ignore[no-untyped-call]  # the library leaves it without types
    with pytest.raises(RefreshError, match="invalid_grant"):
        robot.refresh(Request())
