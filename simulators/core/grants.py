"""What users allowed applications: codes, access tokens and refresh tokens of an OAuth 2 authorization-code server.

    client --consent--> code (once, minutes) --exchange--> access token (hours) + refresh token
                                             --refresh---> access token, and a new refresh token where they rotate

Knows no HTTP and no provider: consent.py draws the page, each simulator shapes its own replies.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypeVar

from simulators.core.clock import Clock

KeptT = TypeVar("KeptT")

TOKENS_COUNT_MAX = 100_000


class OAuthError(Exception):
    """A refusal as RFC 6749 names them: `code` such as invalid_grant, and plain words."""

    def __init__(self, code: str, description: str) -> None:
        super().__init__(description)
        self.code = code
        self.description = description


class TokenInvalidError(Exception):
    """There is no such access token, or what it stood for was taken back."""


class TokenExpiredError(Exception):
    """The access token was good once; a refresh helps."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """An application that is registered at the provider.

    `redirect_urls` are compared as they are; None allows any address, for trying things out.
    """

    client_id: str
    client_secret: str = field(repr=False)
    name: str
    redirect_urls: tuple[str, ...] | None = None


@dataclass(slots=True, kw_only=True)
class Grant:
    """One consent: this user lets this client do this much. All its tokens die together."""

    client_id: str
    user_number: int
    scopes: frozenset[str]
    is_revoked: bool = False
    rotates_next: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeRequest:
    """What a client asked a user for, kept until its code is exchanged."""

    client_id: str
    redirect_url: str | None
    scopes: frozenset[str]
    wants_refresh: bool
    challenge: str | None = None
    challenge_method: str = "plain"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """What a client is given. `refresh_token` is None where it keeps the one it has, or was promised none."""

    grant: Grant
    access_token: str = field(repr=False)
    refresh_token: str | None = field(repr=False)
    expires_seconds: int


@dataclass(frozen=True, slots=True)
class _Code:
    request: CodeRequest
    grant: Grant
    expires_at: datetime


@dataclass(slots=True)
class _Access:
    grant: Grant
    expires_at: datetime


@dataclass(slots=True, kw_only=True)
class Grants:
    """All consents and tokens of a simulator. Its settings are what providers differ in and what tests want to see."""

    clock: Clock
    access_seconds: int = 4 * 3600
    code_seconds: int = 600
    rotates_refresh_tokens: bool = False
    _clients: dict[str, Client] = field(default_factory=dict)
    _codes: dict[str, _Code] = field(default_factory=dict)
    _accesses: dict[str, _Access] = field(default_factory=dict)
    _refreshes: dict[str, Grant] = field(default_factory=dict)
    _used: set[str] = field(default_factory=set)
    refresh_count: int = 0
    """How often a refresh token was used with success."""
    refresh_asked_count: int = 0
    """How often one was shown at all: some providers end everything when one that was spent comes again."""

    def register(self, client: Client) -> None:
        """From now on this client may ask; registering it again replaces it."""
        self._clients[client.client_id] = client

    def get_client(self, client_id: str) -> Client:
        """The registered client; OAuthError otherwise."""
        client = self._clients.get(client_id)
        if client is None:
            raise OAuthError("invalid_client", "There is no such client.")
        return client

    def check_redirect(self, client: Client, redirect_url: str | None) -> None:
        """OAuthError unless the address is one of the client's, letter by letter."""
        if redirect_url is not None and client.redirect_urls is not None and redirect_url not in client.redirect_urls:
            raise OAuthError("invalid_request", "The redirect address is not one of the client's.")

    def allow(self, request: CodeRequest, *, user_number: int) -> str:
        """The user consents: a code, good once and for minutes."""
        grant = Grant(client_id=request.client_id, user_number=user_number, scopes=request.scopes)
        code = _invent("code")
        expires_at = self.clock.now() + timedelta(seconds=self.code_seconds)
        _keep(self._codes, code, _Code(request, grant, expires_at))
        return code

    def exchange(self, code: str, *, client: Client, redirect_url: str | None, verifier: str | None) -> Tokens:
        """A code becomes tokens; a code that is shown a second time takes the first one's tokens back."""
        known = self._codes.get(code)
        if known is None or known.request.client_id != client.client_id:
            raise OAuthError("invalid_grant", "The code does not exist or has expired.")
        if known.grant.is_revoked or self.clock.now() > known.expires_at:
            raise OAuthError("invalid_grant", "The code does not exist or has expired.")
        if code in self._used:
            known.grant.is_revoked = True
            raise OAuthError("invalid_grant", "The code has been used already.")
        if known.request.redirect_url != redirect_url:
            raise OAuthError("invalid_grant", "The redirect address is not the one of the request.")
        _check_verifier(known.request, verifier)
        self._used.add(code)
        return self.issue(known.grant, with_refresh=known.request.wants_refresh)

    def issue(self, grant: Grant, *, with_refresh: bool = True) -> Tokens:
        """Tokens of a grant at once, without consent page and code."""
        refresh_token = self._add_refresh(grant) if with_refresh else None
        return self._build(grant, refresh_token)

    def refresh(self, refresh_token: str, *, client: Client) -> Tokens:
        """A new access token. The refresh token is replaced where tokens rotate, or `rotate_next` asked for it."""
        self.refresh_asked_count += 1
        grant = self._refreshes.get(refresh_token)
        if grant is None or grant.client_id != client.client_id or grant.is_revoked:
            raise OAuthError("invalid_grant", "The refresh token is wrong, or its consent was taken back.")
        self.refresh_count += 1
        successor = None
        if self.rotates_refresh_tokens or grant.rotates_next:
            grant.rotates_next = False
            del self._refreshes[refresh_token]
            successor = self._add_refresh(grant)
        return self._build(grant, successor)

    def authenticate(self, access_token: str) -> Grant:
        """Whose token it is and what it may do; TokenInvalidError or TokenExpiredError."""
        access = self._accesses.get(access_token)
        if access is None or access.grant.is_revoked:
            raise TokenInvalidError
        if self.clock.now() >= access.expires_at:
            raise TokenExpiredError
        return access.grant

    def find_grant(self, token: str) -> Grant | None:
        """The grant of an access or a refresh token, expired ones included."""
        access = self._accesses.get(token)
        return access.grant if access else self._refreshes.get(token)

    def has_grant(self, client_id: str, *, user_number: int) -> bool:
        """Has this user consented to this client, and not taken it back?"""
        grants = (*self._refreshes.values(), *(access.grant for access in self._accesses.values()))
        return any(
            grant.client_id == client_id and grant.user_number == user_number and not grant.is_revoked
            for grant in grants
        )

    def expire(self, access_token: str) -> None:
        """The access token ends now; unknown ones are none of its business."""
        access = self._accesses.get(access_token)
        if access is not None:
            access.expires_at = self.clock.now()

    def revoke_user(self, user_number: int) -> None:
        """The user disconnects all applications."""
        for grant in [*(access.grant for access in self._accesses.values()), *self._refreshes.values()]:
            if grant.user_number == user_number:
                grant.is_revoked = True

    def rotate_next(self, refresh_token: str) -> None:
        """The next use of this refresh token replaces it, whatever the provider's habit."""
        grant = self._refreshes.get(refresh_token)
        if grant is not None:
            grant.rotates_next = True

    def _add_refresh(self, grant: Grant) -> str:
        token = _invent("refresh")
        _keep(self._refreshes, token, grant)
        return token

    def _build(self, grant: Grant, refresh_token: str | None) -> Tokens:
        token = _invent("access")
        expires_at = self.clock.now() + timedelta(seconds=self.access_seconds)
        _keep(self._accesses, token, _Access(grant, expires_at))
        return Tokens(grant=grant, access_token=token, refresh_token=refresh_token, expires_seconds=self.access_seconds)


def check_secret(client: Client, client_secret: str | None, *, has_verifier: bool) -> None:
    """OAuthError unless the secret is right; with PKCE a client may have none to show."""
    if client_secret is None and has_verifier:
        return
    if client_secret is None or not hmac.compare_digest(client_secret.encode(), client.client_secret.encode()):
        raise OAuthError("invalid_client", "The client's id or secret is wrong.")


def _check_verifier(request: CodeRequest, verifier: str | None) -> None:
    if request.challenge is None:
        if verifier is not None:
            raise OAuthError("invalid_grant", "The request had no code challenge.")
        return
    if verifier is None:
        raise OAuthError("invalid_grant", "The code verifier is missing.")
    shown = verifier
    if request.challenge_method == "S256":
        digest = hashlib.sha256(verifier.encode()).digest()
        shown = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
    if not hmac.compare_digest(shown.encode(), request.challenge.encode()):
        raise OAuthError("invalid_grant", "The code verifier is wrong.")


def _invent(kind: str) -> str:
    return f"sim-{kind}-{secrets.token_urlsafe(32)}"


def _keep(store: dict[str, KeptT], key: str, value: KeptT) -> None:
    """Keeps it; the oldest one goes where there would be too many."""
    if len(store) >= TOKENS_COUNT_MAX:
        del store[next(iter(store))]
    store[key] = value
