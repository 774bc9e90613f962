"""The end of a move: the source goes, file by file and then the emptied folders, once all of the copy is verified."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from app.core.errors import ApiError, ErrorCode
from app.models import TransferFile
from app.tasks.running import TaskRun
from app.transfers.repository import TransferRepository
from app.transfers.sources import Version, read_version
from connectors.core.connector import Connector
from connectors.core.crew import Crew
from connectors.core.errors import ConnectorError, ErrorKind
from connectors.core.resources import File, RawId, Ref

DELETIONS_PARALLEL_MAX = 4
BATCH_COUNT = 200


class SourceDeletion:
    """Deletes what was moved. A file that is another by now stays, and so does a folder that holds something new."""

    def __init__(self, run: TaskRun, source: Connector) -> None:
        self._run = run
        self._source = source

    async def run(self) -> None:
        """All files, then all folders from the innermost on. ApiError names the first that has to stay."""
        await self._walk("file", self._delete_file, parallel_max=DELETIONS_PARALLEL_MAX)
        await self._walk("folder", self._delete_folder, parallel_max=1)

    async def _walk(self, kind: str, delete: Callable[[TransferFile], Awaitable[None]], *, parallel_max: int) -> None:
        beyond_id: int | None = None
        while True:
            async with self._run.state.db.reading(is_newest=True) as session:
                rows = await TransferRepository(session).list_undeleted(
                    self._run.task.id, kind=kind, beyond_id=beyond_id, limit=BATCH_COUNT
                )
            if not rows:
                return
            async with Crew(parallel_max) as crew:
                for row in rows:
                    await crew.wait_for_slot()
                    crew.start(self._delete(row, delete))
            beyond_id = rows[-1].id

    async def _delete(self, row: TransferFile, delete: Callable[[TransferFile], Awaitable[None]]) -> None:
        try:
            await delete(row)
        except ConnectorError as error:
            if error.kind is not ErrorKind.NOT_FOUND:  # what is gone is deleted, by an earlier run or by somebody else
                raise
        async with self._run.writing() as session:
            await TransferRepository(session).update_file(row.id, is_source_deleted=True)

    async def _delete_file(self, row: TransferFile) -> None:
        ref = Ref("file", RawId(row.source_raw_id))
        file = await self._source.get(ref)
        copied = Version(size_bytes=row.size_bytes, etag=row.etag, modified_at=row.modified_at)
        if not isinstance(file, File) or not read_version(file).is_same(copied):
            raise _build_error(row, "it changed after it was copied")
        await self._source.delete(ref)

    async def _delete_folder(self, row: TransferFile) -> None:
        try:
            await self._source.delete(Ref("folder", RawId(row.source_raw_id)))
        except ConnectorError as error:
            if error.kind is not ErrorKind.FOLDER_NOT_EMPTY:
                raise
            raise _build_error(row, "it holds something that came after the move had begun") from error


def _build_error(row: TransferFile, reason: str) -> ApiError:
    return ApiError(ErrorCode.REQUEST_FAILED, f"All is copied, but {row.path!r} stays at the source: {reason}.")
