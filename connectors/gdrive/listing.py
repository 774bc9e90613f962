"""Pages: a folder, a search, the newest files, the versions of a file, the feed of changes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from connectors.core.errors import ConnectorError, ErrorKind
from connectors.core.resources import Change, ChangePage, Page, RawId, Resource, VersionPage
from connectors.gdrive.cursors import read_cursor, write_cursor
from connectors.gdrive.drive import Drive, check_id, escape
from connectors.gdrive.manifest import ROOT
from connectors.gdrive.mapping import build_resource, build_shared_drive, build_version
from connectors.gdrive.payloads import FOLDER, DriveFile, FileChange, Revision

FILES, DRIVES = "files", "drives"
PAGE_ITEMS_MAX = 1000
REVISION_PAGES_MAX = 20
EVERYWHERE = {"corpora": "allDrives"}


async def list_folder(drive: Drive, folder: str, cursor: str | None, limit: int) -> Page:
    """One page of a folder; the root shows the shared drives behind what is in My Drive."""
    scope = ("folder", folder)
    phase, token = (FILES, None) if cursor is None else read_cursor(scope, cursor)
    if phase == DRIVES:
        return await _list_drives(drive, scope, token, limit)
    query = f"'{check_id(folder)}' in parents and trashed = false"
    found = await drive.api.list_files(query, limit=limit, cursor=token)
    if not found.files and cursor is None:
        await drive.check_folder(folder)
    resources = await build_all(drive, found.files)
    if found.next_page_token is not None:
        return Page(resources, write_cursor(scope, FILES, found.next_page_token))
    if folder != ROOT:
        return Page(resources)
    if len(resources) == limit:
        return Page(resources, write_cursor(scope, DRIVES, None))
    last = await _list_drives(drive, scope, None, limit - len(resources))
    return Page([*resources, *last.resources], last.next_cursor)


async def search(drive: Drive, query: str, cursor: str | None, limit: int) -> Page:
    """One page of what has words that begin so in its name, or in its content."""
    scope = ("search", query)
    _, token = (FILES, None) if cursor is None else read_cursor(scope, cursor)
    text = escape(query)
    asked = f"(name contains '{text}' or fullText contains '{text}') and trashed = false"
    found = await drive.api.list_files(asked, limit=limit, cursor=token, **EVERYWHERE)
    resources = await build_all(drive, [file for file in found.files if not file.is_shared_drive])
    next_cursor = None if found.next_page_token is None else write_cursor(scope, FILES, found.next_page_token)
    return Page(resources, next_cursor, is_partial=found.incomplete_search)


async def list_recent(drive: Drive, after: datetime | None, limit: int) -> Page:
    """The newest files; Drive compares times in milliseconds."""
    query = f"mimeType != '{FOLDER}' and trashed = false"
    if after is not None:
        query += f" and modifiedTime > '{after.astimezone(UTC).isoformat(timespec='seconds')}'"
    files: list[DriveFile] = []
    token, is_partial = None, False
    while len(files) < limit:
        page_limit = min(limit - len(files), PAGE_ITEMS_MAX)
        found = await drive.api.list_files(
            query, limit=page_limit, cursor=token, orderBy="modifiedTime desc", **EVERYWHERE
        )
        files += [file for file in found.files if after is None or (file.modified_time or after) > after]
        is_partial, token = is_partial or found.incomplete_search, found.next_page_token
        if token is None:
            break
    return Page(await build_all(drive, files), is_partial=is_partial)


async def list_versions(drive: Drive, raw_id: str, cursor: str | None, limit: int) -> VersionPage:
    """One page of a file's revisions. Drive gives them oldest first, and at most some hundred."""
    scope = ("versions", raw_id)
    after = None if cursor is None else read_cursor(scope, cursor)[1]
    file = await drive.get_file(raw_id)
    revisions = (await read_revisions(drive, file))[::-1]
    current_id = file.head_revision_id or (revisions[0].id if revisions else None)
    if after is not None:
        places = [place for place, revision in enumerate(revisions) if revision.id == after]
        if not places:
            raise ConnectorError(ErrorKind.CURSOR_INVALID, "the version at which the last page ended is gone")
        revisions = revisions[places[0] + 1 :]
    page = revisions[:limit]
    versions = [build_version(each, is_current=each.id == current_id, is_native=file.is_native) for each in page]
    return VersionPage(versions, write_cursor(scope, FILES, page[-1].id) if len(revisions) > limit else None)


async def read_revisions(drive: Drive, file: DriveFile) -> list[Revision]:
    """All revisions of a file, oldest first; none where it cannot have any."""
    revisions: list[Revision] = []
    token: str | None = None
    for _ in range(REVISION_PAGES_MAX):
        listed = await drive.api.list_revisions(file.id, token)
        revisions += listed.revisions
        token = listed.next_page_token
        if token is None:
            return revisions
    raise ConnectorError(ErrorKind.UNSUPPORTED, f"the file has more than {REVISION_PAGES_MAX} pages of versions")


async def list_changes(drive: Drive, cursor: str | None, limit: int) -> ChangePage:
    """What changed for the user, also in shared drives; each file once, as it is now."""
    if cursor is None:
        return ChangePage([], await drive.api.get_start_token())
    try:
        listed = await drive.api.list_changes(cursor, limit)
    except ConnectorError as error:
        if error.kind is ErrorKind.CURSOR_INVALID:
            text = "Google Drive does not know what changed since then; list everything again"
            raise error.restated(ErrorKind.CURSOR_RESET, text) from error
        raise
    changes = [await _build_change(drive, each) for each in listed.changes if each.file_id or each.drive_id]
    next_cursor = listed.next_page_token or listed.new_start_page_token or cursor
    return ChangePage(changes, next_cursor, has_more=listed.next_page_token is not None)


async def _build_change(drive: Drive, change: FileChange) -> Change:
    if change.change_type == "drive":
        is_gone = change.removed or change.drive is None
        return Change(
            raw_id=RawId(change.drive_id or ""),
            resource=None if is_gone or change.drive is None else build_shared_drive(change.drive),
        )
    file = change.file
    if change.removed or file is None or file.trashed:
        return Change(raw_id=RawId(change.file_id or ""))
    resource = await drive.build(file)
    return Change(raw_id=resource.raw_id, resource=resource)


async def _list_drives(drive: Drive, scope: tuple[str, ...], token: str | None, limit: int) -> Page:
    listed = await drive.api.list_drives(limit=limit, cursor=token)
    resources: list[Resource] = [build_shared_drive(each) for each in listed.drives]
    next_token = listed.next_page_token
    return Page(resources, None if next_token is None else write_cursor(scope, DRIVES, next_token))


async def build_all(drive: Drive, files: Sequence[DriveFile]) -> list[Resource]:
    if not files:
        return []
    root_id = await drive.get_root_id()
    return [build_resource(file, root_id) for file in files]
