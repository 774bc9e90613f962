"""What a transfer has to move: the source's tree, page by page into rows, a folder before what it holds."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

from app.core.errors import ApiError, ErrorCode
from app.core.http.reading import check_text
from app.models import TransferFile
from app.tasks.running import TaskRun
from app.transfers.repository import TransferRepository
from connectors.core.connector import Connector
from connectors.core.errors import ConnectorError, ErrorKind
from connectors.core.resources import File, Page, RawId, Ref, Resource

RESOURCES_MAX = 200_000
"""How many files and folders one transfer may have."""

DEPTH_MAX = 100
PAGES_MAX = 10_000
"""How many pages of one folder are read."""

ROWS_MAX = 500
"""How many rows one statement adds; databases limit its values."""


class Plan:
    """Writes the rows. Stopped anywhere and begun again, it goes on where it was."""

    def __init__(self, run: TaskRun, source: Connector) -> None:
        self._run = run
        self._source = source
        self._count = 0

    async def make(self, top: Ref, name: str | None) -> None:
        """Rows for all that stands at `top` and below, which will be called `name`."""
        task_id = self._run.task.id
        async with self._run.state.db.reading(is_newest=True) as session:
            self._count = await TransferRepository(session).count_files(task_id)
        if not self._count:
            await self._add([self._build_row(await self._source.get(top), parent=None, name=name)])
        while top.kind == "folder":
            async with self._run.state.db.reading(is_newest=True) as session:
                folder = await TransferRepository(session).find_unlisted(task_id)
            if folder is None:
                return
            await self._list(folder)

    async def _list(self, folder: TransferFile) -> None:
        if folder.depth >= DEPTH_MAX:
            raise ApiError(ErrorCode.REQUEST_FAILED, f"The folder is nested more than {DEPTH_MAX} deep.")
        cursor, raw_id = folder.cursor, RawId(folder.source_raw_id)
        for _ in range(PAGES_MAX):
            page = await self._read_page(raw_id, cursor)
            if page.next_cursor is not None and page.next_cursor == cursor:
                raise ConnectorError(ErrorKind.UNEXPECTED, "the storage's listing goes round in circles")
            rows = [self._build_row(resource, parent=folder) for resource in page.resources]
            await self._add(rows, folder=folder, cursor=page.next_cursor)
            cursor = page.next_cursor
            if cursor is None:
                return
        raise ApiError(ErrorCode.REQUEST_FAILED, f"A folder has more than {PAGES_MAX} pages.")

    async def _read_page(self, folder: RawId, cursor: str | None) -> Page:
        limit = self._source.manifest.limits.page_items_max
        try:
            return await self._source.list_folder(folder, cursor=cursor, limit=limit)
        except ConnectorError as error:
            if error.kind is not ErrorKind.CURSOR_INVALID or cursor is None:
                raise
        # A cursor of an earlier run may have died with it; rows that are there already are not added again.
        return await self._source.list_folder(folder, limit=limit)

    async def _add(
        self, rows: list[dict[str, Any]], *, folder: TransferFile | None = None, cursor: str | None = None
    ) -> None:
        async with self._run.writing() as session:
            transfers = TransferRepository(session)
            for start in range(0, len(rows), ROWS_MAX):
                self._count += await transfers.add_files(rows[start : start + ROWS_MAX])
            if folder is not None:
                await transfers.update_file(folder.id, cursor=cursor, is_listed=cursor is None)
        files = [row for row in rows if row["kind"] == "file"]
        progress = self._run.progress
        progress.files_total = (progress.files_total or 0) + len(files)
        progress.bytes_total = (progress.bytes_total or 0) + sum(row["size_bytes"] or 0 for row in files)
        if self._count > RESOURCES_MAX:
            raise ApiError(
                ErrorCode.REQUEST_FAILED,
                f"The folder holds more than {RESOURCES_MAX} files and folders; take smaller ones.",
            )

    def _build_row(self, resource: Resource, *, parent: TransferFile | None, name: str | None = None) -> dict[str, Any]:
        name = resource.name if name is None else name
        row: dict[str, Any] = {
            "task_id": self._run.task.id,
            "parent_id": None if parent is None else parent.id,
            "kind": resource.ref.kind,
            "depth": 0 if parent is None else parent.depth + 1,
            "source_raw_id": resource.raw_id,
            "source_key": build_key(resource.ref),
            "name": name,
            "path": name if parent is None else f"{parent.path}/{name}",
            "size_bytes": None,
            "etag": None,
            "modified_at": None,
            "hashes": {},
            "is_listed": False,
            "state": "waiting",
            "outcome": None,
            "reason": None,
        }
        if isinstance(resource, File):
            row |= {
                "size_bytes": resource.size_bytes,
                "etag": resource.etag,
                "modified_at": resource.modified_at,
                "hashes": dict(resource.hashes or {}),
            }
            if not resource.is_downloadable:
                _fail(row, "its storage does not let it be downloaded")
        try:
            check_text(resource.raw_id + name)
        except ValueError:
            for field in ("source_raw_id", "name", "path"):
                row[field] = _make_storable(row[field])
            _fail(row, "its name is no text that can be kept")
        return row


def build_key(ref: Ref) -> str:
    """Tells the resources of one account apart, in a form that an index holds."""
    return sha256(f"{ref.kind}:{ref.raw_id}".encode("utf-8", "surrogatepass")).hexdigest()


def _fail(row: dict[str, Any], reason: str) -> None:
    row.update(state="failed", outcome="failed", reason=reason, is_listed=True)


def _make_storable(text: str) -> str:
    return text.encode("utf-8", "replace").decode().replace("\0", "?")
