"""All queries on tasks."""

from __future__ import annotations

import uuid
from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, case, delete, func, or_, select, update

from app.core.db import Repository
from app.models import Task
from app.models.tasks import TaskState

Condition = ColumnElement[bool]
OPEN_STATES = ("pending", "started")


class TaskRepository(Repository):
    """Reads and writes within one session. Claims are compare-and-set: who gets the row back holds its epoch."""

    async def find(self, task_id: uuid.UUID, *, account_id: int | None = None) -> Task | None:
        query = select(Task).where(Task.id == task_id)
        if account_id is not None:
            query = query.where(Task.account_id == account_id)
        return await self._session.scalar(query)

    async def list_page(
        self, *, account_id: int, states: Collection[TaskState], offset: int, limit: int
    ) -> tuple[list[Task], int]:
        """The newest first. A task counts as ended from the moment that it is certain how it will."""
        query = select(Task).where(Task.account_id == account_id)
        if states:
            query = query.where(func.coalesce(Task.ending, Task.state).in_(states))
        total = await self._session.scalar(select(func.count()).select_from(query.subquery())) or 0
        rows = await self._session.scalars(query.order_by(Task.created_at.desc(), Task.id).offset(offset).limit(limit))
        return list(rows), total

    async def count_open(self, condition: Condition) -> int:
        query = select(func.count()).select_from(Task).where(condition, Task.due_at.is_not(None))
        return await self._session.scalar(query) or 0

    def add(self, task: Task) -> None:
        self._writer.add(task)

    async def find_next_due_at(self, *, skipped_tasks: Collection[uuid.UUID]) -> datetime | None:
        """When the next task may be claimed, be it because it waits or because its lease ends."""
        query = select(Task.due_at).where(Task.due_at.is_not(None), *_skip(skipped_tasks))
        return await self._session.scalar(query.order_by(Task.due_at).limit(1))

    async def count_open_kinds(self, *, limit: int) -> dict[tuple[str, str], int]:
        """How many of the tasks that wait or run there are of each kind and state; looks at so many at most."""
        waiting = select(Task.kind, Task.state).where(Task.due_at.is_not(None)).limit(limit).subquery()
        counted = select(waiting.c.kind, waiting.c.state, func.count()).group_by(waiting.c.kind, waiting.c.state)
        return {(kind, state): count for kind, state, count in await self._session.execute(counted)}

    async def find_longest_due_at(self) -> datetime | None:
        """Since when the task that waits longest, for a server and not for its time, could have been claimed."""
        query = select(Task.due_at).where(Task.due_at.is_not(None), Task.state == "pending")
        return await self._session.scalar(query.order_by(Task.due_at).limit(1))

    async def claim(
        self,
        *,
        now: datetime,
        until: datetime,
        skipped_applications: Collection[str] = (),
        skipped_tasks: Collection[uuid.UUID] = (),
    ) -> Task | None:
        """Takes the task that has been due longest, of what is not skipped."""
        due = select(Task.id).where(Task.due_at <= now, *_skip(skipped_tasks))
        if skipped_applications:
            due = due.where(Task.application_id.not_in(skipped_applications))
        # Rows that somebody else is looking at right now are left to him.
        due = due.order_by(Task.due_at).limit(1).with_for_update(skip_locked=True)
        claimed = await self._writer.scalars(
            update(Task)
            .where(Task.id == due.scalar_subquery())
            .values(
                state="started",
                epoch=Task.epoch + 1,
                attempts=Task.attempts + 1,
                due_at=until,
                started_at=func.coalesce(Task.started_at, now),
            )
            .returning(Task)
            .execution_options(synchronize_session=False)
        )
        return claimed.first()

    async def is_held(self, task_id: uuid.UUID, epoch: int) -> bool:
        """Whether the claim still stands; it then stands until this transaction ends."""
        query = select(Task.id).where(*_held(task_id, epoch)).with_for_update(read=True)
        return await self._session.scalar(query) is not None

    async def renew(self, task_id: uuid.UUID, epoch: int, **values: Any) -> tuple[bool, str | None]:
        """Changes a held task; whether it is still held, and how it shall end if somebody said so."""
        row = (
            await self._writer.execute(
                update(Task)
                .where(*_held(task_id, epoch))
                .values(**values)
                .returning(Task.ending)
                .execution_options(synchronize_session=False)
            )
        ).first()
        return (False, None) if row is None else (True, row[0])

    async def settle(self, task_id: uuid.UUID, epoch: int, *, is_ending: bool | None = None, **values: Any) -> bool:
        """Changes a held task; False if it is held no more, or its ending is, or is not, decided (`is_ending`)."""
        query = update(Task).where(*_held(task_id, epoch))
        if is_ending is not None:
            query = query.where(Task.ending.is_not(None) if is_ending else Task.ending.is_(None))
        row = await self._writer.scalar(
            query.values(**values).returning(Task.id).execution_options(synchronize_session=False)
        )
        return row is not None

    async def cancel_unstarted(self, *conditions: Condition, now: datetime) -> list[uuid.UUID]:
        """Ends those that nobody ever began."""
        return await self._cancel(
            Task.state == "pending",
            Task.started_at.is_(None),
            *conditions,
            values={"state": "cancelled", "ending": "cancelled", "due_at": None, "ended_at": now, "sealed_request": ""},
        )

    async def cancel_started(self, *conditions: Condition, now: datetime) -> list[uuid.UUID]:
        """Says that those which were begun shall end; one that waits is due at once."""
        return await self._cancel(
            Task.state.in_(OPEN_STATES),
            Task.ending.is_(None),
            *conditions,
            values={"ending": "cancelled", "due_at": case((Task.state == "pending", now), else_=Task.due_at)},
        )

    async def _cancel(self, *conditions: Condition, values: dict[str, Any]) -> list[uuid.UUID]:
        query = update(Task).where(*conditions).values(**values).returning(Task.id)
        return list(await self._writer.scalars(query.execution_options(synchronize_session=False)))

    async def release_all(self, *, now: datetime) -> None:
        """Ends every lease. Only where no other process can hold one."""
        await self._writer.execute(update(Task).where(Task.state == "started").values(state="pending", due_at=now))

    async def delete_ended(self, *, before: datetime, limit: int) -> int:
        """Deletes tasks that ended long ago, with what stands below them; how many."""
        old = select(Task.id).where(Task.ended_at < before).order_by(Task.ended_at).limit(limit)
        return len(list(await self._writer.scalars(delete(Task).where(Task.id.in_(old)).returning(Task.id))))

    async def list_sealed(self, *, after_id: uuid.UUID | None, limit: int) -> list[Task]:
        query = select(Task).where(Task.sealed_request != "")
        if after_id is not None:
            query = query.where(Task.id > after_id)
        return list(await self._session.scalars(query.order_by(Task.id).limit(limit).with_for_update()))


def of_application(application_id: str) -> Condition:
    """The tasks of an application."""
    return Task.application_id == application_id


def of_account(account_id: int) -> Condition:
    """The tasks that read or write an account."""
    return or_(Task.account_id == account_id, Task.target_account_id == account_id)


def of_id(task_id: uuid.UUID, account_id: int) -> Condition:
    """One task, if it is the account's."""
    return (Task.id == task_id) & (Task.account_id == account_id)


def _skip(task_ids: Collection[uuid.UUID]) -> tuple[Condition, ...]:
    return (Task.id.not_in(task_ids),) if task_ids else ()


def _held(task_id: uuid.UUID, epoch: int) -> tuple[Condition, ...]:
    return Task.id == task_id, Task.epoch == epoch, Task.state == "started"
