"""Signatures, compared with those that the provider's own library and pages give for the same requests."""

from __future__ import annotations

from datetime import UTC, datetime

import botocore.auth
import httpx
import pytest
from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from connectors.s3.account import Account, read_account
from connectors.s3.signing import IS_SIGNED, REGION, build_sign, sign_url

MOMENT = datetime(2013, 5, 24, tzinfo=UTC)
KEYS = {"access_key_id": "AKIAIOSFODNN7EXAMPLE", "secret_access_key": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"}


@pytest.fixture(autouse=True)
def stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    """The moment of the provider's examples."""
    monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda: MOMENT.replace(tzinfo=None))


def build_account(**more: str) -> Account:
    return read_account({**KEYS, **more}, operator_endpoint=None, has_endpoint_field=False)


def sign(request: httpx.Request, account: Account, *, region: str = "us-east-1") -> dict[str, str]:
    """The headers that an attempt is sent with."""
    request.extensions = {REGION: region}
    build_sign(account)(request, None)
    return dict(request.headers)


URLS = [
    "https://examplebucket.s3.amazonaws.com/test.txt",
    "https://s3.eu-west-1.amazonaws.com/bucket/a%2Bb%20c//d%252F/%C3%BC?list-type=2&prefix=a%2Fb%20&delimiter=%2F",
    "http://127.0.0.1:9000/bucket?uploads",
    "https://store.example/bucket/key?partNumber=1&uploadId=a%3D%3D",
]


@pytest.mark.parametrize("url", URLS)
@pytest.mark.parametrize("token", ["", "a session token"])
@pytest.mark.parametrize("region", ["us-east-1", "eu-central-1"])
def test_signature_is_that_of_the_providers_library_when_a_request_is_signed(url: str, token: str, region: str) -> None:
    headers = {
        "x-amz-copy-source": "/bucket/%C3%BC",
        "x-amz-meta-color": "red  and  blue",
        "Content-Type": "text/plain",
    }
    account = build_account(session_token=token.replace(" ", "-"))
    signed = sign(httpx.Request("PUT", url, headers=headers), account, region=region)
    expected = AWSRequest("PUT", url, headers={**headers, "Host": httpx.URL(url).netloc.decode()})
    expected.context["payload_signing_enabled"] = False
    expected.context["has_streaming_input"] = True
    expected.context["checksum"] = {"request_algorithm": {"in": "trailer"}}
    keys = Credentials(account.access_key_id, account.secret_access_key, account.session_token)
    auth = S3SigV4Auth(keys, "s3", region)
    auth.payload = lambda _: "UNSIGNED-PAYLOAD"
    auth.add_auth(expected)
    assert {name.lower(): value for name, value in expected.headers.items()}.items() <= signed.items()
    assert signed["x-amz-content-sha256"] == "UNSIGNED-PAYLOAD"
    assert ("x-amz-security-token" in signed) is bool(token)


def test_only_what_nobody_rewrites_is_covered_when_a_request_is_signed() -> None:
    headers = {"Accept-Encoding": "identity", "Range": "bytes=0-1", "If-Match": '"e"', "User-Agent": "x"}
    signed = sign(httpx.Request("GET", URLS[0], headers=headers), build_account())
    assert "SignedHeaders=host;x-amz-content-sha256;x-amz-date," in signed["authorization"]


def test_secret_is_nowhere_when_a_request_is_signed() -> None:
    account = build_account()
    assert KEYS["secret_access_key"] not in str(sign(httpx.Request("GET", URLS[0]), account))
    assert KEYS["secret_access_key"] not in repr(account)


def test_nothing_is_added_when_the_address_is_signed_already() -> None:
    request = httpx.Request("GET", URLS[0])
    before = dict(request.headers)
    request.extensions = {IS_SIGNED: True}
    build_sign(build_account())(request, None)
    assert dict(request.headers) == before


def test_address_is_that_of_the_providers_pages_when_it_is_signed() -> None:
    # https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html
    url = sign_url(build_account(), "GET", httpx.URL(URLS[0]), region="us-east-1", seconds=86400, headers={})
    assert url == (
        "https://examplebucket.s3.amazonaws.com/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256"
        "&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request"
        "&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host"
        "&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"
    )


def test_headers_are_covered_when_an_address_is_signed_with_them() -> None:
    headers = {"Content-Type": "image/png"}
    url = sign_url(build_account(), "PUT", httpx.URL(URLS[0]), region="us-east-1", seconds=60, headers=headers)
    expected = AWSRequest("PUT", URLS[0], headers=headers)
    S3SigV4QueryAuth(Credentials(**build_library_keys()), "s3", "us-east-1", expires=60).add_auth(expected)
    assert url == expected.url
    assert "X-Amz-SignedHeaders=content-type%3Bhost" in url


def build_library_keys() -> dict[str, str]:
    return {"access_key": KEYS["access_key_id"], "secret_key": KEYS["secret_access_key"]}
