"""XML that stores answer, read: hardened against documents that grow when read, and quick with long listings.

Stores do not agree how some documents are called, so names are checked only where nothing else would tell nonsense.
"""

from __future__ import annotations

import re
from binascii import a2b_qp
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from functools import lru_cache
from typing import cast
from urllib.parse import unquote_to_bytes

from lxml import etree

from connectors.core.errors import ConnectorError, ErrorKind
from connectors.s3.payloads import (
    AccessControl,
    Bucket,
    Buckets,
    Copied,
    Entry,
    Failure,
    Grant,
    Listing,
    NotDeleted,
    ObjectVersion,
    Upload,
    Versions,
)

NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"

ILLEGAL = re.compile(
    rb"[\x00-\x08\x0b\x0c\x0e-\x1f]|\xef\xbf[\xbe\xbf]"
    rb"|&#(x0*([0-8bcef]|1[0-9a-f]|fff[ef])|0*([0-8]|1[124-9]|2[0-9]|3[01]|6553[45]));",
    re.IGNORECASE,
)
"""Characters that XML cannot hold, as they are and as references."""

UNKNOWN = "\ufffd".encode()
NOT_IN_XML = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
STRAY_PERCENT = re.compile("%(?![0-9A-Fa-f]{2})")
REPLACEMENT = "\N{REPLACEMENT CHARACTER}"

TIMES_MAX = 4096  # read once; many objects of a page have the same
SIZE_DIGITS_MAX = 19

Element = etree._Element  # noqa: SLF001 - lxml's only name for it

FIELDS = ("Key", "Size", "ETag", "LastModified", "StorageClass")
COLUMNS = {
    "": [etree.XPath(f"Contents/{name}/text()", smart_strings=False) for name in FIELDS],
    NAMESPACE: [
        etree.XPath(f"s:Contents/s:{name}/text()", namespaces={"s": NAMESPACE}, smart_strings=False) for name in FIELDS
    ],
}
"""What is read of a listing's objects, by namespace."""


def parse(body: bytes) -> Element:
    """The document's root; unexpected for anything that is not one, or that declares entities."""
    body = body.strip()
    try:
        root = _parse(body)
    except etree.XMLSyntaxError as error:
        cleaned = ILLEGAL.sub(UNKNOWN, body)  # stores echo keys that no XML can hold
        if cleaned == body:
            raise _nonsense() from error
        try:
            root = _parse(cleaned)
        except etree.XMLSyntaxError:
            raise _nonsense() from error
    if root.getroottree().docinfo.internalDTD is not None:
        raise _nonsense()
    return root


def _parse(body: bytes) -> Element:
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, remove_comments=True, remove_pis=True
    )
    return etree.fromstring(body, parser)


def read_failure(body: bytes) -> Failure | None:
    """The error that a body tells of; None when it is no error document."""
    if b"<Error" not in body:
        return None
    try:
        root = parse(body)
    except ConnectorError:
        return None
    if _name(root) != "Error":
        return None
    fields = _fields(root)
    return Failure(
        code=fields.get("Code", ""),
        message=fields.get("Message", ""),
        region=fields.get("Region") or None,
        size_bytes=_read_number(fields.get("ActualObjectSize", "")),
    )


def read_listing(body: bytes, *, is_plus_space: bool) -> Listing:
    """A page of ListObjectsV2."""
    root = _expect(body, "ListBucketResult")
    decode = _choose_decoding(root, is_plus_space=is_plus_space)
    entries = list(_read_entries(root, decode))
    prefixes = [decode(prefix.text or "") for element in root.iterchildren("{*}CommonPrefixes") for prefix in element]
    if _text(root, "IsTruncated") != "true":
        return Listing(entries=entries, prefixes=prefixes)
    token = _text(root, "NextContinuationToken")
    if not token:
        raise _nonsense()
    token = _mend(token, [*(entry.key for entry in entries), *prefixes])
    return Listing(entries=entries, prefixes=prefixes, token=token)


def read_buckets(body: bytes) -> Buckets:
    """A page of ListBuckets."""
    root = _expect(body, "ListAllMyBucketsResult")
    buckets: list[Bucket] = []
    owner: dict[str, str] = {}
    for element in root:
        name = _name(element)
        if name == "Owner":
            owner = _fields(element)
        elif name == "Buckets":
            rows = map(_fields, element)
            buckets += [Bucket(name=row["Name"], region=row.get("BucketRegion")) for row in rows if row.get("Name")]
    token = _text(root, "ContinuationToken") or None
    return Buckets(buckets=buckets, owner_id=owner.get("ID"), owner_name=owner.get("DisplayName"), token=token)


def read_location(body: bytes) -> str:
    """A bucket's region from GetBucketLocation, whose oldest regions have other names."""
    text = _expect(body, "LocationConstraint").text or ""
    return {"": "us-east-1", "EU": "eu-west-1"}.get(text, text)


def read_versions(body: bytes, *, is_plus_space: bool) -> Versions:
    """A page of ListObjectVersions."""
    root = _expect(body, "ListVersionsResult", "ListBucketVersionsResult")
    decode = _choose_decoding(root, is_plus_space=is_plus_space)
    versions: list[ObjectVersion] = []
    for element in root:
        name = _name(element)
        if name in {"Version", "DeleteMarker"}:
            row = _fields(element)
            version = ObjectVersion(
                entry=_read_entry(row, decode),
                version_id=row.get("VersionId") or "null",
                is_latest=row.get("IsLatest") == "true",
                is_delete_marker=name == "DeleteMarker",
            )
            versions.append(version)
    if _text(root, "IsTruncated") != "true":
        return Versions(versions=versions)
    next_key = decode(_text(root, "NextKeyMarker"))
    if not next_key:
        raise _nonsense()
    return Versions(versions=versions, next_key=next_key, next_version_id=_text(root, "NextVersionIdMarker") or None)


def read_uploads(body: bytes, *, is_plus_space: bool) -> list[Upload]:
    """The first page of ListMultipartUploads."""
    root = _expect(body, "ListMultipartUploadsResult")
    decode = _choose_decoding(root, is_plus_space=is_plus_space)
    rows = [_fields(element) for element in root if _name(element) == "Upload"]
    return [
        Upload(
            key=decode(row.get("Key", "")),
            upload_id=row.get("UploadId", ""),
            started_at=read_time(row.get("Initiated", "")),
        )
        for row in rows
    ]


def read_upload_id(body: bytes) -> str:
    upload_id = _text(parse(body), "UploadId")
    if not upload_id:
        raise _nonsense()
    return upload_id


def read_copied(body: bytes) -> Copied:
    """What CopyObject, UploadPartCopy and CompleteMultipartUpload answer."""
    return Copied(etag=unquote_etag(_text(parse(body), "ETag")))


def read_not_deleted(body: bytes) -> list[NotDeleted]:
    """The keys that DeleteObjects names as failed; the rest is deleted."""
    root = _expect(body, "DeleteResult")
    rows = [_fields(element) for element in root if _name(element) == "Error"]
    return [
        NotDeleted(key=row.get("Key", ""), code=row.get("Code", ""), message=row.get("Message", "")) for row in rows
    ]


def read_versioning(body: bytes) -> bool:
    """True when a bucket keeps versions of what is written now."""
    return _text(parse(body), "Status") == "Enabled"


def read_tags(body: bytes) -> dict[str, str]:
    root = _expect(body, "Tagging")
    rows = [_fields(tag) for tags in root if _name(tags) == "TagSet" for tag in tags]
    return {row.get("Key", ""): row.get("Value", "") for row in rows}


def read_access_control(body: bytes) -> AccessControl:
    root = _expect(body, "AccessControlPolicy")
    owner: dict[str, str] = {}
    grants: list[Grant] = []
    for element in root:
        if _name(element) == "Owner":
            owner = _fields(element)
        elif _name(element) == "AccessControlList":
            grants += [_read_grant(grant) for grant in element]
    return AccessControl(owner_id=owner.get("ID"), owner_name=owner.get("DisplayName"), grants=grants)


@lru_cache(maxsize=TIMES_MAX)
def read_time(text: str) -> datetime | None:
    """A time as ISO 8601, in whole seconds, since that is all that HTTP's own form can tell."""
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC).replace(microsecond=0)
    except (ValueError, OverflowError):  # the latter where UTC's calendar does not reach
        return None


def unquote_etag(text: str | None) -> str | None:
    """An etag without quotes and without the mark of a weak one; some stores leave the quotes out."""
    if not text:
        return None
    return text.removeprefix("W/").strip('"') or None


def _mend(token: str, keys: Iterable[str]) -> str:
    """The token as it was meant: a store whose tokens are keys spoils the characters that XML cannot hold."""
    if REPLACEMENT not in token:
        return token
    return next((key for key in keys if NOT_IN_XML.sub(REPLACEMENT, key) == token), token)


Decode = Callable[[str], str]


def _choose_decoding(root: Element, *, is_plus_space: bool) -> Decode:
    """How keys are read in this reply."""
    if _text(root, "EncodingType") != "url":
        return lambda text: text
    return _unquote_plus if is_plus_space else _unquote


def _unquote(text: str) -> str:
    if "%" not in text:
        return text
    if STRAY_PERCENT.search(text):  # stands for itself
        return unquote_to_bytes(text).decode("utf-8", "surrogateescape")
    # The same with another sign, for which there is a decoder that is not written in Python.
    return a2b_qp(text.encode().replace(b"=", b"=3D").replace(b"%", b"=")).decode("utf-8", "surrogateescape")


def _decode_all(texts: list[str], decode: Decode) -> list[str]:
    """All at once, unless one of them holds the sign that is put between them."""
    decoded = decode("\n".join(texts)).split("\n")
    return decoded if len(decoded) == len(texts) else [decode(text) for text in texts]


def _unquote_plus(text: str) -> str:
    return _unquote(text.replace("+", " "))


def _read_entries(root: Element, decode: Decode) -> Iterator[Entry]:
    """The objects of a listing, of which there may be a thousand: column by column where nothing is left out."""
    columns = [cast("list[str]", column(root)) for column in COLUMNS.get(_space(root), ())]
    if len({len(column) for column in columns}) != 1:
        for element in root.iterchildren("{*}Contents"):
            yield _read_entry(_fields(element), decode)
        return
    keys, sizes, etags, times, storage_classes = columns
    yield from map(
        Entry,
        _decode_all(keys, decode),
        _read_all_sizes(sizes),
        map(unquote_etag, etags),
        map(read_time, times),
        storage_classes,
    )


def _read_entry(row: dict[str, str], decode: Decode) -> Entry:
    return Entry(
        key=decode(row.get("Key", "")),
        size_bytes=_read_size(row.get("Size")),
        etag=unquote_etag(row.get("ETag")),
        modified_at=read_time(row.get("LastModified", "")),
        storage_class=row.get("StorageClass"),
    )


def _read_size(text: str | None) -> int:
    size_bytes = _read_number((text or "0").strip())
    if size_bytes is None:
        raise _nonsense()
    return size_bytes


def _read_all_sizes(texts: list[str]) -> list[int]:
    """All at once where they look as they should."""
    together = "".join(texts)
    if together.isascii() and together.isdigit() and max(map(len, texts)) <= SIZE_DIGITS_MAX:
        return list(map(int, texts))
    return list(map(_read_size, texts))


def _read_number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= SIZE_DIGITS_MAX else None


def _read_grant(grant: Element) -> Grant:
    who: dict[str, str] = {}
    permission = ""
    for element in grant:
        if _name(element) == "Grantee":
            who = _fields(element)
        elif _name(element) == "Permission":
            permission = element.text or ""
    return Grant(
        permission=permission,
        id=who.get("ID"),
        uri=who.get("URI"),
        email=who.get("EmailAddress"),
        name=who.get("DisplayName"),
    )


def _expect(body: bytes, *names: str) -> Element:
    root = parse(body)
    if _name(root) not in names:
        raise _nonsense()
    return root


def _fields(element: Element) -> dict[str, str]:
    return {child.tag[child.tag.rfind("}") + 1 :]: child.text or "" for child in element}


def _text(root: Element, name: str) -> str:
    return root.findtext(f"{{*}}{name}") or ""


def _space(root: Element) -> str:
    return root.tag[1 : root.tag.rfind("}")] if root.tag.startswith("{") else ""


def _name(element: Element) -> str:
    return element.tag[element.tag.rfind("}") + 1 :]


def _nonsense() -> ConnectorError:
    return ConnectorError(ErrorKind.UNEXPECTED, "the store's answer is not what its protocol says", maybe_applied=True)
