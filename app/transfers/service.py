"""The rules for copies, moves and deletions that are tasks: what each kind is asked for, and the work behind it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from functools import partial

from app.accounts.rows import AccountRow
from app.core.state import State
from app.models import Task
from app.tasks import service as tasks
from app.tasks.claims import BuildWork
from app.transfers.inside import CopyWork, DeletionWork
from app.transfers.repository import TransferRepository
from app.transfers.requests import CopyRequest, DeletionRequest, TransferRequest
from app.transfers.sessions import open_state, seal_state
from app.transfers.work import TransferWork
from connectors.core.resources import RawId, Ref

COPY, MOVE = "copy", "move"  # to another account
COPY_INSIDE, DELETE = "copy_inside", "delete"

STREAMS_MAX = 16
"""How many files and parts one process moves at the same time; each takes a few MiB of memory."""


def build_kinds(streams: asyncio.Semaphore) -> Mapping[str, BuildWork]:
    """The work behind each kind of task that is made here; all of them share the streams."""
    transfer = partial(TransferWork, streams=streams)
    return {COPY: transfer, MOVE: transfer, COPY_INSIDE: CopyWork, DELETE: DeletionWork}


async def start_transfer(
    state: State,
    *,
    row: AccountRow,
    target: AccountRow,
    source: Ref,
    parent: RawId,
    name: str | None,
    is_move: bool,
) -> Task:
    """A copy, or a move, to another account of the same application."""
    if row.application_id != target.application_id:
        raise AssertionError("accounts of two applications never meet")
    return await tasks.create(
        state,
        application_id=row.application_id,
        account_id=row.id,
        target_account_id=target.id,
        kind=MOVE if is_move else COPY,
        request=TransferRequest(source=source, parent=parent, name=name, is_move=is_move),
    )


async def start_copy(state: State, *, row: AccountRow, source: Ref, parent: RawId, name: str | None) -> Task:
    """A copy inside the account."""
    return await tasks.create(
        state,
        application_id=row.application_id,
        account_id=row.id,
        kind=COPY_INSIDE,
        request=CopyRequest(source=source, parent=parent, name=name),
    )


async def start_deletion(state: State, *, row: AccountRow, folder: Ref, is_permanent: bool) -> Task:
    """A folder goes with all it holds."""
    return await tasks.create(
        state,
        application_id=row.application_id,
        account_id=row.id,
        kind=DELETE,
        request=DeletionRequest(folder=folder, is_permanent=is_permanent),
    )


async def reseal_states(state: State, *, batch_count: int = 200) -> int:
    """Seals the states of uploads in parts with the newest key; returns how many were sealed anew. Safe to repeat."""
    after_id, resealed_count = 0, 0
    while True:
        async with state.db.writing() as session:
            rows = await TransferRepository(session).list_sealed(after_id=after_id, limit=batch_count)
            for row, account_id in rows:
                if row.sealed_state is not None and not state.keys.is_current(row.sealed_state):
                    row.sealed_state = seal_state(state, account_id, open_state(state, account_id, row.sealed_state))
                    resealed_count += 1
        if not rows:
            return resealed_count
        after_id = rows[-1][0].id
