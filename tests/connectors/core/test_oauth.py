"""What goes to a provider's sign-in, and what its answers mean."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import httpx
import msgspec
import pytest

from connectors.core.clock import ManualClock
from connectors.core.errors import ConnectorError, ErrorKind
from connectors.core.manifest import Manifest, OAuth2
from connectors.core.oauth import OAuthFlow, build_authorize_url, generate_verifier
from connectors.core.oauth_settings import OAuthClient, read_oauth_settings
from connectors.core.stack import Runtime
from connectors.core.tokens import SingleFlightTokens, Token
from tests.connectors.core.fakes import FakeSend, RecordingObserver, build_manifest

AUTH = OAuth2(
    authorize_url="https://www.example.com/authorize",
    token_url="https://api.example.com/token",
    revoke_url="https://api.example.com/revoke",
    scopes=("read", "write"),
    token_params={"kind": "first"},
    refresh_params={"kind": "next"},
)
CLIENT = OAuthClient(client_id="id 1", client_secret="s:1")
GOOD = {"access_token": "access", "refresh_token": "refresh", "expires_in": 3600, "token_type": "bearer"}


class Flow:
    """A flow whose provider gives the answers in order; `forms` has what it was sent."""

    def __init__(self, *answers: Any, auth: OAuth2 = AUTH, client: OAuthClient = CLIENT) -> None:
        self.clock = ManualClock()
        self.send = FakeSend(*answers)
        self.observer = RecordingObserver()
        runtime = Runtime(clock=self.clock, observer=self.observer, transport=self.send, random=lambda: 0.0)
        self.flow = OAuthFlow(build_oauth_manifest(auth), client, runtime, account_key="1", clock=self.clock)

    @property
    def forms(self) -> list[dict[str, str]]:
        return [dict(parse_qsl(request.read().decode())) for request in self.send.requests]


def build_oauth_manifest(auth: OAuth2 = AUTH) -> Manifest:
    return msgspec.structs.replace(build_manifest(), auth=auth)


def answer(body: object, status: int = 200) -> httpx.Response:
    content = body if isinstance(body, bytes) else msgspec.json.encode(body)
    return httpx.Response(status, content=content)


def refuse(code: str, status: int = 400) -> httpx.Response:
    return answer({"error": code, "error_description": "a secret was said"}, status)


def build_url(auth: OAuth2 = AUTH, **extra_params: str) -> tuple[str, dict[str, str]]:
    url = build_authorize_url(
        auth,
        CLIENT,
        redirect_url="https://us.example.com/back",
        state="s",
        verifier="verifier",
        extra_params=extra_params,
    )
    parts = urlsplit(url)
    params = parse_qs(parts.query, strict_parsing=True)
    assert all(len(values) == 1 for values in params.values())
    return url, {name: values[0] for name, values in params.items()}


def test_page_has_what_the_flow_needs_and_nothing_of_it_can_be_replaced() -> None:
    auth = msgspec.structs.replace(AUTH, authorize_params={"offline": "yes"}, scope_separator=",")
    _, params = build_url(auth, state="x", scope="x", offline="no", response_mode="form_post", login_hint="ada")
    challenge = base64.urlsafe_b64encode(hashlib.sha256(b"verifier").digest()).rstrip(b"=").decode()
    assert params == {
        "response_type": "code",
        "client_id": "id 1",
        "redirect_uri": "https://us.example.com/back",
        "state": "s",
        "scope": "read,write",
        "code_challenge": challenge,
        "code_challenge_method": "S256",
        "offline": "yes",
        "login_hint": "ada",
    }


def test_page_keeps_the_query_of_its_address_and_goes_without_a_challenge_when_declared_so() -> None:
    auth = msgspec.structs.replace(AUTH, authorize_url="https://a.example.com/?tenant=1", uses_pkce=False, scopes=())
    url, params = build_url(auth)
    assert url.startswith("https://a.example.com/?tenant=1&")
    assert set(params) == {"tenant", "response_type", "client_id", "redirect_uri", "state"}


def test_verifier_is_long_enough_and_another_every_time() -> None:
    made = {generate_verifier() for _ in range(10)}
    assert len(made) == 10
    assert all(43 <= len(verifier) <= 128 for verifier in made)


async def test_code_becomes_tokens() -> None:
    flow = Flow(answer(GOOD))
    grant = await flow.flow.exchange("c", redirect_url="https://us.example.com/back", verifier="v")
    assert (grant.access_token, grant.refresh_token) == ("access", "refresh")
    assert grant.expires_at == flow.clock.now() + timedelta(hours=1)
    assert flow.forms == [
        {
            "kind": "first",
            "grant_type": "authorization_code",
            "code": "c",
            "redirect_uri": "https://us.example.com/back",
            "code_verifier": "v",
            "client_id": "id 1",
            "client_secret": "s:1",
        }
    ]
    assert "access" not in repr(grant)
    assert "authorization" not in flow.send.requests[0].headers


async def test_client_is_shown_in_a_header_when_declared_so() -> None:
    flow = Flow(answer(GOOD), auth=msgspec.structs.replace(AUTH, client_auth="header", uses_pkce=False))
    await flow.flow.exchange("c", redirect_url="https://us.example.com/back", verifier="v")
    shown = base64.b64decode(flow.send.requests[0].headers["authorization"].removeprefix("Basic "))
    assert shown == b"id+1:s%3A1"
    assert not {"client_id", "client_secret", "code_verifier"} & set(flow.forms[0])


async def test_client_without_a_secret_shows_none() -> None:
    flow = Flow(answer(GOOD), client=OAuthClient(client_id="public"))
    await flow.flow.refresh("r")
    assert flow.forms == [{"kind": "next", "grant_type": "refresh_token", "refresh_token": "r", "client_id": "public"}]


@pytest.mark.parametrize(
    ("given", "seconds"),
    [("3599", 3599), (60.5, 60.5), (None, None), (0, None), (-1, None), ("soon", None), (True, None), (10**12, None)],
)
async def test_end_is_what_the_provider_says_or_unknown(given: object, seconds: float | None) -> None:
    flow = Flow(answer({"access_token": "a", "expires_in": given}))
    grant = await flow.flow.refresh("r")
    assert grant.refresh_token is None
    assert grant.expires_at == (None if seconds is None else flow.clock.now() + timedelta(seconds=seconds))


@pytest.mark.parametrize("body", [b"", b"[]", b"<html>", b"{}", {"access_token": 7}, {"access_token": "a\nb"}], ids=str)
async def test_answer_without_a_token_is_unexpected(body: object) -> None:
    with pytest.raises(ConnectorError) as caught:
        await Flow(answer(body)).flow.refresh("r")
    assert caught.value.kind is ErrorKind.UNEXPECTED


@pytest.mark.parametrize(
    ("build", "kind"),
    [
        (lambda: refuse("invalid_grant"), ErrorKind.GRANT_REVOKED),
        (lambda: refuse("invalid_grant", 401), ErrorKind.GRANT_REVOKED),
        (lambda: refuse("interaction_required"), ErrorKind.GRANT_REVOKED),
        (lambda: refuse("invalid_grant", 200), ErrorKind.GRANT_REVOKED),  # some say so with a good status
        (lambda: refuse("invalid_client", 401), ErrorKind.UNEXPECTED),
        (lambda: refuse("unauthorized_client"), ErrorKind.UNEXPECTED),
        (lambda: answer(b"", 401), ErrorKind.UNEXPECTED),
        (lambda: refuse("invalid_request"), ErrorKind.UNEXPECTED),
        (lambda: answer(b"nonsense", 400), ErrorKind.UNEXPECTED),
    ],
)
async def test_only_a_dead_grant_is_one(build: Callable[[], httpx.Response], kind: ErrorKind) -> None:
    flow = Flow(build())
    with pytest.raises(ConnectorError) as caught:
        await flow.flow.refresh("r")
    assert caught.value.kind is kind
    assert "secret was said" not in str(caught.value)
    assert len(flow.send.requests) == 1


@pytest.mark.parametrize(
    ("build", "kind"),
    [
        (lambda: refuse("invalid_grant", 500), ErrorKind.UNAVAILABLE),
        (lambda: refuse("temporarily_unavailable"), ErrorKind.UNAVAILABLE),
        (lambda: refuse("invalid_grant", 429), ErrorKind.RATE_LIMITED),
    ],
)
async def test_trouble_of_the_provider_is_waited_out(build: Callable[[], httpx.Response], kind: ErrorKind) -> None:
    flow = Flow(build(), answer(GOOD))
    assert (await flow.flow.refresh("r")).access_token == "access"
    assert [event.outcome for event in flow.observer.events] == [kind, "ok"]


async def test_code_is_not_shown_again_when_it_may_have_been_taken() -> None:
    flow = Flow(answer(b"", 500), answer(GOOD))
    with pytest.raises(ConnectorError):
        await flow.flow.exchange("c", redirect_url="https://us.example.com/back", verifier="v")
    assert len(flow.send.requests) == 1


async def no_refresh() -> Token:
    raise ConnectorError(ErrorKind.GRANT_REVOKED)


@pytest.mark.parametrize("build", [lambda: answer({}), lambda: refuse("invalid_token")])
async def test_refresh_token_is_given_back_in_a_form(build: Callable[[], httpx.Response]) -> None:
    flow = Flow(build())
    await flow.flow.revoke(SingleFlightTokens(no_refresh, token=Token("a")), refresh_token="r")
    assert flow.forms == [{"token": "r", "client_id": "id 1", "client_secret": "s:1"}]


async def test_grant_is_given_back_by_a_signed_call_with_a_token_that_is_still_good() -> None:
    async def refresh() -> Token:
        return Token("fresh")

    flow = Flow(answer(b"", 401), answer({}), auth=msgspec.structs.replace(AUTH, revoke_with="bearer"))
    await flow.flow.revoke(SingleFlightTokens(refresh, token=Token("stale")), refresh_token="r")
    assert [request.headers["authorization"] for request in flow.send.requests] == ["Bearer stale", "Bearer fresh"]
    assert flow.forms == [{}, {}]


async def test_nothing_is_sent_when_grants_cannot_be_given_back() -> None:
    flow = Flow(auth=msgspec.structs.replace(AUTH, revoke_url=None))
    await flow.flow.revoke(SingleFlightTokens(no_refresh), refresh_token=None)
    assert flow.send.requests == []


def test_operators_settings_give_a_client_and_other_addresses() -> None:
    given = {"client_id": "c", "client_secret": "s", "token_url": "http://127.0.0.1:9/token", "api_url": "http://a"}
    manifest = build_oauth_manifest()
    read = read_oauth_settings(manifest, given, others=("api_url", "more"))
    assert read.client == OAuthClient(client_id="c", client_secret="s")
    assert isinstance(read.manifest.auth, OAuth2)
    assert (read.manifest.auth.token_url, read.manifest.auth.authorize_url) == (given["token_url"], AUTH.authorize_url)
    assert read.others == {"api_url": "http://a"}
    assert "'s'" not in repr(read)
    unset = read_oauth_settings(manifest, {})
    assert (unset.client, unset.endpoint, unset.manifest.allowed_hosts) == (None, None, manifest.allowed_hosts)


def test_tokens_go_to_the_operators_address_only_when_one_stands_for_all() -> None:
    read = read_oauth_settings(build_oauth_manifest(), {"endpoint": "http://127.0.0.1:9/"})
    assert (read.endpoint, read.manifest.allowed_hosts) == ("http://127.0.0.1:9", ("127.0.0.1:9",))


@pytest.mark.parametrize(
    "given",
    [
        {"client_secret": "s"},
        {"client_id": ""},
        {"client_id": 7},
        {"token_url": "ftp://a"},
        {"revoke_url": "https://"},
        {"authorize_url": "https://a.example.com/#x"},
        {"endpoint": "ftp://a"},
        {"endpoint": 5},
        {"endpoint": "https://a.example.com/path"},
    ],
    ids=str,
)
def test_setting_is_named_when_it_is_wrong(given: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"\.(client_id|token_url|revoke_url|authorize_url|endpoint)"):
        read_oauth_settings(build_oauth_manifest(), given)


def test_setting_is_named_when_nobody_knows_it() -> None:
    with pytest.raises(ValueError, match=r"has no setting nonsense"):
        read_oauth_settings(build_oauth_manifest(), {"client_id": "c", "nonsense": 1})
