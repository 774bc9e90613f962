"""Connecting an account: who it is, where it is, and what is wrong with it, in words that name the field."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from connectors.core.bytesource import StreamSource
from connectors.core.errors import ConnectorError, ErrorKind
from connectors.core.guard import Resolver
from connectors.core.resources import OnConflict, RawId
from tests.connectors.behavior.space import refused, stream
from tests.connectors.s3.accounts import SECRET_ACCESS_KEY, build_keys, open_account, resolve_here
from tests.connectors.s3.conftest import Store
from tests.connectors.s3.tinystore import Stored, TinyStore, fail, open_tiny
from tests.servers.moto import SHARED_MOTO
from tests.servers.rclone import SHARED_RCLONE_S3, running_rclone_s3
from tests.servers.s3 import S3Server
from tests.servers.scripted import Reply, ScriptedServer, Seen
from tests.servers.seaweedfs import SHARED_SEAWEEDFS
from tests.servers.shared import Shared

SERVERS: dict[str, Shared[S3Server]] = {
    "seaweedfs": SHARED_SEAWEEDFS,
    "moto": SHARED_MOTO,
    "rclone": SHARED_RCLONE_S3,
}


@pytest.fixture(params=SERVERS.values(), ids=list(SERVERS))
def place(request: pytest.FixtureRequest) -> dict[str, str]:
    """What opens the common bucket of each server."""
    server = request.param.get()
    return {**build_keys(server), "endpoint": server.url, "bucket": server.bucket}


async def fail_to_connect(place: dict[str, str], *, resolver: Resolver = resolve_here, **wrong: str) -> ConnectorError:
    async with open_account({**place, **wrong}, learned={}, resolver=resolver) as connector:
        with pytest.raises(ConnectorError) as caught:
            await connector.get_identity()
    said = f"{caught.value} {caught.value.context} {caught.value.__cause__!r}"
    assert SECRET_ACCESS_KEY not in said
    assert place.get("secret_access_key", SECRET_ACCESS_KEY) not in said
    return caught.value


async def test_access_key_is_named_when_nobody_has_it(place: dict[str, str]) -> None:
    error = await fail_to_connect(place, access_key_id="AKNOBODY00000000000")
    assert error.kind is ErrorKind.GRANT_REVOKED
    assert error.message.startswith("access_key_id: ")


async def test_secret_is_named_when_it_is_another_keys(place: dict[str, str]) -> None:
    error = await fail_to_connect(place, secret_access_key=SECRET_ACCESS_KEY)
    assert error.kind is ErrorKind.GRANT_REVOKED
    assert error.message.startswith("secret_access_key: ")


async def test_bucket_is_named_when_there_is_none_of_its_name(place: dict[str, str]) -> None:
    error = await fail_to_connect(place, bucket="nowhere-at-all")
    assert error.kind is ErrorKind.PERMISSION_DENIED
    assert error.message.startswith("bucket: ")
    assert "nowhere-at-all" in error.message


@pytest.fixture
def closed_port() -> Iterator[int]:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))  # nobody listens, and nobody else can
        yield held.getsockname()[1]


async def test_endpoint_is_named_when_nobody_listens(closed_port: int) -> None:
    error = await fail_to_connect({"endpoint": f"http://127.0.0.1:{closed_port}", "bucket": "b"})
    assert error.kind is ErrorKind.UNAVAILABLE
    assert error.message.startswith("endpoint: ")
    assert "refuse" in error.message


async def test_endpoint_is_named_when_its_name_leads_nowhere() -> None:
    async def resolve_nothing(_host: str) -> list[str]:
        raise OSError("no such name")

    error = await fail_to_connect({"endpoint": "https://nowhere.example", "bucket": "b"}, resolver=resolve_nothing)
    assert error.kind is ErrorKind.UNAVAILABLE
    assert error.message.startswith("endpoint: the host name nowhere.example")


async def test_endpoint_is_refused_when_it_leads_into_this_network() -> None:
    async def resolve_private(_host: str) -> list[str]:
        return ["10.0.0.1"]

    for endpoint in ("http://10.0.0.1:9000", "http://store.example"):
        error = await fail_to_connect({"endpoint": endpoint, "bucket": "b"}, resolver=resolve_private)
        assert error.kind is ErrorKind.ADDRESS_REFUSED


async def test_tls_is_named_when_nobody_is_trusted_there(tmp_path: Path) -> None:
    with running_rclone_s3(tmp_path / "server", is_tls=True) as server:
        place = {**build_keys(server), "endpoint": server.url, "bucket": server.bucket}
        error = await fail_to_connect(place)
    assert error.kind is ErrorKind.UNAVAILABLE
    assert error.message.startswith("endpoint: ")
    assert "TLS" in error.message


async def test_endpoint_is_named_when_something_else_answers_there() -> None:
    async with ScriptedServer(Reply(body=b"<html><body>Welcome</body></html>")) as server:
        error = await fail_to_connect({"endpoint": server.url, "bucket": "b"})
    assert error.kind is ErrorKind.UNEXPECTED
    assert error.message.startswith("endpoint: ")


@pytest.mark.parametrize(
    ("code", "status", "kind", "words"),
    [
        ("RequestTimeTooSkewed", 403, "unexpected", "clock"),
        ("AccessDenied", 403, "permission_denied", "s3:ListBucket"),
        ("ExpiredToken", 400, "grant_revoked", "session_token: "),
    ],
)
async def test_cause_is_told_in_plain_words_when_the_store_refuses(
    code: str, status: int, kind: str, words: str
) -> None:
    async with ScriptedServer(fail(status, code)) as server:
        error = await fail_to_connect({"endpoint": server.url, "bucket": "b"})
    assert error.kind == kind
    assert words in error.message


async def test_a_bucket_is_asked_for_when_buckets_may_not_be_listed() -> None:
    async with ScriptedServer(fail(403, "AccessDenied")) as server:
        error = await fail_to_connect({"endpoint": server.url})
    assert error.kind is ErrorKind.PERMISSION_DENIED
    assert error.message.startswith("bucket: ")


async def test_identity_is_the_place_when_a_bucket_is_given(store: Store) -> None:
    identity = await store.connector.get_identity()
    assert identity.key.endswith(f"/{store.bucket}/{store.prefix}")
    assert identity.label == f"{store.bucket}/{store.prefix}".rstrip("/")


async def test_identity_is_the_owner_when_all_buckets_are_shown(place: dict[str, str]) -> None:
    del place["bucket"]
    async with open_account(place, learned={}) as connector:
        identity = await connector.get_identity()
    assert identity.key.startswith(f"{place['endpoint']}#")
    assert place["access_key_id"] not in identity.key
    assert identity.label


async def test_session_token_goes_along_when_there_is_one() -> None:
    store = TinyStore()
    async with open_tiny(store, learned={}, session_token="temporary") as connector:
        await connector.get_identity()
    assert store.seen[-1].headers["x-amz-security-token"] == "temporary"


def send_elsewhere(home: str, *, is_mute: bool) -> Any:
    """Answers as AWS does to requests that were signed for another region than the bucket's."""

    def intercept(seen: Seen) -> Reply | None:
        if f"/{home}/s3/aws4_request" in seen.headers["authorization"]:
            return None
        if is_mute or seen.method == "HEAD":
            return Reply(400, headers={"x-amz-bucket-region": home})
        return fail(400, "AuthorizationHeaderMalformed", f"<Region>{home}</Region>")

    return intercept


@pytest.mark.parametrize("is_mute", [False, True])
async def test_call_is_signed_again_when_the_bucket_is_in_another_region(is_mute: bool) -> None:
    store = TinyStore(intercept=send_elsewhere("eu-north-1", is_mute=is_mute), region="eu-north-1")
    store.objects["a"] = Stored(b"bytes")
    async with open_tiny(store, learned={}) as connector:
        await connector.get_identity()
        assert [each.name for each in (await connector.list_folder(RawId("/"))).resources] == ["a"]
        wrong = [seen for seen in store.seen if "us-east-1" in seen.headers["authorization"]]
        assert len(wrong) == 1  # it is remembered
        assert (await connector.probe()).region == "eu-north-1"


async def test_body_that_can_be_read_once_arrives_when_the_bucket_is_in_another_region() -> None:
    store = TinyStore(intercept=send_elsewhere("eu-north-1", is_mute=False))
    async with open_tiny(store, learned={}) as connector:
        source = StreamSource(stream([b"once"]), size_bytes=4)
        await connector.upload(RawId("/"), "a", source, on_conflict=OnConflict.FAIL)
    assert store.objects["a"].data == b"once"


async def test_region_is_known_from_the_first_call_when_it_was_learned() -> None:
    store = TinyStore(intercept=send_elsewhere("eu-north-1", is_mute=False))
    async with open_tiny(store, learned={"region": "eu-north-1"}) as connector:
        await connector.list_folder(RawId("/"))
    assert len(store.seen) == 1


async def test_it_does_not_go_on_for_ever_when_the_store_names_one_region_after_the_other() -> None:
    def intercept(seen: Seen) -> Reply:
        other = "eu-north-1" if "us-east-1" in seen.headers["authorization"] else "us-east-1"
        return fail(400, "AuthorizationHeaderMalformed", f"<Region>{other}</Region>")

    store = TinyStore(intercept=intercept)
    async with open_tiny(store, learned={}) as connector:
        with refused(ErrorKind.UNEXPECTED):
            await connector.list_folder(RawId("/"))
    assert len(store.seen) == 2


async def test_bucket_stands_before_the_host_when_it_is_asked_for() -> None:
    seen: list[Seen] = []

    def answer(request: Seen) -> Reply:
        seen.append(request)
        return Reply(body=b"<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>")

    async with ScriptedServer(answer) as server:
        port = server.url.rpartition(":")[2]
        place = {"endpoint": f"http://store.test:{port}", "bucket": "photos", "style": "virtual"}
        async with open_account(place, learned={}) as connector:
            await connector.list_folder(RawId("/"))
    assert seen[0].headers["host"] == f"photos.store.test:{port}"
    assert seen[0].target.startswith("/?list-type=2")
    assert "authorization" in seen[0].headers
