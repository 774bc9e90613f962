"""What one account's store does and does not do. Stores differ, and say little about it; probing.py finds out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import msgspec
from msgspec import Struct

from connectors.core.manifest import Capabilities, Limits, Manifest
from connectors.s3.manifest import KEY_BYTES_MAX, MANIFEST


class Dialect(Struct, frozen=True, kw_only=True):
    """Facts about a store. Without a probe nothing is taken for granted that would lose something if it were wrong."""

    put_if_absent: bool = False  # If-None-Match: * is obeyed when an object is put
    complete_if_absent: bool = False  # and when an upload in parts is completed
    copy_if_absent: bool = False  # and when an object is copied
    copies_parts: bool = False  # a part may be copied from another object
    replaces_parts: bool = False  # a part may be sent again with other bytes
    reads_if_match: bool = False  # If-Match is obeyed when an object is read; else nobody knows what comes
    hashes_etags: bool = False  # the etag of what is put in one call is its MD5
    copies_metadata: bool = False  # a copy takes metadata and content type along without being told them
    deletes_batches: bool = False  # a thousand keys in one call
    keeps_markers: bool = False  # an empty object whose key ends in "/" is kept as such
    has_directories: bool = False  # a folder stays when its last key is gone, like a directory
    walks_directories: bool = False  # listings go through directories instead of following the order of the keys
    keeps_empty_segments: bool = False  # "a//b" is another key than "a/b"
    is_plus_space: bool = True  # how listings encode a space
    signs_urls: bool = True  # addresses with a signature in them are obeyed
    tags: bool = False
    access: Literal["", "document", "headers"] = ""  # the form in which grants are set, if they can be
    versions: bool = False
    characters_forbidden: str = ""
    name_bytes_max: int = KEY_BYTES_MAX

    @property
    def can_copy_exclusively(self) -> bool:
        return self.copy_if_absent or (self.copies_parts and self.complete_if_absent)


AWS = Dialect(
    put_if_absent=True,
    complete_if_absent=True,
    copies_parts=True,
    replaces_parts=True,
    reads_if_match=True,
    copies_metadata=True,
    deletes_batches=True,
    keeps_markers=True,
    keeps_empty_segments=True,
    tags=True,
)
"""What the original documents for every bucket; versions and grants depend on how a bucket is set up."""


def read_dialect(learned: Mapping[str, Any], manifest: Manifest) -> Dialect:
    """What probing found out; what is known beforehand for an account that was not probed."""
    found = learned.get("dialect")
    if found is not None:
        try:
            return msgspec.convert(found, Dialect)
        except msgspec.ValidationError:
            pass  # learned by another release
    return AWS if manifest.service == MANIFEST.service else Dialect()


def build_capabilities(declared: Capabilities, dialect: Dialect) -> Capabilities:
    """The manifest's, as far as this store goes along."""
    is_exclusive = dialect.put_if_absent and dialect.complete_if_absent and dialect.can_copy_exclusively
    return msgspec.structs.replace(
        declared,
        start_upload=dialect.replaces_parts,
        list_uploads=dialect.replaces_parts,
        replace_atomic=dialect.reads_if_match,
        upload_exclusive=is_exclusive,
        create_download_url=dialect.signs_urls,
        create_upload_url=dialect.signs_urls,
        list_versions=dialect.versions,
        list_permissions=bool(dialect.access),
        set_permissions=bool(dialect.access),
        list_properties=dialect.tags,
    )


def build_limits(declared: Limits, dialect: Dialect) -> Limits:
    """The manifest's, as narrow as this store's."""
    return msgspec.structs.replace(
        declared,
        name_bytes_max=dialect.name_bytes_max,
        name_characters_forbidden=declared.name_characters_forbidden + dialect.characters_forbidden,
    )
