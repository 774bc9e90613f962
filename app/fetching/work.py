"""A task that stores what stands at a URL: one file, by the same machinery as between accounts."""

from __future__ import annotations

import asyncio

from msgspec import Struct

from app.accounts.callers import open_account
from app.core.errors import ApiError, ErrorCode
from app.fetching.client import UrlClient
from app.fetching.source import UrlSource
from app.models import TransferFile
from app.tasks.claims import is_temporary
from app.tasks.running import Result, TaskRun
from app.transfers.copying import copy_file
from app.transfers.jobs import FileJob, Job
from app.transfers.parts import abort_begun
from app.transfers.single import add_row, find_row
from connectors.core.connector import Connector
from connectors.core.errors import ConnectorError
from connectors.core.resources import OnConflict, RawId, Ref

FETCH_SECONDS_MAX = 6 * 3600.0
"""How long one attempt may take, however large the file."""

ATTEMPTS_MAX = 3
"""How often a server that fails for a while is asked; it is a stranger, who may be gone for good."""


class FetchRequest(Struct, frozen=True, kw_only=True):
    """What is fetched, and where it goes. Kept sealed: the URL may hold secrets."""

    url: str
    parent: RawId
    name: str
    is_overwriting: bool


class FetchWork:
    """The work of one such task."""

    def __init__(self, run: TaskRun, *, streams: asyncio.Semaphore) -> None:
        self._run = run
        self._streams = streams
        self._request = run.read_request(FetchRequest)
        self._target: Connector | None = None

    async def run(self) -> Result:
        """Goes on where an earlier run was stopped, as far as the URL's server allows."""
        target = await self._open_target()
        row = await add_row(self._run, kind="file", name=self._request.name)
        try:
            async with asyncio.timeout(FETCH_SECONDS_MAX):
                await self._fetch(target, row)
        except TimeoutError:
            raise ApiError(
                ErrorCode.REQUEST_FAILED, f"Fetching the URL took longer than {FETCH_SECONDS_MAX:g} seconds."
            ) from None
        except ConnectorError as error:
            if is_temporary(error) and self._run.task.attempts >= ATTEMPTS_MAX and not self._run.has_moved:
                raise ApiError(ErrorCode.REQUEST_FAILED, error.message) from error
            raise
        if row.outcome == "stored_differs":
            raise ApiError(ErrorCode.REQUEST_FAILED, f"It was stored, but {row.reason}.")
        if row.target_raw_id is None:
            raise AssertionError("it was stored")
        return Result(
            account_id=self._run.task.account_id,
            ref=Ref("file", RawId(row.target_raw_id)),
            is_new=not row.is_replacement,
        )

    async def undo(self) -> None:
        """Aborts an upload in parts that was begun."""
        row = await find_row(self._run)
        if row is not None and row.intended_at is not None:
            target, parent = await self._open_target(is_tidying=True), self._request.parent
            await abort_begun(Job(run=self._run, row=row, target=target, parent=parent, on_conflict=self._on_conflict))

    async def _open_target(self, *, is_tidying: bool = False) -> Connector:
        """Once: an account that is deleted meanwhile can still be tidied up by the run that has it open."""
        self._target = self._target or await open_account(
            self._run.state, self._run.task.account_id, is_tidying=is_tidying
        )
        return self._target

    @property
    def _on_conflict(self) -> OnConflict:
        return OnConflict.REPLACE if self._request.is_overwriting else OnConflict.FAIL

    async def _fetch(self, target: Connector, row: TransferFile) -> None:
        source = UrlSource(UrlClient(self._run.state, self._run.task.application_id), self._request.url)
        size_bytes_max = self._run.state.settings.upload_bytes_max
        job = FileJob(
            run=self._run,
            row=row,
            target=target,
            parent=self._request.parent,
            on_conflict=self._on_conflict,
            source=source,
            size_bytes_max=size_bytes_max,
        )
        try:
            if row.state in {"waiting", "started"}:
                version = await source.get_version()
                if version.size_bytes is not None and version.size_bytes > size_bytes_max:
                    raise ApiError(
                        ErrorCode.REQUEST_TOO_LARGE,
                        f"The URL's {version.size_bytes} bytes are more than the limit of {size_bytes_max}.",
                    )
                if row.state == "waiting":
                    await job.save(size_bytes=version.size_bytes, etag=version.etag, modified_at=version.modified_at)
            self._run.progress.bytes_total = row.size_bytes
            if row.outcome is None:
                await copy_file(job, streams=self._streams)
            self._run.progress.bytes_done = self._run.progress.bytes_total = row.size_bytes or 0
        finally:
            await source.aclose()
