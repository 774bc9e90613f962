"""What is found out about stores by trying, on made-up ones that are good or bad in one point each."""

from __future__ import annotations

from typing import Any

import pytest

from connectors.core.bytesource import BytesSource
from connectors.core.connector import Connector
from connectors.core.errors import ErrorKind
from connectors.core.resources import OnConflict, Probe, RawId
from tests.connectors.behavior.space import refused
from tests.connectors.s3.accounts import build_keys, open_account
from tests.connectors.s3.conftest import Store
from tests.connectors.s3.target import make_versioned_bucket
from tests.connectors.s3.tinystore import BUCKET, GOOD, Stored, TinyStore, fail, open_tiny
from tests.servers.scripted import Reply, ScriptedServer, Seen
from tests.servers.seaweedfs import SHARED_SEAWEEDFS


async def probe(store: TinyStore) -> Probe:
    """What an account at the store learns, and the store is then as it was."""
    store.objects["mine"] = Stored(b"untouched")
    async with open_tiny(store, learned={}) as connector:
        found = await connector.probe()
    assert {key: stored.data for key, stored in store.objects.items()} == {"mine": b"untouched"}
    assert store.uploads == {}
    return found


async def learn(store: TinyStore) -> dict[str, Any]:
    dialect: dict[str, Any] = (await probe(store)).learned["dialect"]
    return dialect


async def test_everything_is_found_when_the_store_is_good() -> None:
    found = await learn(TinyStore())
    missing = {name for name, value in found.items() if value in (False, "")}
    assert missing == {"has_directories", "walks_directories", "versions", "characters_forbidden"}
    assert (found["access"], found["name_bytes_max"]) == ("document", 1024)


@pytest.mark.parametrize(
    ("where", "facts"),
    [
        ("put", {"put_if_absent"}),
        ("complete", {"complete_if_absent"}),
        ("copy", {"copy_if_absent"}),
        ("read", {"reads_if_match"}),
    ],
)
async def test_condition_is_not_relied_on_when_the_store_ignores_it(where: str, facts: set[str]) -> None:
    good, bad = await learn(TinyStore()), await learn(TinyStore(obeys=GOOD - {where}))
    assert {name for name in good if good[name] != bad[name]} == facts


@pytest.mark.parametrize("where", ["put", "complete"])
async def test_writes_are_not_exclusive_when_a_condition_is_ignored(where: str) -> None:
    async with open_tiny(TinyStore(obeys=GOOD - {where})) as bad, open_tiny(TinyStore()) as good:
        assert not bad.capabilities.upload_exclusive
        assert good.capabilities.upload_exclusive


async def test_it_is_looked_before_writing_when_conditions_are_ignored() -> None:
    store = TinyStore(obeys=frozenset())
    store.objects["a.txt"] = Stored(b"old")
    async with open_tiny(store) as connector:
        with refused(ErrorKind.ALREADY_EXISTS):
            await upload(connector, OnConflict.FAIL)
        assert store.objects["a.txt"].data == b"old"
        assert (await upload(connector, OnConflict.RENAME)).name == "a (1).txt"
        put = [seen for seen in store.seen if seen.method == "PUT"][-1]
        assert "if-none-match" not in put.headers


async def upload(connector: Connector, on_conflict: OnConflict) -> Any:
    return await connector.upload(RawId("/"), "a.txt", BytesSource(b"new"), on_conflict=on_conflict)


@pytest.mark.parametrize("beside", ["refused", "taken for bytes"])
async def test_tags_and_grants_are_not_offered_when_they_are_refused_or_spoil_the_object(beside: str) -> None:
    found = await learn(TinyStore(beside=beside))
    assert (found["tags"], found["access"]) == (False, "")


async def test_grants_are_not_offered_when_the_bucket_has_no_access_control_lists() -> None:
    found = await learn(TinyStore(access_error="AccessControlListNotSupported"))
    assert (found["tags"], found["access"]) == (True, "")


async def test_metadata_is_told_to_copies_when_the_store_forgets_it() -> None:
    store = TinyStore(copies_metadata=False)
    assert not (await learn(store))["copies_metadata"]
    store.objects = {"a.txt": Stored(b"bytes", {"content-type": "text/x-odd", "x-amz-meta-color": "red"})}
    async with open_tiny(store) as connector:
        file = await connector.get_by_path("/a.txt")
        await connector.update(file.ref, name="b.txt")
    assert store.objects["b.txt"].headers == {"content-type": "text/x-odd", "x-amz-meta-color": "red"}


@pytest.mark.parametrize("keeps_plus", [False, True])
async def test_names_are_read_right_however_the_store_encodes_them(keeps_plus: bool) -> None:
    store = TinyStore(keeps_plus=keeps_plus)
    store.objects = {"a +b": Stored(b"x"), "c+d/e f": Stored(b"x")}
    async with open_tiny(store) as connector:
        assert sorted(each.name for each in (await connector.list_folder(RawId("/"))).resources) == ["a +b", "c+d"]


async def test_keys_are_deleted_one_by_one_when_the_store_knows_no_batches() -> None:
    store = TinyStore(deletes_batches=False)
    assert not (await learn(store))["deletes_batches"]
    store.objects = {f"a/{number}": Stored(b"x") for number in range(20)}
    async with open_tiny(store) as connector:
        await connector.delete((await connector.get_by_path("/a")).ref, is_recursive=True)
    assert store.objects == {}


@pytest.mark.parametrize(
    ("forbidden", "learned"), [("\\", "\\"), ("\n", "\n"), ("\x01", "".join(map(chr, [*range(1, 32), 127])))]
)
async def test_characters_are_forbidden_when_the_store_cannot_have_them(forbidden: str, learned: str) -> None:
    assert (await learn(TinyStore(forbidden=forbidden)))["characters_forbidden"] == learned


async def test_nothing_is_taken_for_granted_when_nothing_may_be_written() -> None:
    found = await probe(TinyStore(is_read_only=True))
    assert found.learned == {"region": "eu-west-1"}
    async with open_tiny(TinyStore(is_read_only=True)) as connector:
        assert not connector.capabilities.upload_exclusive
        assert not connector.capabilities.list_properties


@pytest.mark.parametrize(("status", "tags"), [(503, True), (403, False)], ids=["for a while", "for good"])
async def test_what_is_documented_is_relied_on_when_the_original_just_fails(status: int, tags: bool) -> None:
    def refuse_tags(seen: Seen) -> Reply | None:
        return fail(status, "SlowDown" if tags else "AccessDenied") if seen.target.endswith("?tagging") else None

    async with ScriptedServer(TinyStore(intercept=refuse_tags)) as server:
        place = {"bucket": BUCKET, "style": "path"}
        async with open_account(place, endpoint=server.url) as connector:
            assert connector.capabilities.list_properties is tags
    async with open_tiny(TinyStore(intercept=refuse_tags)) as other:
        assert not other.capabilities.list_properties


async def test_what_is_documented_is_relied_on_when_nothing_may_be_written_to_the_original() -> None:
    async with ScriptedServer(TinyStore(is_read_only=True)) as server:
        place = {"bucket": BUCKET, "style": "path"}
        async with open_account(place, endpoint=server.url) as connector:
            assert connector.capabilities.upload_exclusive
            assert connector.capabilities.list_properties
            assert not connector.capabilities.list_versions


@pytest.mark.parametrize(
    ("intercept", "region"),
    [
        (lambda _: None, "eu-west-1"),
        (lambda seen: Reply() if seen.method == "HEAD" and seen.target == f"/{BUCKET}" else None, "eu-west-1"),
        (
            lambda seen: fail(403, "AccessDenied") if seen.target in {f"/{BUCKET}", f"/{BUCKET}?location"} else None,
            "us-east-1",
        ),
    ],
    ids=["told with the bucket", "asked for", "nobody says"],
)
async def test_region_is_found_when_the_store_tells_it_anywhere(intercept: Any, region: str) -> None:
    assert (await probe(TinyStore(intercept=intercept))).region == region


async def test_store_is_left_clean_when_a_call_fails_in_the_middle() -> None:
    def intercept(seen: Seen) -> Reply | None:
        return fail(400, "InvalidRequest") if "x-amz-copy-source" in seen.headers else None

    found = await learn(TinyStore(intercept=intercept))
    assert not found["copies_parts"]
    assert found["put_if_absent"]


async def test_nothing_stays_behind_when_a_real_store_is_probed(store: Store) -> None:
    store.put("mine", b"untouched")
    await store.connector.probe()
    assert store.list_keys() == ["mine"]
    assert store.uploads() == []
    assert [each.name for each in await store.list_folder()] == ["mine"]


async def test_no_version_stays_behind_when_the_bucket_keeps_versions(seaweedfs_client: Any) -> None:
    server = SHARED_SEAWEEDFS.get()
    bucket = f"{server.bucket}-probed"
    make_versioned_bucket(server, bucket)
    place = {**build_keys(server), "endpoint": server.url, "bucket": bucket}
    async with open_account(place, learned={}) as connector:
        assert (await connector.probe()).learned["dialect"]["versions"]
    found = seaweedfs_client.list_object_versions(Bucket=bucket)
    assert [found.get("Versions"), found.get("DeleteMarkers")] == [None, None]
