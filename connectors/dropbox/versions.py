"""Revisions of a file: the hundred newest, wherever the file was then."""

from __future__ import annotations

from connectors.core.errors import ConnectorError, ErrorKind
from connectors.core.resources import File, RawId, VersionPage
from connectors.dropbox.mapping import build_version, read_version
from connectors.dropbox.reading import Reader, get_path

REVISIONS_MAX = 100  # of one answer, and there is no second one for a file that is known by its id


async def list_versions(reader: Reader, file: RawId, cursor: str | None, limit: int) -> VersionPage:
    """A page, newest first; the cursor is the last revision that was seen."""
    await reader.look(file, "file")
    entries = await reader.api.list_revisions(file, limit=REVISIONS_MAX)
    start = 0
    if cursor is not None:
        revs = [entry.rev for entry in entries]
        if cursor not in revs:
            raise ConnectorError(ErrorKind.CURSOR_INVALID, "this cursor is not from a list of this file's versions")
        start = revs.index(cursor) + 1
    page = entries[start : start + limit]
    versions = [build_version(entry, is_current=start + at == 0) for at, entry in enumerate(page)]
    has_more = start + limit < len(entries)
    return VersionPage(versions, page[-1].rev if has_more else None)


async def restore_version(reader: Reader, file: RawId, version: str) -> File:
    """An old revision's bytes as a new one."""
    rev = read_version(version)
    current = await reader.look(file, "file")
    if (await reader.api.get_metadata(f"rev:{rev}")).id != file:
        raise ConnectorError(ErrorKind.NOT_FOUND, "the file has no such version")
    restored = await reader.describe(await reader.api.restore(get_path(current), rev))
    if not isinstance(restored, File):
        raise AssertionError("only files have versions")  # noqa: TRY004 - nobody's type error
    return restored
