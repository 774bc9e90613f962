"""Pages of all that is below a folder, from a listing of all keys: folders are what the keys have in them.

Positions are the store's own tokens, since stores do not agree on what comes after a key: some go through directories.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

import msgspec
from msgspec import Struct

from connectors.core.resources import Page, Resource
from connectors.s3.cursors import invalid_cursor, read_cursor, write_cursor
from connectors.s3.keys import Place, is_hidden, is_text
from connectors.s3.listing import list_buckets
from connectors.s3.mapping import Above
from connectors.s3.payloads import Entry, Step
from connectors.s3.storage import Storage

PositionT = TypeVar("PositionT", bound=Struct)

KIND = "recursive"
KEYS_MIN = 2  # of one call: there is a store that takes a single marker for the end
CALLS_MAX = 2  # of one page in a bucket
BUCKETS_WALKED_MAX = 20  # by one page below all buckets, most of which may be empty


class Position(Struct, frozen=True, array_like=True):
    """Where a page ended: the call to make next, what of its answer was given before, and where the walk stands."""

    step: Step | None
    limit: int
    given_key: str | None = None
    folder: str = ""  # given last, as are all that it stands in


class _BucketPosition(Struct, frozen=True, array_like=True):
    """Where a page below all buckets ended: in a bucket, or, with no position in it, behind it."""

    bucket: str
    inside: Position | None


async def list_recursive(storage: Storage, folder: Place, cursor: str | None, limit: int) -> Page:
    """One page of all that is below a folder; a folder comes where the first key below it stands."""
    text = read_cursor(cursor, KIND, folder)
    if folder.is_above_buckets:
        return await _list_all_buckets(storage, folder, _read(text, _BucketPosition), limit)
    resources, position = await _walk(storage, folder, _read(text, Position), limit)
    if cursor is None and not resources and position is None:
        await storage.check_folder(folder)
    return Page(resources, None if position is None else _write(folder, position))


async def _walk(
    storage: Storage, folder: Place, position: Position | None, limit: int
) -> tuple[list[Resource], Position | None]:
    """At most `limit` resources from a position on, and where they end; None is the end of all."""
    resources: list[Resource] = []
    position = position or Position(None, max(limit, KEYS_MIN))
    for _ in range(CALLS_MAX):
        entries, step = await storage.list_keys(folder, position.step, position.limit)
        page = _KeyPage(storage, folder, position, limit - len(resources))
        for entry in _order(storage, entries, position.given_key):
            if not page.add(entry):
                return resources + page.resources, page.position
        resources += page.resources
        if step is None:
            return resources, None
        position = Position(step, max(limit, KEYS_MIN), folder=page.position.folder)
        if len(resources) == limit:
            break
    return resources, position


class _KeyPage:
    """What one answer gives, up to a limit; `position` moves along."""

    def __init__(self, storage: Storage, folder: Place, position: Position, limit: int) -> None:
        self._storage = storage
        self._top = folder
        self._limit = limit
        self._given = set(_find_folders(folder.key, position.folder))
        self._above: Above | None = None
        self.position = position
        self.resources: list[Resource] = []

    def add(self, entry: Entry) -> bool:
        """Takes a key, and the folders that it is the first of; False when not all of that fits."""
        if not is_text(entry.key):
            return True
        mapper = self._storage.mapper
        for below in _find_folders(self._top.key, entry.key):
            if is_hidden(below[len(self._top.key) :]):
                return True
            if below not in self._given:
                if len(self.resources) == self._limit:
                    return False
                self.resources.append(mapper.build_folder(Place(self._top.bucket, below)))
                self._given.add(below)
            self.position = msgspec.structs.replace(self.position, folder=below)
        if self._storage.is_file(entry, self._top):
            if len(self.resources) == self._limit:
                return False
            self.resources.append(mapper.build_child(self._find_above(entry), entry))
        self.position = msgspec.structs.replace(self.position, given_key=entry.key)
        return True

    def _find_above(self, entry: Entry) -> Above:
        """What is above a file; the same as for the one before, most of the time."""
        key = entry.key[: entry.key.rfind("/") + 1]
        if self._above is None or self._above.folder.key != key:
            self._above = self._storage.mapper.find_above(Place(self._top.bucket, key))
        return self._above


def _find_folders(top: str, key: str) -> Iterator[str]:
    """The folders below the top one that a key stands in, or is, from the top down."""
    end = key.find("/", len(top))
    while end >= 0:
        yield key[: end + 1]
        end = key.find("/", end + 1)


def _order(storage: Storage, entries: list[Entry], given_key: str | None) -> list[Entry]:
    """The entries behind a key, in the order in which the store walks."""
    if storage.dialect.walks_directories:
        entries = sorted(entries, key=lambda entry: entry.key.split("/"))
    if given_key is None:
        return entries
    for index, entry in enumerate(entries):
        if entry.key == given_key:
            return entries[index + 1 :]
    return [entry for entry in entries if storage.is_behind(entry.key, given_key)]


async def _list_all_buckets(storage: Storage, root: Place, start: _BucketPosition | None, limit: int) -> Page:
    """Bucket after bucket: each as a folder, then what is in it."""
    resources: list[Resource] = []
    bucket, inside = (start.bucket, start.inside) if start else (None, None)
    names = (await list_buckets(storage, after=bucket, count=BUCKETS_WALKED_MAX + 1))[: BUCKETS_WALKED_MAX + 1]
    above = storage.mapper.find_above(root)
    for name in (None, *names[:BUCKETS_WALKED_MAX]):
        if name is not None:
            if len(resources) == limit:
                return Page(resources, _write(root, _BucketPosition(bucket or "", None)))
            resources.append(storage.mapper.build_child_folder(above, Place(name, "")))
            bucket, inside = name, Position(None, max(limit, KEYS_MIN))
        if bucket is None or inside is None:
            continue
        if len(resources) == limit:
            return Page(resources, _write(root, _BucketPosition(bucket, inside)))
        below, inside = await _walk(storage, Place(bucket, ""), inside, limit - len(resources))
        resources += below
        if inside is not None:
            return Page(resources, _write(root, _BucketPosition(bucket, inside)))
    is_last = len(names) <= BUCKETS_WALKED_MAX
    next_cursor = None if is_last else _write(root, _BucketPosition(bucket or "", None))
    return Page(resources, next_cursor, is_partial=not is_last)


def _write(folder: Place, position: Struct) -> str:
    return write_cursor(KIND, folder, msgspec.json.encode(position).decode())


def _read(text: str | None, kind: type[PositionT]) -> PositionT | None:
    if text is None:
        return None
    try:
        return msgspec.json.decode(text, type=kind)
    except (msgspec.DecodeError, UnicodeEncodeError):
        raise invalid_cursor() from None
