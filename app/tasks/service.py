"""The rules for tasks: creating, finding, waiting, cancelling, forgetting. What a task does is its kind's affair."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Collection
from datetime import timedelta

import msgspec
from msgspec import Struct

from app.core.clock import now
from app.core.db import WriteSession
from app.core.errors import ApiError, ErrorCode
from app.core.metrics import TaskDepths
from app.core.signals import Signals
from app.core.state import State
from app.models import Task
from app.models.tasks import TaskState
from app.tasks import repository
from app.tasks.repository import TaskRepository

TASKS_OPEN_MAX = 10_000
"""How many tasks of one application may be waiting or running."""

BUSY_RETRY_SECONDS = 60
LOOK_SECONDS_MAX = 5.0
"""How long a waiting request trusts that news will come."""

POLL_SECONDS = 0.5
"""The same for an account that is about to be deleted, which does not wait long."""

FORGOTTEN_BATCH_COUNT = 1
"""Few, because with a task all the rows of its files go."""

CHANGED = "tasks"
"""The name under which news of tasks to be claimed goes round."""


def signal_name(task_id: uuid.UUID) -> str:
    """The name under which news of one task goes round."""
    return f"task:{task_id}"


COUNTED_MAX = 10_000
"""How many tasks are looked at to say how many there are."""


async def measure_depths(state: State) -> TaskDepths:
    """How many tasks wait and run, on whatever server."""
    async with state.db.reading() as session:
        repository = TaskRepository(session)
        counts = await repository.count_open_kinds(limit=COUNTED_MAX)
        due_at = await repository.find_longest_due_at()
    late_seconds = 0.0 if due_at is None else max(0.0, (now() - due_at).total_seconds())
    return TaskDepths(counts, late_seconds)


async def create(
    state: State,
    *,
    application_id: str,
    account_id: int,
    kind: str,
    request: Struct,
    target_account_id: int | None = None,
) -> Task:
    """A task that some server will soon run. The request is kept sealed. ApiError 429 when there are too many."""
    task_id = uuid.uuid4()
    moment = now()
    try:
        plain = msgspec.json.encode(request)
    except UnicodeEncodeError as error:
        raise ApiError(ErrorCode.REQUEST_FAILED, "A name or id in it is no text that can be kept.") from error
    task = Task(
        id=task_id,
        application_id=application_id,
        account_id=account_id,
        target_account_id=target_account_id,
        kind=kind,
        sealed_request=state.keys.seal(plain, purpose=purpose(task_id)),
        state="pending",
        epoch=0,
        attempts=0,
        due_at=moment,
        files_done=0,
        bytes_done=0,
        outcomes={},
        is_result_new=True,
        created_at=moment,
    )
    async with state.db.writing() as session:
        tasks = TaskRepository(session)
        if await tasks.count_open(repository.of_application(application_id)) >= TASKS_OPEN_MAX:
            raise ApiError(
                ErrorCode.TOO_MANY_REQUESTS,
                f"The application has {TASKS_OPEN_MAX} tasks that have not ended; wait until some have.",
                headers={"Retry-After": str(BUSY_RETRY_SECONDS)},
            )
        tasks.add(task)
        session.note_change(CHANGED)
    return task


async def get(state: State, task_id: uuid.UUID, *, account_id: int) -> Task:
    """A task of this account; ApiError 404 for any other."""
    async with state.db.reading(is_newest=True) as session:
        task = await TaskRepository(session).find(task_id, account_id=account_id)
    if task is None:
        raise ApiError(ErrorCode.NOT_FOUND, "There is no such task; those that ended long ago are forgotten.")
    return task


async def list_page(
    state: State, *, account_id: int, states: Collection[TaskState], offset: int, limit: int
) -> tuple[list[Task], int]:
    """An account's tasks, the newest first, and how many there are."""
    async with state.db.reading(is_newest=True) as session:
        return await TaskRepository(session).list_page(account_id=account_id, states=states, offset=offset, limit=limit)


def has_ended(task: Task) -> bool:
    """True from the moment that it is certain how the task ends, although it may still have to tidy up."""
    return task.ending is not None or task.state not in repository.OPEN_STATES


async def wait_for_end(
    state: State, task: Task, *, seconds_max: float, is_needed: Callable[[], bool] = lambda: True
) -> Task:
    """The task as it is when it ended, when the time is up, when the server stops, or when nobody needs it any more."""
    ends_at = time.monotonic() + seconds_max
    with state.signals.listening(signal_name(task.id)) as bell:
        while True:
            task = await get(state, task.id, account_id=task.account_id)
            seconds = ends_at - time.monotonic()
            if has_ended(task) or seconds <= 0 or state.signals.is_stopping or not is_needed():
                return task
            await bell.wait(min(seconds, LOOK_SECONDS_MAX))


def wake_waiting(signals: Signals, task: Task) -> None:
    """Lets `wait_for_end` look whether it is still needed."""
    signals.ring(signal_name(task.id))


async def cancel(state: State, task_id: uuid.UUID, *, account_id: int) -> Task:
    """Ends a task; one that was begun tidies up first. Nothing changes for one that has ended. ApiError 404."""
    async with state.db.writing() as session:
        await _cancel(session, repository.of_id(task_id, account_id))
    return await get(state, task_id, account_id=account_id)


async def cancel_all(session: WriteSession, *, account_id: int) -> None:
    """Ends all tasks that read or write an account."""
    await _cancel(session, repository.of_account(account_id))


async def wait_for_all(state: State, *, account_id: int) -> None:
    """Returns when no task that reads or writes the account is left to be run, or to tidy up."""
    with state.signals.listening(CHANGED) as bell:
        while True:
            async with state.db.reading(is_newest=True) as session:
                if not await TaskRepository(session).count_open(repository.of_account(account_id)):
                    return
            await bell.wait(POLL_SECONDS)


async def _cancel(session: WriteSession, condition: repository.Condition) -> None:
    tasks, moment = TaskRepository(session), now()
    cancelled = await tasks.cancel_unstarted(condition, now=moment)
    cancelled += await tasks.cancel_started(condition, now=moment)
    for task_id in cancelled:
        session.note_change(signal_name(task_id))
        session.note_change(CHANGED)


async def forget_ended(state: State) -> int:
    """Deletes tasks that ended long ago; how many."""
    before = now() - timedelta(hours=state.settings.task_retention_hours)
    return await state.db.delete_in_batches(
        lambda session, limit: TaskRepository(session).delete_ended(before=before, limit=limit),
        batch_count=FORGOTTEN_BATCH_COUNT,
    )


async def reseal_requests(state: State, *, batch_count: int = 200) -> int:
    """Seals all stored requests with the newest key; returns how many were sealed anew. Safe to repeat."""
    after_id, resealed_count = None, 0
    while True:
        async with state.db.writing() as session:
            tasks = await TaskRepository(session).list_sealed(after_id=after_id, limit=batch_count)
            for task in tasks:
                if not state.keys.is_current(task.sealed_request):
                    plain = state.keys.open(task.sealed_request, purpose=purpose(task.id))
                    task.sealed_request = state.keys.seal(plain, purpose=purpose(task.id))
                    resealed_count += 1
        if not tasks:
            return resealed_count
        after_id = tasks[-1].id


def purpose(task_id: uuid.UUID) -> str:
    """What a task's request is sealed for."""
    return f"task_request:{task_id}"
