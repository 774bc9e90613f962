"""A file's properties: those that every application sees, and behind "app:" those of the OAuth client alone.

https://developers.google.com/drive/api/guides/properties
"""

from __future__ import annotations

from collections.abc import Mapping

from connectors.core.errors import ConnectorError, ErrorKind
from connectors.core.resources import Property, RawId, Ref
from connectors.gdrive.drive import Drive
from connectors.gdrive.manifest import MANIFEST, PROPERTY_BYTES_MAX
from connectors.gdrive.payloads import PROPERTY_FIELDS, DriveFile

APP_PREFIX = "app:"


async def list_properties(drive: Drive, raw_id: str) -> list[Property]:
    """Both kinds, by key."""
    return _build(_read(await _get(drive, raw_id)))


async def update_properties(
    drive: Drive, raw_id: str, changes: Mapping[str, str | None], *, is_replacing: bool
) -> list[Property]:
    """Changes all at once; invalid_name for what Drive cannot store."""
    known = _read(await _get(drive, raw_id))
    news: dict[str, str | None] = dict.fromkeys(known) if is_replacing else {}
    news |= changes
    _check({**known, **news})
    body: dict[str, dict[str, str | None]] = {"properties": {}, "appProperties": {}}
    for key, value in news.items():
        kind = "appProperties" if key.startswith(APP_PREFIX) else "properties"
        body[kind][key.removeprefix(APP_PREFIX)] = value
    return _build(_read(await drive.api.update_properties(raw_id, body)))


async def _get(drive: Drive, raw_id: str) -> DriveFile:
    return await drive.get_kind(Ref("file", RawId(raw_id)), PROPERTY_FIELDS)


def _read(file: DriveFile) -> dict[str, str]:
    return file.properties | {f"{APP_PREFIX}{key}": value for key, value in file.app_properties.items()}


def _build(properties: Mapping[str, str]) -> list[Property]:
    return [Property(key=key, value=properties[key]) for key in sorted(properties)]


def _check(wanted: Mapping[str, str | None]) -> None:
    left = {key: value for key, value in wanted.items() if value is not None}
    count_max = MANIFEST.limits.properties_max or 0
    for is_own in (False, True):
        if sum(key.startswith(APP_PREFIX) is is_own for key in left) > count_max:
            raise ConnectorError(ErrorKind.INVALID_NAME, f"a file can have {count_max} properties of each kind")
    for key, value in left.items():
        if len((key.removeprefix(APP_PREFIX) + value).encode()) > PROPERTY_BYTES_MAX:
            text = f"the key {key[:40]!r} and its value can have {PROPERTY_BYTES_MAX} bytes in UTF-8 together"
            raise ConnectorError(ErrorKind.INVALID_NAME, text)
