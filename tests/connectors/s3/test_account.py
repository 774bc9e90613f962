"""Credentials as people fill them in: where they lead, and which field is named when one is wrong."""

from __future__ import annotations

import pytest

from connectors.core.errors import ErrorKind
from connectors.core.layers.authorize import is_allowed_host
from connectors.core.service import Options
from connectors.s3.account import Account, Endpoint, read_account
from connectors.s3.client import Client, Regions
from connectors.s3.keys import Place
from connectors.s3.manifest import COMPATIBLE_MANIFEST, MANIFEST
from connectors.s3.service import build_service
from tests.connectors.behavior.space import refused
from tests.connectors.core.fakes import FakeSend

KEYS = {"access_key_id": "AK", "secret_access_key": "secret"}


def read_compatible(**given: str) -> Account:
    return read_account({**KEYS, **given}, operator_endpoint=None, has_endpoint_field=True)


def read_aws(endpoint: str | None = None, **given: str) -> Account:
    return read_account({**KEYS, **given}, operator_endpoint=endpoint, has_endpoint_field=False)


def build_url(account: Account, bucket: str, key: str = "a b") -> str:
    return str(Client(account, FakeSend(), Regions()).build_url(Place(bucket, key)))


@pytest.mark.parametrize(
    ("given", "bucket", "url"),
    [
        ({}, "photos", "https://photos.s3.us-east-1.amazonaws.com/a%20b"),
        ({"region": "eu-west-1"}, "photos", "https://photos.s3.eu-west-1.amazonaws.com/a%20b"),
        ({"region": "cn-north-1"}, "photos", "https://photos.s3.cn-north-1.amazonaws.com.cn/a%20b"),
        ({"region": "eusc-de-east-1"}, "photos", "https://photos.s3.eusc-de-east-1.amazonaws.eu/a%20b"),
        ({"style": "path"}, "photos", "https://s3.us-east-1.amazonaws.com/photos/a%20b"),
        ({}, "dots.in.it", "https://s3.us-east-1.amazonaws.com/dots.in.it/a%20b"),
        ({}, "Old_Bucket", "https://s3.us-east-1.amazonaws.com/Old_Bucket/a%20b"),
    ],
)
def test_address_is_awss_own_when_no_other_is_set(given: dict[str, str], bucket: str, url: str) -> None:
    account = read_aws(**given)
    assert build_url(account, bucket) == url
    assert is_allowed_host(Client(account, FakeSend(), Regions()).build_url(Place(bucket, "")), MANIFEST.allowed_hosts)


@pytest.mark.parametrize(
    ("given", "bucket", "url"),
    [
        ({"endpoint": "https://store.example"}, "photos", "https://store.example/photos/a%20b"),
        ({"endpoint": "store.example"}, "photos", "https://store.example/photos/a%20b"),
        ({"endpoint": "http://store.example:9000/"}, "photos", "http://store.example:9000/photos/a%20b"),
        ({"endpoint": "https://store.example/storage/s3"}, "photos", "https://store.example/storage/s3/photos/a%20b"),
        ({"endpoint": "https://store.example", "style": "virtual"}, "photos", "https://photos.store.example/a%20b"),
        ({"endpoint": "http://store.example:81", "style": "virtual"}, "a.b", "http://a.b.store.example:81/a%20b"),
        ({"endpoint": "https://store.example", "style": "virtual"}, "a.b", "https://store.example/a.b/a%20b"),
        ({"endpoint": "http://127.0.0.1:9000", "style": "virtual"}, "photos", "http://127.0.0.1:9000/photos/a%20b"),
        ({"endpoint": "http://[::1]:9000", "style": "virtual"}, "photos", "http://[::1]:9000/photos/a%20b"),
    ],
)
def test_address_is_the_stores_when_one_was_filled_in(given: dict[str, str], bucket: str, url: str) -> None:
    account = read_compatible(**given)
    assert build_url(account, bucket) == url
    built = Client(account, FakeSend(), Regions()).build_url(Place(bucket, "a b"))
    assert is_allowed_host(built, account.endpoint.hosts)


@pytest.mark.parametrize(
    ("key", "path"),
    [
        ("a+b/ü?#&%2F", "/b/a%2Bb/%C3%BC%3F%23%26%252F"),
        ("//a//b/", "/b///a//b/"),
        ("\x01\n\x7f", "/b/%01%0A%7F"),
        ("", "/b"),
    ],
)
def test_key_is_exact_on_the_wire_when_it_is_odd(key: str, path: str) -> None:
    assert build_url(read_compatible(endpoint="https://store.example"), "b", key) == f"https://store.example{path}"


@pytest.mark.parametrize("key", [".", "..", "a/../b", "a/./b", "../"])
def test_invalid_name_when_no_url_can_hold_the_key(key: str) -> None:
    with refused(ErrorKind.INVALID_NAME):
        build_url(read_compatible(endpoint="https://store.example"), "b", key)


def test_signatures_go_below_a_host_only_when_buckets_stand_in_front_of_it() -> None:
    assert Endpoint("https://store.example", is_virtual=False).hosts == ("store.example",)
    assert Endpoint("https://STORE.example:443", is_virtual=True).hosts == ("store.example", "*.store.example")
    assert Endpoint("http://store.example:9000", is_virtual=True).hosts == (
        "store.example:9000",
        "*.store.example:9000",
    )
    assert Endpoint(None, is_virtual=True).hosts == ()


@pytest.mark.parametrize(
    ("given", "kind", "field"),
    [
        ({"endpoint": ""}, "address_refused", "endpoint"),
        ({"endpoint": "ftp://store.example"}, "address_refused", "endpoint"),
        ({"endpoint": "https://user:password@store.example"}, "address_refused", "endpoint"),
        ({"endpoint": "https://store.example/?a=b"}, "address_refused", "endpoint"),
        ({"endpoint": "https://store.example/#a"}, "address_refused", "endpoint"),
        ({"endpoint": "https://0x7f.1"}, "address_refused", "endpoint"),
        ({"style": "odd"}, "permission_denied", "style"),
        ({"bucket": "a/b"}, "permission_denied", "bucket"),
        ({"bucket": ".."}, "permission_denied", "bucket"),
        ({"bucket": "evil.example#"}, "permission_denied", "bucket"),
        ({"prefix": "a"}, "permission_denied", "prefix"),
        ({"bucket": "b", "prefix": "a/../b"}, "permission_denied", "prefix"),
        ({"bucket": "b", "prefix": "a//b"}, "permission_denied", "prefix"),
        ({"region": "eu west"}, "permission_denied", "region"),
        ({"region": "x.evil.example/"}, "permission_denied", "region"),
        ({"access_key_id": "a\nb"}, "permission_denied", "access_key_id"),
        ({"session_token": "a\nb"}, "permission_denied", "session_token"),
    ],
)
def test_field_is_named_when_it_is_wrong(given: dict[str, str], kind: str, field: str) -> None:
    with refused(ErrorKind(kind)) as caught:
        read_compatible(**{"endpoint": "https://store.example", **given})
    assert caught.value.message.startswith(f"{field}: ")


@pytest.mark.parametrize(("prefix", "read"), [("", ""), ("/", ""), ("a", "a/"), ("/a/b/", "a/b/"), ("a b", "a b/")])
def test_prefix_is_a_folder_however_it_was_written(prefix: str, read: str) -> None:
    assert read_aws(bucket="b", prefix=prefix).prefix == read


def test_space_around_is_no_part_of_a_key_when_it_was_copied_with_it() -> None:
    account = read_aws(access_key_id=" AK\n", secret_access_key=" secret ")
    assert (account.access_key_id, account.secret_access_key) == ("AK", "secret")


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"endpoint": 1}, "endpoint"),
        ({"endpoint": "ftp://a"}, "endpoint"),
        ({"end_point": "https://a"}, "end_point"),
    ],
)
def test_setting_is_named_when_the_operators_is_wrong(settings: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        build_service(Options(settings={"s3": settings}))


def test_fields_say_which_choice_is_taken_when_none_is_made() -> None:
    for manifest, style in ((MANIFEST, "virtual"), (COMPATIBLE_MANIFEST, "path")):
        field = next(field for field in manifest.auth.fields if field.name == "style")
        assert field.choices[0] == style
    assert read_aws().endpoint.is_virtual
    assert not read_compatible(endpoint="https://a.example").endpoint.is_virtual
