"""Folders made; things moved, copied, deleted."""

from __future__ import annotations

import secrets
from contextlib import suppress
from dataclasses import dataclass

from connectors.core.cleanup import giving_up
from connectors.core.errors import ConnectorError, ErrorKind
from connectors.core.resources import Folder, OnConflict, RawId, Ref, Resource
from connectors.dropbox.errors import build_unexpected
from connectors.dropbox.mapping import split_path
from connectors.dropbox.payloads import Entry
from connectors.dropbox.places import Place, find_after, find_place, find_places, put
from connectors.dropbox.reading import Reader, get_path

ASIDE_CHARACTERS_MAX = 200  # of a name that another one is made of


@dataclass(frozen=True, slots=True)
class Changer:
    """Changes one account's files and folders."""

    reader: Reader

    async def create_folder(self, parent: RawId, name: str) -> Folder:
        """A new folder."""
        folder_path = await self.reader.get_folder_path(parent)
        place = await find_place(self.reader, folder_path, name, OnConflict.FAIL)
        entry = await self.reader.api.create_folder(place.path)
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
            entry = await self._rename(entry, target)
        return await self.reader.describe(entry, known)

    async def copy(self, ref: Ref, parent: RawId, name: str | None, on_conflict: OnConflict) -> Resource | None:
        """The same once more; None where that would replace a file, which Dropbox does not do by itself."""
        entry = await self.reader.look(ref.raw_id, ref.kind)
        folder_path = await self.reader.get_folder_path(parent)
        is_replacing = on_conflict is OnConflict.REPLACE
        policy = OnConflict.FAIL if is_replacing else on_conflict
        places = find_places(self.reader, folder_path, name or entry.name, policy, is_folder=not entry.is_file)

        async def copy(place: Place) -> Entry:
            return await self.reader.api.copy(ref.raw_id, place.path)

        async def is_own(there: Entry) -> bool:
            return await self._is_copy(there, entry)

        try:
            _, copied = await put(self.reader, places, copy, is_own)
        except ConnectorError as error:
            if is_replacing and entry.is_file and error.kind is ErrorKind.ALREADY_EXISTS:
                return None
            raise
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

    async def _is_copy(self, there: Entry, entry: Entry) -> bool:
        if entry.is_file != there.is_file or (entry.is_file and entry.content_hash is not None):
            return there.has_bytes_of(entry)
        with suppress(ConnectorError):
            if not entry.is_file and await self.reader.list_tree(there) == await self.reader.list_tree(entry):
                return True
        text = "something is there that may be the copy, and may not be complete; look at it before trying again"
        raise ConnectorError(ErrorKind.UNAVAILABLE, text, maybe_applied=True)

    async def _rename(self, entry: Entry, target: str) -> Entry:
        """Moves it, a change of case alone by way of another name, since Dropbox does nothing then. That name can be
        seen, and says why it is there, should a step fail and the way back as well.
        """
        moved = await self._move(entry, target)
        if moved.name == split_path(target)[1]:
            return moved
        path = get_path(moved)
        aside = f"{path[: -len(moved.name)]}{moved.name[:ASIDE_CHARACTERS_MAX]} (renaming {secrets.token_hex(4)})"
        try:
            await self._move(moved, aside)
            return await self._move(moved, target)
        except BaseException:
            async with giving_up():
                await self._move(moved, path)
            raise

    async def _move(self, entry: Entry, target: str) -> Entry:
        """One move; after a lost answer it is where it should be."""
        try:
            return await self.reader.api.move(entry.id, target)
        except ConnectorError as error:
            moved = await find_after(self.reader, target, error)
            if moved is None or moved.id != entry.id:
                raise
            return moved
