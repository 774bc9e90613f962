"""Revisions of a file: the hundred newest, wherever the file was then; older ones as far as it was where it is now."""

from __future__ import annotations

from connectors.core.errors import ConnectorError, ErrorKind
from connectors.core.resources import File, RawId, VersionPage
from connectors.dropbox.errors import build_unexpected
from connectors.dropbox.mapping import build_version, read_version
from connectors.dropbox.payloads import Entry, Revisions
from connectors.dropbox.reading import Reader, get_path

REVISIONS_MAX = 100  # of one answer; only by path there is another one after it


async def list_versions(reader: Reader, file: RawId, cursor: str | None, limit: int) -> VersionPage:
    """A page, newest first; the cursor is the last revision that was seen."""
    current = await reader.look(file, "file")
    answer = await reader.api.list_revisions(file, mode="id", limit=REVISIONS_MAX)
    entries, has_more = _read(reader, answer, file)
    if cursor is not None:
        revs = [entry.rev for entry in entries]
        start = revs.index(cursor) + 1 if cursor in revs else 0
        is_exhausted = start == len(entries)
        entries = entries[start:]
        if not start or (is_exhausted and has_more):
            entries, has_more = await _read_before(reader, current, cursor, is_known=is_exhausted)
    page = entries[:limit]
    versions = [build_version(entry, is_current=entry.rev == current.rev) for entry in page]
    return VersionPage(versions, page[-1].rev if page and (has_more or len(entries) > limit) else None)


async def restore_version(reader: Reader, file: RawId, version: str) -> File:
    """An old revision's bytes as a new one."""
    rev = read_version(version)
    current = await reader.look(file, "file")
    old = await reader.api.get_metadata(f"rev:{rev}")
    if old.id != file:
        raise ConnectorError(ErrorKind.NOT_FOUND, "the file has no such version")
    restored = await reader.describe(await bring_back(reader, get_path(current), old, current.rev))
    if not isinstance(restored, File):
        raise build_unexpected()
    return restored


async def bring_back(reader: Reader, path: str, old: Entry, current_rev: str | None = None) -> Entry:
    """An old revision's bytes at a path, where this revision is now; Dropbox makes one more revision each time."""
    found: Entry | None = None

    async def is_done() -> bool:
        nonlocal found
        there = await reader.find(path)
        if there is not None and there.rev != current_rev and there.has_bytes_of(old):
            found = there
        return found is not None

    try:
        return await reader.api.restore(path, old.rev or "", is_done)
    except ConnectorError:
        if found is None:
            raise
        return found


async def _read_before(reader: Reader, current: Entry, rev: str, *, is_known: bool) -> tuple[list[Entry], bool]:
    """What came before a revision at the file's path; nothing if that one, though it is known, was elsewhere."""
    try:
        read_version(rev)
        before = await reader.api.list_revisions(get_path(current), mode="path", limit=REVISIONS_MAX, before=rev)
    except ConnectorError as error:
        if error.kind is ErrorKind.CURSOR_INVALID and is_known:
            return [], False
        if error.kind is ErrorKind.NOT_FOUND:
            raise error.restated(
                ErrorKind.CURSOR_INVALID, "this cursor is not from a list of this file's versions"
            ) from error
        raise
    return _read(reader, before, current.id)


def _read(reader: Reader, answer: Revisions, file: str) -> tuple[list[Entry], bool]:
    """The file's own, and whether there are more; not once the path was another file's."""
    entries = [reader.api.read(raw) for raw in answer.entries]
    own = [entry for entry in entries if entry.id == file]
    return own, answer.has_more and len(own) == len(entries)
