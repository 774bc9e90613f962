"""The way back of a consent: what a person allowed is given back to the provider when the account goes."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress

import structlog

from app.accounts.credentials import open_credentials
from app.accounts.renewing import AccountTokens, build_flow
from app.accounts.repository import AccountRepository
from app.accounts.rows import AccountRow, build_row
from app.accounts.trying import Trial
from app.core.errors import ApiError
from app.core.keys import KeysError
from app.core.state import State
from app.models import Account
from connectors.core.errors import ConnectorError
from connectors.core.manifest import REFRESH_TOKEN, OAuth2
from connectors.core.oauth_settings import CLIENT_ID
from connectors.core.tokens import TokenSource

REVOKE_SECONDS_MAX = 10.0

log = structlog.get_logger("app.accounts")


async def revoke_grant(state: State, *, account_id: int) -> None:
    """Tells the provider that the account's consent is over. A provider that does not take it never fails anything.

    Not if another account lives by the consent of the same person to the same client: some providers end both.
    """
    with _failing_nothing(account_id=account_id):
        async with asyncio.timeout(REVOKE_SECONDS_MAX):
            await _revoke_accounts(state, account_id)


async def give_back(state: State, *, application_id: str, service: str, credentials: dict[str, str]) -> None:
    """Tells the provider that a consent is over which no account came of; as above, failing nothing.

    Not if another account lives by it, or, where nobody can be asked whose it is, might do so.
    """
    with _failing_nothing(application_id=application_id, service=service):
        async with asyncio.timeout(REVOKE_SECONDS_MAX):
            trial = Trial(state, application_id=application_id, service=service, credentials=credentials)
            identity_key: str | None = None
            with suppress(ConnectorError):
                identity_key = (await trial.connector.get_identity()).key
            async with state.db.reading(is_newest=True) as session:
                repository = AccountRepository(session)
                if identity_key is None:
                    if await repository.has_any(service=service):
                        log.warning("grant not revoked", service=service, error="nobody knows whose it is")
                        return
                    others = []
                else:
                    others = await repository.list_twins(0, service=service, identity_key=identity_key)
            await _revoke(state, trial.row, trial.credentials, trial.tokens, others)


@contextmanager
def _failing_nothing(**context: object) -> Iterator[None]:
    try:
        yield
    except (ApiError, ConnectorError, KeysError, TimeoutError) as error:
        log.warning("grant not revoked", **context, error=str(error) or "timed out")


async def _revoke_accounts(state: State, account_id: int) -> None:
    async with state.db.reading(is_newest=True) as session:
        repository = AccountRepository(session)
        account = await repository.find(account_id)
        if account is None or account.grant_ended_at is not None:
            return
        row = build_row(account)
        twins = await repository.list_twins(row.id, service=row.service, identity_key=row.identity_key)
    credentials = open_credentials(state, row)
    await _revoke(state, row, credentials, AccountTokens(state, row, credentials), twins)


async def _revoke(
    state: State, row: AccountRow, credentials: dict[str, str], tokens: TokenSource, others: Iterable[Account]
) -> None:
    found = state.registry.find(row.service)
    auth = None if found is None else found.manifest.auth
    if not isinstance(auth, OAuth2) or auth.revoke_url is None:
        return
    if any(_is_same_consent(state, build_row(other), credentials) for other in others):
        return
    flow = await build_flow(state, row, credentials)
    await flow.revoke(tokens, refresh_token=credentials.get(REFRESH_TOKEN))


def _is_same_consent(state: State, other: AccountRow, credentials: dict[str, str]) -> bool:
    return open_credentials(state, other).get(CLIENT_ID) == credentials.get(CLIENT_ID)
