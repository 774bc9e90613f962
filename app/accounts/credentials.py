"""The credentials of accounts: read from requests, checked against what a service declares, sealed for the database."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

import msgspec

from app.accounts.rows import AccountRow
from app.accounts.schemas import AccountUpdate
from app.core.errors import ApiError, ErrorCode
from app.core.http.reading import check_text
from app.core.state import State
from connectors.core.manifest import ACCESS_TOKEN, EXPIRES_AT, REFRESH_TOKEN, Manifest, OAuth2
from connectors.core.oauth import Grant
from connectors.core.oauth_settings import CLIENT_ID
from connectors.core.tokens import Token

OAUTH_FIELDS = ("token_secret", "refresh_token")


def collect_credentials(manifest: Manifest, update: AccountUpdate) -> dict[str, str]:
    """The credential fields that a body holds, under the manifest's names; `token` fills the manifest's token field."""
    given = dict(update.model_extra or {})
    if update.token is not None and manifest.auth.token_field is not None:
        given.setdefault(manifest.auth.token_field, update.token)
    credentials: dict[str, str] = {}
    for field in manifest.auth.fields:
        value = given.get(field.name)
        if value is None:
            continue
        if not isinstance(value, str):
            raise ApiError(ErrorCode.INVALID_PARAMETERS, f"{field.name} must be a text.")
        try:
            credentials[field.name] = check_text(value)
        except ValueError as error:
            raise ApiError(ErrorCode.INVALID_PARAMETERS, f"{field.name} {error}.") from error
    for name in OAUTH_FIELDS:
        value = getattr(update, name)
        if value is not None:
            credentials[name] = value
    if isinstance(manifest.auth, OAuth2) and update.token_expiry is not None:
        credentials[EXPIRES_AT] = update.token_expiry.astimezone(UTC).isoformat()
    return credentials


def replace_credentials(current: dict[str, str], given: dict[str, str]) -> dict[str, str]:
    """What was given in the place of what there is. A new access token has not the end of the old one."""
    kept = dict(current)
    if given.get(ACCESS_TOKEN, kept.get(ACCESS_TOKEN)) != kept.get(ACCESS_TOKEN):
        kept.pop(EXPIRES_AT, None)
    return kept | given


def inherit_refresh_token(current: Mapping[str, str], new: dict[str, str]) -> dict[str, str]:
    """New credentials, with the older refresh token where the provider gave none again to the same client."""
    refresh_token = current.get(REFRESH_TOKEN)
    if ACCESS_TOKEN not in new or REFRESH_TOKEN in new or refresh_token is None:
        return new
    return {**new, REFRESH_TOKEN: refresh_token} if current.get(CLIENT_ID) == new.get(CLIENT_ID) else new


def read_token(credentials: Mapping[str, str]) -> Token:
    """The access token among them."""
    text = credentials.get(EXPIRES_AT)
    return Token(credentials.get(ACCESS_TOKEN, ""), None if text is None else datetime.fromisoformat(text))


def merge_grant(credentials: Mapping[str, str], grant: Grant) -> dict[str, str]:
    """The same with what the provider gave. A refresh token stays until it gives another."""
    merged = {**credentials, ACCESS_TOKEN: grant.access_token}
    merged.pop(EXPIRES_AT, None)
    if grant.refresh_token is not None:
        merged[REFRESH_TOKEN] = grant.refresh_token
    if grant.expires_at is not None:
        merged[EXPIRES_AT] = grant.expires_at.isoformat()
    return merged


def check_credentials(manifest: Manifest, credentials: dict[str, str]) -> None:
    """ApiError 400 that names the first field that is required and missing, or none of its choices."""
    for field in manifest.auth.fields:
        if field.choices and credentials.get(field.name, field.choices[0]) not in field.choices:
            raise ApiError(ErrorCode.INVALID_PARAMETERS, f"{field.name} is one of: {', '.join(field.choices)}.")
        if field.is_required and not credentials.get(field.name):
            raise ApiError(ErrorCode.INVALID_PARAMETERS, f"{field.name} is required: {field.help}")


def seal_credentials(state: State, credentials: dict[str, str], *, application_id: str, service: str) -> str:
    """Credentials as they are stored; they open only for the same application and service."""
    return state.keys.seal(msgspec.json.encode(credentials), purpose=_purpose(application_id, service))


def open_credentials(state: State, row: AccountRow) -> dict[str, str]:
    """Credentials as the connector needs them."""
    plain = state.keys.open(row.sealed_credentials, purpose=_purpose(row.application_id, row.service))
    return msgspec.json.decode(plain, type=dict[str, str])


def _purpose(application_id: str, service: str) -> str:
    return f"credentials:{application_id}:{service}"
