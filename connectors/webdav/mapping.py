"""From what a server tells of a resource to our files and folders. No input or output."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import Any

from msgspec import Struct, structs

from connectors.core.paths import Parts, show, write_raw_id
from connectors.core.resources import File, Folder, Parent, Quota, Resource
from connectors.webdav.multistatus import DAV, Member

TIMES_MAX = 4096  # read once; many files of a folder have the same
SIZE_DIGITS_MAX = 19
WEAK = "W/"


class Entry(Struct, frozen=True, array_like=True, gc=False):
    """What a server tells of one member of a folder; small, since folders may have a million."""

    name: bytes
    is_folder: bool
    size_bytes: int | None = None
    etag: str | None = None  # as the server spells it
    modified_at: datetime | None = None
    created_at: datetime | None = None
    media_type: str | None = None
    raw: dict[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Above:
    """What is above the members of one folder, made once for all of them."""

    parts: Parts
    ancestors: tuple[Parent, ...]  # nearest first


@dataclass(frozen=True, slots=True)
class Mapper:
    """Builds resources for one account."""

    root_name: str
    has_exact_etags: bool
    include_raw: bool = False

    def build_above(self, folder: Parts) -> Above:
        """The folder and what is above it."""
        names = [self.root_name, *map(show, folder)]
        ancestors = [Parent(write_raw_id(folder[:depth]), names[depth]) for depth in range(len(folder), -1, -1)]
        return Above(folder, tuple(ancestors))

    def read_entry(self, name: bytes, member: Member) -> Entry:
        """The entry that a server's words make."""
        told = member.properties
        entry = Entry(
            name,
            member.is_folder,
            modified_at=read_time(told.get(f"{DAV}getlastmodified")),
            created_at=read_time(told.get(f"{DAV}creationdate")),
            raw=dict(told) if self.include_raw else None,
        )
        if member.is_folder:
            return entry
        return structs.replace(
            entry,
            size_bytes=read_size(told.get(f"{DAV}getcontentlength")),
            etag=told.get(f"{DAV}getetag"),
            media_type=read_media_type(told.get(f"{DAV}getcontenttype")),
        )

    def show_etag(self, etag: str | None) -> str | None:
        """The etag, if it keeps the promise that each write has another one: weak ones never do.

        Some servers call a file's etag weak only while the next write could still come in the same tick of their clock.
        """
        is_strong = self.has_exact_etags and not (etag or "").strip().startswith(WEAK)
        return read_etag(etag) if is_strong else None

    def build(self, above: Above | None, entry: Entry, *, is_replacement: bool = False) -> Resource:
        """The file or folder; the root if nothing is above it."""
        raw: dict[str, Any] | None = entry.raw
        if above is None:
            return Folder(
                raw_id=write_raw_id(()),
                name=self.root_name,
                ancestors=(),
                path="/",
                created_at=entry.created_at,
                modified_at=entry.modified_at,
                raw=raw,
            )
        parts = (*above.parts, entry.name)
        path = "/" + "/".join(map(show, parts))
        if entry.is_folder:
            return Folder(
                raw_id=write_raw_id(parts),
                name=show(entry.name),
                parent=above.ancestors[0],
                ancestors=above.ancestors,
                path=path,
                created_at=entry.created_at,
                modified_at=entry.modified_at,
                raw=raw,
            )
        return File(
            raw_id=write_raw_id(parts),
            name=show(entry.name),
            parent=above.ancestors[0],
            ancestors=above.ancestors,
            path=path,
            size_bytes=entry.size_bytes,
            created_at=entry.created_at,
            modified_at=entry.modified_at,
            media_type=entry.media_type,
            etag=self.show_etag(entry.etag),
            is_replacement=is_replacement,
            raw=raw,
        )


def read_etag(text: str | None) -> str | None:
    """An etag without its quotes, weak or strong, to be compared; None for none."""
    bare = (text or "").strip().removeprefix(WEAK)
    if len(bare) > 1 and bare[0] == bare[-1] == '"':
        bare = bare[1:-1]
    return bare or None


@lru_cache(TIMES_MAX)
def read_time(text: str | None) -> datetime | None:
    """A time in any form that HTTP or RFC 3339 knows; None for anything else, and for one without a zone not in UTC."""
    if not text or not text.strip():
        return None
    try:
        at = parsedate_to_datetime(text.strip())
    except (ValueError, IndexError, TypeError, OverflowError):
        try:
            at = datetime.fromisoformat(text.strip())
        except ValueError:
            return None
    try:
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except OverflowError:
        return None


def read_size(text: str | None) -> int | None:
    """A number of bytes; None for anything that is none."""
    digits = (text or "").strip()
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) <= SIZE_DIGITS_MAX else None


def read_media_type(text: str | None) -> str | None:
    """A media type without its parameters; None for none, and for what some servers call folders."""
    media_type = (text or "").partition(";")[0].strip().lower()
    return media_type if "/" in media_type and media_type != "httpd/unix-directory" else None


def read_quota(told: Mapping[str, str]) -> Quota | None:
    """The space that a server tells of (RFC 4331); negative numbers are how some say "unlimited". None for nothing."""
    used_bytes = read_size(told.get(f"{DAV}quota-used-bytes"))
    remaining_bytes = read_size(told.get(f"{DAV}quota-available-bytes"))
    if used_bytes is None and remaining_bytes is None:
        return None
    total_bytes = None if used_bytes is None or remaining_bytes is None else used_bytes + remaining_bytes
    return Quota(total_bytes, used_bytes, remaining_bytes)
