"""A file's versions. https://docs.aws.amazon.com/AmazonS3/latest/userguide/Versioning.html"""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus

from connectors.core.errors import ConnectorError, ErrorKind
from connectors.core.resources import ByteRange, Download, File, VersionPage
from connectors.s3.copying import Source, copy_object
from connectors.s3.downloads import open_object
from connectors.s3.keys import Place
from connectors.s3.storage import Storage

GONE_STATUSES = frozenset({HTTPStatus.BAD_REQUEST, HTTPStatus.METHOD_NOT_ALLOWED})


async def list_versions(storage: Storage, raw_id: str, cursor: str | None, limit: int) -> VersionPage:
    """One page of a file's versions, newest first, without the marks of its deletions in between."""
    place, _ = await storage.get_file(raw_id)
    after = _read_cursor(place, cursor)
    page = await storage.api.list_versions(place, limit=limit, key=place.key if after else None, version_id=after)
    found = [version for version in page.versions if version.entry.key == place.key]
    versions = [storage.mapper.build_version(version) for version in found if not version.is_delete_marker]
    is_last = page.next_key != place.key or len(found) < len(page.versions)
    return VersionPage(versions, None if is_last else _write_cursor(place, page.next_version_id))


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


def _write_cursor(place: Place, version_id: str | None) -> str:
    return base64.urlsafe_b64encode(json.dumps([place.bucket, place.key, version_id]).encode()).decode()


def _read_cursor(place: Place, cursor: str | None) -> str | None:
    """The last version of the page before; None at the beginning."""
    if cursor is None:
        return None
    try:
        bucket, key, version_id = json.loads(base64.b64decode(cursor.encode("ascii"), altchars=b"-_", validate=True))
    except (ValueError, TypeError):
        bucket = key = version_id = None
    if (bucket, key) != (place.bucket, place.key) or not isinstance(version_id, str):
        raise ConnectorError(ErrorKind.CURSOR_INVALID, "this cursor is not from a list of this file's versions")
    return version_id
