"""What stores answer, as types: only what is read. Times are aware, keys decoded, etags without their quotes."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct


class Entry(Struct, frozen=True, gc=False):
    """An object as a listing or a HEAD tells of it; a whole second is the finest that both agree on."""

    key: str
    size_bytes: int
    etag: str | None = None
    modified_at: datetime | None = None
    storage_class: str | None = None


class Head(Struct, frozen=True, gc=False, kw_only=True):
    """An object with all that is kept beside its bytes. `headers` are those that a copy has to repeat."""

    entry: Entry
    headers: dict[str, str] = {}
    metadata: dict[str, str] = {}  # without the prefix of the headers that they come in
    version_id: str | None = None


class Listing(Struct, frozen=True, gc=False, kw_only=True):
    """A page of keys, and of what they have in common up to the delimiter."""

    entries: list[Entry]
    prefixes: list[str]
    token: str | None = None  # None is the end


class Step(Struct, frozen=True, array_like=True):
    """Where a listing of keys goes on: at a token of the store's, or behind a key."""

    token: str | None = None
    key: str | None = None


class Bucket(Struct, frozen=True, gc=False, kw_only=True):
    name: str
    region: str | None = None


class Buckets(Struct, frozen=True, gc=False, kw_only=True):
    """A page of the buckets, and whose they are."""

    buckets: list[Bucket]
    owner_id: str | None = None
    owner_name: str | None = None
    token: str | None = None


class Upload(Struct, frozen=True, gc=False, kw_only=True):
    """An upload in parts that was neither completed nor aborted."""

    key: str
    upload_id: str
    started_at: datetime | None = None


class ObjectVersion(Struct, frozen=True, gc=False, kw_only=True):
    """One version of a key, or the marker that says that it was deleted."""

    entry: Entry
    version_id: str
    is_latest: bool
    is_delete_marker: bool


class Versions(Struct, frozen=True, gc=False, kw_only=True):
    """A page of versions, a key's newest first."""

    versions: list[ObjectVersion]
    next_key: str | None = None  # None is the end
    next_version_id: str | None = None


class Put(Struct, frozen=True, gc=False, kw_only=True):
    """What is told of an object that was put."""

    etag: str | None = None
    version_id: str | None = None


class Copied(Struct, frozen=True, gc=False, kw_only=True):
    """What a copy at the store answers; no etag means that the store did not do it."""

    etag: str | None = None


class NotDeleted(Struct, frozen=True, gc=False, kw_only=True):
    """One key that a batch could not delete, and why."""

    key: str
    code: str
    message: str


class Grant(Struct, frozen=True, gc=False, kw_only=True):
    """Who may do what: one of id, uri and email names who."""

    permission: str
    id: str | None = None
    uri: str | None = None
    email: str | None = None
    name: str | None = None


class AccessControl(Struct, frozen=True, gc=False, kw_only=True):
    """An object's or bucket's access control list."""

    owner_id: str | None
    owner_name: str | None
    grants: list[Grant]


class Failure(Struct, frozen=True, gc=False, kw_only=True):
    """An error document."""

    code: str = ""
    message: str = ""
    region: str | None = None
    size_bytes: int | None = None
