"""The official SDK signs in on the simulator, stays signed in, and hears when it no longer is."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import dropbox
import httpx
import pytest
from dropbox import DropboxOAuth2Flow, DropboxOAuth2FlowNoRedirect
from dropbox.exceptions import AuthError

from simulators.core.world import SANDBOX_CLIENT
from tests.servers.dropbox import Place, Rerouting

REDIRECT_URL = "http://localhost/callback?from=test"


@pytest.fixture
def browser(place: Place) -> httpx.Client:
    return place.stack.enter_context(httpx.Client(base_url=place.url, trust_env=False, timeout=30))


def _build_flow(place: Place, **options: object) -> DropboxOAuth2Flow:
    flow = DropboxOAuth2Flow(
        consumer_key=SANDBOX_CLIENT.client_id,
        redirect_uri=REDIRECT_URL,
        session={},
        csrf_token_session_key="csrf",
        token_access_type="offline",
        **options,
    )
    flow.requests_session = place.build_session()
    return flow


def _consent(browser: httpx.Client, url: str, *, user: int = 1, decision: str = "allow") -> httpx.Response:
    parts = urlsplit(url)
    assert parts.netloc == "www.dropbox.com"
    target = f"{parts.path}?{parts.query}"
    assert "Sandbox application" in browser.get(target).text
    return browser.post(target, data={"user": str(user), "decision": decision})


def _read_answer(reply: httpx.Response) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(reply.headers["location"]).query).items()}


@pytest.mark.parametrize(
    "options",
    [{"consumer_secret": SANDBOX_CLIENT.client_secret}, {"use_pkce": True}],
    ids=["secret", "pkce"],
)
def test_a_user_signs_in_and_the_token_is_renewed_when_it_ends(
    place: Place, browser: httpx.Client, options: dict[str, object]
) -> None:
    flow = _build_flow(place, **options)
    answer = _read_answer(_consent(browser, flow.start("mine"), user=2))
    result = flow.finish(answer)
    assert (answer["from"], result.url_state) == ("test", "mine")
    sdk = dropbox.Dropbox(
        result.access_token,
        session=place.build_session(),
        oauth2_refresh_token=result.refresh_token,
        app_key=SANDBOX_CLIENT.client_id,
        app_secret=options.get("consumer_secret"),
    )
    assert sdk.users_get_current_account().account_id == result.account_id
    place.world.clock.advance(4 * 3600 + 1)
    before = place.world.grants.refresh_count
    assert sdk.users_get_current_account().email == "ben@example.com"
    assert place.world.grants.refresh_count > before


def test_nothing_is_given_when_the_user_says_no(place: Place, browser: httpx.Client) -> None:
    flow = _build_flow(place, consumer_secret=SANDBOX_CLIENT.client_secret)
    answer = _read_answer(_consent(browser, flow.start(), decision="deny"))
    with pytest.raises(dropbox.oauth.NotApprovedException):
        flow.finish(answer)


def test_a_code_is_shown_when_there_is_no_address_to_go_to(place: Place, browser: httpx.Client) -> None:
    flow = DropboxOAuth2FlowNoRedirect(SANDBOX_CLIENT.client_id, SANDBOX_CLIENT.client_secret)
    flow.requests_session.mount("https://", Rerouting(place.url))
    place.stack.callback(flow.requests_session.close)
    page = _consent(browser, flow.start()).text
    code = page.partition('id="code">')[2].partition("<")[0]
    result = flow.finish(code)
    assert not result.refresh_token
    assert result.expires_at is not None


def test_a_code_and_its_tokens_are_void_when_it_is_used_again(place: Place, browser: httpx.Client) -> None:
    flow = _build_flow(place, consumer_secret=SANDBOX_CLIENT.client_secret)
    answer = _read_answer(_consent(browser, flow.start()))
    form = {
        "grant_type": "authorization_code",
        "code": answer["code"],
        "redirect_uri": REDIRECT_URL,
        "client_id": SANDBOX_CLIENT.client_id,
        "client_secret": SANDBOX_CLIENT.client_secret,
    }
    first, second = (browser.post("/oauth2/token", data=form) for _ in range(2))
    assert (first.status_code, second.status_code) == (200, 400)
    assert second.json()["error"] == "invalid_grant"
    sdk = dropbox.Dropbox(first.json()["access_token"], session=place.build_session())
    with pytest.raises(AuthError) as refused:
        sdk.check_user("x")
    assert refused.value.error.is_invalid_access_token()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"client_id": "stranger"}, "no such client"),
        ({"response_type": "token"}, "response_type"),
        ({"scope": "files.everything"}, "files.everything"),
        ({"code_challenge": "x", "code_challenge_method": "S1"}, "code_challenge_method"),
    ],
    ids=["client", "kind", "scope", "pkce"],
)
def test_the_page_says_why_when_a_request_is_wrong(browser: httpx.Client, change: dict[str, str], said: str) -> None:
    asked = {"client_id": SANDBOX_CLIENT.client_id, "response_type": "code", "redirect_uri": REDIRECT_URL, **change}
    reply = browser.get("/oauth2/authorize", params=asked)
    assert (reply.status_code, said in reply.text) == (400, True)


def test_only_an_admin_lets_an_application_act_for_the_team(place: Place, browser: httpx.Client) -> None:
    flow = _build_flow(place, consumer_secret=SANDBOX_CLIENT.client_secret, scope=["team_info.read"])
    refused = _consent(browser, flow.start(), user=2)
    assert (refused.status_code, "admin" in refused.text) == (400, True)
    assert "code" in _read_answer(_consent(browser, flow.start(), user=1))


def test_all_tokens_of_a_consent_die_when_one_is_revoked(place: Place) -> None:
    access_token, refresh_token = place.issue(1)
    sdk = dropbox.Dropbox(
        access_token,
        session=place.build_session(),
        oauth2_refresh_token=refresh_token,
        app_key=SANDBOX_CLIENT.client_id,
    )
    assert sdk.check_user("hello").result == "hello"
    sdk.auth_token_revoke()
    with pytest.raises(AuthError):
        sdk.refresh_access_token()


def test_a_route_names_the_scope_that_a_token_lacks(place: Place) -> None:
    sdk = place.build_sdk(1, "account_info.read")
    with pytest.raises(AuthError) as refused:
        sdk.files_list_folder("")
    assert refused.value.error.get_missing_scope().required_scope == "files.metadata.read"


def test_an_application_is_known_by_its_key_and_secret(place: Place) -> None:
    sdk = dropbox.Dropbox(
        app_key=SANDBOX_CLIENT.client_id, app_secret=SANDBOX_CLIENT.client_secret, session=place.build_session()
    )
    assert sdk.check_app("hello").result == "hello"
