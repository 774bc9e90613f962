"""Folders copied and moved, object by object and a page at a time. Originals go only after their copies were seen."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

from connectors.core.crew import Crew
from connectors.core.errors import ConnectorError, ErrorKind
from connectors.core.resources import File, Folder
from connectors.s3.copying import Source, copy_file, copy_object
from connectors.s3.deleting import delete_directories, delete_keys, walk_entries
from connectors.s3.keys import FOLDER_FILE, Place
from connectors.s3.payloads import Entry
from connectors.s3.storage import Storage
from connectors.s3.writing import Target, find_marker, put_marker

COPIES_PARALLEL_MAX = 16


async def move_file(storage: Storage, source: Source, target: Target) -> File:
    """A copy, and then the original is deleted."""
    file = await copy_file(storage, source, target)
    await delete_keys(storage, source.place.bucket, [(source.place.key, None)])
    return file


async def copy_folder(storage: Storage, source: Place, target: Target) -> Folder:
    """A copy of a folder with all it holds; what was copied stays when it fails on the way."""
    await put_marker(storage, target)
    async with aclosing(walk_entries(storage, source)) as pages:
        async for page in pages:
            await _copy_page(storage, source, target.place, page)
    return storage.mapper.build_folder(target.place)


async def move_folder(storage: Storage, source: Place, target: Target) -> Folder:
    """A copy of a folder with all it holds, and then the original is deleted.

    Fails on the way with the original whole as long as not everything was copied. What is put into the original
    meanwhile is moved too, or stays there; it is never lost.
    """
    folder = await copy_folder(storage, source, target)
    async with aclosing(walk_entries(storage, source)) as pages, aclosing(walk_entries(storage, target.place)) as found:
        copies = _Copies(storage, target.place, found)
        async for page in pages:
            changed = [entry for entry in page if not await copies.have(entry, _map(source, target.place, entry))]
            await _copy_page(storage, source, target.place, changed)
            await delete_keys(storage, source.bucket, [(entry.key, None) for entry in page])
    if storage.dialect.has_directories:
        await delete_directories(storage, source)
    return folder


def check_not_inside(source: Place, folder: Place) -> None:
    """invalid_target for a folder that would be put into itself."""
    if source.bucket == folder.bucket and folder.key.startswith(source.key):
        raise ConnectorError(ErrorKind.INVALID_TARGET, "a folder cannot be put into itself")


class _Copies:
    """The copies at the new place, read along with the originals: stores list both in the same order."""

    def __init__(self, storage: Storage, folder: Place, pages: AsyncGenerator[list[Entry], None]) -> None:
        self._storage = storage
        self._folder = folder
        self._pages = pages
        self._entries: dict[str, Entry] = {}

    async def have(self, original: Entry, place: Place) -> bool:
        """True when what stands at a place is certainly the copy of an original as it is now."""
        if _is_marker(original):
            return True  # nothing would be lost, and the copied folder has its own
        copy = await self._find(place)
        if copy is None or copy.size_bytes != original.size_bytes:
            return False
        if copy.etag == original.etag:
            return True
        # Etags of large or encrypted objects change when they are copied; then the copy must be the later one.
        return bool(copy.modified_at and original.modified_at and copy.modified_at > original.modified_at)

    async def _find(self, place: Place) -> Entry | None:
        if place.key not in self._entries:
            page = await anext(self._pages, None)
            self._entries = {entry.key: entry for entry in page or ()}
        if place.key not in self._entries:  # something came or went in between
            head = await self._storage.find_head(place)
            return head.entry if head else None
        return self._entries[place.key]


async def _copy_page(storage: Storage, source: Place, target: Place, page: list[Entry]) -> None:
    async with Crew(COPIES_PARALLEL_MAX) as crew:
        for entry in page:
            await crew.wait_for_slot()
            crew.start(_copy_entry(storage, source, target, entry))


async def _copy_entry(storage: Storage, source: Place, target: Place, entry: Entry) -> None:
    place = _map(source, target, entry)
    if _is_marker(entry):
        below = Place(place.bucket, place.key.removesuffix(FOLDER_FILE))
        if below != target:
            await storage.api.put_object(find_marker(storage, below), b"", {})
    else:
        await copy_object(storage, Source(place=Place(source.bucket, entry.key), entry=entry), place)


def _map(source: Place, target: Place, entry: Entry) -> Place:
    """Where an object below the one folder goes below the other."""
    return Place(target.bucket, target.key + entry.key[len(source.key) :])


def _is_marker(entry: Entry) -> bool:
    """True for an object that only says that its folder is there."""
    return entry.key.endswith(f"/{FOLDER_FILE}") or (entry.key.endswith("/") and not entry.size_bytes)
