"""Accounts that show all buckets: their top folders are buckets."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from connectors.core.bytesource import BytesSource
from connectors.core.connector import Connector
from connectors.core.errors import ErrorKind
from connectors.core.paging import walk
from connectors.core.resources import Folder, OnConflict, RawId, Ref, Resource
from tests.connectors.behavior.space import refused
from tests.connectors.s3.accounts import build_keys, open_account
from tests.connectors.s3.conftest import LEARNED, Store
from tests.connectors.s3.tinystore import TinyStore, document, open_tiny
from tests.servers.moto import SHARED_MOTO
from tests.servers.scripted import Reply, Seen

ROOT = RawId("/")


@pytest_asyncio.fixture
async def account(moto: Store) -> AsyncIterator[Connector]:
    """An account above all buckets of a server."""
    server = SHARED_MOTO.get()
    async with open_account({**build_keys(server), "endpoint": server.url}, learned=LEARNED[server.url]) as connector:
        yield connector


@pytest.fixture
def name() -> str:
    """A name for a bucket that nobody has."""
    return f"own-{uuid.uuid4().hex[:12]}"


async def list_all(account: Connector, folder: RawId = ROOT, *, limit: int = 1000) -> list[Resource]:
    return [each async for each in walk(lambda cursor: account.list_folder(folder, cursor=cursor, limit=limit))]


async def walk_all(account: Connector, folder: RawId = ROOT, *, limit: int = 1000) -> list[Resource]:
    return [each async for each in walk(lambda cursor: account.list_recursive(folder, cursor=cursor, limit=limit))]


async def test_buckets_are_the_top_folders_when_listed(account: Connector, moto: Store, name: str) -> None:
    moto.client.create_bucket(Bucket=name)
    root = await account.get(Ref("folder", ROOT))
    assert isinstance(root, Folder)
    assert not root.can_upload_files
    listed = {each.name: each for each in await list_all(account)}
    assert {name, moto.bucket} <= set(listed)
    assert await account.get(listed[name].ref) == listed[name]
    assert await account.get_by_path(f"/{name}") == listed[name]
    assert [each.name for each in await list_all(account, limit=1)] == list(listed)
    moto.client.delete_bucket(Bucket=name)


async def test_bucket_is_made_filled_and_deleted_when_asked(account: Connector, moto: Store, name: str) -> None:
    bucket = await account.create_folder(ROOT, name)
    assert bucket.raw_id == f"/{name}/"
    with refused(ErrorKind.ALREADY_EXISTS) as caught:
        await account.create_folder(ROOT, name)
    assert caught.value.conflict == bucket.ref
    file = await account.upload(bucket.raw_id, "a.txt", BytesSource(b"bytes"), on_conflict=OnConflict.FAIL)
    assert (file.raw_id, file.path) == (f"/{name}/a.txt", f"/{name}/a.txt")
    assert moto.client.get_object(Bucket=name, Key="a.txt")["Body"].read() == b"bytes"
    with refused(ErrorKind.FOLDER_NOT_EMPTY):
        await account.delete(bucket.ref)
    await account.delete(bucket.ref, is_recursive=True)
    assert name not in {each.name for each in await list_all(account)}
    with refused(ErrorKind.NOT_FOUND):
        await account.delete(bucket.ref)


@pytest.mark.parametrize("bad", ["ab", "Upper", "under_score", "a..b", "1.2.3.4", "x" * 64, "ü-bucket"])
async def test_invalid_name_with_the_rule_when_a_bucket_cannot_be_called_so(account: Connector, bad: str) -> None:
    with refused(ErrorKind.INVALID_NAME) as caught:
        await account.create_folder(ROOT, bad)
    assert "bucket" in caught.value.message


async def test_files_are_refused_when_they_would_stand_beside_buckets(account: Connector) -> None:
    with refused(ErrorKind.PERMISSION_DENIED):
        await account.upload(ROOT, "a.txt", BytesSource(b""), on_conflict=OnConflict.FAIL)


async def test_unsupported_when_buckets_are_renamed_or_folders_become_buckets(
    account: Connector, moto: Store, name: str
) -> None:
    bucket = await account.create_folder(ROOT, name)
    folder = await account.create_folder(bucket.raw_id, "folder")
    for call in (
        account.update(bucket.ref, name=f"{name}-2"),
        account.update(folder.ref, parent=ROOT),
        account.copy(folder.ref, parent=ROOT, name=f"{name}-2"),
    ):
        with refused(ErrorKind.UNSUPPORTED):
            await call
    await account.delete(bucket.ref, is_recursive=True)


async def test_files_and_folders_go_from_bucket_to_bucket_when_moved(
    account: Connector, moto: Store, name: str
) -> None:
    one, two = await account.create_folder(ROOT, name), await account.create_folder(ROOT, f"{name}-2")
    folder = await account.create_folder(one.raw_id, "folder")
    file = await account.upload(folder.raw_id, "a.txt", BytesSource(b"bytes"), on_conflict=OnConflict.FAIL)
    copy = await account.copy(file.ref, parent=two.raw_id)
    moved = await account.update(folder.ref, parent=two.raw_id)
    whole = await account.copy(two.ref, parent=one.raw_id, name="all of it")
    assert (copy.raw_id, moved.raw_id) == (f"/{name}-2/a.txt", f"/{name}-2/folder/")
    assert [each.path for each in await list_all(account, one.raw_id)] == [f"/{name}/all of it"]
    assert [each.name for each in await walk_all(account, whole.raw_id, limit=1)] == ["a.txt", "folder", "a.txt"]
    for bucket in (one, two):
        await account.delete(bucket.ref, is_recursive=True)


async def test_everything_comes_once_when_all_buckets_are_walked(account: Connector, moto: Store, name: str) -> None:
    buckets = [await account.create_folder(ROOT, f"{name}-{number}") for number in range(4)]
    for bucket in (buckets[0], buckets[2]):
        for each in ("a", "b"):
            await account.upload(bucket.raw_id, each, BytesSource(b""), on_conflict=OnConflict.FAIL)
    expected = [f"/{name}-0", f"/{name}-0/a", f"/{name}-0/b", f"/{name}-1", f"/{name}-2", f"/{name}-2/a"]
    expected += [f"/{name}-2/b", f"/{name}-3"]
    for limit in (1, 2, 3, 1000):
        paths = [each.path or "" for each in await walk_all(account, limit=limit)]
        assert [path for path in paths if path.startswith(f"/{name}")] == expected
    for bucket in buckets:
        await account.delete(bucket.ref, is_recursive=True)


async def test_every_bucket_comes_once_when_the_store_gives_pages_of_them() -> None:
    names = [f"bucket-{number}" for number in range(5)]

    def list_two(seen: Seen) -> Reply:
        start = int(seen.target.partition("continuation-token=")[2] or 0)
        rows = "".join(f"<Bucket><Name>{name}</Name></Bucket>" for name in names[start : start + 2])
        more = f"<ContinuationToken>{start + 2}</ContinuationToken>" if start + 2 < len(names) else ""
        return document(f"<ListAllMyBucketsResult><Buckets>{rows}</Buckets>{more}</ListAllMyBucketsResult>")

    async with open_tiny(TinyStore(intercept=list_two), learned={}, bucket="") as connector:
        for limit in (1, 2, 3, 5):
            assert [each.name for each in await list_all(connector, limit=limit)] == names


async def test_region_of_each_bucket_is_used_when_the_list_tells_it() -> None:
    def answer(seen: Seen) -> Reply:
        if seen.target.startswith("/?"):
            row = "<Bucket><Name>far</Name><BucketRegion>eu-north-1</BucketRegion></Bucket>"
            return document(f"<ListAllMyBucketsResult><Buckets>{row}</Buckets></ListAllMyBucketsResult>")
        return document("<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>")

    store = TinyStore(intercept=answer)
    async with open_tiny(store, learned={}, bucket="") as connector:
        folders = await list_all(connector)
        await list_all(connector, folders[0].raw_id)
    assert "/eu-north-1/s3/" in store.seen[-1].headers["authorization"]


async def test_bucket_is_made_in_the_region_that_was_filled_in() -> None:
    store = TinyStore(intercept=lambda seen: Reply(404) if seen.method == "HEAD" else Reply())
    async with open_tiny(store, learned={}, bucket="", region="eu-north-1") as connector:
        await connector.create_folder(ROOT, "new-bucket")
    assert b"<LocationConstraint>eu-north-1</LocationConstraint>" in store.seen[-1].body
