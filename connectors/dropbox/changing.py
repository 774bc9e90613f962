"""Folders made; things moved, copied, deleted."""

from __future__ import annotations

import secrets
from contextlib import suppress
from dataclasses import dataclass

from connectors.core.errors import ConnectorError, ErrorKind
from connectors.core.resources import Folder, OnConflict, RawId, Ref, Resource
from connectors.dropbox.errors import build_unexpected, read_reason
from connectors.dropbox.mapping import split_path
from connectors.dropbox.payloads import Entry
from connectors.dropbox.reading import Reader, get_path
from connectors.dropbox.uploads import find_free_name

ASIDE_CHARACTERS_MAX = 200  # of a name that another one is made of


@dataclass(frozen=True, slots=True)
class Changer:
    """Changes one account's files and folders."""

    reader: Reader

    async def create_folder(self, parent: RawId, name: str) -> Folder:
        """A new folder."""
        folder_path = await self.reader.get_folder_path(parent)
        path = f"{folder_path}/{name}"
        there = await self.reader.find(path)  # else a repeat could not tell its own folder from one that was there
        if there is not None:
            conflict = Ref("file" if there.is_file else "folder", RawId(there.id))
            raise ConnectorError(ErrorKind.ALREADY_EXISTS, "the name is taken", conflict=conflict)
        entry = await self.reader.api.create_folder(path)
        folder = await self.reader.describe(entry, {folder_path.lower(): parent})
        if not isinstance(folder, Folder):
            raise build_unexpected()
        return folder

    async def move(self, ref: Ref, name: str | None, parent: RawId | None) -> Resource:
        """Another name or place, the same id; a new revision of each file."""
        entry = await self.reader.look(ref.raw_id, ref.kind)
        here, own_name = split_path(get_path(entry))
        folder_path = here if parent is None else await self.reader.get_folder_path(parent)
        target = f"{folder_path}/{name or own_name}"
        known = {} if parent is None else {folder_path.lower(): parent}
        if folder_path.lower() != here.lower() or own_name != (name or own_name):
            entry = await self._move(entry, target)
        return await self.reader.describe(entry, known)

    async def copy(self, ref: Ref, parent: RawId, name: str | None, on_conflict: OnConflict) -> Resource | None:
        """The same once more; None where that would replace a file, which Dropbox does not do by itself."""
        entry = await self.reader.look(ref.raw_id, ref.kind)
        folder_path = await self.reader.get_folder_path(parent)
        renames = on_conflict is OnConflict.RENAME
        name = name or entry.name
        if renames:
            name = await find_free_name(self.reader, folder_path, name)
        try:
            copied = await self.reader.api.copy(ref.raw_id, f"{folder_path}/{name}", renames=renames)
        except ConnectorError as error:
            is_replaceable = entry.is_file and read_reason(error).endswith("conflict/file")
            if on_conflict is not OnConflict.REPLACE or not is_replaceable:
                raise
            return None
        return await self.reader.describe(copied, {folder_path.lower(): parent})

    async def delete(self, ref: Ref, *, is_recursive: bool, is_permanent: bool) -> None:
        """Dropbox deletes folders with all they hold, so an empty one is looked into before."""
        await self.reader.look(ref.raw_id, ref.kind)
        if ref.kind == "folder" and not is_recursive:
            listing = await self.reader.api.list_folder(ref.raw_id, is_recursive=False, limit=1)
            if listing.entries:
                raise ConnectorError(ErrorKind.FOLDER_NOT_EMPTY, "the folder holds something")
        if is_permanent:
            await self.reader.api.delete_permanently(ref.raw_id)
        else:
            await self.reader.api.delete(ref.raw_id)

    async def _move(self, entry: Entry, target: str) -> Entry:
        try:
            moved = await self.reader.api.move(entry.id, target)
        except ConnectorError as error:
            if not error.is_replay:
                raise
            moved = await self.reader.look(entry.id)
            if get_path(moved).lower() != target.lower():
                raise error from None
        if moved.name == split_path(target)[1]:
            return moved
        return await self._change_case(moved, target)

    async def _change_case(self, entry: Entry, target: str) -> Entry:
        """By way of another name, since Dropbox does nothing where names differ in the case of letters only. That one
        can be seen, and says why it is there, should the second step fail and the way back as well.
        """
        path = get_path(entry)
        aside = f"{path[: -len(entry.name)]}{entry.name[:ASIDE_CHARACTERS_MAX]} (renaming {secrets.token_hex(4)})"
        await self.reader.api.move(entry.id, aside)
        try:
            return await self.reader.api.move(entry.id, target)
        except BaseException:
            with suppress(ConnectorError):
                await self.reader.api.move(entry.id, path)
            raise
