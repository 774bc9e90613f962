"""New files and folders: which name they get, and that nothing is overwritten that should stay."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import TypeVar

from connectors.core.bytesource import CheckedSource
from connectors.core.errors import ConnectorError, ErrorKind
from connectors.core.media_types import read_media_type
from connectors.core.resources import File, Folder, OnConflict, Ref
from connectors.s3.errors import CONFLICT_CODES, read_code
from connectors.s3.keys import FOLDER_FILE, Place, build_ref, check_name, number_name, split_name
from connectors.s3.manifest import KEY_BYTES_MAX
from connectors.s3.payloads import Entry, Head, Put
from connectors.s3.sources import hash_source
from connectors.s3.storage import Storage, together

FREE_NAMES_TRIED_MAX = 100
NAMES_MAX = 1000  # looked at for a free one

ResultT = TypeVar("ResultT")


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where something new goes: `name` is the one wanted, or one like it that is free; `replaced` is what is there."""

    folder: Place
    name: str
    wanted_name: str
    is_folder: bool
    replaced: Head | None = None

    @property
    def place(self) -> Place:
        return self.folder.folder(self.name) if self.is_folder else self.folder.file(self.name)

    @property
    def must_be_absent(self) -> bool:
        return self.replaced is None


async def choose(
    storage: Storage, folder: Place, name: str, on_conflict: OnConflict, *, is_folder: bool = False
) -> Target:
    """Where something new of that name goes, as things stand now.

    - not_found for no such folder; already_exists with FAIL, and for a folder in the way also with REPLACE.
    """
    if folder.is_above_buckets and not is_folder:
        raise ConnectorError(ErrorKind.PERMISSION_DENIED, "files stand in buckets; choose or create one")
    check_name(name, folder, is_folder=is_folder)
    (replaced, taken), is_folder_there = await together(storage.find_taken(folder, name), storage.has_folder(folder))
    target = Target(folder=folder, name=name, wanted_name=name, is_folder=is_folder)
    if taken is None:
        if not is_folder_there:
            raise ConnectorError(ErrorKind.NOT_FOUND, "there is no such folder")
        return target
    if on_conflict is OnConflict.RENAME:
        return await find_free(storage, target)
    if on_conflict is OnConflict.FAIL or is_folder or taken.kind == "folder":
        raise already_exists(taken)
    return replace(target, replaced=replaced)


async def find_free(storage: Storage, target: Target, taken: frozenset[str] = frozenset()) -> Target:
    """A target of a name like the one wanted that nothing has now; `taken` are known not to be free."""
    folder = target.folder
    if folder.is_above_buckets:
        raise ConnectorError(ErrorKind.ALREADY_EXISTS, "there is a bucket of this name; choose another")
    stem, _ = split_name(target.wanted_name, is_folder=target.is_folder)
    names, beginning = taken, folder.file(f"{stem} (")
    if beginning.is_short_enough:
        listing = await storage.api.list_objects(beginning, limit=NAMES_MAX, has_delimiter=True)
        keys = [entry.key for entry in listing.entries] + listing.prefixes
        names = taken | {key[len(folder.key) :].rstrip("/") for key in keys}
    bytes_max = min(storage.limits.name_bytes_max or KEY_BYTES_MAX, KEY_BYTES_MAX - len(folder.folder("").key.encode()))
    for number in range(1, len(names) + FREE_NAMES_TRIED_MAX):
        name = number_name(target.wanted_name, number, is_folder=target.is_folder, bytes_max=bytes_max)
        if name not in names and (await storage.find_taken(folder, name))[1] is None:
            return replace(target, name=name)
    raise ConnectorError(ErrorKind.ALREADY_EXISTS, "the name is taken, and so are all names like it")


async def write_under_free_name(
    storage: Storage, target: Target, on_conflict: OnConflict, write: Callable[[Target], Awaitable[ResultT]]
) -> ResultT:
    """Writes; with RENAME under the next free name when somebody else took the name in that moment."""
    taken: set[str] = set()
    while True:
        try:
            return await write(target)
        except ConnectorError as error:
            is_last = len(taken) == FREE_NAMES_TRIED_MAX
            if error.kind is not ErrorKind.ALREADY_EXISTS or on_conflict is not OnConflict.RENAME or is_last:
                raise
        taken.add(target.name)
        target = await find_free(storage, target, frozenset(taken))


async def put_file(storage: Storage, target: Target, source: CheckedSource) -> File:
    """Stores the bytes in one call; already_exists when somebody was faster."""
    if_absent = target.must_be_absent and storage.dialect.put_if_absent
    try:
        put = await storage.api.put_object(target.place, source, build_headers(target.name), if_absent=if_absent)
    except ConnectorError as error:
        if not if_absent:
            raise
        if not await _was_stored(storage, target, source, error):
            raise await explain_conflict(storage, target, error) from error
        put = Put()
    return await describe(storage, target, size_bytes=source.seen_bytes, etag=put.etag)


async def _was_stored(storage: Storage, target: Target, source: CheckedSource, error: ConnectorError) -> bool:
    """True when a repeat found the name taken by what the attempt before it had stored after all."""
    if error.kind is not ErrorKind.PRECONDITION_FAILED or not error.is_replay or not source.is_replayable:
        return False
    head = await storage.find_head(target.place)
    return head is not None and head.entry.etag == await hash_source(source)


async def explain_conflict(storage: Storage, target: Target, error: ConnectorError) -> ConnectorError:
    """already_exists for a write that found its name taken, or was beaten to it; any other error as it is."""
    is_taken = error.kind is ErrorKind.PRECONDITION_FAILED
    if read_code(error) in CONFLICT_CODES:
        is_taken = await storage.find_head(target.place) is not None
    if not is_taken:
        return error
    conflict = error.restated(ErrorKind.ALREADY_EXISTS, "the name is taken")
    conflict.conflict = build_ref(storage.layout, target.place, is_folder=target.is_folder)
    return conflict


async def create_folder(storage: Storage, parent: Place, name: str) -> Folder:
    """A new folder: a bucket at the very top, else an object that says that it is there."""
    target = await choose(storage, parent, name, OnConflict.FAIL, is_folder=True)
    if target.place.is_bucket:
        await storage.api.create_bucket(name, storage.account.region or storage.api.client.find_region(""))
    else:
        await put_marker(storage, target)
    return storage.mapper.build_folder(target.place)


async def put_marker(storage: Storage, target: Target) -> None:
    """Makes a folder be there though it holds nothing; already_exists when somebody was faster.

    A repeat that finds it there has made it.
    """
    marker = find_marker(storage, target.place)
    if_absent = target.must_be_absent and storage.dialect.put_if_absent
    try:
        await storage.api.put_object(marker, b"", {}, if_absent=if_absent)
    except ConnectorError as error:
        if not if_absent:
            raise
        if error.kind is not ErrorKind.PRECONDITION_FAILED or not error.is_replay:
            raise await explain_conflict(storage, target, error) from error


def find_marker(storage: Storage, folder: Place) -> Place:
    """The object that says that a folder is there."""
    return folder if storage.dialect.keeps_markers else folder.file(FOLDER_FILE)


async def describe(storage: Storage, target: Target, *, size_bytes: int, etag: str | None) -> File:
    """The file at its new place; told from what was written where the store does not show it yet, or no more."""
    head = await storage.find_head(target.place)
    entry = head.entry if head else Entry(key=target.place.key, size_bytes=size_bytes, etag=etag)
    return storage.mapper.build_file(target.place, entry, is_replacement=not target.must_be_absent)


def build_headers(name: str) -> dict[str, str]:
    """What is kept with a new file."""
    return {"Content-Type": read_media_type(name) or "application/octet-stream"}


def already_exists(taken: Ref) -> ConnectorError:
    """The error for a name that something has."""
    return ConnectorError(ErrorKind.ALREADY_EXISTS, "the name is taken", conflict=taken)
