"""What was deleted: Dropbox tells its path, and brings back revisions of files.

https://www.dropbox.com/developers/documentation/http/documentation#files-restore
"""

from __future__ import annotations

from dataclasses import dataclass

from connectors.core.crew import Crew
from connectors.core.errors import ConnectorError, ErrorKind
from connectors.core.resources import File, OnConflict, Page, RawId
from connectors.dropbox.errors import build_unexpected
from connectors.dropbox.mapping import read_raw_id, split_path
from connectors.dropbox.payloads import Entry
from connectors.dropbox.places import find_place
from connectors.dropbox.reading import CALLS_PARALLEL_MAX, Reader
from connectors.dropbox.versions import REVISIONS_MAX, bring_back

PAGE_ITEMS_MAX = 100  # each deleted one is asked for by itself, twice
_SKIPPED = frozenset({ErrorKind.NOT_FOUND, ErrorKind.WRONG_TYPE})


@dataclass(frozen=True, slots=True)
class _Gone:
    """Where a file was last, and its newest revision that can be brought back."""

    path: str
    entry: Entry


async def list_trash(reader: Reader, cursor: str | None, limit: int) -> Page:
    """A page of deleted files. Of folders Dropbox tells no id, and what it cannot bring back is none of them."""
    deleted, next_cursor = await reader.list_deleted(cursor, min(limit, PAGE_ITEMS_MAX))
    paths = [entry.path_display for entry in deleted if entry.path_display is not None]
    found: dict[str, Entry] = {}

    async def find(path: str) -> None:
        try:
            gone = await _find_at(reader, path)
        except ConnectorError as error:
            if error.kind not in _SKIPPED:
                raise
        else:
            found.update({path: gone.entry} if gone is not None else {})

    async with Crew(CALLS_PARALLEL_MAX) as crew:
        for path in paths:
            await crew.wait_for_slot()
            crew.start(find(path))
    return Page(await reader.describe_all([found[path] for path in paths if path in found], {}), next_cursor)


async def restore(reader: Reader, file: RawId) -> File:
    """The newest revision that can be brought back, where the file was; under another name if that is taken."""
    read_raw_id(file)
    try:
        restored = await reader.look(file, "file")
    except ConnectorError as error:
        if error.kind is not ErrorKind.NOT_FOUND:
            raise
        gone = await _find_by_id(reader, file)
        if gone is None:
            raise ConnectorError(ErrorKind.NOT_FOUND, "the file cannot be brought back any more") from error
        folder_path, name = split_path(gone.path)
        place = await find_place(reader, folder_path, name, OnConflict.RENAME)
        restored = await bring_back(reader, place.path, gone.entry)
    described = await reader.describe(restored)
    if not isinstance(described, File):
        raise build_unexpected()
    return described


async def _find_at(reader: Reader, path: str) -> _Gone | None:
    """The file that was deleted at a path, not one that was moved away from there."""
    answer = await reader.api.list_revisions(path, mode="path", limit=1)
    if not answer.is_deleted or not answer.entries:
        return None
    gone = await _find_by_id(reader, reader.api.read(answer.entries[0]).id)
    return gone if gone is not None and gone.path.lower() == path.lower() else None


async def _find_by_id(reader: Reader, file: str) -> _Gone | None:
    answer = await reader.api.list_revisions(file, mode="id", limit=REVISIONS_MAX)
    entries = [reader.api.read(raw) for raw in answer.entries] if answer.is_deleted else []
    entry = next((entry for entry in entries if entry.is_restorable), None)
    path = entries[0].path_display if entries else None
    return _Gone(path, entry) if entry is not None and path is not None else None
