"""Tasks inside one account that its storage does in one step: copies, and folders deleted with all they hold."""

from __future__ import annotations

from app.accounts.callers import open_account
from app.core.errors import ApiError, ErrorCode
from app.models import TransferFile
from app.tasks.running import Result, TaskRun
from app.transfers.jobs import NAMES_RACED_MAX, Job, build_race_error
from app.transfers.requests import CopyRequest, DeletionRequest
from app.transfers.single import add_row, find_row
from connectors.core.connector import Connector
from connectors.core.errors import ConnectorError, ErrorKind
from connectors.core.resources import File, OnConflict, Resource


class CopyWork:
    """Copies a file or folder, under a name that is written down before."""

    def __init__(self, run: TaskRun) -> None:
        self._run = run
        self._request = run.read_request(CopyRequest)

    async def run(self) -> Result:
        """Copies it. What a run before this one began is looked for first, and never made twice."""
        connector = await open_account(self._run.state, self._run.task.account_id)
        row, is_begun = await self._load_row(connector)
        job = Job(run=self._run, row=row, target=connector, parent=self._request.parent)
        copy = await self._find_copy(job) if is_begun else None
        if copy is None:
            copy = await self._copy(job)
        return Result(account_id=self._run.task.account_id, ref=copy.ref)

    async def undo(self) -> None:
        """Nothing that could be taken back."""

    async def _load_row(self, connector: Connector) -> tuple[TransferFile, bool]:
        """The one row of this task, and whether an earlier run has begun to copy."""
        row = await find_row(self._run)
        if row is None:
            source = await connector.get(self._request.source)
            row = await add_row(
                self._run,
                kind=source.ref.kind,
                raw_id=source.raw_id,
                name=self._request.name or source.name,
                size_bytes=source.size_bytes if isinstance(source, File) else None,
            )
        return row, row.state == "started"

    async def _find_copy(self, job: Job) -> Resource | None:
        copy = await job.find_stored()
        if copy is not None and job.row.kind == "folder" and not job.target.manifest.capabilities.copy_folder:
            raise ApiError(
                ErrorCode.REQUEST_FAILED,
                f"It was stopped in the middle of the copy; {job.row.target_name!r} holds what was done so far.",
            )
        return copy

    async def _copy(self, job: Job) -> Resource:
        for _ in range(NAMES_RACED_MAX):
            name = await job.choose_name()
            await job.save(state="started", epoch=self._run.task.epoch, target_name=name, intended_at=None)
            try:
                return await job.target.copy(
                    self._request.source, parent=job.parent, name=name, on_conflict=OnConflict.FAIL
                )
            except ConnectorError as error:
                if not job.must_rename(error):
                    raise
        raise build_race_error()


class DeletionWork:
    """Deletes a folder with all it holds."""

    def __init__(self, run: TaskRun) -> None:
        self._run = run
        self._request = run.read_request(DeletionRequest)

    async def run(self) -> Result:
        """Deletes it; for a run after the first, a folder that is gone is done."""
        connector = await open_account(self._run.state, self._run.task.account_id)
        try:
            await connector.delete(self._request.folder, is_recursive=True, is_permanent=self._request.is_permanent)
        except ConnectorError as error:
            if error.kind is not ErrorKind.NOT_FOUND or self._run.task.epoch == 1:
                raise
        return Result(account_id=self._run.task.account_id)

    async def undo(self) -> None:
        """What is deleted stays so."""
