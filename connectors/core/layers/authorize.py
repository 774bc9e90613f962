"""Signs every attempt afresh, for the provider's own hosts only, and renews an access token that has run out, once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping

import httpx

from connectors.core.call import Intent, Send, read_intent
from connectors.core.errors import ConnectorError, ErrorKind
from connectors.core.tokens import TokenSource

ONE_WAY_BODY_TOKEN_SECONDS_MIN = 300.0  # a body that cannot be sent twice starts only with a token good for this long

CREDENTIAL_HEADERS = frozenset({"authorization", "cookie", "proxy-authorization"})
"""Headers that never go to a host which is not the provider's, and that no caller may set."""

FRAMING_HEADERS = frozenset({"connection", "content-length", "host", "te", "transfer-encoding", "upgrade"})
"""Headers of the connection, which no caller may set either."""

Sign = Callable[[httpx.Request, str | None], None]
"""Adds credentials to the headers of one attempt; the token is None for accounts without a token source."""


def sign_with_bearer(request: httpx.Request, token: str | None) -> None:
    """The usual way: the token in the Authorization header."""
    if token is not None:
        request.headers["Authorization"] = f"Bearer {token}"


def authorize(
    send: Send[httpx.Request, httpx.Response],
    *,
    allowed_hosts: Iterable[str],
    tokens: TokenSource | None = None,
    sign: Sign | None = None,
    extra_headers: Mapping[str, str] | None = None,
) -> Send[httpx.Request, httpx.Response]:
    """Never lets token_expired out: a refused new token, or no token to renew, is grant_revoked.

    Extra headers go where signatures go, and never replace what the connector set.
    """
    hosts = tuple(host.lower() for host in allowed_hosts)

    async def send_attempt(request: httpx.Request, token: str | None) -> httpx.Response:
        attempt = _copy(request)
        _add_headers(attempt, extra_headers or {})
        (sign or sign_with_bearer)(attempt, token)
        return await send(attempt)

    async def send_signed(request: httpx.Request) -> httpx.Response:
        if not is_allowed_host(request.url, hosts):
            return await _send_unsigned(send, request)
        intent = read_intent(request)
        token = await _first_token(tokens, intent)
        try:
            return await send_attempt(request, token)
        except ConnectorError as error:
            if error.kind is not ErrorKind.TOKEN_EXPIRED:
                raise
            token = await _next_token(tokens, token, error, intent)
        try:
            return await send_attempt(request, token)
        except ConnectorError as error:
            if error.kind is not ErrorKind.TOKEN_EXPIRED:
                raise
            raise _grant_revoked(error) from error

    return send_signed


def is_allowed_host(url: httpx.URL, hosts: Iterable[str]) -> bool:
    """True for a listed host, and for what stands below a listed "*.example.com"; with its port or on any port."""
    host = url.raw_host.decode("ascii").lower()
    names = (host, f"{host}:{url.port}")
    return any(entry in names or (entry.startswith("*.") and _is_below(names, entry[1:])) for entry in hosts)


def _is_below(names: Iterable[str], ending: str) -> bool:
    return any(name.endswith(ending) for name in names)


def _add_headers(attempt: httpx.Request, extra_headers: Mapping[str, str]) -> None:
    for name, value in extra_headers.items():
        if name.lower() not in CREDENTIAL_HEADERS | FRAMING_HEADERS:
            attempt.headers.setdefault(name, value)


async def _first_token(tokens: TokenSource | None, intent: Intent) -> str | None:
    if tokens is None:
        return None
    needed_seconds = 0.0 if intent.is_body_replayable else ONE_WAY_BODY_TOKEN_SECONDS_MIN
    return await _before_sending(tokens.current(remaining_seconds_min=needed_seconds))


async def _next_token(tokens: TokenSource | None, token: str | None, error: ConnectorError, intent: Intent) -> str:
    if tokens is None or token is None:
        raise _grant_revoked(error) from error
    fresh = await _before_sending(tokens.refreshed(token))
    if intent.is_body_replayable:
        return fresh
    text = "the provider wants a new sign-in for an upload that cannot be sent again; start the upload once more"
    raise error.restated(ErrorKind.UNAVAILABLE, text) from error


async def _before_sending(token: Awaitable[str]) -> str:
    try:
        return await token
    except ConnectorError as error:
        error.maybe_applied = False  # a failed renewal says nothing about the call, which has not been accepted yet
        raise


async def _send_unsigned(send: Send[httpx.Request, httpx.Response], request: httpx.Request) -> httpx.Response:
    attempt = _copy(request)
    for name in CREDENTIAL_HEADERS & set(attempt.headers):
        del attempt.headers[name]
    try:
        return await send(attempt)
    except ConnectorError as error:
        if error.kind is not ErrorKind.TOKEN_EXPIRED:
            raise
        text = "an address that the provider gave out for this call refused it"
        raise error.restated(ErrorKind.PERMISSION_DENIED, text) from error


def _copy(request: httpx.Request) -> httpx.Request:
    """The same request with headers of its own; a transport that reads the body and swaps it changes only the copy."""
    return httpx.Request(
        request.method, request.url, headers=request.headers, stream=request.stream, extensions=request.extensions
    )


def _grant_revoked(error: ConnectorError) -> ConnectorError:
    return error.restated(ErrorKind.GRANT_REVOKED, "the provider no longer accepts this account's access; reconnect it")
