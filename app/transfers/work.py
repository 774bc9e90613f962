"""A task that copies or moves a file or folder to another account: plan, copy and verify, then delete for a move."""

from __future__ import annotations

import asyncio

from app.accounts.callers import open_account
from app.core.errors import ApiError, ErrorCode
from app.models import TransferFile
from app.tasks.claims import is_temporary
from app.tasks.running import Result, TaskRun
from app.transfers.copying import copy_file
from app.transfers.deleting import SourceDeletion
from app.transfers.jobs import NAMES_RACED_MAX, FileJob, Job, build_race_error
from app.transfers.parts import abort_begun
from app.transfers.planning import Plan
from app.transfers.repository import TransferRepository
from app.transfers.requests import TransferRequest
from app.transfers.sources import ConnectorSource
from app.transfers.trying import Tries
from connectors.core.connector import Connector
from connectors.core.crew import Crew
from connectors.core.errors import ConnectorError, ErrorKind
from connectors.core.resources import Folder, Kind, RawId, Ref

FILES_PARALLEL_MAX = 4
BATCH_COUNT = 200
POSTPONED_MAX = 20
"""How many files may fail for a while before the rest has to wait, too."""

PARENTS_MAX = 10_000
"""How many folders' places are kept in mind."""

FAILURES_TOLD_MAX = 10
"""How many of the files that were not copied an error names."""

FATAL_KINDS = frozenset({ErrorKind.GRANT_REVOKED, ErrorKind.QUOTA_EXCEEDED, ErrorKind.ADDRESS_REFUSED})
"""Whatever fails so will fail for every other file."""


class TransferWork:
    """The work of one such task."""

    def __init__(self, run: TaskRun, *, streams: asyncio.Semaphore) -> None:
        self._run = run
        self._streams = streams
        self._request = run.read_request(TransferRequest)
        self._parents: dict[int, RawId] = {}
        self._postponed: Exception | None = None
        self._postponed_count = 0
        self._source: Connector | None = None
        self._target: Connector | None = None

    async def run(self) -> Result:
        """Goes on where an earlier run was stopped."""
        await self._open_accounts()
        stage = await self._begin()
        if stage == "planning":
            await Plan(self._run, self.source).make(self._request.source, self._request.name)
            await self._enter("copying")
        await self._load_progress()
        if stage != "deleting":
            await self._copy_all()
            await self._load_progress()  # sizes may have changed with their files
            await self._judge()
        if self._request.is_move:
            if stage != "deleting":
                await self._enter("deleting")
            await SourceDeletion(self._run, self.source).run()
        return await self._build_result()

    async def undo(self) -> None:
        """Aborts uploads in parts that were begun; what is stored stays."""
        self._target = self._target or await open_account(self._run.state, self._target_account_id, is_tidying=True)
        after_id = 0
        while True:
            async with self._run.state.db.reading(is_newest=True) as session:
                rows = await TransferRepository(session).list_begun(
                    self._run.task.id, after_id=after_id, limit=BATCH_COUNT
                )
            if not rows:
                return
            for row in rows:
                parent = await self._find_parent(row)
                await abort_begun(Job(run=self._run, row=row, target=self._target, parent=parent))
            after_id = rows[-1].id

    @property
    def source(self) -> Connector:
        """The account that is read."""
        if self._source is None:
            raise AssertionError("accounts are opened first")
        return self._source

    @property
    def target(self) -> Connector:
        """The account that is written."""
        if self._target is None:
            raise AssertionError("accounts are opened first")
        return self._target

    @property
    def _target_account_id(self) -> int:
        return self._run.task.target_account_id or self._run.task.account_id

    async def _open_accounts(self) -> None:
        state = self._run.state
        self._source = await open_account(state, self._run.task.account_id)
        self._target = await open_account(state, self._target_account_id)

    async def _begin(self) -> str:
        async with self._run.writing() as session:
            transfers = TransferRepository(session)
            await transfers.add(self._run.task.id, stage="planning")
            transfer = await transfers.find(self._run.task.id)
        if transfer is None:
            raise AssertionError("it was just added")
        return transfer.stage

    async def _enter(self, stage: str) -> None:
        async with self._run.writing() as session:
            await TransferRepository(session).set_stage(self._run.task.id, stage)

    async def _load_progress(self) -> None:
        async with self._run.state.db.reading(is_newest=True) as session:
            summary = await TransferRepository(session).summarize(self._run.task.id)
        progress = self._run.progress
        progress.files_total, progress.bytes_total = summary.files_total, summary.bytes_total
        progress.files_done, progress.bytes_done = summary.files_done, summary.bytes_stored
        progress.outcomes = summary.outcomes

    async def _copy_all(self) -> None:
        after_id = 0
        async with Crew(FILES_PARALLEL_MAX) as crew:
            while True:
                async with self._run.state.db.reading(is_newest=True) as session:
                    rows = await TransferRepository(session).list_open(
                        self._run.task.id, after_id=after_id, limit=BATCH_COUNT
                    )
                for row in rows:
                    if row.kind == "folder":
                        await self._make_folder(row)
                    else:
                        await crew.wait_for_slot()
                        crew.start(self._copy_one(row))
                if len(rows) < BATCH_COUNT:
                    break
                after_id = rows[-1].id
        if self._postponed is not None:
            raise self._postponed

    async def _make_folder(self, row: TransferFile) -> None:
        """Makes a folder, or finds the one that an earlier try made. What it will hold must wait for it."""
        tries = Tries()
        while True:
            try:
                parent = await self._find_parent(row)
                job = Job(run=self._run, row=row, target=self.target, parent=parent)
                folder = await job.find_stored() if row.state == "started" else None
                if not isinstance(folder, Folder):
                    folder = await self._create_folder(job)
                await job.save(state="stored", target_raw_id=folder.raw_id, target_name=folder.name)
            except ConnectorError as error:
                if is_temporary(error):
                    await tries.wait_or_raise(error)
                    continue
                await self._note_failure(row, error)
            except ApiError as error:
                await self._note_failure(row, error)
            return

    async def _create_folder(self, job: Job) -> Folder:
        for _ in range(NAMES_RACED_MAX):
            name = await job.choose_name()
            # Written before the target is told, so that whoever finds it knows the folder of this name for its own.
            await job.save(state="started", epoch=self._run.task.epoch, target_name=name)
            try:
                return await self.target.create_folder(job.parent, name)
            except ConnectorError as error:
                if not job.must_rename(error):
                    raise
        raise build_race_error()

    async def _copy_one(self, row: TransferFile) -> None:
        try:
            source = ConnectorSource(self.source, RawId(row.source_raw_id))
            parent = await self._find_parent(row)
            job = FileJob(run=self._run, row=row, target=self.target, parent=parent, source=source)
            await copy_file(job, streams=self._streams)
        except (ConnectorError, ApiError) as error:
            await self._note_failure(row, error)

    async def _find_parent(self, row: TransferFile) -> RawId:
        """Where the row's file or folder goes. ApiError if its folder could not be made."""
        if row.parent_id is None:
            return self._request.parent
        parent = self._parents.get(row.parent_id)
        if parent is None:
            async with self._run.state.db.reading(is_newest=True) as session:
                folder = await TransferRepository(session).get_file(row.parent_id)
            if folder.target_raw_id is None:
                raise ApiError(ErrorCode.REQUEST_FAILED, "its folder could not be made")
            if len(self._parents) >= PARENTS_MAX:
                self._parents.clear()
            parent = self._parents[row.parent_id] = RawId(folder.target_raw_id)
        return parent

    async def _note_failure(self, row: TransferFile, error: ConnectorError | ApiError) -> None:
        """One file's failure does not stop the others, unless they will fail the same way or are told to wait."""
        if is_temporary(error):
            self._postponed_count += 1
            has_hint = isinstance(error, ConnectorError) and error.retry_after_seconds is not None
            if has_hint or isinstance(error, ApiError) or self._postponed_count > POSTPONED_MAX:
                raise error
            self._postponed = error
            return
        if isinstance(error, ConnectorError) and error.kind in FATAL_KINDS:
            raise error
        reason = error.message
        async with self._run.writing() as session:
            await TransferRepository(session).update_file(row.id, state="failed", outcome="failed", reason=reason)
        if row.parent_id is None:
            raise error
        if row.kind == "file":
            self._run.progress.count("failed")

    async def _judge(self) -> None:
        """ApiError when anything is not at the target as it should be, or, for a move, when that is not certain."""
        async with self._run.state.db.reading(is_newest=True) as session:
            transfers = TransferRepository(session)
            outcomes = ("failed", "stored_differs", *(("unverifiable",) if self._request.is_move else ()))
            count = await transfers.count_outcomes(self._run.task.id, outcomes)
            rows = await transfers.list_outcomes(self._run.task.id, outcomes, limit=FAILURES_TOLD_MAX)
        if not rows:
            return
        told = "; ".join(f"{row.path} ({row.reason})" for row in rows)
        more = f"; and {count - len(rows)} more" if count > len(rows) else ""
        kept = "nothing was deleted" if self._request.is_move else "what was copied stays"
        raise ApiError(ErrorCode.REQUEST_FAILED, f"Not everything could be copied and verified, {kept}: {told}{more}.")

    async def _build_result(self) -> Result:
        async with self._run.state.db.reading(is_newest=True) as session:
            top = await TransferRepository(session).find_top(self._run.task.id)
        if top is None or top.target_raw_id is None:
            raise AssertionError("everything was stored")
        kind: Kind = "folder" if top.kind == "folder" else "file"
        return Result(account_id=self._target_account_id, ref=Ref(kind, RawId(top.target_raw_id)))
