"""Pages of a folder, as the store itself pages it; at the very top, of the buckets."""

from __future__ import annotations

from connectors.core.resources import Page, Resource
from connectors.s3.cursors import read_cursor, write_cursor
from connectors.s3.keys import Place, has_empty_segment, is_hidden
from connectors.s3.mapping import Above
from connectors.s3.payloads import Listing
from connectors.s3.storage import Storage

BUCKETS_MAX = 1000  # of one call
KIND = "list"


async def list_folder(storage: Storage, folder: Place, cursor: str | None, limit: int) -> Page:
    """One page of a folder: files and folders as the store orders them.

    What is not shown, such as the folder's own marker, takes a place on the store's page. One more call fills ours.
    """
    token = read_cursor(cursor, KIND, folder)
    if folder.is_above_buckets:
        return await _list_bucket_page(storage, folder, token, limit)
    listing = await storage.api.list_objects(folder, limit=limit, has_delimiter=True, token=token)
    if token is None and not listing.entries and not listing.prefixes:
        await storage.check_folder(folder)
    if token is None and listing.token is None and _is_filled_by_marker(listing, folder, limit):
        listing = await storage.api.list_objects(folder, limit=limit, has_delimiter=True, start_after=folder.key)
    above = storage.mapper.find_above(folder)
    resources = _build_shown(storage, above, folder, listing)
    if listing.token is not None and (missing_count := limit - len(resources)):
        listing = await storage.api.list_objects(folder, limit=missing_count, has_delimiter=True, token=listing.token)
        resources += _build_shown(storage, above, folder, listing)
    return Page(resources, None if listing.token is None else write_cursor(KIND, folder, listing.token))


def _build_shown(storage: Storage, above: Above, folder: Place, listing: Listing) -> list[Resource]:
    resources: list[Resource] = [
        storage.mapper.build_child(above, entry) for entry in listing.entries if storage.is_file(entry, folder)
    ]
    resources += [
        storage.mapper.build_child_folder(above, Place(folder.bucket, prefix))
        for prefix in listing.prefixes
        if _is_shown_folder(storage, folder, prefix)
    ]
    return resources


async def list_buckets(storage: Storage, *, after: str | None, count: int) -> list[str]:
    """At least so many names of buckets after one, in order, or as many as there are.

    Stores give all at once, or pages in that same order.
    """
    names: list[str] = []
    token: str | None = None
    while True:
        buckets = await storage.api.list_buckets(token=token, limit=BUCKETS_MAX)
        for bucket in buckets.buckets:
            if bucket.region:
                storage.api.client.learn_region(bucket.name, bucket.region)
        names += [bucket.name for bucket in buckets.buckets if after is None or bucket.name > after]
        if buckets.token is None or buckets.token == token or len(names) >= count:
            return sorted(names)
        token = buckets.token


async def _list_bucket_page(storage: Storage, root: Place, after: str | None, limit: int) -> Page:
    names = await list_buckets(storage, after=after, count=limit + 1)
    above = storage.mapper.find_above(root)
    resources: list[Resource] = [storage.mapper.build_child_folder(above, Place(name, "")) for name in names[:limit]]
    return Page(resources, write_cursor(KIND, root, names[limit - 1]) if len(names) > limit else None)


def _is_filled_by_marker(listing: Listing, folder: Place, limit: int) -> bool:
    """True when a folder's own marker is all that fits on its page: one store takes that for the end."""
    return len(listing.entries) == limit == 1 and listing.entries[0].key == folder.key


def _is_shown_folder(storage: Storage, folder: Place, prefix: str) -> bool:
    rest = prefix[len(folder.key) :]
    if not prefix.startswith(folder.key) or is_hidden(rest):
        return False
    return storage.layout.keeps_empty_segments or not has_empty_segment(rest)
