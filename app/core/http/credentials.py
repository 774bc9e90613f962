"""The Authorization header: which scheme, which secret. Schemes are case-insensitive (contract 0.3, item 7)."""

from __future__ import annotations

from typing import Literal, NamedTuple

from starlette.requests import Request

from app.core.errors import ApiError, ErrorCode

Scheme = Literal["bearer", "apikey", "developerkey"]
_SCHEMES: dict[str, Scheme] = {"bearer": "bearer", "apikey": "apikey", "developerkey": "developerkey"}
SECRETS_CHARACTERS_MAX = 1024


class Credentials(NamedTuple):
    """What the caller showed."""

    scheme: Scheme
    secret: str


def read_credentials(request: Request) -> Credentials:
    """The caller's scheme and secret; ApiError 401 without usable ones."""
    scheme, secret = _read(request)
    if "," in secret:
        raise ApiError(ErrorCode.UNAUTHORIZED, "Several tokens at once are not supported here; send one.")
    return Credentials(scheme, secret)


def read_many_credentials(request: Request) -> list[Credentials]:
    """One or more secrets of one scheme, separated by commas; ApiError 401 as above."""
    scheme, secrets = _read(request)
    return [Credentials(scheme, secret.strip()) for secret in secrets.split(",") if secret.strip()]


def _read(request: Request) -> tuple[Scheme, str]:
    header = request.headers.get("authorization")
    if not header:
        raise ApiError(
            ErrorCode.AUTHENTICATION_REQUIRED,
            "Send an Authorization header: 'APIKey <key>' of an application or 'Bearer <token>' of an account.",
        )
    name, _, secret = header.strip().partition(" ")
    scheme = _SCHEMES.get(name.lower())
    secret = secret.strip()
    if scheme is None or not secret.strip(", ") or len(secret) > SECRETS_CHARACTERS_MAX:
        raise ApiError(ErrorCode.UNAUTHORIZED, "The Authorization header must be 'APIKey <key>' or 'Bearer <token>'.")
    return scheme, secret
