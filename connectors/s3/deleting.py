"""Deletes: single keys, and folders with all that they hold, a page at a time and many keys a call."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import aclosing

from connectors.core.crew import Crew
from connectors.core.errors import ConnectorError, ErrorKind
from connectors.s3.bodies import can_hold
from connectors.s3.errors import build_error
from connectors.s3.keys import Place, is_marker
from connectors.s3.payloads import Entry, Step
from connectors.s3.storage import Storage

BATCH_KEYS_MAX = 1000
CALLS_PARALLEL_MAX = 8
DIRECTORIES_DEPTH_MAX = 500  # a key has at most as many slashes

Version = tuple[str, str | None]
"""A key, and one of its versions; None is whatever is current."""


async def delete_file(storage: Storage, raw_id: str, *, is_permanent: bool) -> None:
    """Deletes a file; for good with all its versions."""
    place, _ = await storage.get_file(raw_id)
    is_gone = False
    if is_permanent and storage.dialect.versions:
        is_gone = await delete_versions(storage, place, is_exact=True) > 0
    if not is_gone:  # there are keys that lists of versions do not tell right
        await delete_keys(storage, place.bucket, [(place.key, None)])


async def delete_empty_folder(storage: Storage, place: Place) -> None:
    """Deletes a folder; folder_not_empty when it holds anything, not_found when it is not there."""
    listing = await storage.api.list_objects(place, limit=3, has_delimiter=True)  # there may be two markers
    keys = [entry.key for entry in listing.entries]
    markers = [key for key in keys if is_marker(key, place.key)]
    if len(markers) < len(keys) or listing.prefixes or (place.key in markers and listing.entries[0].size_bytes):
        raise ConnectorError(ErrorKind.FOLDER_NOT_EMPTY, "the folder is not empty")
    if not markers:
        await storage.check_folder(place)
    if place.is_bucket:
        await storage.api.delete_bucket(place.bucket)
        return
    await delete_keys(storage, place.bucket, [(key, None) for key in markers or [place.key]])
    if storage.dialect.has_directories:
        await delete_directories(storage, place)


async def delete_folder(storage: Storage, place: Place, *, is_permanent: bool) -> None:
    """Deletes a folder with all that it holds; what is there already is gone when it fails on the way."""
    count = 0
    if is_permanent and storage.dialect.versions:
        count = await delete_versions(storage, place, is_exact=False)
    async with aclosing(walk_entries(storage, place)) as pages, Crew(CALLS_PARALLEL_MAX) as crew:
        async for page in pages:
            count += len(page)
            await crew.wait_for_slot()
            crew.start(delete_keys(storage, place.bucket, [(entry.key, None) for entry in page]))
    if not count:
        await storage.check_folder(place)
    if storage.dialect.has_directories:
        await delete_directories(storage, place)
    if place.is_bucket:
        await storage.api.delete_bucket(place.bucket)


async def delete_versions(storage: Storage, place: Place, *, is_exact: bool) -> int:
    """Deletes all versions of a key, or of all keys that begin so; how many there were."""
    count = 0
    key: str | None = None
    version_id: str | None = None
    while True:
        page = await storage.api.list_versions(place, limit=BATCH_KEYS_MAX, key=key, version_id=version_id)
        found = [version for version in page.versions if not is_exact or version.entry.key == place.key]
        await delete_keys(storage, place.bucket, [(version.entry.key, version.version_id) for version in found])
        count += len(found)
        if page.next_key is None or len(found) < len(page.versions):
            return count
        key, version_id = page.next_key, page.next_version_id


async def delete_keys(storage: Storage, bucket: str, versions: Sequence[Version]) -> None:
    """Deletes keys of a bucket, many a call where the store can; the first that cannot be deleted is the error."""
    batch: list[Version] = []
    async with Crew(CALLS_PARALLEL_MAX) as crew:
        for key, version_id in versions:
            place = Place(bucket, key)
            is_wanted_alone = len(versions) == 1 or not storage.dialect.deletes_batches or not can_hold(key)
            if is_wanted_alone and place.can_be_sent:
                await crew.wait_for_slot()
                crew.start(storage.api.delete_object(place, version_id=version_id))
            elif can_hold(key):
                batch.append((key, version_id))
            else:
                raise ConnectorError(ErrorKind.UNSUPPORTED, "a key with such characters cannot be sent to the store")
    if batch:
        await _delete_batch(storage, bucket, batch)


async def walk_entries(storage: Storage, folder: Place) -> AsyncGenerator[list[Entry], None]:
    """All objects below a folder, its marker and hidden ones too, a page at a time."""
    step: Step | None = None
    while True:
        entries, step = await storage.list_keys(folder, step, BATCH_KEYS_MAX)
        if entries:
            yield entries
        if step is None:
            return


async def _delete_batch(storage: Storage, bucket: str, versions: Iterable[Version]) -> None:
    for failed in await storage.api.delete_objects(bucket, versions):
        error = build_error(failed.code, failed.message)
        if error is None:
            error = ConnectorError(ErrorKind.UNEXPECTED, f"the store could not delete a file: {failed.code}")
        if error.kind is not ErrorKind.NOT_FOUND:
            raise error


async def delete_directories(storage: Storage, folder: Place, depth: int = 0) -> None:
    """Deletes what a store that knows directories leaves of a folder, the innermost first; nothing that holds keys."""
    if depth > DIRECTORIES_DEPTH_MAX:
        raise ConnectorError(ErrorKind.UNSUPPORTED, f"the folder is nested more than {DIRECTORIES_DEPTH_MAX} deep")
    seen: set[str] = set()
    while True:
        listing = await storage.api.list_objects(folder, limit=BATCH_KEYS_MAX, has_delimiter=True)
        below = {key for key in listing.prefixes if key.startswith(folder.key) and key != folder.key} - seen
        for key in below:
            await delete_directories(storage, Place(folder.bucket, key), depth + 1)
        if not below or listing.token is None:
            break
        seen |= below
    if folder.key and folder.can_be_sent and all(entry.key == folder.key for entry in listing.entries):
        await storage.api.delete_object(folder)
