"""The way to a provider's page of consent and back: a state that is good once, in the browser where it began."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from app.accounts.clients import explain_missing_client, find_client, find_same_client
from app.accounts.credentials import merge_grant
from app.accounts.revoking import give_back
from app.accounts.rows import AccountRow
from app.accounts.scopes import choose_upstream_scopes
from app.connect import service
from app.connect.repository import ConnectRepository
from app.connect.service import ENDED, Result, Visit
from app.connect.wishes import WishError
from app.core.clock import now
from app.core.errors import ApiError, ErrorCode
from app.core.state import State
from app.core.tokens import generate_token, hash_token
from app.models import Consent
from connectors.core.errors import TEMPORARY_KINDS, ConnectorError, ErrorKind
from connectors.core.manifest import Manifest, OAuth2
from connectors.core.oauth import OAuthFlow, build_authorize_url, generate_verifier
from connectors.core.oauth_settings import CLIENT_ID

CONSENT_SECONDS_MAX = 900
CODE_CHARACTERS_MAX = 8_192


@dataclass(frozen=True, slots=True)
class Return:
    """Somebody who is back from the provider's page."""

    visit: Visit
    consent: Consent


async def begin(state: State, visit: Visit, manifest: Manifest, *, redirect_url: str) -> str:
    """The address of the provider's page. WishError if there is no client, ApiError 403 after too many tries."""
    client = await find_client(state, visit.journey.application_id, manifest.service)
    if client is None or not isinstance(manifest.auth, OAuth2):
        raise WishError("server_error", f"This cannot be connected: {explain_missing_client(manifest.service)}.")
    await service.take_attempt(state, visit)
    name, verifier, moment = generate_token(), generate_verifier(), now()
    async with state.db.writing() as session:
        ConnectRepository(session).add(
            Consent(
                state_hash=hash_token(name),
                journey_hash=visit.journey.name_hash,
                service=manifest.service,
                client_id=client.client_id,
                redirect_url=redirect_url,
                sealed_verifier=state.keys.seal(verifier.encode(), purpose=_purpose(hash_token(name))),
                created_at=moment,
                expires_at=min(visit.journey.expires_at, moment + timedelta(seconds=CONSENT_SECONDS_MAX)),
            )
        )
    return build_authorize_url(
        manifest.auth,
        client,
        redirect_url=redirect_url,
        state=name,
        verifier=verifier,
        scopes=choose_upstream_scopes(visit.wishes.scope, manifest.service, manifest.auth.scopes),
        extra_params=visit.wishes.raw,
    )


async def take(state: State, name: str, browser: str | None) -> Return:
    """Whose answer it is. ApiError 404 for a state that was used, has expired, or began in another browser."""
    async with state.db.reading(is_newest=True) as session:
        consent = await ConnectRepository(session).find_consent(hash_token(name), now=now())
    if consent is None:
        raise ApiError(ErrorCode.NOT_FOUND, ENDED)
    visit = await service.find_by_hash(state, consent.journey_hash, browser)
    async with state.db.writing() as session:
        if not await ConnectRepository(session).take_consent(consent.state_hash):
            raise ApiError(ErrorCode.NOT_FOUND, ENDED)
    return Return(visit, consent)


async def finish(state: State, back: Return, manifest: Manifest, answer: Mapping[str, str]) -> Result:
    """Makes an account of the provider's answer. WishError says to the application what went wrong."""
    code = answer.get("code") or ""
    if answer.get("error") or not code or len(code) > CODE_CHARACTERS_MAX:
        raise _explain_refusal(manifest, answer.get("error") or "")
    try:
        credentials = await _exchange(state, back, manifest, code)
        row = await _save(state, back, manifest, credentials)
    except ConnectorError as error:
        raise _explain_failure(error) from error
    return await service.grant(state, back.visit, row)


async def _save(state: State, back: Return, manifest: Manifest, credentials: dict[str, str]) -> AccountRow:
    """The account; where there is none in the end, the consent is given back."""
    try:
        return await service.save(state, back.visit, manifest, credentials)
    except Exception:
        application_id = back.visit.journey.application_id
        await give_back(state, application_id=application_id, service=manifest.service, credentials=credentials)
        raise


async def _exchange(state: State, back: Return, manifest: Manifest, code: str) -> dict[str, str]:
    consent, application_id = back.consent, back.visit.journey.application_id
    client = await find_same_client(state, application_id, consent.service, client_id=consent.client_id)
    if client is None:
        raise ConnectorError(ErrorKind.UNEXPECTED, explain_missing_client(consent.service))
    flow = OAuthFlow(manifest, client, state.runtime, account_key=f"application:{application_id}")
    verifier = state.keys.open(consent.sealed_verifier, purpose=_purpose(consent.state_hash)).decode()
    grant = await flow.exchange(code, redirect_url=consent.redirect_url, verifier=verifier)
    return merge_grant({CLIENT_ID: client.client_id}, grant)


def _explain_refusal(manifest: Manifest, code: str) -> WishError:
    if code == "access_denied":
        return WishError(code, f"The account was not connected: access was refused at {manifest.title}.")
    shown = code if re.fullmatch(r"[A-Za-z0-9_.-]{1,64}", code) else "its answer makes no sense"
    passed_on = code if code == "temporarily_unavailable" else "server_error"
    return WishError(
        passed_on, f"The account was not connected: {manifest.title} did not let anybody sign in: {shown}."
    )


def _explain_failure(error: ConnectorError) -> WishError:
    text = f"The account was not connected: {error.message.removesuffix('.')}."
    if error.kind in TEMPORARY_KINDS:
        return WishError("temporarily_unavailable", text)
    if error.kind in {ErrorKind.GRANT_REVOKED, ErrorKind.PERMISSION_DENIED}:
        return WishError("access_denied", text)
    return WishError("server_error", text)


def _purpose(state_hash: str) -> str:
    return f"consent:{state_hash}"
