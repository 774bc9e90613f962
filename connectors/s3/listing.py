"""Pages: of a folder as the store itself pages it, and of all that is below one, in the order of the keys."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from hashlib import blake2b

from connectors.core.errors import ConnectorError, ErrorKind
from connectors.core.resources import Page, Resource
from connectors.s3.keys import Place, has_empty_segment, is_hidden
from connectors.s3.payloads import Entry
from connectors.s3.storage import Storage

BUCKETS_MAX = 1000  # of one call
BUCKETS_WALKED_MAX = 20  # by one page below all buckets, most of which may be empty

_CURSOR_VERSION = b"\x01"
_SCOPE_BYTES = 8
_SURROGATES = "surrogateescape"


async def list_folder(storage: Storage, folder: Place, cursor: str | None, limit: int) -> Page:
    """One page of a folder: files and folders as the store orders them."""
    token = _read_cursor(cursor, "list", folder)
    if folder.is_above_buckets:
        return await _list_buckets(storage, folder, token, limit)
    listing = await storage.api.list_objects(
        folder, limit=limit, has_delimiter=True, token=token, start_after=_find_start(storage, folder, token)
    )
    if token is None and not listing.entries and not listing.prefixes:
        await storage.check_folder(folder)
    above = storage.mapper.find_above(folder)
    resources: list[Resource] = [
        storage.mapper.build_child(above, entry) for entry in listing.entries if storage.is_shown(entry, folder)
    ]
    resources += [
        storage.mapper.build_child_folder(above, Place(folder.bucket, prefix))
        for prefix in listing.prefixes
        if _is_shown_folder(storage, folder, prefix)
    ]
    next_cursor = None if listing.token is None else _write_cursor("list", folder, listing.token)
    return Page(resources, next_cursor)


async def list_recursive(storage: Storage, folder: Place, cursor: str | None, limit: int) -> Page:
    """One page of all that is below a folder; a folder comes where the first key below it stands."""
    position = _read_cursor(cursor, "recursive", folder)
    if folder.is_above_buckets:
        return await _list_all_buckets(storage, folder, position, limit)
    resources, position, is_end = await _walk_keys(storage, folder, position, limit)
    if cursor is None and not resources and is_end:
        await storage.check_folder(folder)
    return Page(resources, None if is_end else _write_cursor("recursive", folder, position or ""))


async def _walk_keys(
    storage: Storage, folder: Place, position: str | None, limit: int
) -> tuple[list[Resource], str | None, bool]:
    """At most `limit` resources after a position, where they end, and whether that is the end of all.

    A position is the key, or the folder's key, that was given last: all folders that it stands in were given too.
    """
    start_after = position or _find_start(storage, folder, position)
    listing = await storage.api.list_objects(folder, limit=limit, start_after=start_after)
    resources: list[Resource] = []
    for entry in listing.entries:
        if not entry.key.startswith(folder.key):
            continue
        for below in _find_new_folders(folder.key, position or folder.key, entry.key):
            if is_hidden(below[len(folder.key) :]):
                break
            if len(resources) == limit:
                return resources, position, False
            resources.append(storage.mapper.build_folder(Place(folder.bucket, below)))
            position = below
        if _is_file(entry, folder):
            if len(resources) == limit:
                return resources, position, False
            resources.append(storage.mapper.build_file(Place(folder.bucket, entry.key), entry))
        position = entry.key
    is_full = len(listing.entries) >= limit  # there may be more, whatever the store says
    return resources, position, not listing.entries or (listing.token is None and not is_full)


def _find_start(storage: Storage, folder: Place, position: str | None) -> str | None:
    """Begins behind a directory's own entry: one store takes it for the last when it is all that fits on a page."""
    return folder.key or None if storage.dialect.has_directories and position is None else None


def _find_new_folders(top: str, before: str, key: str) -> Iterator[str]:
    """The folders that a key stands in, from the top down, without those that the key before stands in or is."""
    end = key.find("/", len(top))
    while end >= 0:
        if not before.startswith(key[: end + 1]):
            yield key[: end + 1]
        end = key.find("/", end + 1)


def _is_file(entry: Entry, folder: Place) -> bool:
    is_marker = entry.key.endswith("/") and not entry.size_bytes
    return not is_marker and not is_hidden(entry.key[len(folder.key) :])


def _is_shown_folder(storage: Storage, folder: Place, prefix: str) -> bool:
    rest = prefix[len(folder.key) :]
    if not prefix.startswith(folder.key) or is_hidden(rest):
        return False
    return storage.layout.keeps_empty_segments or not has_empty_segment(rest)


async def _list_buckets(storage: Storage, root: Place, after: str | None, limit: int) -> Page:
    """The next buckets in the order of their names. Stores give all at once, or pages in that same order."""
    names: list[str] = []
    token: str | None = None
    while True:
        buckets = await storage.api.list_buckets(token=token, limit=BUCKETS_MAX)
        for bucket in buckets.buckets:
            if bucket.region:
                storage.api.client.learn_region(bucket.name, bucket.region)
        names += [bucket.name for bucket in buckets.buckets if after is None or bucket.name > after]
        if buckets.token is None or buckets.token == token or len(names) > limit:
            break
        token = buckets.token
    names.sort()
    above = storage.mapper.find_above(root)
    resources: list[Resource] = [storage.mapper.build_child_folder(above, Place(name, "")) for name in names[:limit]]
    return Page(resources, _write_cursor("list", root, names[limit - 1]) if len(names) > limit else None)


async def _list_all_buckets(storage: Storage, root: Place, position: str | None, limit: int) -> Page:
    """Bucket after bucket: each as a folder, then what is in it.

    A position is a bucket that is done, or one with a slash and the position in it.
    """
    bucket, slash, last = (position or "").partition("/")
    is_open = bool(slash)
    resources: list[Resource] = []
    following = (await _list_buckets(storage, root, bucket or None, BUCKETS_WALKED_MAX)).resources
    for found in (*following, None):
        if is_open:
            room = limit - len(resources)
            below, after, is_end = await _walk_keys(storage, Place(bucket, ""), last or None, room)
            resources += below
            if not is_end:
                return Page(resources, _write_cursor("recursive", root, f"{bucket}/{after or ''}"))
        if found is None:
            break
        if len(resources) == limit:
            return Page(resources, _write_cursor("recursive", root, bucket))
        resources.append(found)
        bucket, last, is_open = found.name, "", True
        if len(resources) == limit:
            return Page(resources, _write_cursor("recursive", root, f"{bucket}/"))
    is_last = len(following) < BUCKETS_WALKED_MAX
    return Page(resources, None if is_last else _write_cursor("recursive", root, bucket), is_partial=not is_last)


def _scope(kind: str, folder: Place) -> bytes:
    text = f"{kind}\0{folder.bucket}\0{folder.key}"
    return blake2b(text.encode("utf-8", _SURROGATES), digest_size=_SCOPE_BYTES).digest()


def _write_cursor(kind: str, folder: Place, position: str) -> str:
    data = _CURSOR_VERSION + _scope(kind, folder) + position.encode("utf-8", _SURROGATES)
    return base64.urlsafe_b64encode(data).decode()


def _read_cursor(cursor: str | None, kind: str, folder: Place) -> str | None:
    """Where the page before ended; None at the beginning."""
    if cursor is None:
        return None
    head = _CURSOR_VERSION + _scope(kind, folder)
    try:
        data = base64.b64decode(cursor.encode("ascii"), altchars=b"-_", validate=True)
        text = data.removeprefix(head).decode("utf-8", _SURROGATES)
    except ValueError:
        data, text = b"", ""
    if not data.startswith(head) or not text:
        raise ConnectorError(ErrorKind.CURSOR_INVALID, "this cursor is not from a listing like this")
    return text
