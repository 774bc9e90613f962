r"""Access tokens of accounts: given out, and renewed by one process at a time however many need a new one.

    stale token --> claim (compare-and-set: what was read, an epoch, an end) --> provider --> stored --> given out
                \-> somebody else's claim: wait for its end, share it

Rotated refresh tokens are good once. So nothing is given out before it is stored, and what the provider gave is stored
even if the claim has run out meanwhile, unless the account was connected again.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import timedelta
from time import monotonic

import structlog

from app.accounts.clients import explain_missing_client, find_client, find_same_client
from app.accounts.credentials import merge_grant, open_credentials, read_token, seal_credentials
from app.accounts.repository import AccountRepository
from app.accounts.rows import AccountRow, build_row
from app.core.clock import now
from app.core.errors import ApiError
from app.core.state import State
from app.models import Account
from connectors.core.errors import ConnectorError, ErrorKind
from connectors.core.manifest import ACCESS_TOKEN, REFRESH_TOKEN
from connectors.core.oauth import GRANT_ENDED, Grant, OAuthFlow
from connectors.core.oauth_settings import CLIENT_ID
from connectors.core.tokens import Token

AHEAD_SECONDS = 30.0
"""A token that ends so soon is renewed first, since calls and clocks take their time."""

REFRESH_SECONDS_MAX = 20.0
CLAIM_SECONDS = 30.0  # longer than a refresh, so that nobody else begins one meanwhile
WAIT_SECONDS_MAX = 45.0  # longer than a claim, so that who waits can take over from a process that died
KEEP_SECONDS_MAX = 30.0  # how long it is tried to store new tokens while the database is away
POLL_SECONDS = 0.25

log = structlog.get_logger("app.accounts")


class AccountTokens:
    """The token source of one account over the database.

    Once the provider has refused to renew, everything is refused without asking it again, until the account is
    connected anew.
    """

    def __init__(self, state: State, row: AccountRow, credentials: dict[str, str]) -> None:
        self._state = state
        self._account_id = row.id
        self._has_ended = row.grant_ended_at is not None
        self._is_renewable = bool(credentials.get(REFRESH_TOKEN))
        self._token = read_token(credentials)

    async def current(self, *, remaining_seconds_min: float = 0) -> str:
        """As TokenSource says; a token that is still good is given out although renewing it fails for a while."""
        if self._has_ended:
            raise ConnectorError(ErrorKind.GRANT_REVOKED, GRANT_ENDED)
        token = self._token
        if token.expires_at is None and token.value:
            return token.value
        remaining_seconds = 0.0 if token.expires_at is None else (token.expires_at - now()).total_seconds()
        if remaining_seconds > max(remaining_seconds_min, AHEAD_SECONDS):
            return token.value
        is_good = remaining_seconds > 0
        if is_good and not self._is_renewable:
            return token.value
        try:
            return await self.refreshed(token.value)
        except ConnectorError as error:
            if is_good and error.kind is not ErrorKind.GRANT_REVOKED:
                return token.value
            raise

    async def refreshed(self, stale: str) -> str:
        """Another token than `stale`, after at most one refresh of the account in all processes."""
        while True:
            token = await self._state.renewals.share(
                f"account:{self._account_id}", lambda: _Renewal(self._state, self._account_id, stale).run()
            )
            if token.value != stale:  # else the run had begun for somebody with an older one
                self._token = token
                return token.value


class _Renewal:
    """One process's way to a token that is not `stale`."""

    def __init__(self, state: State, account_id: int, stale: str) -> None:
        self._state = state
        self._account_id = account_id
        self._stale = stale

    async def run(self) -> Token:
        """The new token, stored; grant_revoked, or what kept the provider from giving one."""
        ends_at, awaited_epoch = monotonic() + WAIT_SECONDS_MAX, -1
        with self._state.signals.listening(f"account:{self._account_id}") as bell:
            while monotonic() < ends_at:
                account = await self._read()
                token = read_token(open_credentials(self._state, build_row(account)))
                if token.value != self._stale:
                    return token
                if account.renewal_ends_at is None and account.renewal_epoch == awaited_epoch:
                    raise ConnectorError(ErrorKind.UNAVAILABLE, "the access token could not be renewed just now")
                epoch = await self._claim(account)
                if epoch is None:
                    if account.renewal_ends_at is not None:
                        awaited_epoch = account.renewal_epoch
                    await bell.wait(POLL_SECONDS)
                elif (renewed := await self._refresh(build_row(account), epoch)) is not None:
                    return renewed
        raise ConnectorError(ErrorKind.TIMED_OUT, "the access token could not be renewed in time")

    async def _read(self) -> Account:
        async with self._state.db.reading(is_newest=True) as session:
            account = await AccountRepository(session).find(self._account_id)
        if account is None:
            raise ConnectorError(ErrorKind.GRANT_REVOKED, "the account has been disconnected")
        if account.grant_ended_at is not None:
            raise ConnectorError(ErrorKind.GRANT_REVOKED, GRANT_ENDED)
        return account

    async def _claim(self, account: Account) -> int | None:
        moment = now()
        async with self._state.db.writing() as session:
            return await AccountRepository(session).claim_renewal(
                account, at=moment, ends_at=moment + timedelta(seconds=CLAIM_SECONDS)
            )

    async def _refresh(self, row: AccountRow, epoch: int) -> Token | None:
        """What the provider gave, stored; None if the account was connected again meanwhile."""
        is_settled = False
        credentials = open_credentials(self._state, row)
        used = credentials.get(REFRESH_TOKEN, "")
        try:
            grant = await refresh_grant(self._state, row, credentials)
            token = await self._keep(grant, used)
            is_settled = True
        except ConnectorError as error:
            if error.kind is not ErrorKind.GRANT_REVOKED:
                raise
            has_ended = await self._end(used, epoch)
            is_settled = True
            if not has_ended:
                return None
            log.warning("grant ended", account_id=self._account_id, service=row.service)
            raise
        else:
            return token
        finally:
            if not is_settled:
                await self._release(epoch)

    async def _keep(self, grant: Grant, used: str) -> Token | None:
        ends_at = monotonic() + KEEP_SECONDS_MAX
        while True:
            try:
                return await self._keep_once(grant, used)
            except ApiError:
                if monotonic() > ends_at:
                    raise
                await asyncio.sleep(POLL_SECONDS)

    async def _keep_once(self, grant: Grant, used: str) -> Token | None:
        async with self._state.db.writing() as session:
            account = await AccountRepository(session).lock(self._account_id)
            if account is None:
                return None
            credentials = open_credentials(self._state, build_row(account))
            if credentials.get(REFRESH_TOKEN, "") != used:
                return None
            keep_credentials(self._state, account, merge_grant(credentials, grant))
            session.note_change(f"account:{self._account_id}")
        return Token(grant.access_token, grant.expires_at)

    async def _end(self, used: str, epoch: int) -> bool:
        """Marks the account; False if that is no longer this claim's to say."""
        async with self._state.db.writing() as session:
            account = await AccountRepository(session).lock(self._account_id)
            if account is None or account.renewal_epoch != epoch:
                return False
            if open_credentials(self._state, build_row(account)).get(REFRESH_TOKEN, "") != used:
                return False
            account.grant_ended_at = now()
            account.renewal_ends_at = None
            session.note_change(f"account:{self._account_id}")
        return True

    async def _release(self, epoch: int) -> None:
        with suppress(ApiError):  # then the claim ends by itself
            async with self._state.db.writing() as session:
                await AccountRepository(session).release_renewal(self._account_id, epoch=epoch)
                session.note_change(f"account:{self._account_id}")


async def refresh_grant(state: State, row: AccountRow, credentials: dict[str, str]) -> Grant:
    """Asks the provider for new tokens; nothing is stored."""
    refresh_token = credentials.get(REFRESH_TOKEN)
    if not refresh_token:
        raise ConnectorError(ErrorKind.GRANT_REVOKED, GRANT_ENDED)
    flow = await build_flow(state, row, credentials)
    try:
        async with asyncio.timeout(REFRESH_SECONDS_MAX):
            return await flow.refresh(refresh_token)
    except TimeoutError as error:
        raise ConnectorError(ErrorKind.TIMED_OUT, "the access token could not be renewed in time") from error


async def build_flow(state: State, row: AccountRow, credentials: dict[str, str]) -> OAuthFlow:
    """The calls for an account's consent, by the client that it was given to; unexpected if that is gone."""
    service, client_id = state.registry.find(row.service), credentials.get(CLIENT_ID)
    if client_id is None:
        client = await find_client(state, row.application_id, row.service)
    else:
        client = await find_same_client(state, row.application_id, row.service, client_id=client_id)
    if client is None or service is None:
        reason = explain_missing_client(row.service)
        raise ConnectorError(ErrorKind.UNEXPECTED, f"the access token cannot be renewed: {reason}")
    return OAuthFlow(service.manifest, client, state.runtime, account_key=f"account:{row.id}")


def keep_credentials(state: State, account: Account, credentials: dict[str, str]) -> None:
    """Puts credentials that work into the account, and ends what was said of the older ones."""
    account.sealed_credentials = seal_credentials(
        state, credentials, application_id=account.application_id, service=account.service
    )
    if ACCESS_TOKEN in credentials:
        account.token_expires_at = read_token(credentials).expires_at
    account.grant_ended_at = None
    account.renewal_ends_at = None
