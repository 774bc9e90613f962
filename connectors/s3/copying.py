"""Copies of objects at the store's side: whole, or in parts where they are large or must not overwrite anything."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from connectors.core.cleanup import giving_up
from connectors.core.crew import Crew
from connectors.core.errors import ConnectorError, ErrorKind
from connectors.core.resources import File
from connectors.s3.api import METADATA_PREFIX, quote_etag
from connectors.s3.keys import Place
from connectors.s3.parts_api import Receipt
from connectors.s3.payloads import Entry, Head
from connectors.s3.storage import Storage
from connectors.s3.uploads import create_upload
from connectors.s3.writing import Target, explain_conflict

COPY_BYTES_MAX = 512 * 2**20
"""What is copied by one call: 5 GiB is what it can, but that takes longer than a connection may be silent."""

COPY_PART_BYTES_MIN = 128 * 2**20
PARTS_MAX = 10_000
PARTS_PARALLEL_MAX = 8
COMMON_CLASS = "STANDARD"


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """What is copied: an object as it was looked at, or one of its versions."""

    place: Place
    entry: Entry
    version_id: str | None = None

    @property
    def condition(self) -> dict[str, str]:
        """Copies the bytes that were looked at, or fails."""
        etag = self.entry.etag
        return {} if etag is None or self.version_id else {"x-amz-copy-source-if-match": quote_etag(etag)}


async def copy_file(storage: Storage, source: Source, target: Target) -> File:
    """Copies to a target with all that is kept beside the bytes; already_exists when somebody was faster there.

    unexpected when the copy is not as long as its source.
    """
    try:
        await copy_object(storage, source, target.place, if_absent=target.must_be_absent)
    except ConnectorError as error:
        if not target.must_be_absent:
            raise
        if not await _was_copied(storage, source, target.place, error):
            raise await explain_conflict(storage, target, error) from error
    head = await storage.find_head(target.place)
    if head is None or head.entry.size_bytes != source.entry.size_bytes:
        raise ConnectorError(ErrorKind.UNEXPECTED, "the store did not copy all bytes of the file", maybe_applied=True)
    return storage.mapper.build_file(target.place, head.entry, is_replacement=not target.must_be_absent)


async def copy_object(
    storage: Storage,
    source: Source,
    target: Place,
    *,
    if_absent: bool = False,
    metadata: Mapping[str, str] | None = None,
) -> None:
    """Copies one object with all that is kept beside its bytes; `metadata` takes the place of its own.

    With `if_absent` nothing is overwritten, where the store can promise that: precondition_failed. A source whose key
    no URL can hold is copied without that promise, since nothing can be asked about it but a copy.
    """
    dialect, size_bytes = storage.dialect, source.entry.size_bytes
    is_exclusive = if_absent and dialect.can_copy_exclusively and source.place.can_be_sent
    needs_parts = is_exclusive and not dialect.copy_if_absent
    if needs_parts and not size_bytes:
        headers = await _collect_headers(storage, source, metadata)
        await storage.api.put_object(target, b"", headers, if_absent=dialect.put_if_absent)
    elif dialect.copies_parts and (needs_parts or size_bytes > COPY_BYTES_MAX):
        await _copy_in_parts(storage, source, target, if_absent=if_absent, metadata=metadata)
    else:
        headers = await _choose_headers(storage, source, metadata)
        may_condition = if_absent and dialect.copy_if_absent
        copied = await storage.api.copy_object(
            source.place, target, headers, version_id=source.version_id, if_absent=may_condition
        )
        _check(copied.etag)


async def _choose_headers(storage: Storage, source: Source, metadata: Mapping[str, str] | None) -> dict[str, str]:
    """What one call is told beside the source: nothing that it takes along by itself."""
    if metadata is None and (storage.dialect.copies_metadata or not source.place.can_be_sent):
        storage_class = source.entry.storage_class or COMMON_CLASS
        kept = {} if storage_class == COMMON_CLASS else {"x-amz-storage-class": storage_class}
        return {**source.condition, **kept}
    head = await storage.api.head_object(source.place, version_id=source.version_id)
    return {**source.condition, **build_kept_headers(head, metadata), "x-amz-metadata-directive": "REPLACE"}


async def _collect_headers(storage: Storage, source: Source, metadata: Mapping[str, str] | None) -> dict[str, str]:
    """All that an object made from scratch has to be told to be like the source, as far as that can be asked."""
    if not source.place.can_be_sent:
        return {}
    headers = build_kept_headers(await storage.api.head_object(source.place, version_id=source.version_id), metadata)
    tags = await storage.api.get_tags(source.place, version_id=source.version_id) if storage.dialect.tags else {}
    return {**headers, "x-amz-tagging": urlencode(tags)} if tags else headers


def build_kept_headers(head: Head, metadata: Mapping[str, str] | None = None) -> dict[str, str]:
    """What is kept with an object, as it is told to a new one; `metadata` takes the place of its own."""
    kept = dict(head.headers)
    if "kms" not in kept.get("x-amz-server-side-encryption", ""):  # the others are the bucket's own choice
        kept.pop("x-amz-server-side-encryption", None)
    own = head.metadata if metadata is None else metadata
    return {**kept, **{f"{METADATA_PREFIX}{name}": value for name, value in own.items()}}


async def _copy_in_parts(
    storage: Storage, source: Source, target: Place, *, if_absent: bool, metadata: Mapping[str, str] | None
) -> None:
    upload_id = await create_upload(storage, target, await _collect_headers(storage, source, metadata))
    try:
        receipts = await _copy_parts(storage, source, target, upload_id)
        may_condition = if_absent and storage.dialect.complete_if_absent
        await storage.parts.complete(target, upload_id, receipts, if_absent=may_condition)
    except BaseException:
        async with giving_up():
            await storage.parts.abort(target, upload_id)
        raise


async def _copy_parts(storage: Storage, source: Source, target: Place, upload_id: str) -> list[Receipt]:
    size_bytes = source.entry.size_bytes
    part_bytes = max(COPY_PART_BYTES_MIN, -(-size_bytes // PARTS_MAX))
    receipts: dict[int, Receipt] = {}

    async def copy_part(number: int, first: int) -> None:
        headers = dict(source.condition)
        if size_bytes > part_bytes:
            last = min(first + part_bytes, size_bytes) - 1
            headers["x-amz-copy-source-range"] = f"bytes={first}-{last}"
        copied = await storage.parts.copy(source.place, target, upload_id, number, headers, source.version_id)
        receipts[number] = Receipt(number, _check(copied.etag))

    async with Crew(PARTS_PARALLEL_MAX) as crew:
        for number, first in enumerate(range(0, size_bytes, part_bytes), start=1):
            await crew.wait_for_slot()
            crew.start(copy_part(number, first))
    return [receipts[number] for number in sorted(receipts)]


async def _was_copied(storage: Storage, source: Source, target: Place, error: ConnectorError) -> bool:
    """True when a repeat found the name taken by what the attempt before it had copied after all."""
    if error.kind is not ErrorKind.PRECONDITION_FAILED or not error.is_replay:
        return False
    head = await storage.find_head(target)
    return (
        head is not None and head.entry.size_bytes == source.entry.size_bytes and head.entry.etag == source.entry.etag
    )


def _check(etag: str | None) -> str:
    if etag is None:
        raise ConnectorError(ErrorKind.UNEXPECTED, "the store did not say that it copied the file", maybe_applied=True)
    return etag
