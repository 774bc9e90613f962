"""The end of an account: what its storage holds for us is freed while that is still possible, then the secrets go."""

from __future__ import annotations

import asyncio

import structlog

from app.accounts import service as accounts
from app.accounts.revoking import revoke_grant
from app.core.state import State
from app.tasks import service as tasks
from app.uploads import service as uploads

FREEING_SECONDS_MAX = 15.0
"""How long uploads and tasks of an account may take to end; then its secrets are purged all the same."""

ORPHAN_BATCH_COUNT = 100

log = structlog.get_logger("app.disconnecting")


async def disconnect_account(state: State, *, account_id: int) -> None:
    """Ends the account's tasks, aborts its uploads at the storage, gives its consent back, and purges its secrets.
    ApiError 404.

    A storage that does not answer makes it slower, by a limited time, and never fails it. The id is never given to
    another account.
    """
    await accounts.close_account(state, account_id=account_id)
    try:
        await _free(state, account_id)
        await revoke_grant(state, account_id=account_id)
    finally:
        await accounts.purge_account(state, account_id=account_id)


async def _free(state: State, account_id: int) -> None:
    try:
        async with asyncio.timeout(FREEING_SECONDS_MAX), asyncio.TaskGroup() as group:
            group.create_task(tasks.wait_for_all(state, account_id=account_id))
            group.create_task(uploads.abort_all(state, account_id=account_id))
    except TimeoutError:
        log.warning("storage may still hold what was begun there", account_id=account_id)


async def delete_orphans(state: State) -> int:
    """Disconnects the accounts of deleted applications, which nobody can reach any more; returns how many."""
    deleted_count = 0
    while True:
        ids = await accounts.list_orphan_ids(state, limit=ORPHAN_BATCH_COUNT)
        for account_id in ids:
            await disconnect_account(state, account_id=account_id)
        deleted_count += len(ids)
        if len(ids) < ORPHAN_BATCH_COUNT:
            return deleted_count
