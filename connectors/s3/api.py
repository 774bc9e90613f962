"""One function per endpoint about buckets and objects: arguments to a call, its answer to a payload. No decisions.

https://docs.aws.amazon.com/AmazonS3/latest/API/API_Operations_Amazon_Simple_Storage_Service.html
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from urllib.parse import quote

import httpx

from connectors.core.bytesource import ByteSource
from connectors.core.call import Repeat
from connectors.core.errors import ConnectorError, ErrorKind
from connectors.s3 import bodies, documents
from connectors.s3.account import DEFAULT_REGION
from connectors.s3.client import Call, Client
from connectors.s3.errors import REGION_HEADER
from connectors.s3.keys import Place
from connectors.s3.payloads import (
    AccessControl,
    Buckets,
    Copied,
    Entry,
    Head,
    Listing,
    NotDeleted,
    Put,
    Versions,
)

METADATA_PREFIX = "x-amz-meta-"
IF_ABSENT = {"If-None-Match": "*"}
KEPT_HEADERS = (
    "cache-control",
    "content-disposition",
    "content-encoding",
    "content-language",
    "content-type",
    "expires",
    "x-amz-server-side-encryption",
    "x-amz-server-side-encryption-aws-kms-key-id",
    "x-amz-storage-class",
    "x-amz-website-redirect-location",
)
"""What belongs to an object beside its bytes, metadata and tags, in the names that reading and writing share."""


class Api:
    """The endpoints, for one account."""

    def __init__(self, client: Client, *, is_plus_space: bool) -> None:
        self.client = client
        self._is_plus_space = is_plus_space

    # ---- buckets

    async def list_buckets(self, *, token: str | None, limit: int) -> Buckets:
        query = [("max-buckets", str(limit))]
        if token is not None:
            query.append(("continuation-token", token))
        reply = await self._ask("list_buckets", Repeat.SAFE, "GET", Place("", ""), query)
        return documents.read_buckets(reply.content)

    async def head_bucket(self, bucket: str) -> str | None:
        """The region that the store names; not_found when there is no such bucket."""
        reply = await self._ask("head_bucket", Repeat.SAFE, "HEAD", Place(bucket, ""))
        region: str | None = reply.headers.get(REGION_HEADER)
        return region

    async def get_location(self, bucket: str) -> str:
        reply = await self._ask("get_bucket_location", Repeat.SAFE, "GET", Place(bucket, ""), [("location", None)])
        return documents.read_location(reply.content)

    async def get_versioning(self, bucket: str) -> bool:
        reply = await self._ask("get_bucket_versioning", Repeat.SAFE, "GET", Place(bucket, ""), [("versioning", None)])
        return documents.read_versioning(reply.content)

    async def create_bucket(self, bucket: str, region: str) -> None:
        body = b""
        if region != DEFAULT_REGION:
            body = bodies.write("CreateBucketConfiguration", [("LocationConstraint", region)])
        await self._ask("create_bucket", Repeat.IDEMPOTENT, "PUT", Place(bucket, ""), body=body)

    async def delete_bucket(self, bucket: str) -> None:
        await self._ask("delete_bucket", Repeat.IDEMPOTENT, "DELETE", Place(bucket, ""))

    # ---- listings

    async def list_objects(
        self,
        folder: Place,
        *,
        limit: int,
        has_delimiter: bool = False,
        token: str | None = None,
        start_after: str | None = None,
    ) -> Listing:
        query = [("list-type", "2"), ("encoding-type", "url"), ("max-keys", str(limit)), ("prefix", folder.key)]
        if has_delimiter:
            query.append(("delimiter", "/"))
        if token is not None:
            query.append(("continuation-token", token))
        if start_after is not None:
            query.append(("start-after", start_after))
        reply = await self._ask("list_objects", Repeat.SAFE, "GET", Place(folder.bucket, ""), query)
        return documents.read_listing(reply.content, is_plus_space=self._is_plus_space)

    async def list_versions(
        self, prefix: Place, *, limit: int, key: str | None = None, version_id: str | None = None
    ) -> Versions:
        query = [("versions", None), ("encoding-type", "url"), ("max-keys", str(limit)), ("prefix", prefix.key)]
        if key is not None:
            query.append(("key-marker", key))
        if version_id is not None:
            query.append(("version-id-marker", version_id))
        reply = await self._ask("list_object_versions", Repeat.SAFE, "GET", Place(prefix.bucket, ""), query)
        return documents.read_versions(reply.content, is_plus_space=self._is_plus_space)

    # ---- one object

    async def head_object(self, place: Place, *, version_id: str | None = None) -> Head:
        reply = await self._ask("head_object", Repeat.SAFE, "HEAD", place, _name_version(version_id))
        return read_head(place, reply.headers)

    def get_object(
        self, place: Place, headers: Mapping[str, str], *, version_id: str | None = None
    ) -> AbstractAsyncContextManager[httpx.Response]:
        call = Call(
            operation="get_object",
            repeat=Repeat.SAFE,
            method="GET",
            place=place,
            query=_name_version(version_id),
            headers={"Accept-Encoding": "identity", **headers},
        )
        return self.client.stream(call)

    async def put_object(
        self, place: Place, body: bytes | ByteSource, headers: Mapping[str, str], *, if_absent: bool = False
    ) -> Put:
        headers = {**headers, **(IF_ABSENT if if_absent else {})}
        reply = await self._ask("put_object", Repeat.IDEMPOTENT, "PUT", place, headers=headers, body=body)
        return Put(etag=read_etag(reply.headers), version_id=reply.headers.get("x-amz-version-id"))

    async def copy_object(
        self,
        source: Place,
        target: Place,
        headers: Mapping[str, str],
        *,
        version_id: str | None = None,
        if_absent: bool = False,
    ) -> Copied:
        headers = {**headers, **name_source(source, version_id), **(IF_ABSENT if if_absent else {})}
        reply = await self._ask("copy_object", Repeat.IDEMPOTENT, "PUT", target, headers=headers)
        return documents.read_copied(reply.content)

    async def delete_object(self, place: Place, *, version_id: str | None = None) -> None:
        await self._ask("delete_object", Repeat.IDEMPOTENT, "DELETE", place, _name_version(version_id))

    async def delete_objects(self, bucket: str, keys: Iterable[tuple[str, str | None]]) -> list[NotDeleted]:
        """Deletes keys, or versions of them, and returns those that could not be deleted."""
        rows = [[("Key", key)] + ([("VersionId", version)] if version else []) for key, version in keys]
        body = bodies.write("Delete", [("Object", row) for row in rows] + [("Quiet", "true")])
        headers = _hash(body)
        reply = await self._ask(
            "delete_objects", Repeat.IDEMPOTENT, "POST", Place(bucket, ""), [("delete", None)], headers, body
        )
        return documents.read_not_deleted(reply.content)

    async def get_tags(self, place: Place, *, version_id: str | None = None) -> dict[str, str]:
        query = [("tagging", None), *_name_version(version_id)]
        reply = await self._ask("get_object_tagging", Repeat.SAFE, "GET", place, query)
        return documents.read_tags(reply.content)

    async def put_tags(self, place: Place, tags: Mapping[str, str]) -> None:
        """Sets all tags; without any, those that are there go."""
        if not tags:
            await self._ask("delete_object_tagging", Repeat.IDEMPOTENT, "DELETE", place, [("tagging", None)])
            return
        body = bodies.write_tags(tags.items())
        await self._ask("put_object_tagging", Repeat.IDEMPOTENT, "PUT", place, [("tagging", None)], _hash(body), body)

    async def get_access(self, place: Place) -> AccessControl:
        reply = await self._ask("get_object_acl", Repeat.SAFE, "GET", place, [("acl", None)])
        return documents.read_access_control(reply.content)

    async def put_access(self, place: Place, *, headers: Mapping[str, str], body: bytes = b"") -> None:
        headers = {**headers, **(_hash(body) if body else {})}
        await self._ask("put_object_acl", Repeat.IDEMPOTENT, "PUT", place, [("acl", None)], headers, body)

    async def _ask(
        self,
        operation: str,
        repeat: Repeat,
        method: str,
        place: Place,
        query: Iterable[tuple[str, str | None]] = (),
        headers: Mapping[str, str] | None = None,
        body: bytes | ByteSource = b"",
    ) -> httpx.Response:
        call = Call(
            operation=operation,
            repeat=repeat,
            method=method,
            place=place,
            query=tuple(query),
            headers=headers or {},
            body=body,
        )
        return await self.client.ask(call)


def read_head(place: Place, headers: httpx.Headers) -> Head:
    """What the headers of a reply say about an object."""
    size = headers.get("content-length", "")
    if not (size.isascii() and size.isdigit()):
        raise ConnectorError(ErrorKind.UNEXPECTED, "the store does not say how large the file is")
    entry = Entry(
        key=place.key,
        size_bytes=int(size),
        etag=read_etag(headers),
        modified_at=read_http_time(headers.get("last-modified")),
        storage_class=headers.get("x-amz-storage-class"),
    )
    return Head(
        entry=entry,
        headers={name: headers[name] for name in KEPT_HEADERS if name in headers},
        metadata={
            name.removeprefix(METADATA_PREFIX): value
            for name, value in headers.items()
            if name.startswith(METADATA_PREFIX)
        },
        version_id=headers.get("x-amz-version-id"),
    )


def read_etag(headers: httpx.Headers) -> str:
    """An object's etag, which every store tells; unexpected when there is none, since something else answers then.

    unavailable when it is empty: the store knows etags, and cannot tell this one while the object is being replaced.
    """
    told = headers.get("etag")
    etag = documents.unquote_etag(told)
    if etag is not None:
        return etag
    if told is None:
        raise ConnectorError(ErrorKind.UNEXPECTED, "the answer has no etag, so it is not a store's", maybe_applied=True)
    text = "the store cannot tell the file's etag at the moment; somebody may be replacing the file"
    raise ConnectorError(ErrorKind.UNAVAILABLE, text, maybe_applied=True)


def read_http_time(text: str | None) -> datetime | None:
    """A time as HTTP tells it."""
    try:
        moment = parsedate_to_datetime(text or "")
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)


def name_source(source: Place, version_id: str | None = None) -> dict[str, str]:
    """The header that says what to copy."""
    text = quote(f"/{source.bucket}/{source.key}", safe="-_.~/")
    return {"x-amz-copy-source": text if version_id is None else f"{text}?versionId={quote(version_id, safe='')}"}


def quote_etag(etag: str) -> str:
    return f'"{etag}"'


def is_partial(reply: httpx.Response) -> bool:
    """True for a part of a file; some stores say 200 to it."""
    return reply.status_code == HTTPStatus.PARTIAL_CONTENT or "content-range" in reply.headers


def _name_version(version_id: str | None) -> list[tuple[str, str | None]]:
    return [] if version_id is None else [("versionId", version_id)]


def _hash(body: bytes) -> dict[str, str]:
    """Stores want it for documents that would do harm if they arrived damaged."""
    digest = hashlib.md5(body, usedforsecurity=False).digest()
    return {"Content-MD5": base64.b64encode(digest).decode(), "Content-Type": "application/xml"}
