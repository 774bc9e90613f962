"""The list of an application's accounts: one page of it, and how many there are in all."""

from __future__ import annotations

from app.accounts.repository import AccountFilter, AccountRepository
from app.core.state import State
from app.models import Account

COUNT = "accounts_count:{application_id}"
"""Under which name it is remembered how many accounts an application has."""


async def list_accounts(
    state: State, wanted: AccountFilter, *, application_id: str, offset: int, limit: int
) -> tuple[list[Account], int]:
    """A page of those accounts that are wanted, and how many of them there are.

    Counting costs time for every account. So the last page counts itself, and of the whole list the count is remembered
    like an account's row, until an account comes or goes.
    """
    async with state.db.reading() as session:
        repository = AccountRepository(session)
        accounts = await repository.list_page(wanted, application_id=application_id, offset=offset, limit=limit)
        if len(accounts) < limit and (accounts or not offset):
            return accounts, offset + len(accounts)
        if wanted != AccountFilter():
            return accounts, await repository.count(wanted, application_id=application_id)

    async def count() -> int:
        async with state.db.reading(is_newest=True) as session:
            return await AccountRepository(session).count(wanted, application_id=application_id)

    total = await state.cache.get(COUNT.format(application_id=application_id), count) or 0
    return accounts, max(total, offset + len(accounts))
