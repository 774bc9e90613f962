"""All queries on accounts and bearer tokens."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Select, bindparam, delete, func, or_, select, update

from app.accounts.rows import FIELDS, AccountRow
from app.core.db import Database, Repository
from app.models import Account, Application, BearerToken, Link


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountFilter:
    """Which accounts a list is to hold; None leaves a property open."""

    account_id: int | None = None
    is_active: bool | None = None
    is_enabled: bool | None = None
    is_admin: bool | None = None
    search: str | None = None


class AccountRepository(Repository):
    """Reads and writes within one session. Dead accounts are found only by `find_by_identity`."""

    async def find(self, account_id: int, *, application_id: str | None = None) -> Account | None:
        query = select(Account).where(Account.id == account_id, Account.deleted_at.is_(None))
        if application_id is not None:
            query = query.where(Account.application_id == application_id)
        return await self._session.scalar(query)

    async def find_by_identity(self, application_id: str, service: str, identity_key: str) -> Account | None:
        return await self._session.scalar(
            select(Account).where(
                Account.application_id == application_id,
                Account.service == service,
                Account.identity_key == identity_key,
            )
        )

    async def list_page(
        self, wanted: AccountFilter, *, application_id: str | None, offset: int, limit: int
    ) -> list[Account]:
        query = _select(wanted, application_id)
        return list(await self._session.scalars(query.order_by(Account.id).offset(offset).limit(limit)))

    async def count(self, wanted: AccountFilter, *, application_id: str | None) -> int:
        query = _select(wanted, application_id).with_only_columns(func.count())
        return await self._session.scalar(query) or 0

    async def add(self, account: Account) -> None:
        self._writer.add(account)
        await self._writer.flush()

    def add_token(self, token: BearerToken) -> None:
        self._writer.add(token)

    async def delete_tokens(self, account_id: int) -> list[str]:
        """Deletes all tokens of an account; returns their hashes."""
        query = delete(BearerToken).where(BearerToken.account_id == account_id).returning(BearerToken.token_hash)
        return list(await self._writer.scalars(query))

    async def delete_token(self, token_hash: str) -> bool:
        query = delete(BearerToken).where(BearerToken.token_hash == token_hash).returning(BearerToken.id)
        return await self._writer.scalar(query) is not None

    async def mark_deleted(self, account: Account, *, at: datetime) -> list[str]:
        """Purges the account's secrets, tokens and links; returns the hashes of the tokens.

        Connecting again revives the account, and must not revive addresses that its owner believes dead.
        """
        account.deleted_at = at
        account.sealed_credentials = None
        account.custom_properties = {}
        await self._writer.execute(delete(Link).where(Link.account_id == account.id))
        return await self.delete_tokens(account.id)

    async def claim_renewal(self, account: Account, *, at: datetime, ends_at: datetime) -> int | None:
        """The epoch of a new claim on the account's tokens; None while another one lasts, or if they have changed."""
        query = (
            update(Account)
            .where(
                Account.id == account.id,
                Account.deleted_at.is_(None),
                Account.grant_ended_at.is_(None),
                Account.sealed_credentials == account.sealed_credentials,
                or_(Account.renewal_ends_at.is_(None), Account.renewal_ends_at <= at),
            )
            .values(renewal_epoch=Account.renewal_epoch + 1, renewal_ends_at=ends_at)
            .returning(Account.renewal_epoch)
            .execution_options(synchronize_session=False)
        )
        return await self._writer.scalar(query)

    async def release_renewal(self, account_id: int, *, epoch: int) -> None:
        """Ends a claim, unless there is a newer one."""
        await self._writer.execute(
            update(Account)
            .where(Account.id == account_id, Account.renewal_epoch == epoch)
            .values(renewal_ends_at=None)
            .execution_options(synchronize_session=False)
        )

    async def lock(self, account_id: int) -> Account | None:
        """The account, which nobody else changes until this transaction ends."""
        query = select(Account).where(Account.id == account_id, Account.deleted_at.is_(None))
        return await self._writer.scalar(query.with_for_update())

    async def list_twins(self, account_id: int, *, service: str, identity_key: str) -> list[Account]:
        """Other accounts, of any application, of the same person at the same service."""
        query = select(Account).where(
            Account.service == service,
            Account.identity_key == identity_key,
            Account.id != account_id,
            Account.deleted_at.is_(None),
        )
        return list(await self._session.scalars(query))

    async def has_any(self, *, service: str) -> bool:
        """Is there an account of that service, of any application?"""
        query = select(Account.id).where(Account.service == service, Account.deleted_at.is_(None)).limit(1)
        return await self._session.scalar(query) is not None

    async def list_orphan_ids(self, *, limit: int) -> list[int]:
        """Accounts that outlived their application."""
        query = (
            select(Account.id)
            .join(Application, Application.id == Account.application_id)
            .where(Account.deleted_at.is_(None), Application.deleted_at.is_not(None))
        )
        return list(await self._session.scalars(query.order_by(Account.id).limit(limit)))

    async def list_sealed(self, *, after_id: int, limit: int) -> list[Account]:
        query = select(Account).where(Account.id > after_id, Account.sealed_credentials.is_not(None))
        return list(await self._session.scalars(query.order_by(Account.id).limit(limit).with_for_update()))


_ROW = select(*(getattr(Account, field) for field in FIELDS)).where(
    Account.id == bindparam("account_id"), Account.deleted_at.is_(None)
)
_TOKEN = (
    select(Account.application_id, Account.id, BearerToken.scope)
    .join(Account, Account.id == BearerToken.account_id)
    .where(BearerToken.token_hash == bindparam("token_hash"), Account.deleted_at.is_(None))
)


async def look_up_row(db: Database, account_id: int) -> AccountRow | None:
    """What most requests need, without a session; so is the next."""
    found = await db.look_up(_ROW, account_id=account_id)
    return None if found is None else AccountRow(**found)


async def look_up_token(db: Database, token_hash: str) -> tuple[str, int, str] | None:
    """A token's application, account and scope."""
    found = await db.look_up(_TOKEN, token_hash=token_hash)
    return None if found is None else (found["application_id"], found["id"], found["scope"])


def _select(wanted: AccountFilter, application_id: str | None) -> Select[Account]:
    query = select(Account).where(Account.deleted_at.is_(None))
    if application_id is not None:
        query = query.where(Account.application_id == application_id)
    for column, value in (
        (Account.id, wanted.account_id),
        (Account.is_active, wanted.is_active),
        (Account.is_enabled, wanted.is_enabled),
        (Account.is_admin, wanted.is_admin),
    ):
        if value is not None:
            query = query.where(column == value)
    if wanted.search:
        query = query.where(func.lower(Account.label).contains(wanted.search.lower(), autoescape=True))
    return query
