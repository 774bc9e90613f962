"""What was deleted: Dropbox tells its path, and brings back revisions of files.

https://developers.dropbox.com/dbx-file-access-guide
"""

from __future__ import annotations

from connectors.core.crew import Crew
from connectors.core.errors import ConnectorError, ErrorKind
from connectors.core.resources import File, Page, RawId
from connectors.dropbox.mapping import read_raw_id, split_path
from connectors.dropbox.payloads import Entry
from connectors.dropbox.reading import CALLS_PARALLEL_MAX, Reader
from connectors.dropbox.uploads import find_free_name
from connectors.dropbox.versions import REVISIONS_MAX

PAGE_ITEMS_MAX = 200  # each deleted one is asked for by itself
REVISIONS_TRIED_MAX = 10  # of each for one that can be brought back
_SKIPPED = frozenset({ErrorKind.NOT_FOUND, ErrorKind.WRONG_TYPE})


async def list_trash(reader: Reader, cursor: str | None, limit: int) -> Page:
    """A page of deleted files. Of folders Dropbox tells no id, and what it cannot bring back is none of them."""
    deleted, next_cursor = await reader.list_deleted(cursor, min(limit, PAGE_ITEMS_MAX))
    paths = [entry.path_display for entry in deleted if entry.path_display is not None]
    found: dict[str, Entry] = {}

    async def find(path: str) -> None:
        try:
            entry = await _find_restorable(reader, path, mode="path", limit=REVISIONS_TRIED_MAX)
        except ConnectorError as error:
            if error.kind not in _SKIPPED:
                raise
            return
        if entry is not None:
            found[path] = entry

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
        entry = await _find_restorable(reader, file, mode="id", limit=REVISIONS_MAX)
        if entry is None or not entry.rev or not entry.path_display:
            raise ConnectorError(
                ErrorKind.NOT_FOUND, "the file is there, or cannot be brought back any more"
            ) from error
        folder_path, name = split_path(entry.path_display)
        name = await find_free_name(reader, folder_path, name, is_final=True)
        restored = await reader.api.restore(f"{folder_path}/{name}", entry.rev)
    described = await reader.describe(restored)
    if not isinstance(described, File):
        raise AssertionError("only files are restored")  # noqa: TRY004 - nobody's type error
    return described


async def _find_restorable(reader: Reader, path: str, *, mode: str, limit: int) -> Entry | None:
    """Of what is deleted the newest revision that can be brought back."""
    answer = await reader.api.list_revisions(path, mode=mode, limit=limit)
    if not answer.is_deleted:
        return None
    entries = map(reader.api.read, answer.entries)
    return next((entry for entry in entries if entry.is_restorable), None)
