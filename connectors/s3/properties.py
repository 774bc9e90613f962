"""A file's properties: its tags, and its metadata under keys that begin with "x-amz-meta-".

https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-tagging.html and
https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingMetadata.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from connectors.core.errors import ConnectorError, ErrorKind
from connectors.core.resources import Property
from connectors.s3.api import METADATA_PREFIX
from connectors.s3.copying import Source, copy_object
from connectors.s3.storage import Storage

TAGS_MAX = 10
METADATA_BYTES_MAX = 2048
METADATA_NAME = re.compile(r"[a-z0-9!#$%&'*+.^_`|~-]+")
TAG_PREFIX_RESERVED = "aws:"


async def list_properties(storage: Storage, raw_id: str) -> list[Property]:
    """The properties, tags first."""
    place, head = await storage.get_file(raw_id)
    return _build(await storage.api.get_tags(place), head.metadata)


async def update_properties(
    storage: Storage, raw_id: str, changes: Mapping[str, str | None], *, is_replacing: bool
) -> list[Property]:
    """Changes tags, then metadata, which only a copy of the file onto itself can."""
    place, head = await storage.get_file(raw_id)
    tags = await storage.api.get_tags(place)
    new_tags, new_metadata = ({}, {}) if is_replacing else (dict(tags), dict(head.metadata))
    for key, value in changes.items():
        is_metadata = key.lower().startswith(METADATA_PREFIX)
        part = new_metadata if is_metadata else new_tags
        name = key.lower().removeprefix(METADATA_PREFIX) if is_metadata else key
        if value is None:
            part.pop(name, None)
        else:
            part[name] = value
    _check_tags(new_tags)
    _check_metadata({name: value for name, value in new_metadata.items() if head.metadata.get(name) != value})
    _check_metadata_size(new_metadata)
    if new_tags != tags:
        await storage.api.put_tags(place, new_tags)
    if new_metadata != head.metadata:
        await copy_object(storage, Source(place=place, entry=head.entry), place, metadata=new_metadata)
    return _build(new_tags, new_metadata)


def _build(tags: Mapping[str, str], metadata: Mapping[str, str]) -> list[Property]:
    keyed = [*sorted(tags.items()), *((f"{METADATA_PREFIX}{name}", metadata[name]) for name in sorted(metadata))]
    return [Property(key=key, value=value) for key, value in keyed]


def _check_tags(tags: Mapping[str, str]) -> None:
    if len(tags) > TAGS_MAX:
        raise _refuse(f"a file can have {TAGS_MAX} tags; more go under keys that begin with {METADATA_PREFIX}")
    for key in tags:
        if key.lower().startswith(TAG_PREFIX_RESERVED):
            raise _refuse(f'keys that begin with "{TAG_PREFIX_RESERVED}" are the provider\'s own')


def _check_metadata(metadata: Mapping[str, str]) -> None:
    for name, value in metadata.items():
        if not METADATA_NAME.fullmatch(name):
            raise _refuse(f"after {METADATA_PREFIX} a key has lowercase letters, digits and hyphens, not {name[:40]!r}")
        if not value.isascii() or not value.isprintable() or value != " ".join(value.split()):
            raise _refuse(f"the value of {METADATA_PREFIX}{name} has visible ASCII characters and single spaces only")


def _check_metadata_size(metadata: Mapping[str, str]) -> None:
    size_bytes = sum(len(name.encode()) + len(value.encode()) for name, value in metadata.items())
    if size_bytes > METADATA_BYTES_MAX:
        raise _refuse(f"keys and values after {METADATA_PREFIX} have {METADATA_BYTES_MAX} bytes together at most")


def _refuse(text: str) -> ConnectorError:
    return ConnectorError(ErrorKind.INVALID_NAME, text)
