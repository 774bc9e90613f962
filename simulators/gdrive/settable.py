"""The properties of a file that a request may set, and what setting each one means."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from simulators.gdrive.errors import DriveError
from simulators.gdrive.matching import read_time
from simulators.gdrive.records import NATIVE_PREFIX, DriveFile

UNTITLED = "Untitled"
NAME_BYTES_MAX = 32767
PROPERTY_BYTES_MAX = 124
PROPERTIES_COUNT_MAX = 100

PERSONAL = frozenset({"starred", "viewedByMeTime"})
"""A reader may set these for itself."""
CONTENT_FIELDS = frozenset({"name", "description", "mimeType"})
"""Who changes these has modified the file."""
IGNORED = frozenset({"kind"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """Somebody sets one property of a file."""

    file: DriveFile
    value: Any
    user_number: int
    client_id: str
    now: datetime

    def set_name(self) -> None:
        check_name(self.value or "")
        self.file.name = self.value or UNTITLED

    def set_type(self) -> None:
        known = self.file.mime_type
        if not self.value or self.value == known:
            return
        if known.startswith(NATIVE_PREFIX) or self.value.startswith(NATIVE_PREFIX):
            raise DriveError.forbidden("fieldNotWritable", "The mimeType of this file cannot be changed.")
        self.file.mime_type = self.value

    def set_description(self) -> None:
        self.file.description = self.value or None

    def set_properties(self) -> None:
        _merge(self.file.properties, self.value or {}, "properties")

    def set_app_properties(self) -> None:
        _merge(self.file.app_properties.setdefault(self.client_id, {}), self.value or {}, "appProperties")

    def set_star(self) -> None:
        (self.file.starred_by.add if self.value else self.file.starred_by.discard)(self.user_number)

    def set_created(self) -> None:
        self.file.created_at = self._read_moment("createdTime")

    def set_modified(self) -> None:
        self.file.modified_at = self.file.modified_at_by[self.user_number] = self._read_moment("modifiedTime")

    def set_viewed(self) -> None:
        self.file.viewed_at[self.user_number] = self._read_moment("viewedByMeTime")

    def set_color(self) -> None:
        self.file.folder_color = self.value

    def set_copying(self) -> None:
        self.file.needs_writer_to_copy = bool(self.value)

    def set_copying_reversed(self) -> None:
        self.file.needs_writer_to_copy = not self.value

    def set_sharing(self) -> None:
        self.file.writers_can_share = bool(self.value)

    def set_filename(self) -> None:
        self.file.original_filename = self.value

    def set_restrictions(self) -> None:
        self.file.content_restrictions = list(self.value or [])

    def set_inheritance(self) -> None:
        self.file.inherits = not self.value

    def set_hints(self) -> None:
        hints = self.value or {}
        self.file.indexable_text = hints.get("indexableText") or self.file.indexable_text
        image = (hints.get("thumbnail") or {}).get("image")
        if image:
            try:
                self.file.thumbnail = base64.urlsafe_b64decode(image + "=" * (-len(image) % 4))
            except (binascii.Error, ValueError):
                raise DriveError.invalid("contentHints.thumbnail.image") from None

    def _read_moment(self, place: str) -> datetime:
        moment = self.now if self.value is None else read_time(self.value, location=place)
        return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


SETTERS: dict[str, Callable[[Setting], None]] = {
    "name": Setting.set_name,
    "mimeType": Setting.set_type,
    "description": Setting.set_description,
    "properties": Setting.set_properties,
    "appProperties": Setting.set_app_properties,
    "starred": Setting.set_star,
    "createdTime": Setting.set_created,
    "modifiedTime": Setting.set_modified,
    "viewedByMeTime": Setting.set_viewed,
    "folderColorRgb": Setting.set_color,
    "copyRequiresWriterPermission": Setting.set_copying,
    "viewersCanCopyContent": Setting.set_copying_reversed,
    "writersCanShare": Setting.set_sharing,
    "originalFilename": Setting.set_filename,
    "contentRestrictions": Setting.set_restrictions,
    "inheritedPermissionsDisabled": Setting.set_inheritance,
    "contentHints": Setting.set_hints,
}
SETTABLE_AT_BIRTH = SETTERS.keys() | {"id", "parents", "shortcutDetails"}
SETTABLE_LATER = SETTERS.keys() | {"trashed"}


def check_name(name: str) -> None:
    if len(name.encode("utf-8", "surrogatepass")) > NAME_BYTES_MAX:
        raise DriveError.invalid("name")


def _merge(known: dict[str, str], news: dict[str, str | None], place: str) -> None:
    for key, value in news.items():
        if value is None:
            known.pop(key, None)
            continue
        if len((key + value).encode()) > PROPERTY_BYTES_MAX:
            raise DriveError.forbidden("propertyTooLarge", f"A value of {place} is too large.")
        known[key] = value
    if len(known) > PROPERTIES_COUNT_MAX:
        raise DriveError.forbidden("tooManyProperties", f"There are too many {place}.")
