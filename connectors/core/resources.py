"""What connectors return and take: files, folders, pages, ranges, downloads. Values only; no input or output."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal, NewType

from msgspec import Struct

RawId = NewType("RawId", str)
"""The provider's own identifier of a file or folder; the path where a provider knows only paths."""

Kind = Literal["file", "folder"]

VersionId = NewType("VersionId", str)
"""The provider's own identifier of one version of a file."""

Grantee = Literal["user", "group", "domain", "anyone"]
"""Whom a permission is for."""

Role = Literal["owner", "writer", "reader"]
"""What a permission allows, in the contract's words (4.6); each includes the next."""


class Ref(Struct, frozen=True, gc=False):
    """Names one file or folder at the provider."""

    kind: Kind
    raw_id: RawId


class Parent(Struct, frozen=True, gc=False):
    """The folder that holds a resource; `name` is None when the provider did not say."""

    raw_id: RawId
    name: str | None = None


class File(Struct, frozen=True, gc=False):
    """A file as the provider knows it now. What the provider does not tell is None, never 0 or an empty text."""

    raw_id: RawId
    name: str
    parent: Parent | None = None
    ancestors: tuple[Parent, ...] | None = None  # nearest first, the root last
    path: str | None = None
    size_bytes: int | None = None
    created_at: datetime | None = None
    modified_at: datetime | None = None
    media_type: str | None = None
    etag: str | None = None  # opaque, unquoted; changes whenever the bytes change
    hashes: dict[str, str] | None = None  # of the bytes, in lower-case hex, by hashlib's name: {"md5": "…"}
    is_downloadable: bool = True
    owner_id: str | None = None
    creator_id: str | None = None
    last_modifier_id: str | None = None
    is_replacement: bool = False  # set by upload when there was a file of that name before
    export_formats: tuple[str, ...] = ()  # the endings that a document of the provider's own can be exported with
    raw: dict[str, Any] | None = None  # the provider's object, when asked for

    @property
    def ref(self) -> Ref:
        """How to name this file in the next call."""
        return Ref("file", self.raw_id)


class Folder(Struct, frozen=True, gc=False, kw_only=True):
    """A folder as the provider knows it now."""

    raw_id: RawId
    name: str
    parent: Parent | None = None
    ancestors: tuple[Parent, ...] | None = None  # nearest first, the root last
    path: str | None = None
    created_at: datetime | None = None
    modified_at: datetime | None = None
    can_create_folders: bool = True
    can_upload_files: bool = True
    owner_id: str | None = None
    creator_id: str | None = None
    last_modifier_id: str | None = None
    raw: dict[str, Any] | None = None

    @property
    def ref(self) -> Ref:
        """How to name this folder in the next call."""
        return Ref("folder", self.raw_id)


Resource = File | Folder


class Page(Struct, frozen=True, gc=False):
    """One reply of a listing. `next_cursor` None is the end; an empty page with a cursor is normal."""

    resources: list[Resource]
    next_cursor: str | None = None
    is_partial: bool = False  # a bounded search or walk stopped at its limit before it had seen everything


class Change(Struct, frozen=True, gc=False, kw_only=True):
    """A resource that is new or different now, as it is; or without one, that what stood there is gone with all below.

    Which of the two names what is gone is up to the provider: some know only the id, some only the path.
    """

    resource: Resource | None = None
    raw_id: RawId | None = None
    path: str | None = None


class ChangePage(Struct, frozen=True, gc=False):
    """One reply of a change feed, in order; a later one about the same resource counts. `cursor` is where it goes on:
    at once if `has_more`, else whenever something may have happened.
    """

    changes: list[Change]
    cursor: str
    has_more: bool = False


class Version(Struct, frozen=True, gc=False, kw_only=True):
    """The bytes that a file has, or had once, as far as the provider kept them."""

    raw_id: VersionId
    size_bytes: int | None = None
    modified_at: datetime | None = None
    etag: str | None = None
    modifier_id: str | None = None
    is_current: bool = False


class VersionPage(Struct, frozen=True, gc=False):
    """One reply of a list of versions, newest first. `next_cursor` None is the end."""

    versions: list[Version]
    next_cursor: str | None = None


class Permission(Struct, frozen=True, gc=False, kw_only=True):
    """What somebody may do with a file or folder. `raw_role` is the provider's own word for it."""

    raw_id: str
    type: Grantee
    role: Role
    email: str | None = None
    name: str | None = None
    raw_role: str | None = None


class PermissionChange(Struct, frozen=True, gc=False, kw_only=True):
    """A wish: the grantee, named by `raw_id` or by `email`, gets this role. `anyone` needs no name."""

    role: Role
    type: Grantee = "user"
    raw_id: str | None = None
    email: str | None = None


class Property(Struct, frozen=True, gc=False, kw_only=True):
    """A text that a user or an application attached to a file."""

    key: str
    value: str
    created_at: datetime | None = None
    modified_at: datetime | None = None


class SignedUrl(Struct, frozen=True, gc=False, kw_only=True):
    """An address at the provider that needs no other credentials until it expires; whoever has it may use it.

    A request must use this method and carry exactly these headers.
    """

    url: str
    expires_at: datetime
    method: Literal["GET", "PUT"] = "GET"
    headers: dict[str, str] = {}


class Probe(Struct, frozen=True, gc=False, kw_only=True):
    """What only trying can tell about one account. It is kept with the account and handed to every later connector.

    `region` is where its storage is, in the provider's word. `learned` is the connector's own, JSON-able, no secret.
    """

    region: str | None = None
    learned: dict[str, Any] = {}


class Identity(Struct, frozen=True, gc=False):
    """Who granted access: `key` is stable and unique at the provider, `label` is what people recognise."""

    key: str
    label: str


class Quota(Struct, frozen=True, gc=False):
    """Space of the account in bytes; None where the provider does not say or sets no limit."""

    total_bytes: int | None
    used_bytes: int | None
    remaining_bytes: int | None


class OnConflict(StrEnum):
    """What a write does when the name is taken."""

    FAIL = "fail"  # already_exists, nothing changed
    RENAME = "rename"  # stored under a free name like "a (1).txt"
    REPLACE = "replace"  # the file's bytes are replaced at once; readers see old or new, never a mix


@dataclass(frozen=True, slots=True)
class ByteRange:
    """A part of a file: `start` to `end` inclusive; `end` None is to the end; `start` None is the last `end` bytes."""

    start: int | None
    end: int | None = None

    def resolve(self, size_bytes: int) -> tuple[int, int] | None:
        """First and last byte inside a file of that size; None when it touches none of its bytes (RFC 9110 14.1.2)."""
        if self.start is None:
            length = min(self.end or 0, size_bytes)
            return (size_bytes - length, size_bytes - 1) if length else None
        if self.start >= size_bytes:
            return None
        return self.start, size_bytes - 1 if self.end is None else min(self.end, size_bytes - 1)

    @property
    def header(self) -> str:
        """The value of a Range header."""
        start = "" if self.start is None else self.start
        end = "" if self.end is None else self.end
        return f"bytes={start}-{end}"


@dataclass(frozen=True, slots=True)
class Download:
    """An open file: facts that came with its bytes, and the bytes. `content_range` is (first, last) when partial."""

    chunks: AsyncIterator[bytes]
    size_bytes: int | None  # of the whole file
    content_range: tuple[int, int] | None = None
    media_type: str | None = None
    etag: str | None = None
    modified_at: datetime | None = None
    name: str | None = None
    has_ranges: bool = True  # a part of it can be opened, too, if the connector opens parts at all

    @property
    def length_bytes(self) -> int | None:
        """How many bytes `chunks` will give; None when unknown."""
        if self.content_range is None:
            return self.size_bytes
        first, last = self.content_range
        return last - first + 1


class UploadSession(Struct, frozen=True, kw_only=True):
    """A started upload in parts. `state` is the connector's own, JSON-able, and may hold what must stay secret."""

    parent: RawId
    name: str
    on_conflict: OnConflict
    part_size_bytes: int
    size_bytes: int | None = None
    was_finishing: bool = False  # an earlier finish_upload may have made the file, and nobody heard of it
    state: dict[str, Any] = {}
    started_at: datetime | None = None  # told by list_uploads


class Part(Struct, frozen=True):
    """A stored part: `receipt` is what the provider wants to see again when the upload is finished."""

    number: int  # from 1
    size_bytes: int
    receipt: str | None = None
