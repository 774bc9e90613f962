"""One file or folder on its way: its row, its place, the name it gets there."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from app.models import TransferFile
from app.tasks.running import TaskRun
from app.transfers.naming import find_child, find_free_name
from app.transfers.repository import TransferRepository
from app.transfers.sources import Source, Version
from connectors.core.connector import Connector
from connectors.core.errors import ConnectorError, ErrorKind
from connectors.core.resources import File, Folder, OnConflict, RawId

NAMES_RACED_MAX = 5
"""How often a name that was free may be found taken when it is used."""


@dataclass(slots=True, kw_only=True)
class Job:
    """A file or folder that is being stored. Its row changes only here, and in transactions of the task's."""

    run: TaskRun
    row: TransferFile
    target: Connector
    parent: RawId
    on_conflict: OnConflict = OnConflict.FAIL
    is_name_taken: bool = False
    unsaved: dict[str, Any] = field(default_factory=dict)

    @property
    def target_account_id(self) -> int:
        """The account that gets it."""
        task = self.run.task
        return task.target_account_id or task.account_id

    def note(self, **values: Any) -> None:
        """Changes columns of the row; they are written with the next `save`."""
        self.unsaved |= values
        for name, value in values.items():
            setattr(self.row, name, value)

    async def save(self, *, forgets_parts: bool = False, **values: Any) -> int:
        """Writes what changed, if the task is still this run's. How many bytes the parts had that are forgotten."""
        self.note(**values)
        async with self.run.writing() as session:
            transfers = TransferRepository(session)
            await transfers.update_file(self.row.id, **self.unsaved)
            forgotten_bytes = await transfers.delete_parts(self.row.id) if forgets_parts else 0
        self.unsaved = {}
        return forgotten_bytes

    async def choose_name(self) -> str:
        """The name to store it under: the row's own, or the one written down, or else a free one.

        At the top anything may be there already, so it is looked for first; below, the folders are new.
        """
        row = self.row
        name = row.target_name or row.name
        is_first = row.target_name is None and row.parent_id is None
        if self.on_conflict is OnConflict.FAIL and (self.is_name_taken or is_first):
            name = await find_free_name(self.target, self.parent, row.name, is_folder=row.kind == "folder")
            self.is_name_taken = False
        return name

    def must_rename(self, error: BaseException) -> bool:
        """Whether the name was taken meanwhile, so that another has to be chosen."""
        self.is_name_taken = (
            self.on_conflict is OnConflict.FAIL
            and isinstance(error, ConnectorError)
            and error.kind is ErrorKind.ALREADY_EXISTS
        )
        return self.is_name_taken

    async def find_stored(self) -> File | Folder | None:
        """What an earlier run made under the name that is written down, if it is there and no other row's."""
        row = self.row
        if row.target_name is None or self.on_conflict is not OnConflict.FAIL:
            return None
        found = await find_child(self.target, self.parent, row.target_name)
        if found is None or isinstance(found, File) != (row.kind == "file"):
            return None
        if isinstance(found, File) and row.size_bytes is not None and found.size_bytes not in {None, row.size_bytes}:
            return None
        async with self.run.state.db.reading(is_newest=True) as session:
            is_anothers = await TransferRepository(session).is_target_known(row, found.raw_id)
        return None if is_anothers else found

    @property
    def version(self) -> Version:
        """The version of the source that is copied."""
        row = self.row
        return Version(size_bytes=row.size_bytes, etag=row.etag, modified_at=row.modified_at, hashes=row.hashes)


@dataclass(slots=True, kw_only=True)
class FileJob(Job):
    """A file, and where its bytes come from."""

    source: Source
    size_bytes_max: int | None = None

    async def count(self, chunks: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
        """The same chunks, counted as done, and given on only while the task is this run's: what is sent in one piece
        is finished with its last one.
        """
        async for chunk in chunks:
            await self.run.prove()
            self.run.progress.bytes_done += len(chunk)
            yield chunk


def build_race_error() -> ConnectorError:
    """Every free name was taken before it could be used."""
    return ConnectorError(ErrorKind.UNAVAILABLE, "somebody else takes every free name")
