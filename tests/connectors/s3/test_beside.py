"""What is kept beside an object's bytes: tags and metadata as properties, access control lists, versions."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from connectors.core.bytesource import BytesSource
from connectors.core.connector import Connector
from connectors.core.errors import ErrorKind
from connectors.core.resources import Permission, PermissionChange, RawId, Ref, VersionId
from connectors.s3 import copying
from connectors.s3.payloads import Grant
from connectors.s3.permissions import build_grant_headers
from tests.connectors.behavior.space import refused
from tests.connectors.s3.accounts import build_keys, open_account
from tests.connectors.s3.conftest import Store
from tests.connectors.s3.target import make_versioned_bucket
from tests.connectors.s3.tinystore import BUCKET, OWNER, Stored, TinyStore, fail, open_tiny
from tests.servers.scripted import Reply
from tests.servers.seaweedfs import SHARED_SEAWEEDFS

EVERYBODY = "http://acs.amazonaws.com/groups/global/AllUsers"
A = Ref("file", RawId("/a"))


def as_dict(properties: list[Any]) -> dict[str, str]:
    return {each.key: each.value for each in properties}


async def test_tags_and_metadata_are_properties_when_others_set_them(store: Store) -> None:
    store.put("a", Metadata={"color": "red", "Size-Of-It": "large"})
    store.set_tags("a", {"state": "done"})
    found = await store.connector.list_properties(A.raw_id)
    assert as_dict(found) == {"state": "done", "x-amz-meta-color": "red", "x-amz-meta-size-of-it": "large"}
    assert [each.key for each in found] == ["state", "x-amz-meta-color", "x-amz-meta-size-of-it"]


@pytest.mark.parametrize("way", ["whole", "parts"])
async def test_metadata_changes_and_all_else_stays_when_a_property_is_set(
    store: Store, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = b"x" * 6 * 2**20
    if way == "parts":
        monkeypatch.setattr(copying, "COPY_BYTES_MAX", 5 * 2**20)
        monkeypatch.setattr(copying, "COPY_PART_BYTES_MIN", 5 * 2**20)
    store.put("a", data, ContentType="image/x-odd", CacheControl="no-cache", Metadata={"color": "red", "old": "1"})
    store.set_tags("a", {"state": "done"})
    changes = {"x-amz-meta-color": "blue", "X-Amz-Meta-New": "2", "x-amz-meta-old": None}
    returned = await store.connector.update_properties(A.raw_id, changes)
    head = store.head("a")
    assert head["Metadata"] == {"color": "blue", "new": "2"}
    assert (head["ContentType"], head["CacheControl"]) == ("image/x-odd", "no-cache")
    assert store.tags("a") == {"state": "done"}
    assert store.read("a") == data
    assert as_dict(returned) == {"state": "done", "x-amz-meta-color": "blue", "x-amz-meta-new": "2"}
    assert store.uploads() == []


async def test_metadata_goes_too_when_all_properties_are_replaced(store: Store) -> None:
    store.put("a", Metadata={"color": "red"})
    store.set_tags("a", {"state": "done"})
    await store.connector.update_properties(A.raw_id, {"only": "this"}, is_replacing=True)
    assert store.head("a")["Metadata"] == {}
    assert store.tags("a") == {"only": "this"}


@pytest.mark.parametrize(
    "changes",
    [
        {f"key {number}": "1" for number in range(10)},
        {"aws:own": "1"},
        {"x-amz-meta-": "1"},
        {"x-amz-meta-a b": "1"},
        {"x-amz-meta-ü": "1"},
        {"x-amz-meta-a": "ü"},
        {"x-amz-meta-a": "line\nbreak"},
        {"x-amz-meta-a": " space around "},
        {f"x-amz-meta-{number}": "v" * 250 for number in range(9)},
    ],
    ids=["eleven tags", "reserved", "no name", "space", "letter", "value", "line", "spaces", "too large"],
)
async def test_invalid_name_and_nothing_changes_when_it_cannot_be_stored(store: Store, changes: dict[str, str]) -> None:
    store.put("a", Metadata={"color": "red"})
    store.set_tags("a", {"state": "done"})
    with refused(ErrorKind.INVALID_NAME):
        await store.connector.update_properties(A.raw_id, {**changes, "good": "1"})
    assert (store.tags("a"), store.head("a")["Metadata"]) == ({"state": "done"}, {"color": "red"})


async def test_ten_tags_and_more_metadata_are_kept_together(store: Store) -> None:
    store.put("a")
    tags = {f"key {number}": str(number) for number in range(10)}
    metadata = {f"x-amz-meta-{number}": str(number) for number in range(10)}
    await store.connector.update_properties(A.raw_id, {**tags})
    await store.connector.update_properties(A.raw_id, {**metadata})
    assert as_dict(await store.connector.list_properties(A.raw_id)) == {**tags, **metadata}


async def test_grants_are_permissions_when_others_made_them(seaweedfs: Store) -> None:
    seaweedfs.put("a")
    seaweedfs.client.put_object_acl(Bucket=seaweedfs.bucket, Key=f"{seaweedfs.prefix}a", ACL="public-read")
    owner, anyone = await seaweedfs.connector.list_permissions(A)
    assert (owner.type, owner.role, owner.raw_role) == ("user", "owner", "FULL_CONTROL")
    assert anyone == Permission(raw_id=EVERYBODY, type="anyone", role="reader", raw_role="READ")


def grant(who: str, permission: str) -> str:
    return f"<Grant><Grantee>{who}</Grantee><Permission>{permission}</Permission></Grant>"


def build_access(*grants: str) -> bytes:
    own = grant(f"<ID>{OWNER}</ID>", "FULL_CONTROL")
    return (
        f"<AccessControlPolicy><Owner><ID>{OWNER}</ID></Owner><AccessControlList>{own}{''.join(grants)}"
        "</AccessControlList></AccessControlPolicy>"
    ).encode()


async def test_most_that_somebody_may_do_is_told_when_there_are_several_grants() -> None:
    store = TinyStore()
    async with open_tiny(store) as connector:
        store.objects["a"] = Stored(
            b"x",
            access=build_access(
                grant("<ID>two</ID><DisplayName>Second</DisplayName>", "READ"),
                grant("<ID>two</ID>", "WRITE_ACP"),
                grant("<ID>three</ID>", "READ"),
                grant("<ID>three</ID>", "FULL_CONTROL"),
                grant(f"<URI>{EVERYBODY.replace('AllUsers', 'AuthenticatedUsers')}</URI>", "READ"),
            ),
        )
        found = await connector.list_permissions(A)
    assert [(each.raw_id.rpartition("/")[2], each.type, each.role, each.raw_role) for each in found] == [
        (OWNER, "user", "owner", "FULL_CONTROL"),
        ("two", "user", "reader", "READ WRITE_ACP"),
        ("three", "user", "writer", "READ FULL_CONTROL"),
        ("AuthenticatedUsers", "group", "reader", "READ"),
    ]


async def test_all_of_somebodys_grants_give_way_when_another_role_is_given() -> None:
    store = TinyStore()
    async with open_tiny(store) as connector:
        store.objects["a"] = Stored(
            b"x", access=build_access(grant("<ID>two</ID>", "FULL_CONTROL"), grant("<ID>three</ID>", "READ_ACP"))
        )
        changes = [
            PermissionChange(role="reader", raw_id="two"),
            PermissionChange(role="writer", email="a@example.com"),
        ]
        await connector.set_permissions(A, changes, is_replacing=False)
        found = {each.raw_id: each.raw_role for each in await connector.list_permissions(A)}
    assert found == {OWNER: "FULL_CONTROL", "two": "READ", "three": "READ_ACP", "a@example.com": "FULL_CONTROL"}


@pytest.mark.parametrize(
    "change",
    [
        PermissionChange(role="owner", raw_id="two"),
        PermissionChange(role="reader", type="domain", raw_id="example.com"),
        PermissionChange(role="reader", type="group", raw_id="a group"),
        PermissionChange(role="reader"),
    ],
    ids=["owner", "domain", "group", "nobody"],
)
async def test_unsupported_when_the_store_has_no_such_right(change: PermissionChange) -> None:
    store = TinyStore()
    async with open_tiny(store) as connector:
        store.objects["a"] = Stored(b"x")
        before = store.objects["a"].access
        with refused(ErrorKind.UNSUPPORTED):
            await connector.set_permissions(A, [change], is_replacing=True)
    assert store.objects["a"].access == before


@pytest.mark.parametrize(
    "code", ["UnresolvableGrantByEmailAddress", "InvalidArgument", "InvalidRequest", "MalformedACLError"]
)
async def test_not_found_when_the_store_knows_nobody_of_that_name(code: str) -> None:
    store = TinyStore()
    async with open_tiny(store) as connector:
        store.objects["a"] = Stored(b"x")
        store.intercept = lambda seen: fail(400, code) if seen.method == "PUT" else None
        for change in (PermissionChange(role="reader", email="a@b.c"), PermissionChange(role="reader", raw_id='a"b')):
            with refused(ErrorKind.NOT_FOUND):
                await connector.set_permissions(A, [change], is_replacing=False)


async def test_unsupported_when_a_folder_in_a_bucket_is_asked_for_permissions(store: Store) -> None:
    store.put("a/b")
    with refused(ErrorKind.UNSUPPORTED):
        await store.connector.list_permissions(Ref("folder", RawId("/a/")))


async def test_permissions_are_the_buckets_own_when_all_buckets_are_shown() -> None:
    access = build_access(grant(f"<URI>{EVERYBODY}</URI>", "READ"))
    store = TinyStore(intercept=lambda seen: Reply(body=access) if seen.target == f"/{BUCKET}?acl" else None)
    async with open_tiny(store, learned={"dialect": {"access": "document"}}, bucket="") as connector:
        found = await connector.list_permissions(Ref("folder", RawId(f"/{BUCKET}/")))
    assert [(each.type, each.role) for each in found] == [("user", "owner"), ("anyone", "reader")]


def test_grants_fit_into_headers_when_no_document_is_read() -> None:
    grants = [
        Grant(permission="FULL_CONTROL", id="one"),
        Grant(permission="READ", id="two"),
        Grant(permission="READ", uri=EVERYBODY),
        Grant(permission="WRITE_ACP", email="a@b.c"),
    ]
    assert build_grant_headers(grants) == {
        "x-amz-grant-full-control": 'id="one"',
        "x-amz-grant-read": f'id="two", uri="{EVERYBODY}"',
        "x-amz-grant-write-acp": 'emailAddress="a@b.c"',
    }


@pytest_asyncio.fixture
async def versioned(seaweedfs_client: Any) -> AsyncIterator[tuple[Connector, Any, str]]:
    """An account on a bucket that keeps versions, a client for it, and the bucket's name."""
    server = SHARED_SEAWEEDFS.get()
    bucket = f"{server.bucket}-beside"
    make_versioned_bucket(server, bucket)
    async with open_account({**build_keys(server), "endpoint": server.url, "bucket": bucket}) as connector:
        yield connector, seaweedfs_client, bucket


async def test_all_versions_go_when_a_file_is_deleted_for_good(versioned: tuple[Connector, Any, str]) -> None:
    connector, client, bucket = versioned
    for body in (b"one", b"two", b"three"):
        client.put_object(Bucket=bucket, Key="gone", Body=body)
    client.put_object(Bucket=bucket, Key="gone too", Body=b"stays")
    await connector.delete(Ref("file", RawId("/gone")), is_permanent=True)
    found = client.list_object_versions(Bucket=bucket, Prefix="gone")
    assert [each["Key"] for each in found.get("Versions", ())] == ["gone too"]
    assert found.get("DeleteMarkers") is None


async def test_versions_stay_when_a_file_is_just_deleted(versioned: tuple[Connector, Any, str]) -> None:
    connector, client, bucket = versioned
    client.put_object(Bucket=bucket, Key="deleted", Body=b"one")
    await connector.delete(Ref("file", RawId("/deleted")))
    found = client.list_object_versions(Bucket=bucket, Prefix="deleted")
    assert len(found["Versions"]) == len(found["DeleteMarkers"]) == 1


async def test_versions_of_what_was_deleted_in_between_are_listed_without_the_deletions(
    versioned: tuple[Connector, Any, str],
) -> None:
    connector, client, bucket = versioned
    client.put_object(Bucket=bucket, Key="back", Body=b"one")
    client.delete_object(Bucket=bucket, Key="back")
    client.put_object(Bucket=bucket, Key="back", Body=b"three")
    versions = (await connector.list_versions(RawId("/back"))).versions
    assert [(each.size_bytes, each.is_current) for each in versions] == [(5, True), (3, False)]
    marker = client.list_object_versions(Bucket=bucket, Prefix="back")["DeleteMarkers"][0]["VersionId"]
    with refused(ErrorKind.NOT_FOUND):
        await connector.restore_version(RawId("/back"), VersionId(marker))


async def test_metadata_and_tags_come_back_when_a_version_is_restored(versioned: tuple[Connector, Any, str]) -> None:
    connector, client, bucket = versioned
    client.put_object(Bucket=bucket, Key="r", Body=b"old", Metadata={"a": "1"}, ContentType="image/x", Tagging="t=1")
    await connector.replace(RawId("/r"), BytesSource(b"newer"))
    oldest = (await connector.list_versions(RawId("/r"))).versions[-1].raw_id
    await connector.restore_version(RawId("/r"), oldest)
    head = client.head_object(Bucket=bucket, Key="r")
    assert (head["Metadata"], head["ContentType"], head["ContentLength"]) == ({"a": "1"}, "image/x", 3)
    assert client.get_object_tagging(Bucket=bucket, Key="r")["TagSet"] == [{"Key": "t", "Value": "1"}]
