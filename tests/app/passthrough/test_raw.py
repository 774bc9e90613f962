from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from dataclasses import dataclass

import httpx
import pytest

from tests.app.drive import read_error, read_json
from tests.servers.apache import SHARED_APACHE
from tests.servers.api import Api, Caller, build_settings, running_api
from tests.servers.s3 import S3Server
from tests.servers.seaweedfs import SHARED_SEAWEEDFS
from tests.servers.webdav import WebDavServer

URI, METHOD, HEADERS = "X-Kloudless-Raw-URI", "X-Kloudless-Raw-Method", "X-Kloudless-Raw-Headers"


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    with running_api(build_settings(tmp_path_factory.mktemp("raw"), allowed_networks=["127.0.0.0/8"])) as running:
        yield running


@pytest.fixture(scope="module")
def caller(api: Api) -> Caller:
    return api.create_caller()


@pytest.fixture(scope="module")
def client(caller: Caller) -> Iterator[httpx.Client]:
    with caller.client() as opened:
        yield opened


@dataclass(frozen=True)
class Raw:
    """An account, asked in its storage's own terms."""

    client: httpx.Client
    account_id: int

    def call(
        self, uri: str, method: str | None = None, *, headers: dict[str, str] | None = None, body: bytes | None = None
    ) -> httpx.Response:
        given = {
            URI: uri,
            **({METHOD: method} if method else {}),
            **({HEADERS: json.dumps(headers)} if headers else {}),
        }
        return self.client.post(f"/v1/accounts/{self.account_id}/raw", headers=given, content=body)


def connect(client: httpx.Client, service: str, fields: dict[str, str]) -> Raw:
    body = {"service": service, "account": service, **fields}
    return Raw(client, read_json(client.post("/v1/accounts", json=body), status=201)["id"])


@pytest.fixture(scope="module")
def bucket(client: httpx.Client) -> tuple[Raw, S3Server]:
    server = SHARED_SEAWEEDFS.get()
    fields = {
        "endpoint": server.url,
        "bucket": server.bucket,
        "access_key_id": server.access_key_id,
        "secret_access_key": server.secret_access_key,
    }
    return connect(client, "s3_compatible", fields), server


@pytest.fixture(scope="module")
def collection(client: httpx.Client) -> tuple[Raw, WebDavServer]:
    server = SHARED_APACHE.get()
    fields = {"url": server.url, "username": server.user, "password": server.password}
    return connect(client, "webdav", fields), server


class TestBucket:
    def test_request_is_signed_and_its_answer_comes_as_it_is(self, bucket: tuple[Raw, S3Server]) -> None:
        raw, server = bucket
        name = secrets.token_hex(6)
        put = raw.call(f"/{server.bucket}/{name}", "PUT", headers={"x-amz-meta-color": "red"}, body=b"bytes")
        assert (put.status_code, put.content) == (200, b"")
        head = raw.call(f"{server.url}/{server.bucket}/{name}", "HEAD")
        assert head.headers["x-amz-meta-color"] == "red"
        got = raw.call(f"/{server.bucket}/{name}", headers={"Range": "bytes=1-2"})
        assert (got.status_code, got.content, got.headers["content-range"]) == (206, b"yt", "bytes 1-2/5")
        assert got.headers["content-security-policy"] == "sandbox"
        listed = raw.call(f"/{server.bucket}?list-type=2&prefix={name}")
        assert name.encode() in listed.content
        assert listed.headers["content-type"].startswith("application/xml")

    def test_refusal_of_the_storage_is_the_answer(self, bucket: tuple[Raw, S3Server]) -> None:
        raw, server = bucket
        answer = raw.call(f"/{server.bucket}/{secrets.token_hex(6)}")
        assert answer.status_code == 404
        assert b"NoSuchKey" in answer.content

    @pytest.mark.parametrize(
        "uri", ["/", "/other/key", "http://example.com/tests/a", "https://127.0.0.1/tests/a", "/tests2/a"]
    )
    def test_other_places_are_refused(self, bucket: tuple[Raw, S3Server], uri: str) -> None:
        assert read_error(bucket[0].call(uri)) == (403, "forbidden")

    def test_other_buckets_are_not_copied_from(self, bucket: tuple[Raw, S3Server]) -> None:
        raw, server = bucket
        for source in ("/other/a", f"/{server.bucket}/../other/a", f"/{server.bucket}/%2e%2e/other/a"):
            answer = raw.call(f"/{server.bucket}/a", "PUT", headers={"X-Amz-Copy-Source": source})
            assert read_error(answer) == (403, "forbidden")


class TestCollection:
    def test_request_is_signed_and_its_answer_comes_as_it_is(self, collection: tuple[Raw, WebDavServer]) -> None:
        raw, server = collection
        folder = httpx.URL(server.url).path.rstrip("/") + "/" + secrets.token_hex(6)
        assert raw.call(folder, "MKCOL").status_code == 201
        assert raw.call(f"{folder}/a%20b.txt", "PUT", body=b"bytes").status_code == 201
        listed = raw.call(f"{folder}/", "PROPFIND", headers={"Depth": "1"})
        assert listed.status_code == 207
        assert b"a%20b.txt" in listed.content
        moved = raw.call(f"{folder}/a%20b.txt", "MOVE", headers={"Destination": f"{server.url.rstrip('/')}/x.txt"})
        assert moved.status_code in {201, 204}

    def test_moving_elsewhere_is_refused(self, collection: tuple[Raw, WebDavServer]) -> None:
        raw, server = collection
        path = httpx.URL(server.url).path.rstrip("/")
        for target in ("http://example.com/a", f"{server.url.rstrip('/')}/%2e%2e/a", f"{path}/\x01"):
            answer = raw.call(f"{path}/a", "MOVE", headers={"Destination": target})
            assert read_error(answer) == (403, "forbidden")

    def test_folder_beside_the_accounts_own_is_refused(
        self, client: httpx.Client, collection: tuple[Raw, WebDavServer]
    ) -> None:
        server, (own, other) = collection[1], (secrets.token_hex(6), secrets.token_hex(6))
        for name in (own, other):
            (server.root / name).mkdir()
            (server.root / name / "a.txt").write_text(name)
        place = f"{server.url}{own}/"
        raw = connect(client, "webdav", {"url": place, "username": server.user, "password": server.password})
        path = httpx.URL(place).path
        assert raw.call(f"{path}a.txt").text == own
        assert read_error(raw.call(f"{path}%2e%2e/{other}/a.txt")) == (403, "forbidden")


@pytest.mark.parametrize("headers", [{}, {URI: ""}, {URI: "/" + "x" * 20_000}])
def test_address_must_be_given(bucket: tuple[Raw, S3Server], headers: dict[str, str]) -> None:
    raw = bucket[0]
    answer = raw.client.post(f"/v1/accounts/{raw.account_id}/raw", headers=headers)
    assert read_error(answer) == (400, "invalid_parameters")


def test_odd_method_is_refused(bucket: tuple[Raw, S3Server]) -> None:
    assert read_error(bucket[0].call("/tests/a", "TRACE")) == (400, "invalid_parameters")


def test_storage_without_such_requests_says_so(caller: Caller, client: httpx.Client) -> None:
    answer = client.post(f"{caller.account_url}/raw", headers={URI: "/"})
    assert read_error(answer) == (501, "not_implemented")
