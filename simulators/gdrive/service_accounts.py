"""Service accounts: programs that sign in with a key of their own, and may stand in for the users of a domain.

https://developers.google.com/identity/protocols/oauth2/service-account
"""

from __future__ import annotations

import base64
import binascii
import json
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from simulators.core.grants import Client, Grant, OAuthError, Tokens
from simulators.core.users import User
from simulators.core.world import World

GRANT_TYPE = "urn:ietf:params:oauth:grant-type:jwt-bearer"
KEY_BITS = 2048
LIFE_SECONDS_MAX = 3600
LEEWAY_SECONDS = 300
GOOGLE_TOKEN_URL = "https://oauth2.googleapis.com/token"  # noqa: S105 - an address
FIRST_NUMBER = 1_000_000
"""Users with this number and higher ones are no people."""


@dataclass(frozen=True, slots=True)
class _Account:
    client_id: str
    user: User
    key: RSAPublicKey


class ServiceAccounts:
    """Those that were made, each with the public half of its key."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._accounts: dict[str, _Account] = {}

    def create(self, name: str, *, token_url: str) -> dict[str, Any]:
        """A new account; its key file as Google gives it out."""
        email = f"{name}@sandbox.iam.gserviceaccount.example"
        number = FIRST_NUMBER + len(self._accounts)
        user = User(number=number, email=email, given_name=name, surname="Service")
        self._world.users.add(user)
        key = generate_private_key(public_exponent=65537, key_size=KEY_BITS)
        client_id = str(10**20 + secrets.randbelow(10**20))
        self._accounts[email] = _Account(client_id, user, key.public_key())
        self._world.grants.register(Client(client_id=client_id, client_secret=secrets.token_urlsafe(), name=name))
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
        return {
            "type": "service_account",
            "project_id": "sandbox",
            "private_key_id": secrets.token_hex(20),
            "private_key": pem,
            "client_email": email,
            "client_id": client_id,
            "token_uri": token_url,
        }

    def exchange(self, assertion: str, *, token_url: str, known_scopes: frozenset[str], prefix: str) -> Tokens:
        """A signed statement becomes an access token: the account's own, or that of the user it names."""
        claims, signed, signature = _read(assertion)
        account = self._accounts.get(str(claims.get("iss")))
        if account is None:
            raise OAuthError("invalid_grant", "Invalid grant: account not found")
        try:
            account.key.verify(signature, signed, PKCS1v15(), SHA256())
        except InvalidSignature:
            raise OAuthError("invalid_grant", "Invalid JWT Signature.") from None
        _check_times(claims)
        if claims.get("aud") not in {token_url, GOOGLE_TOKEN_URL}:
            raise OAuthError("invalid_grant", "The audience is wrong.")
        scopes = frozenset(scope.removeprefix(prefix) for scope in str(claims.get("scope", "")).split())
        if not scopes or scopes - known_scopes:
            raise OAuthError("invalid_scope", "Invalid OAuth scope or ID token audience provided.")
        user = self._choose_user(account, claims.get("sub"))
        grant = Grant(client_id=account.client_id, user_number=user.number, scopes=scopes)
        return self._world.grants.issue(grant, with_refresh=False)

    def _choose_user(self, account: _Account, subject: Any) -> User:
        """An account may stand in for the users of a team, whose administrator has allowed it; not for others."""
        if subject is None or subject == account.user.email:
            return account.user
        user = self._world.users.find_by_email(str(subject))
        if user is None:
            raise OAuthError("invalid_grant", "Invalid email or User ID")
        if user.team is None:
            message = "Client is unauthorized to retrieve access tokens using this method."
            raise OAuthError("unauthorized_client", message)
        return user


def _read(assertion: str) -> tuple[dict[str, Any], bytes, bytes]:
    try:
        signed, _, signature = assertion.rpartition(".")
        header, _, claims = signed.partition(".")
        if json.loads(_decode(header)).get("alg") != "RS256":
            raise OAuthError("invalid_grant", "The algorithm has to be RS256.")
        return dict(json.loads(_decode(claims))), signed.encode(), _decode(signature)
    except (ValueError, TypeError, AttributeError, binascii.Error):
        raise OAuthError("invalid_grant", "Invalid JWT.") from None


def _check_times(claims: dict[str, Any]) -> None:
    """By the machine's clock: whoever signs knows nothing of the simulator's."""
    now = datetime.now(UTC).timestamp()
    begins, ends = claims.get("iat"), claims.get("exp")
    if not isinstance(begins, int) or not isinstance(ends, int) or ends - begins > LIFE_SECONDS_MAX:
        raise OAuthError("invalid_grant", "The token must be short-lived.")
    if not begins - LEEWAY_SECONDS <= now <= ends + LEEWAY_SECONDS:
        raise OAuthError("invalid_grant", "The token is not good at this time.")


def _decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
