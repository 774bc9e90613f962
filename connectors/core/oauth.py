"""The provider's side of a consent, from the manifest alone: the page's address, codes, tokens, and the way back."""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any
from urllib.parse import quote_plus, urlencode

import httpx
import msgspec

from connectors.core.call import INTENT, Intent, Repeat
from connectors.core.clock import Clock, SystemClock
from connectors.core.errors import ConnectorError, ErrorKind
from connectors.core.fence import unfenced
from connectors.core.layers.classify import WHOLE_BODY_BYTES_MAX
from connectors.core.manifest import Manifest, OAuth2
from connectors.core.oauth_settings import OAuthClient
from connectors.core.stack import Runtime
from connectors.core.tokens import TokenSource

REPLY_BYTES_MAX = 64 * 1024
TOKEN_CHARACTERS_MAX = 16_384
TOKEN_SECONDS_CAP = 10 * 365 * 86_400  # more is no information
VERIFIER_BYTES = 48

RESERVED_PARAMS = frozenset(
    {
        "client_id",
        "client_secret",
        "code_challenge",
        "code_challenge_method",
        "redirect_uri",
        "request",
        "request_uri",
        "response_mode",
        "response_type",
        "scope",
        "state",
    }
)
"""What an application may not add to the page's address, because the flow itself says it."""

GRANT_ENDED = "the provider no longer accepts this account's access; its user has to connect it again"
CLIENT_REFUSED = (
    "the provider does not accept the OAuth client; check the client_id and client_secret that are set for this service"
)

_MEANINGS: Mapping[str, tuple[ErrorKind, str]] = {
    "invalid_grant": (ErrorKind.GRANT_REVOKED, GRANT_ENDED),
    "access_denied": (ErrorKind.GRANT_REVOKED, GRANT_ENDED),
    "consent_required": (ErrorKind.GRANT_REVOKED, GRANT_ENDED),
    "interaction_required": (ErrorKind.GRANT_REVOKED, GRANT_ENDED),
    "login_required": (ErrorKind.GRANT_REVOKED, GRANT_ENDED),
    "invalid_client": (ErrorKind.UNEXPECTED, CLIENT_REFUSED),
    "unauthorized_client": (ErrorKind.UNEXPECTED, CLIENT_REFUSED),
    "server_error": (ErrorKind.UNAVAILABLE, "the provider's sign-in is in trouble"),
    "temporarily_unavailable": (ErrorKind.UNAVAILABLE, "the provider's sign-in is not available for a while"),
    "slow_down": (ErrorKind.RATE_LIMITED, "the provider's sign-in wants fewer requests"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """What the provider gave. A `refresh_token` of None leaves the one that there is; `expires_at` None is unknown."""

    access_token: str = field(repr=False)
    refresh_token: str | None = field(default=None, repr=False)
    expires_at: datetime | None = None


def generate_verifier() -> str:
    """A secret of one consent (RFC 7636): its hash goes with the person, itself with the code."""
    return secrets.token_urlsafe(VERIFIER_BYTES)


def build_authorize_url(
    auth: OAuth2,
    client: OAuthClient,
    *,
    redirect_url: str,
    state: str,
    verifier: str,
    scopes: Sequence[str] | None = None,
    extra_params: Mapping[str, str] | None = None,
) -> str:
    """Where a person consents, to the manifest's scopes unless others are given.

    Extra parameters never replace what the flow or the manifest says.
    """
    extra = {name: value for name, value in (extra_params or {}).items() if name not in RESERVED_PARAMS}
    params = extra | dict(auth.authorize_params)
    params |= {"response_type": "code", "client_id": client.client_id, "redirect_uri": redirect_url, "state": state}
    if asked := auth.scopes if scopes is None else scopes:
        params["scope"] = auth.scope_separator.join(asked)
    if auth.uses_pkce:
        digest = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest())
        params |= {"code_challenge": digest.rstrip(b"=").decode(), "code_challenge_method": "S256"}
    separator = "&" if "?" in auth.authorize_url else "?"
    return f"{auth.authorize_url}{separator}{urlencode(params)}"


class OAuthFlow:
    """The calls behind a consent, for one client at one service.

    - Errors: grant_revoked when only the person who consented can help; unexpected when the client is not accepted, or
      the answer makes no sense; the temporary kinds as everywhere.
    - No secret reaches an error's text.
    """

    def __init__(
        self,
        manifest: Manifest,
        client: OAuthClient,
        runtime: Runtime,
        *,
        account_key: str,
        clock: Clock | None = None,
    ) -> None:
        if not isinstance(manifest.auth, OAuth2):
            raise AssertionError("only services with OAuth have consents")  # noqa: TRY004 - a programming error
        self._auth = manifest.auth
        self._client = client
        self._clock = clock or SystemClock()
        self._runtime = runtime
        # A budget of its own: files that fill the account's slots must not keep it from its next token.
        self._account_key = f"{account_key}:oauth"
        addresses = (self._auth.token_url, self._auth.revoke_url)
        hosts = tuple(httpx.URL(address).netloc.decode() for address in addresses if address is not None)
        self._manifest = msgspec.structs.replace(manifest, allowed_hosts=hosts)

    async def exchange(self, code: str, *, redirect_url: str, verifier: str) -> Grant:
        """Tokens for a code, which is good once."""
        form = dict(self._auth.token_params)
        form |= {"grant_type": "authorization_code", "code": code, "redirect_uri": redirect_url}
        if self._auth.uses_pkce:
            form["code_verifier"] = verifier
        return await self._ask(form, Intent(operation="exchange_code", repeat=Repeat.UNSAFE))

    async def refresh(self, refresh_token: str) -> Grant:
        """New tokens for an old one. Repeated after a doubt: were it spent already, nobody would have its successor."""
        form = dict(self._auth.refresh_params)
        form |= {"grant_type": "refresh_token", "refresh_token": refresh_token}
        return await self._ask(form, Intent(operation="refresh_token", repeat=Repeat.IDEMPOTENT))

    async def revoke(self, tokens: TokenSource, *, refresh_token: str | None) -> None:
        """Gives the consent back, where the provider takes it; one that has ended already is no error."""
        url, intent = self._auth.revoke_url, Intent(operation="revoke_grant", repeat=Repeat.IDEMPOTENT)
        if url is None:
            return
        try:
            if self._auth.revoke_with == "bearer":
                send = self._runtime.build_send(self._manifest, self._account_key, tokens=tokens)
                await send(_build_request(url, {}, intent))
                return
            form = {"token": refresh_token or await tokens.current()}
            if self._auth.client_auth == "body":
                form |= self._show_client()
            await self._send(_build_request(url, form, intent))
        except ConnectorError as error:
            if error.kind is not ErrorKind.GRANT_REVOKED and error.status != HTTPStatus.BAD_REQUEST:
                raise

    async def _ask(self, form: dict[str, str], intent: Intent) -> Grant:
        if self._auth.client_auth == "body":
            form |= self._show_client()
        asked_at = self._clock.now()
        with unfenced():  # a token is its account's: others wait for it, too
            reply = await self._send(_build_request(self._auth.token_url, form, intent))
        return _read_grant(reply.content, asked_at)

    def _show_client(self) -> dict[str, str]:
        shown = {"client_id": self._client.client_id}
        return shown | ({"client_secret": self._client.client_secret} if self._client.client_secret else {})

    def _sign(self, request: httpx.Request, _token: str | None) -> None:
        if self._auth.client_auth == "header":
            # RFC 6749, section 2.3.1: both are encoded as in a form, first.
            shown = f"{quote_plus(self._client.client_id)}:{quote_plus(self._client.client_secret)}"
            request.headers["Authorization"] = f"Basic {base64.b64encode(shown.encode()).decode()}"

    async def _send(self, request: httpx.Request) -> httpx.Response:
        send = self._runtime.build_send(
            self._manifest, self._account_key, sign=self._sign, classify_reply=classify_reply
        )
        return await send(request)


def _build_request(url: str, form: Mapping[str, str], intent: Intent) -> httpx.Request:
    headers = {"Accept": "application/json"}
    if form:
        headers["Content-Type"] = "application/x-www-form-urlencoded"
    extensions = {INTENT: intent, WHOLE_BODY_BYTES_MAX: REPLY_BYTES_MAX}
    return httpx.Request("POST", url, headers=headers, content=urlencode(form).encode(), extensions=extensions)


def classify_reply(reply: httpx.Response, body: bytes) -> ConnectorError | None:
    """What a token endpoint means (RFC 6749, section 5.2). Trouble of the provider never looks like an ended grant."""
    status = reply.status_code
    if reply.is_server_error or status in {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.REQUEST_TIMEOUT}:
        return None
    code = _read_error_code(body)
    if code is not None and code in _MEANINGS:
        return ConnectorError(*_MEANINGS[code])
    if status == HTTPStatus.UNAUTHORIZED:
        return ConnectorError(ErrorKind.UNEXPECTED, CLIENT_REFUSED)
    if code is not None:
        return ConnectorError(ErrorKind.UNEXPECTED, f"the provider's sign-in refused the request: {code}")
    return None


def _read_error_code(body: bytes) -> str | None:
    code = _read_object(body).get("error")
    return code if isinstance(code, str) and re.fullmatch(r"[A-Za-z0-9_.-]{1,64}", code) else None


def _read_object(body: bytes) -> dict[str, Any]:
    try:
        value = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _read_grant(body: bytes, asked_at: datetime) -> Grant:
    reply = _read_object(body)
    access_token = _read_token(reply.get("access_token"))
    if access_token is None:
        raise ConnectorError(ErrorKind.UNEXPECTED, "the provider's sign-in answered without an access token")
    seconds = _read_seconds(reply.get("expires_in"))
    return Grant(
        access_token=access_token,
        refresh_token=_read_token(reply.get("refresh_token")),
        expires_at=None if seconds is None else asked_at + timedelta(seconds=seconds),
    )


def _read_token(value: object) -> str | None:
    """Only what fits in a header: visible ASCII."""
    if isinstance(value, str) and re.fullmatch(r"[!-~]+", value) and len(value) <= TOKEN_CHARACTERS_MAX:
        return value
    return None


def _read_seconds(value: object) -> float | None:
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,12}", value):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= TOKEN_SECONDS_CAP:
        return None
    return float(value)
