"""From an application's link to an account that it may use (contract 2.1 to 2.3)."""

from __future__ import annotations

import json
from datetime import timedelta
from urllib.parse import urlsplit

import httpx
import pytest
from sqlalchemy import select, update

from app.connect.service import ATTEMPTS_MAX, delete_ended
from app.core.clock import now
from app.models import AuthorizationCode, Journey
from tests.app.connect.conftest import (
    ORIGIN,
    OUT_OF_BAND,
    REDIRECT_URI,
    Browser,
    read_fragment,
    read_message,
    read_query,
)
from tests.app.links.conftest import Page
from tests.servers.api import Caller


def get_account(browser: Browser, token: str) -> httpx.Response:
    return browser.client.get("/v1/accounts/me", headers={"Authorization": f"Bearer {token}"})


def test_code_opens_the_account_that_was_connected_when_application_exchanges_it(browser: Browser) -> None:
    reply = browser.connect(state="a b&c", custom_properties='{"user": 7}')
    assert reply.headers["location"].startswith(REDIRECT_URI)
    query = read_query(reply)
    assert (query["from"], query["state"]) == ("here", "a b&c")
    token = browser.exchange(query["code"])
    assert token.status_code == 200, token.text
    assert token.json() | {"access_token": "", "account_id": 0} == {
        "access_token": "",
        "token_type": "Bearer",
        "scope": "sharing",
        "account_id": 0,
        "expires": None,
    }
    account = get_account(browser, token.json()["access_token"]).json()
    assert (account["id"], account["service"]) == (token.json()["account_id"], "sharing")
    assert account["custom_properties"] == {"user": 7}


def test_token_comes_in_the_fragment_when_application_wants_one(browser: Browser) -> None:
    reply = browser.connect(response_type="token", state="s", scope="sharing:normal.storage sharing:normal.basic")
    assert read_query(reply) == {"from": "here"}
    fragment = read_fragment(reply)
    assert fragment["token_type"] == "Bearer"
    assert fragment["state"] == "s"
    assert fragment["scope"] == "sharing:normal.storage sharing:normal.basic"
    assert get_account(browser, fragment["access_token"]).status_code == 200


def test_message_tells_the_opener_when_result_is_out_of_band(browser: Browser) -> None:
    older = {"extra_data": "", "oob_loading_delay": "500", "referrer": "picker", "account_key": "1"}
    reply = browser.connect(
        response_type="token", redirect_uri=OUT_OF_BAND, origin=ORIGIN, request_id="123", state="123", **older
    )
    assert reply.status_code == 200
    assert not {"x-frame-options", "cross-origin-opener-policy"} & set(reply.headers)
    message = read_message(reply)
    data = message.pop("data")
    assert message == {"type": "authentication", "id": "123"}
    assert isinstance(data, dict)
    token = data.pop("access_token")
    assert data == {"token_type": "Bearer", "scope": "sharing", "service": "sharing", "state": "123"}
    assert get_account(browser, token).status_code == 200


@pytest.mark.parametrize("redirect_uri", [OUT_OF_BAND, ""])
def test_token_is_shown_when_nobody_waits_for_it(browser: Browser, redirect_uri: str) -> None:
    page = Page(browser.connect(response_type="token", redirect_uri=redirect_uri).text)
    token = page.find("input")["value"]
    assert token
    assert get_account(browser, token).status_code == 200


def test_code_is_shown_when_nobody_waits_for_it(browser: Browser) -> None:
    code = Page(browser.connect(redirect_uri=OUT_OF_BAND).text).find("input")["value"]
    assert code
    assert browser.exchange(code, redirect_uri=OUT_OF_BAND).status_code == 200


def test_token_is_of_the_same_account_when_somebody_connects_it_again(browser: Browser) -> None:
    ids = set()
    for _ in range(2):
        reply = browser.submit(browser.open_form(), store="the same")
        ids.add(browser.exchange(read_query(reply)["code"]).json()["account_id"])
    assert len(ids) == 1


# ---- the pages


def test_services_are_to_choose_from_when_scope_leaves_a_choice(browser: Browser) -> None:
    reply = browser.start(scope="all")
    path = reply.headers["location"]
    page = Page(browser.client.get(path).text)
    services = [found["href"] for tag, found in page.tags if tag == "a"]
    assert f"{path}/services/sharing" in services
    assert f"{path}/services/webdav" in services
    assert "An application" in page.words
    assert browser.client.get(f"{path}/services/sharing").status_code == 200


@pytest.mark.parametrize(
    ("scope", "expected"),
    [
        ("s3 webdav:normal.storage", ["s3", "webdav"]),
        ("webdav.storage.default:kloudless", ["webdav"]),
        ("sharing:normal.basic", ["sharing"]),
        ("sharing calendar", ["sharing"]),
    ],
)
def test_only_those_services_are_offered_that_the_scope_means(
    browser: Browser, scope: str, expected: list[str]
) -> None:
    path = browser.start(scope=scope).headers["location"]
    if len(expected) == 1:
        assert path.endswith(f"/services/{expected[0]}")
    else:
        page = Page(browser.client.get(path).text)
        assert [str(found["href"]).rpartition("/")[2] for tag, found in page.tags if tag == "a"] == expected
    journey = path.partition("/services/")[0]
    assert browser.client.get(f"{journey}/services/s3_compatible").status_code == 404


def test_form_has_the_fields_that_the_service_declares(browser: Browser) -> None:
    path = browser.open_form(scope="webdav", form_data='{"url": "https://dav.example.com/", "password": "no", "x": 1}')
    page = Page(browser.client.get(path).text)
    inputs = {found["name"]: found for tag, found in page.tags if tag == "input"}
    assert inputs["url"]["value"] == "https://dav.example.com/"
    assert inputs["password"]["type"] == "password"
    assert not inputs["password"]["value"]
    assert "x" not in inputs


def test_older_name_of_form_data_is_understood(browser: Browser) -> None:
    path = browser.open_form(scope="webdav", extra_data='{"url": "https://dav.example.com/"}')
    assert "https://dav.example.com/" in browser.client.get(path).text
    assert browser.start(scope="webdav", extra_data="").status_code == 303


def test_form_says_at_the_field_what_is_wrong(browser: Browser) -> None:
    path = browser.open_form(scope="s3_compatible")
    reply = browser.client.post(path, data={"endpoint": "http://127.0.0.1:1", "access_key_id": "AK", "style": "other"})
    assert reply.status_code == 400
    page = Page(reply.text)
    assert "This is needed." in page.words
    assert "One of: path, virtual." in page.words
    reply = browser.client.post(
        path,
        data={"endpoint": "http://127.0.0.1:1", "access_key_id": "AK", "secret_access_key": "hush", "bucket": "b"},
    )
    assert reply.status_code == 400
    page = Page(reply.text)
    inputs = {found["name"]: found for tag, found in page.tags if tag == "input"}
    assert "aria-invalid" in inputs["endpoint"], page.words
    assert inputs["access_key_id"]["value"] == "AK"
    assert "hush" not in reply.text


def test_application_hears_of_it_when_somebody_cancels(browser: Browser) -> None:
    journey = browser.open_form(state="s").partition("/services/")[0]
    query = read_query(browser.client.post(f"{journey}/cancel"))
    assert (query["error"], query["state"]) == ("access_denied", "s")
    assert query["error_description"]
    assert browser.client.get(journey).status_code == 404


# ---- what is refused


@pytest.mark.parametrize(
    "params",
    [
        {"client_id": "nobody"},
        {"redirect_uri": "https://app.example.com/back"},
        {"redirect_uri": ""},
        {"response_type": "id_token", "redirect_uri": "https://app.example.com/back"},
        {"state": "x" * 4001},
        {"state": "\0"},
        {"redirect_uri": OUT_OF_BAND, "origin": "example"},
        {"redirect_uri": OUT_OF_BAND, "origin": "https://stranger.example.com"},
        {"redirect_uri": OUT_OF_BAND, "origin": "javascript://page.example.com"},
    ],
)
def test_browser_stays_here_when_nobody_may_be_told(browser: Browser, params: dict[str, str]) -> None:
    reply = browser.start(**params)
    assert reply.status_code in {400, 403}
    assert reply.headers["content-type"].startswith("text/html")
    assert "location" not in reply.headers


@pytest.mark.parametrize(
    ("params", "error"),
    [
        ({"scope": "no scope?"}, "invalid_scope"),
        ({"scope": "calendar"}, "invalid_scope"),
        ({"scope": "all:admin"}, "invalid_scope"),
        ({"scope": "gone"}, "invalid_scope"),
        ({"custom_properties": "[]"}, "invalid_request"),
        ({"form_data": "{"}, "invalid_request"),
        ({"form_data": json.dumps({"a": "x" * 10_000})}, "invalid_request"),
        ({"custom_properties": '{"a": "\\u0000"}'}, "invalid_request"),
    ],
)
def test_application_is_told_what_it_asked_wrongly(browser: Browser, params: dict[str, str], error: str) -> None:
    query = read_query(browser.start(state="s", **params))
    assert (query["error"], query["state"]) == (error, "s")
    assert query["error_description"]
    assert read_fragment(browser.start(response_type="token", **params))["error"] == error
    out_of_band = {"redirect_uri": OUT_OF_BAND, "origin": ORIGIN, "state": "s", **params}
    data = read_message(browser.start(**out_of_band))["data"]
    assert isinstance(data, dict)
    assert (data["error"], data["state"]) == (error, "s")
    assert browser.start(redirect_uri=OUT_OF_BAND, **params).status_code == 400


@pytest.mark.parametrize(
    ("response_type", "error"),
    [("", "invalid_request"), ("id_token", "unsupported_response_type"), ("code token", "unsupported_response_type")],
)
def test_application_is_told_when_it_wants_a_result_of_no_kind_there_is(
    browser: Browser, response_type: str, error: str
) -> None:
    query = read_query(browser.start(state="s", response_type=response_type))
    assert (query["error"], query["state"]) == (error, "s")
    assert "code or token" in query["error_description"]


def test_fragment_has_no_token_when_application_has_not_switched_that_on(browser: Browser) -> None:
    with browser.caller.api.client(browser.caller.developer_header) as developer:
        application = f"/v1/meta/applications/{browser.caller.application_id}"
        assert developer.patch(application, json={"implicit_grant_enabled": False}).status_code == 200
    fragment = read_fragment(browser.start(response_type="token", scope="sharing"))
    assert fragment["error"] == "unsupported_response_type"


def test_journey_is_another_browsers_when_its_cookie_is_missing(browser: Browser) -> None:
    path = browser.open_form()
    with browser.caller.api.client({"Accept": "text/html"}) as stranger:
        assert stranger.get(path).status_code == 404
        assert stranger.post(path, data={"store": "x"}).status_code == 404
        stranger.cookies.set("kloudless_connect", "guessed")
        assert stranger.get(path).status_code == 404
    assert browser.client.get(path).status_code == 200


def test_journey_ends_with_its_result(browser: Browser) -> None:
    path = browser.open_form()
    assert browser.submit(path).status_code == 303
    assert browser.submit(path).status_code == 404
    assert browser.client.get(path).status_code == 404


def test_journey_ends_with_its_time(browser: Browser) -> None:
    path = browser.open_form()
    change(browser, update(Journey).values(expires_at=now()))
    assert browser.client.get(path).status_code == 404


def test_credentials_are_tried_no_more_when_that_was_done_too_often(browser: Browser) -> None:
    path = browser.open_form()
    change(browser, update(Journey).where(Journey.finished_at.is_(None)).values(attempts_count=ATTEMPTS_MAX))
    assert browser.submit(path).status_code == 403


def test_form_leads_only_to_the_application(browser: Browser) -> None:
    page = browser.client.get(browser.open_form())
    assert "form-action 'self' https://app.example.com;" in page.headers["content-security-policy"]
    assert page.headers["x-frame-options"] == "DENY"
    assert page.headers["cache-control"] == "no-store"
    cookie = browser.start(scope="sharing").headers["set-cookie"]
    assert {"HttpOnly", "SameSite=lax", "Path=/v1/oauth"} <= {part.strip() for part in cookie.split(";")}


# ---- the code


def test_code_is_worth_nothing_when_it_comes_again_and_its_token_dies(browser: Browser) -> None:
    code = read_query(browser.connect())["code"]
    token = browser.exchange(code).json()["access_token"]
    again = browser.exchange(code)
    assert (again.status_code, again.json()["error"]) == (400, "invalid_grant")
    assert get_account(browser, token).status_code == 401


def test_code_is_worth_nothing_when_its_minute_is_over(browser: Browser) -> None:
    code = read_query(browser.connect())["code"]
    assert browser.caller.api.run(read_code_life(browser)) == timedelta(minutes=1)
    change(browser, update(AuthorizationCode).values(expires_at=now() - timedelta(seconds=1)))
    assert browser.exchange(code).json()["error"] == "invalid_grant"


async def read_code_life(browser: Browser) -> timedelta:
    """How long it is good."""
    query = select(AuthorizationCode).order_by(AuthorizationCode.created_at.desc()).limit(1)
    async with browser.caller.api.state.db.reading(is_newest=True) as session:
        code = (await session.scalars(query)).one()
    return code.expires_at - code.created_at


def test_code_is_worth_nothing_when_account_is_disconnected(browser: Browser) -> None:
    code = read_query(browser.submit(browser.open_form(), store="short-lived"))["code"]
    with browser.caller.client() as application:
        newest = application.get("/v1/accounts").json()["objects"][-1]["id"]
        assert application.delete(f"/v1/accounts/{newest}").status_code == 204
    assert browser.exchange(code).json()["error"] == "invalid_grant"


@pytest.mark.parametrize(
    ("fields", "status", "error"),
    [
        ({"code": "wrong"}, 400, "invalid_grant"),
        ({"redirect_uri": "https://app.example.com/back"}, 400, "invalid_grant"),
        ({"code": ""}, 400, "invalid_request"),
        ({"grant_type": "password"}, 400, "unsupported_grant_type"),
        ({"client_secret": "wrong"}, 401, "invalid_client"),
        ({"client_secret": ""}, 401, "invalid_client"),
        ({"client_id": "another"}, 401, "invalid_client"),
    ],
)
def test_error_says_what_is_wrong_with_an_exchange(
    browser: Browser, fields: dict[str, str], status: int, error: str
) -> None:
    code = read_query(browser.connect())["code"]
    reply = browser.exchange(code, **fields)
    assert (reply.status_code, reply.json()["status_code"], reply.json()["error"]) == (status, status, error)
    assert reply.json()["error_description"] == reply.json()["message"]
    assert browser.exchange(code).status_code == 200


def test_code_of_another_application_is_worth_nothing(browser: Browser) -> None:
    code = read_query(browser.connect())["code"]
    stranger: Caller = browser.caller.api.create_caller()
    reply = browser.exchange(code, client_id=stranger.application_id, client_secret=stranger.api_key)
    assert reply.json()["error"] == "invalid_grant"


@pytest.mark.parametrize("content_type", ["application/form-urlencoded", "application/json", None])
def test_exchange_reads_the_body_whatever_type_it_is_said_to_be(browser: Browser, content_type: str | None) -> None:
    code = read_query(browser.connect())["code"]
    request = browser.client.build_request(
        "POST",
        "/v1/oauth/token/",
        data={
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": REDIRECT_URI,
            "client_id": browser.caller.application_id,
        },
        headers={"Authorization": f"ApiKey {browser.caller.api_key}"},
    )
    request.headers.pop("content-type")
    if content_type:
        request.headers["content-type"] = content_type
    assert browser.client.send(request).status_code == 200


def test_exchange_reads_the_query(browser: Browser) -> None:
    code = read_query(browser.connect())["code"]
    params = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": REDIRECT_URI,
        "client_id": browser.caller.application_id,
        "client_secret": browser.caller.api_key,
    }
    assert browser.client.post("/v1/oauth/token", params=params).status_code == 200


def test_what_ended_long_ago_is_forgotten(browser: Browser) -> None:
    read_query(browser.connect())
    change(browser, update(Journey).values(expires_at=now() - timedelta(days=2)))
    change(browser, update(AuthorizationCode).values(expires_at=now() - timedelta(days=2)))
    state = browser.caller.api.state
    assert browser.caller.api.run(delete_ended(state)) >= 2
    assert browser.caller.api.run(delete_ended(state)) == 0


def change(browser: Browser, statement: object) -> None:
    """Changes rows as time would have."""

    async def run() -> None:
        async with browser.caller.api.state.db.writing() as session:
            await session.execute(statement)  # type: ignore[call-overload]  # an update, as a test gives it

    browser.caller.api.run(run())


def test_location_keeps_an_apps_own_scheme(browser: Browser) -> None:
    with browser.caller.api.client(browser.caller.developer_header) as developer:
        application = f"/v1/meta/applications/{browser.caller.application_id}"
        assert developer.post(f"{application}/redirect_uris", json={"url": "my.app://back"}).status_code == 201
    path = browser.open_form(redirect_uri="my.app://back")
    assert "form-action 'self' my.app:;" in browser.client.get(path).headers["content-security-policy"]
    location = browser.submit(path).headers["location"]
    assert urlsplit(location).scheme == "my.app"
