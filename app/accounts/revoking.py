"""The way back of a consent: what a person allowed is given back to the provider when the account goes."""

from __future__ import annotations

import asyncio

import structlog

from app.accounts.credentials import open_credentials
from app.accounts.renewing import AccountTokens, build_flow
from app.accounts.repository import AccountRepository
from app.accounts.rows import AccountRow, build_row
from app.core.errors import ApiError
from app.core.keys import KeysError
from app.core.state import State
from connectors.core.errors import ConnectorError
from connectors.core.manifest import REFRESH_TOKEN, OAuth2
from connectors.core.oauth_settings import CLIENT_ID

REVOKE_SECONDS_MAX = 10.0

log = structlog.get_logger("app.accounts")


async def revoke_grant(state: State, *, account_id: int) -> None:
    """Tells the provider that the account's consent is over. A provider that does not take it never fails anything.

    Not if another account lives by the consent of the same person to the same client: some providers end both.
    """
    try:
        async with asyncio.timeout(REVOKE_SECONDS_MAX):
            await _revoke(state, account_id)
    except (ApiError, ConnectorError, KeysError, TimeoutError) as error:
        log.warning("grant not revoked", account_id=account_id, error=str(error) or "timed out")


async def _revoke(state: State, account_id: int) -> None:
    async with state.db.reading(is_newest=True) as session:
        repository = AccountRepository(session)
        account = await repository.find(account_id)
        found = None if account is None else state.registry.find(account.service)
        if account is None or found is None or account.grant_ended_at is not None:
            return
        auth = found.manifest.auth
        if not isinstance(auth, OAuth2) or auth.revoke_url is None:
            return
        row = build_row(account)
        twins = await repository.list_twins(row.id, service=row.service, identity_key=row.identity_key)
        others = [build_row(twin) for twin in twins]
    credentials = open_credentials(state, row)
    if any(_is_same_consent(state, other, credentials) for other in others):
        return
    flow, tokens = await build_flow(state, row, credentials), AccountTokens(state, row, credentials)
    await flow.revoke(tokens, refresh_token=credentials.get(REFRESH_TOKEN))


def _is_same_consent(state: State, other: AccountRow, credentials: dict[str, str]) -> bool:
    return open_credentials(state, other).get(CLIENT_ID) == credentials.get(CLIENT_ID)
