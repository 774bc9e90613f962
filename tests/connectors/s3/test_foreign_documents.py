"""Documents that no store should send: each is read, or refused as what makes no sense; nothing else comes out."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.core.errors import ConnectorError, ErrorKind
from connectors.s3 import documents
from connectors.s3.payloads import Entry, Failure, Listing, Versions
from tests.connectors.s3.test_documents import LISTING
from tests.fuzzing import fuzz, spoiled, xml_elements

READERS: dict[str, Callable[[bytes], object]] = {
    "ListBucketResult": partial(documents.read_listing, is_plus_space=True),
    "ListAllMyBucketsResult": documents.read_buckets,
    "LocationConstraint": documents.read_location,
    "ListVersionsResult": partial(documents.read_versions, is_plus_space=False),
    "ListMultipartUploadsResult": partial(documents.read_uploads, is_plus_space=True),
    "InitiateMultipartUploadResult": documents.read_upload_id,
    "CopyObjectResult": documents.read_copied,
    "DeleteResult": documents.read_not_deleted,
    "VersioningConfiguration": documents.read_versioning,
    "Tagging": documents.read_tags,
    "AccessControlPolicy": documents.read_access_control,
    "Error": documents.read_failure,
}
OBJECT = ("Key", "Size", "ETag", "LastModified", "StorageClass")
OWNER = ("ID", "DisplayName")
SHAPES: dict[str, dict[str, tuple[str, ...]]] = {
    "ListBucketResult": {
        "": ("IsTruncated", "NextContinuationToken", "EncodingType"),
        "Contents": OBJECT,
        "CommonPrefixes": ("Prefix",),
    },
    "ListAllMyBucketsResult": {"": ("ContinuationToken",), "Owner": OWNER, "Buckets": ("Bucket",)},
    "LocationConstraint": {"": ("Location",)},
    "ListVersionsResult": {
        "": ("IsTruncated", "NextKeyMarker", "NextVersionIdMarker", "EncodingType"),
        "Version": (*OBJECT, "VersionId", "IsLatest"),
        "DeleteMarker": ("Key", "VersionId"),
    },
    "ListMultipartUploadsResult": {"": ("EncodingType",), "Upload": ("Key", "UploadId", "Initiated")},
    "InitiateMultipartUploadResult": {"": ("UploadId",)},
    "CopyObjectResult": {"": ("ETag",)},
    "DeleteResult": {"Error": ("Key", "Code", "Message")},
    "VersioningConfiguration": {"": ("Status",)},
    "Tagging": {"TagSet": ("Tag", "Key", "Value")},
    "AccessControlPolicy": {"Owner": OWNER, "AccessControlList": ("Grant", "Grantee", "Permission")},
    "Error": {"": ("Code", "Message", "Region", "ActualObjectSize")},
}
"""What is read of each document: the elements with a text, by the element that they stand in."""
WORDS = {"IsTruncated": "true", "EncodingType": "url"}
TEXTS = (
    *(
        "",
        "x",
        "true",
        "url",
        "a%FF%00+b",
        "-1",
        "1" * 5000,
        "1_0",
        "\u0663",
        " 7 ",
        "1e3",
        "&#x9;",
        "&amp;",
        "&#xD800;",
    ),
    *("0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "2009-10-12T17:50:30.000Z", "2009-10-12", "&#x1;"),
    *("&#xFFFE;", "&unknown;", "<!-- x -->", "<?x y?>", "<![CDATA[<Key>]]>"),
)
ENCODINGS = ("utf-16", "latin-1", "utf-7", "nonsense", "ebcdic-us", "utf-8")
PIECES = (
    *(
        text.encode("utf-8", "surrogatepass")
        for text in (*TEXTS, "<!DOCTYPE a [<!ENTITY x 'y'>]>", "\0", "\uffff", "\udc80")
    ),
    *(f'<?xml version="1.0" encoding="{name}"?>'.encode() for name in ENCODINGS),
    *(b"<%b>" % name.encode() for name in OBJECT),
)


def build(root: str, leaf: str = "", text: str = "") -> bytes:
    """A document of that shape, with a text in one place."""
    inside = []
    for container, leaves in SHAPES[root].items():
        words = "".join(f"<{name}>{text if name == leaf else WORDS.get(name, '1')}</{name}>" for name in leaves)
        inside.append(f"<{container}>{words}</{container}>" if container else words)
    return f"<{root}>{''.join(inside)}</{root}>".encode()


def read(name: str, body: bytes) -> None:
    try:
        found = READERS[name](body)
    except ConnectorError as error:
        assert error.kind is ErrorKind.UNEXPECTED  # noqa: PT017 - refusing is one of two right outcomes
        return
    entries: list[Entry] = []
    if isinstance(found, Listing):
        entries = list(found.entries)
    elif isinstance(found, Versions):
        entries = [version.entry for version in found.versions]
    elif isinstance(found, Failure):
        assert found.size_bytes is None or found.size_bytes >= 0
    assert all(entry.size_bytes >= 0 for entry in entries)


@pytest.mark.parametrize("name", READERS)
def test_document_is_read_or_makes_no_sense_when_any_text_is_odd(name: str) -> None:
    for leaf in {leaf for leaves in SHAPES[name].values() for leaf in leaves}:
        for text in TEXTS:
            read(name, build(name, leaf, text))


@fuzz(300)
@given(data=st.data(), name=st.sampled_from(sorted(READERS)))
def test_document_is_read_or_makes_no_sense_when_anything_stands_anywhere(data: st.DataObject, name: str) -> None:
    names = [each for container, leaves in SHAPES[name].items() for each in (container, *leaves) if each]
    read(name, data.draw(xml_elements(name, names, TEXTS)))


@fuzz(300)
@given(data=st.data(), name=st.sampled_from(sorted(READERS)))
def test_document_is_read_or_makes_no_sense_when_it_is_spoiled(data: st.DataObject, name: str) -> None:
    samples = [LISTING.encode().replace(b"ListBucketResult", name.encode()), build(name), b""]
    read(name, data.draw(spoiled(samples, PIECES)))


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("name", READERS)
def test_document_is_read_or_makes_no_sense_when_it_names_an_encoding(name: str, encoding: str) -> None:
    read(name, f'<?xml version="1.0" encoding="{encoding}"?><{name}><Key>\u00fc</Key></{name}>'.encode())


@pytest.mark.parametrize("opening", [b"<a>", b'<a b="c">', b"<Contents>"])
def test_document_makes_no_sense_when_it_is_nested_without_end(opening: bytes) -> None:
    for name, reader in READERS.items():
        body = b"<%b>" % name.encode() + opening * 100_000
        if name == "Error":
            assert reader(body) is None
        else:
            with pytest.raises(ConnectorError, check=lambda error: error.kind is ErrorKind.UNEXPECTED):
                reader(body)
