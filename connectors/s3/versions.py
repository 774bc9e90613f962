"""A file's versions. https://docs.aws.amazon.com/AmazonS3/latest/userguide/Versioning.html"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus

from connectors.core.errors import ConnectorError, ErrorKind
from connectors.core.resources import ByteRange, Download, File, VersionPage
from connectors.s3.copying import Source, copy_object
from connectors.s3.cursors import read_cursor, write_cursor
from connectors.s3.downloads import open_object
from connectors.s3.storage import Storage

KIND = "versions"
GONE_STATUSES = frozenset({HTTPStatus.BAD_REQUEST, HTTPStatus.METHOD_NOT_ALLOWED})


async def list_versions(storage: Storage, raw_id: str, cursor: str | None, limit: int) -> VersionPage:
    """One page of a file's versions, newest first, without the marks of its deletions in between."""
    place, _ = await storage.get_file(raw_id)
    after = read_cursor(cursor, KIND, place)
    page = await storage.api.list_versions(place, limit=limit, key=place.key if after else None, version_id=after)
    found = [version for version in page.versions if version.entry.key == place.key]
    versions = [storage.mapper.build_version(version) for version in found if not version.is_delete_marker]
    is_last = page.next_key != place.key or len(found) < len(page.versions)
    next_cursor = None if is_last or page.next_version_id is None else write_cursor(KIND, place, page.next_version_id)
    return VersionPage(versions, next_cursor)


@asynccontextmanager
async def open_version(
    storage: Storage, raw_id: str, version_id: str, byte_range: ByteRange | None
) -> AsyncIterator[Download]:
    """Opens the bytes of a version."""
    opening = open_object(storage, raw_id, byte_range=byte_range, version_id=version_id)
    try:
        download = await opening.__aenter__()
    except ConnectorError as error:
        raise explain(error) from error
    try:
        yield download
    finally:
        await opening.__aexit__(None, None, None)


async def restore_version(storage: Storage, raw_id: str, version_id: str) -> File:
    """Copies an old version onto the key; nothing is to be done for the current one."""
    place, current = await storage.get_file(raw_id)
    if current.version_id == version_id:
        return storage.mapper.build_file(place, current.entry)
    try:
        old = await storage.api.head_object(place, version_id=version_id)
    except ConnectorError as error:
        raise explain(error) from error
    await copy_object(storage, Source(place=place, entry=old.entry, version_id=version_id), place)
    _, restored = await storage.get_file(raw_id)
    return storage.mapper.build_file(place, restored.entry)


def explain(error: ConnectorError) -> ConnectorError:
    """not_found where a store finds fault with a version that it does not keep, or that is the mark of a deletion."""
    if error.status in GONE_STATUSES:
        return error.restated(ErrorKind.NOT_FOUND, "there is no such version")
    return error
