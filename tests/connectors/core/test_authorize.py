"""Signing: what is signed, for which hosts, and what happens when a token has run out."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx
import pytest

from connectors.core import tokens as module
from connectors.core.clock import ManualClock
from connectors.core.errors import ConnectorError, ErrorKind
from connectors.core.layers.authorize import ONE_WAY_BODY_TOKEN_SECONDS_MIN, authorize, is_allowed_host
from connectors.core.tokens import SingleFlightTokens, Token
from tests.connectors.core.fakes import CREATE, UPLOAD_ONCE, FakeSend, http_request, unavailable

HOSTS = ("api.example.com", "*.files.example.com", "127.0.0.1:9000", "*.store.example.com:9000")


class CountingRefresh:
    """Gives token-1, token-2 …, or raises; counts."""

    def __init__(self, *failures: Exception) -> None:
        self.failures = list(failures)
        self.count = 0

    async def __call__(self) -> Token:
        self.count += 1
        await asyncio.sleep(0)
        if self.failures:
            raise self.failures.pop(0)
        return Token(f"token-{self.count}")


def expired() -> ConnectorError:
    return ConnectorError(ErrorKind.TOKEN_EXPIRED, status=401)


def sent_tokens(send: FakeSend) -> list[str | None]:
    return [request.headers.get("authorization") for request in send.requests]


async def test_bearer_token_is_sent_when_nothing_else_is_said() -> None:
    send = FakeSend("answer")
    request = http_request()
    await authorize(send, allowed_hosts=HOSTS, tokens=SingleFlightTokens(CountingRefresh()))(request)
    assert sent_tokens(send) == ["Bearer token-1"]
    assert "authorization" not in request.headers  # the next attempt starts clean


async def test_each_attempt_is_signed_afresh_when_a_service_has_its_own_signature() -> None:
    numbers = iter("12")

    def sign(request: httpx.Request, token: str | None) -> None:
        request.headers["X-Signature"] = f"{next(numbers)} {request.method} {token}"

    send = FakeSend("answer", "answer")
    layered = authorize(send, allowed_hosts=HOSTS, sign=sign)
    request = http_request(intent=CREATE, method="PUT", content=b"data")
    await layered(request)
    await layered(request)
    assert [sent.headers["x-signature"] for sent in send.requests] == ["1 PUT None", "2 PUT None"]
    assert await send.requests[1].aread() == b"data"


@pytest.mark.parametrize(
    ("url", "is_signed"),
    [
        ("https://api.example.com/a", True),
        ("https://API.example.com:8443/a", True),
        ("https://a.files.example.com/", True),
        ("https://a.b.files.example.com/", True),
        ("http://127.0.0.1:9000/", True),
        ("http://127.0.0.1:9001/", False),
        ("http://bucket.store.example.com:9000/", True),
        ("http://bucket.store.example.com:9001/", False),
        ("http://bucket.store.example.com/", False),
        ("http://store.example.com:9000/", False),
        ("https://files.example.com/", False),
        ("https://evilfiles.example.com/", False),
        ("https://api.example.com.evil.test/", False),
        ("https://api.example.com./", False),
        ("https://evil.test/api.example.com", False),
        ("https://api.example.com@evil.test/", False),
    ],
)
async def test_credentials_go_to_allowed_hosts_only(url: str, is_signed: bool) -> None:
    send = FakeSend("answer")
    request = http_request(url=url, headers={"Cookie": "a=b"} if not is_signed else {})
    await authorize(
        send,
        allowed_hosts=HOSTS,
        tokens=SingleFlightTokens(CountingRefresh()),
        extra_headers={"X-Extra": "1"},
    )(request)
    sent = send.requests[0].headers
    assert ("authorization" in sent, "x-extra" in sent, "cookie" in sent) == (is_signed, is_signed, False)


async def test_authorization_set_by_mistake_is_removed_when_the_host_is_foreign() -> None:
    send = FakeSend("answer")
    request = http_request(url="https://elsewhere.test/", headers={"Authorization": "Bearer mine"})
    await authorize(send, allowed_hosts=HOSTS)(request)
    assert sent_tokens(send) == [None]


def test_host_is_compared_as_it_is_sent() -> None:
    assert is_allowed_host(httpx.URL("https://bücher.example/"), ["xn--bcher-kva.example"])
    assert is_allowed_host(httpx.URL("http://[::1]:80/"), ["::1"])


async def test_extra_headers_replace_nothing_that_matters() -> None:
    send = FakeSend("answer")
    extra = {
        "authorization": "Bearer theirs",
        "Host": "evil",
        "Content-Length": "7",
        "Range": "bytes=0-1",
        "X-New": "1",
    }
    request = http_request(headers={"Range": "bytes=5-9"})
    await authorize(send, allowed_hosts=HOSTS, tokens=SingleFlightTokens(CountingRefresh()), extra_headers=extra)(
        request
    )
    sent = send.requests[0].headers
    assert (sent["authorization"], sent["host"], sent["range"], sent["x-new"]) == (
        "Bearer token-1",
        "api.example.com",
        "bytes=5-9",
        "1",
    )
    assert "content-length" not in sent


async def test_call_is_sent_once_more_when_the_token_had_run_out() -> None:
    send = FakeSend(expired(), "answer")
    refresh = CountingRefresh()
    tokens = SingleFlightTokens(refresh, token=Token("old"))
    await authorize(send, allowed_hosts=HOSTS, tokens=tokens)(http_request(intent=CREATE))
    assert sent_tokens(send) == ["Bearer old", "Bearer token-1"]
    assert refresh.count == 1


async def test_grant_is_revoked_when_the_new_token_is_refused_too() -> None:
    send = FakeSend(expired(), expired())
    tokens = SingleFlightTokens(CountingRefresh(), token=Token("old"))
    with pytest.raises(ConnectorError) as caught:
        await authorize(send, allowed_hosts=HOSTS, tokens=tokens)(http_request())
    assert (caught.value.kind, caught.value.status) == (ErrorKind.GRANT_REVOKED, 401)


async def test_grant_is_revoked_when_there_is_no_token_to_renew() -> None:
    with pytest.raises(ConnectorError) as caught:
        await authorize(FakeSend(expired()), allowed_hosts=HOSTS)(http_request())
    assert caught.value.kind is ErrorKind.GRANT_REVOKED


async def test_nothing_is_renewed_when_a_foreign_host_refuses() -> None:
    refresh = CountingRefresh()
    with pytest.raises(ConnectorError) as caught:
        await authorize(FakeSend(expired()), allowed_hosts=HOSTS, tokens=SingleFlightTokens(refresh))(
            http_request(url="https://elsewhere.test/")
        )
    assert (caught.value.kind, refresh.count) == (ErrorKind.PERMISSION_DENIED, 0)


async def test_body_is_not_sent_twice_when_it_can_be_read_once_only() -> None:
    send = FakeSend(expired(), "answer")
    refresh = CountingRefresh()
    tokens = SingleFlightTokens(refresh, token=Token("old"))
    with pytest.raises(ConnectorError) as caught:
        await authorize(send, allowed_hosts=HOSTS, tokens=tokens)(http_request(intent=UPLOAD_ONCE))
    assert (caught.value.kind, len(send.requests), refresh.count) == (ErrorKind.UNAVAILABLE, 1, 1)
    assert not caught.value.maybe_applied


async def test_token_near_its_end_is_renewed_before_a_body_that_can_be_read_once_only() -> None:
    clock = ManualClock()
    ends_soon = Token("old", clock.now() + timedelta(seconds=ONE_WAY_BODY_TOKEN_SECONDS_MIN - 1))
    tokens = SingleFlightTokens(CountingRefresh(), token=ends_soon, clock=clock)
    send = FakeSend("answer", "answer")
    layered = authorize(send, allowed_hosts=HOSTS, tokens=tokens)
    await layered(http_request())
    await layered(http_request(intent=UPLOAD_ONCE))
    assert sent_tokens(send) == ["Bearer old", "Bearer token-1"]


@pytest.mark.parametrize("url", ["https://api.example.com/", "https://elsewhere.test/"])
@pytest.mark.parametrize(
    "steps", [[ConnectorError(ErrorKind.NOT_FOUND)], [expired(), ConnectorError(ErrorKind.NOT_FOUND)]]
)
async def test_other_errors_pass_as_they_are(url: str, steps: list[ConnectorError]) -> None:
    if "elsewhere" in url:
        steps = steps[-1:]
    tokens = SingleFlightTokens(CountingRefresh(), token=Token("old"))
    with pytest.raises(ConnectorError) as caught:
        await authorize(FakeSend(*steps), allowed_hosts=HOSTS, tokens=tokens)(http_request(url=url))
    assert caught.value is steps[-1]


async def test_failed_renewal_says_nothing_about_the_call() -> None:
    tokens = SingleFlightTokens(CountingRefresh(unavailable(maybe_applied=True)), token=Token("old"))
    with pytest.raises(ConnectorError) as caught:
        await authorize(FakeSend(expired()), allowed_hosts=HOSTS, tokens=tokens)(http_request(intent=CREATE))
    assert (caught.value.kind, caught.value.maybe_applied) == (ErrorKind.UNAVAILABLE, False)


class TestSingleFlight:
    async def test_one_refresh_serves_all_who_ask_at_once(self) -> None:
        refresh = CountingRefresh()
        tokens = SingleFlightTokens(refresh, token=Token("old"))
        assert await asyncio.gather(*(tokens.refreshed("old") for _ in range(20))) == ["token-1"] * 20
        assert refresh.count == 1

    async def test_stored_token_is_given_when_it_is_newer_than_the_stale_one(self) -> None:
        refresh = CountingRefresh()
        tokens = SingleFlightTokens(refresh, token=Token("new"))
        assert (await tokens.refreshed("old"), refresh.count) == ("new", 0)

    async def test_failure_is_shared_by_those_who_wait_and_tried_again_by_the_next(self) -> None:
        refresh = CountingRefresh(unavailable())
        tokens = SingleFlightTokens(refresh)
        results: list[Any] = await asyncio.gather(*(tokens.current() for _ in range(5)), return_exceptions=True)
        assert all(isinstance(result, ConnectorError) for result in results)
        assert len({id(result) for result in results}) == 5  # nobody raises somebody else's exception
        assert (refresh.count, await tokens.current()) == (1, "token-2")

    async def test_refresh_goes_on_when_its_caller_leaves(self) -> None:
        refresh = CountingRefresh()
        tokens = SingleFlightTokens(refresh)
        leaving = asyncio.ensure_future(tokens.current())
        await asyncio.sleep(0)
        leaving.cancel()
        await asyncio.gather(leaving, return_exceptions=True)
        assert (await tokens.current(), refresh.count) == ("token-1", 1)

    @pytest.mark.parametrize(
        ("failure", "outcome"),
        [(unavailable, "old"), (lambda: ConnectorError(ErrorKind.GRANT_REVOKED), ErrorKind.GRANT_REVOKED)],
    )
    async def test_token_that_still_lives_is_used_when_an_early_renewal_fails_for_a_while(
        self, failure: Callable[[], ConnectorError], outcome: str
    ) -> None:
        clock = ManualClock()
        token = Token("old", clock.now() + timedelta(seconds=60))
        tokens = SingleFlightTokens(CountingRefresh(failure()), token=token, clock=clock)
        try:
            result: str = await tokens.current(remaining_seconds_min=100)
        except ConnectorError as error:
            result = error.kind
        assert result == outcome

    async def test_refresh_ends_when_it_takes_too_long(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(module, "REFRESH_SECONDS_MAX", 0.01)

        async def refresh() -> Token:
            await asyncio.sleep(3600)
            return Token("never")

        with pytest.raises(ConnectorError) as caught:
            await SingleFlightTokens(refresh).current()
        assert caught.value.kind is ErrorKind.TIMED_OUT

    async def test_token_that_has_ended_is_renewed(self) -> None:
        clock = ManualClock()
        tokens = SingleFlightTokens(CountingRefresh(), token=Token("old", clock.now()), clock=clock)
        assert await tokens.current() == "token-1"
