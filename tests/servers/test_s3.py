"""First light: what speaks S3 does so with an independent client, and only with those who have the key."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError, SSLError

from tests.servers.moto import SHARED_MOTO, running_moto
from tests.servers.rclone import SHARED_RCLONE_S3, running_rclone_s3
from tests.servers.s3 import S3Server
from tests.servers.seaweedfs import SHARED_SEAWEEDFS, running_seaweedfs
from tests.servers.shared import Shared

SHARED = {"seaweedfs": SHARED_SEAWEEDFS, "moto": SHARED_MOTO, "rclone": SHARED_RCLONE_S3}

BUCKETS_COUNT = 20


@pytest.fixture(params=SHARED.values(), ids=list(SHARED))
def server(request: pytest.FixtureRequest) -> S3Server:
    shared: Shared[S3Server] = request.param
    return shared.get()


@pytest.fixture
def client(server: S3Server) -> Iterator[Any]:
    with server.client() as client:
        yield client


@pytest.mark.parametrize("key", ["plain", "a folder/ü 1+2.txt"])
def test_object_comes_back_when_it_was_put(server: S3Server, client: Any, key: str) -> None:
    client.put_object(Bucket=server.bucket, Key=f"put/{key}", Body=b"some bytes", ContentType="text/plain")
    found = client.get_object(Bucket=server.bucket, Key=f"put/{key}")
    assert found["Body"].read() == b"some bytes"
    assert found["ContentType"].startswith("text/plain")


def test_objects_and_prefixes_are_listed_when_delimiter_is_given(server: S3Server, client: Any) -> None:
    for key in ("list/a", "list/b/c", "list/b/d"):
        client.put_object(Bucket=server.bucket, Key=key, Body=key.encode())
    found = client.list_objects_v2(Bucket=server.bucket, Prefix="list/", Delimiter="/")
    assert [(entry["Key"], entry["Size"]) for entry in found["Contents"]] == [("list/a", 6)]
    assert [entry["Prefix"] for entry in found["CommonPrefixes"]] == ["list/b/"]


def test_object_is_stored_when_its_bucket_is_one_of_many(server: S3Server, client: Any) -> None:
    names = [f"many-{number}" for number in range(BUCKETS_COUNT)]
    for name in names:
        client.create_bucket(Bucket=name)
        client.put_object(Bucket=name, Key="key", Body=name.encode())
    assert [client.get_object(Bucket=name, Key="key")["Body"].read().decode() for name in names] == names
    for name in names:
        client.delete_object(Bucket=name, Key="key")
        client.delete_bucket(Bucket=name)


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"secret_access_key": "a" * 40}, "SignatureDoesNotMatch"),
        ({"access_key_id": "AKSTRANGER0000000000"}, "InvalidAccessKeyId"),
    ],
    ids=["secret", "key"],
)
def test_caller_is_refused_when_credentials_are_wrong(server: S3Server, wrong: dict[str, Any], code: str) -> None:
    with replace(server, **wrong).client() as stranger:
        with pytest.raises(ClientError, match=code):
            stranger.list_objects_v2(Bucket=server.bucket)
        with pytest.raises(ClientError, match=code):
            stranger.put_object(Bucket=server.bucket, Key="stranger", Body=b"")


@pytest.mark.parametrize("running", [running_seaweedfs, running_moto, running_rclone_s3])
def test_server_is_reached_over_tls_only_when_its_authority_is_trusted(
    running: Callable[..., AbstractContextManager[S3Server]], tmp_path: Path
) -> None:
    with running(tmp_path / "server", is_tls=True) as server:
        with server.client() as client:
            client.put_object(Bucket=server.bucket, Key="a", Body=b"some bytes")
        with replace(server, certificate=None).client() as stranger, pytest.raises(SSLError):
            stranger.list_objects_v2(Bucket=server.bucket)
