"""Replies as the provider's pages describe them, read into payloads; nonsense and bombs refused.

https://docs.aws.amazon.com/AmazonS3/latest/API/API_Operations_Amazon_Simple_Storage_Service.html
"""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from connectors.core.errors import ErrorKind
from connectors.s3 import bodies, documents
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
from tests.connectors.behavior.space import refused

HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'
SPACE = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'
MOMENT = datetime(2009, 10, 12, 17, 50, 30, tzinfo=UTC)

LISTING = f"""{HEAD}<ListBucketResult {SPACE}>
  <Name>bucket</Name><Prefix>photos%2F</Prefix><KeyCount>3</KeyCount><MaxKeys>3</MaxKeys><Delimiter>%2F</Delimiter>
  <EncodingType>url</EncodingType><IsTruncated>true</IsTruncated>
  <NextContinuationToken>1ueGcxLPRx1Tr/XYExHnhbYLgveDs2J/wm36Hy4vbOwM=</NextContinuationToken>
  <Contents>
    <Key>photos%2Fa+b%2Bc%C3%BC.jpg</Key><LastModified>2009-10-12T17:50:30.000Z</LastModified>
    <ETag>"fba9dede5f27731c9771645a39863328"</ETag><Size>434234</Size><StorageClass>STANDARD</StorageClass>
  </Contents>
  <Contents>
    <Key>photos%2Fempty</Key><LastModified>2009-10-12T17:50:30.999Z</LastModified><Size>0</Size>
  </Contents>
  <CommonPrefixes><Prefix>photos%2F2006%2F</Prefix></CommonPrefixes>
</ListBucketResult>"""


def test_listing_is_read_when_it_is_as_documented() -> None:
    assert documents.read_listing(LISTING.encode(), is_plus_space=True) == Listing(
        entries=[
            Entry(
                key="photos/a b+cü.jpg",
                size_bytes=434234,
                etag="fba9dede5f27731c9771645a39863328",
                modified_at=MOMENT,
                storage_class="STANDARD",
            ),
            Entry(key="photos/empty", size_bytes=0, modified_at=MOMENT),
        ],
        prefixes=["photos/2006/"],
        token="1ueGcxLPRx1Tr/XYExHnhbYLgveDs2J/wm36Hy4vbOwM=",
    )


@pytest.mark.parametrize("is_plus_space", [False, True])
def test_keys_are_left_alone_when_the_reply_says_nothing_of_an_encoding(is_plus_space: bool) -> None:
    body = LISTING.replace("<EncodingType>url</EncodingType>", "").encode()
    keys = [entry.key for entry in documents.read_listing(body, is_plus_space=is_plus_space).entries]
    assert keys == ["photos%2Fa+b%2Bc%C3%BC.jpg", "photos%2Fempty"]


def test_plus_stays_when_the_store_writes_spaces_another_way() -> None:
    body = LISTING.replace("a+b%2B", "a+b%20").encode()
    assert documents.read_listing(body, is_plus_space=False).entries[0].key == "photos/a+b cü.jpg"


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace(f" {SPACE}", ""),
        lambda text: text.replace(SPACE, 'xmlns="http://other.example/"'),
        lambda text: text.replace("<ListBucketResult", "  <!-- odd -->\n<ListBucketResult").removeprefix(HEAD),
        lambda text: f"\n\n{text}\n\n",
    ],
    ids=["no namespace", "another namespace", "comment", "space around"],
)
def test_listing_is_read_when_it_is_written_another_way(change: object) -> None:
    assert callable(change)
    assert documents.read_listing(change(LISTING).encode(), is_plus_space=True) == documents.read_listing(
        LISTING.encode(), is_plus_space=True
    )


BOMB = """<?xml version="1.0"?><!DOCTYPE ListBucketResult [<!ENTITY a "aaaaaaaaaa">
<!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;">
<!ENTITY d "&c;&c;&c;&c;&c;&c;&c;&c;&c;&c;"><!ENTITY e "&d;&d;&d;&d;&d;&d;&d;&d;&d;&d;">]>
<ListBucketResult><IsTruncated>false</IsTruncated><Contents><Key>&e;</Key></Contents></ListBucketResult>"""
FILE = """<?xml version="1.0"?><!DOCTYPE x [<!ENTITY f SYSTEM "file:///etc/passwd">]>
<ListBucketResult><Contents><Key>&f;</Key></Contents></ListBucketResult>"""


@pytest.mark.parametrize(
    "body",
    [
        "",
        "not XML",
        "<html><body>Please sign in</body></html>",
        LISTING[: len(LISTING) // 2],
        LISTING.replace("ListBucketResult", "ListOther"),
        LISTING.replace("<Size>434234", "<Size>many"),
        LISTING.replace("1ueGcxLPRx1Tr/XYExHnhbYLgveDs2J/wm36Hy4vbOwM=", ""),
        BOMB,
        FILE,
        f"{HEAD}<!DOCTYPE x><ListBucketResult/>",
        "<a>" * 100_000,
        '{"json": true}',
    ],
    ids=[
        "nothing",
        "text",
        "page",
        "half",
        "other",
        "size",
        "no token",
        "bomb",
        "file",
        "document type",
        "deep",
        "json",
    ],
)
def test_unexpected_when_the_reply_is_nonsense(body: str) -> None:
    with refused(ErrorKind.UNEXPECTED) as caught:
        documents.read_listing(body.encode(), is_plus_space=True)
    assert caught.value.maybe_applied


@pytest.mark.parametrize("key", ["a\x0bb", "a&#x0B;b", "a&#11;b", "a\x01b", "a&#xFFFE;b", "a\ufffeb"])
def test_what_can_be_read_is_read_when_a_key_is_echoed_that_no_document_can_hold(key: str) -> None:
    body = f'{HEAD}<CompleteMultipartUploadResult><Key>{key}</Key><ETag>"e-2"</ETag></CompleteMultipartUploadResult>'
    assert documents.read_copied(body.encode()) == Copied(etag="e-2")


def test_next_page_is_found_when_the_store_spoils_a_token_that_is_a_key() -> None:
    body = LISTING.replace("photos%2Fempty", "photos%2F%0Bend").replace(
        "1ueGcxLPRx1Tr/XYExHnhbYLgveDs2J/wm36Hy4vbOwM=", "photos/\ufffdend"
    )
    assert documents.read_listing(body.encode(), is_plus_space=True).token == "photos/\x0bend"


def test_buckets_are_read_when_they_are_as_documented() -> None:
    body = f"""{HEAD}<ListAllMyBucketsResult {SPACE}>
      <Buckets><Bucket><BucketRegion>eu-west-1</BucketRegion><CreationDate>2019-12-11T23:32:47+00:00</CreationDate>
        <Name>one</Name></Bucket><Bucket><Name>two</Name></Bucket></Buckets>
      <Owner><DisplayName>somebody</DisplayName><ID>owner-id</ID></Owner>
      <ContinuationToken>next</ContinuationToken></ListAllMyBucketsResult>"""
    assert documents.read_buckets(body.encode()) == Buckets(
        buckets=[Bucket(name="one", region="eu-west-1"), Bucket(name="two")],
        owner_id="owner-id",
        owner_name="somebody",
        token="next",
    )


@pytest.mark.parametrize(
    ("body", "region"),
    [
        (f"<LocationConstraint {SPACE}>eu-central-1</LocationConstraint>", "eu-central-1"),
        (f"<LocationConstraint {SPACE}/>", "us-east-1"),
        ("<LocationConstraint>EU</LocationConstraint>", "eu-west-1"),
    ],
)
def test_region_is_read_also_when_it_has_its_old_name(body: str, region: str) -> None:
    assert documents.read_location(body.encode()) == region


def test_versions_are_read_when_they_are_as_documented() -> None:
    body = f"""{HEAD}<ListVersionsResult {SPACE}><Name>bucket</Name><IsTruncated>true</IsTruncated>
      <NextKeyMarker>my-image.jpg</NextKeyMarker><NextVersionIdMarker>QUpfdndhfd8438MNFDN93jdnJFkdmqnh893</NextVersionIdMarker>
      <Version><Key>my-image.jpg</Key><VersionId>3/L4kqtJl40Nr8X8gdRQBpUMLUo</VersionId><IsLatest>false</IsLatest>
        <LastModified>2009-10-12T17:50:30.000Z</LastModified><ETag>"fba9dede"</ETag><Size>4</Size></Version>
      <DeleteMarker><Key>my-image.jpg</Key><VersionId>03jpff543dhffds434rfdsFDN943fdsFkdmqnh892</VersionId>
        <IsLatest>true</IsLatest><LastModified>2009-10-12T17:50:30.000Z</LastModified></DeleteMarker>
    </ListVersionsResult>"""
    entry = Entry(key="my-image.jpg", size_bytes=4, etag="fba9dede", modified_at=MOMENT)
    marker = Entry(key="my-image.jpg", size_bytes=0, modified_at=MOMENT)
    assert documents.read_versions(body.encode(), is_plus_space=True) == Versions(
        versions=[
            ObjectVersion(
                entry=entry, version_id="3/L4kqtJl40Nr8X8gdRQBpUMLUo", is_latest=False, is_delete_marker=False
            ),
            ObjectVersion(
                entry=marker,
                version_id="03jpff543dhffds434rfdsFDN943fdsFkdmqnh892",
                is_latest=True,
                is_delete_marker=True,
            ),
        ],
        next_key="my-image.jpg",
        next_version_id="QUpfdndhfd8438MNFDN93jdnJFkdmqnh893",
    )


def test_uploads_are_read_when_they_are_as_documented() -> None:
    body = f"""{HEAD}<ListMultipartUploadsResult {SPACE}><IsTruncated>false</IsTruncated><Upload><Key>my-divisor</Key>
      <UploadId>XMgbGlrZSBlbHZpbmc</UploadId><Initiated>2009-10-12T17:50:30.000Z</Initiated></Upload>
      </ListMultipartUploadsResult>"""
    assert documents.read_uploads(body.encode(), is_plus_space=True) == [
        Upload(key="my-divisor", upload_id="XMgbGlrZSBlbHZpbmc", started_at=MOMENT)
    ]


def test_keys_that_were_not_deleted_are_read_when_a_batch_names_them() -> None:
    body = f"""{HEAD}<DeleteResult {SPACE}><Deleted><Key>sample1.txt</Key></Deleted>
      <Error><Key>sample2.txt</Key><Code>AccessDenied</Code><Message>Access Denied</Message></Error></DeleteResult>"""
    assert documents.read_not_deleted(body.encode()) == [
        NotDeleted(key="sample2.txt", code="AccessDenied", message="Access Denied")
    ]


def test_grants_are_read_as_they_were_written() -> None:
    access = AccessControl(
        owner_id="75aa57f0",
        owner_name=None,
        grants=[
            Grant(permission="FULL_CONTROL", id="75aa57f0"),
            Grant(permission="READ", uri="http://acs.amazonaws.com/groups/global/AllUsers"),
            Grant(permission="WRITE_ACP", email="somebody@example.com"),
        ],
    )
    body = bodies.write_access_control(access)
    assert b'xsi:type="Group"' in body
    assert documents.read_access_control(body) == access


def test_tags_are_read_as_they_were_written() -> None:
    tags = {"a <b> & c": "ü", "empty": ""}
    assert documents.read_tags(bodies.write_tags(tags.items())) == tags


@pytest.mark.parametrize(
    ("body", "failure"),
    [
        (
            f"{HEAD}<Error><Code>NoSuchKey</Code><Message>The key does not exist</Message><Key>a</Key></Error>",
            Failure(code="NoSuchKey", message="The key does not exist"),
        ),
        (
            "<Error><Code>InvalidRange</Code><ActualObjectSize>100</ActualObjectSize></Error>",
            Failure(code="InvalidRange", size_bytes=100),
        ),
        (
            "<Error><Code>AuthorizationHeaderMalformed</Code><Region>eu-west-1</Region></Error>",
            Failure(code="AuthorizationHeaderMalformed", region="eu-west-1"),
        ),
        (f"<Error {SPACE}><Code>SlowDown</Code></Error>", Failure(code="SlowDown")),
        ("<CopyObjectResult><Error/></CopyObjectResult>", None),
        ("<Error><Code>half", None),
        ("no document", None),
        ("", None),
    ],
)
def test_failure_is_read_when_the_body_tells_of_one(body: str, failure: Failure | None) -> None:
    assert documents.read_failure(body.encode()) == failure


@pytest.mark.parametrize(
    ("text", "etag"),
    [('"abc-2"', "abc-2"), ("abc", "abc"), ('W/"abc"', "abc"), ('""', None), ("", None), (None, None)],
)
def test_etag_has_no_quotes_however_it_was_written(text: str | None, etag: str | None) -> None:
    assert documents.unquote_etag(text) == etag


@pytest.mark.parametrize(
    ("text", "can"), [("plain ü 日本 👨‍👩‍👧‍👦\t\n\r", True), ("a\x01b", False), ("a\ufffeb", False), ("\ud800", False)]
)
def test_text_can_be_held_when_xml_knows_its_characters(text: str, can: bool) -> None:
    assert bodies.can_hold(text) is can
