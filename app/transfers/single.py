"""The one row of a task that stores one thing: made when it first runs, found again by every later run."""

from __future__ import annotations

from app.models import TransferFile
from app.tasks.running import TaskRun
from app.transfers.repository import TransferRepository
from connectors.core.resources import Kind


async def find_row(run: TaskRun) -> TransferFile | None:
    """The row; None for a task that has none yet."""
    async with run.state.db.reading(is_newest=True) as session:
        return await TransferRepository(session).find_top(run.task.id)


async def add_row(
    run: TaskRun, *, kind: Kind, raw_id: str = "", name: str, size_bytes: int | None = None
) -> TransferFile:
    """The row, made if it is not there."""
    values = {
        "task_id": run.task.id,
        "kind": kind,
        "depth": 0,
        "source_raw_id": raw_id,
        "source_key": "only",
        "name": name,
        "path": name,
        "size_bytes": size_bytes,
    }
    async with run.writing() as session:
        transfers = TransferRepository(session)
        await transfers.add(run.task.id, stage="copying")
        await transfers.add_files([values])
        row = await transfers.find_top(run.task.id)
        summary = await transfers.summarize(run.task.id)
    if row is None:
        raise AssertionError("it was just added")
    progress = run.progress
    progress.files_total, progress.bytes_total = summary.files_total, row.size_bytes
    progress.files_done, progress.bytes_done = summary.files_done, summary.bytes_stored
    return row
