"""The trash: what was put there by itself, not what went with a folder. https://developers.google.com/drive/api/guides/delete"""

from __future__ import annotations

from connectors.core.resources import Page, Ref, Resource
from connectors.gdrive.cursors import read_cursor, write_cursor
from connectors.gdrive.drive import Drive, check_id, check_kind
from connectors.gdrive.listing import EVERYWHERE, FILES, build_all
from connectors.gdrive.payloads import TRASH_FIELDS

SCOPE = ("trash",)


async def list_trash(drive: Drive, cursor: str | None, limit: int) -> Page:
    """One page of what the account can take out again; what lies in others' trash can be seen, but is not among it."""
    token = None if cursor is None else read_cursor(SCOPE, cursor)[1]
    found = await drive.api.list_files("trashed = true", limit=limit, cursor=token, fields=TRASH_FIELDS, **EVERYWHERE)
    files = [file for file in found.files if file.explicitly_trashed and file.capabilities.can_untrash]
    next_token = found.next_page_token
    next_cursor = None if next_token is None else write_cursor(SCOPE, FILES, next_token)
    return Page(await build_all(drive, files), next_cursor, is_partial=found.incomplete_search)


async def restore(drive: Drive, ref: Ref) -> Resource:
    """Takes something out; if its folder is in the trash, too, it goes to the top of My Drive or its shared drive."""
    file = await drive.api.get_file(check_id(ref.raw_id))
    check_kind(file, ref)
    if file.trashed:
        file = await drive.api.update_file(file.id, {"trashed": False})
    if file.trashed:
        top = file.drive_id or await drive.get_root_id()
        file = await drive.api.update_file(file.id, {}, added=top, removed=next(iter(file.parents), None))
    return await drive.build(file)
