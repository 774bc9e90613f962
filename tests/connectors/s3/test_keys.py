"""Raw ids, and the names that something new may have."""

from __future__ import annotations

import pytest

from connectors.core.errors import ErrorKind
from connectors.s3.keys import Layout, Place, check_bucket_name, check_name, number_name
from tests.connectors.behavior.space import refused

ONE = Layout("bucket", "in/", keeps_empty_segments=True)
ALL = Layout(None, "", keeps_empty_segments=True)


@pytest.mark.parametrize(
    ("raw_id", "place"),
    [
        ("/", Place("bucket", "in/")),
        ("/a", Place("bucket", "in/a")),
        ("/a/", Place("bucket", "in/a/")),
        ("//", Place("bucket", "in//")),
        ("/a//b", Place("bucket", "in/a//b")),
        ("/..", Place("bucket", "in/..")),
        ("/a+b%2F?#", Place("bucket", "in/a+b%2F?#")),
    ],
)
def test_raw_id_and_place_stand_for_each_other_when_one_bucket_is_shown(raw_id: str, place: Place) -> None:
    assert ONE.read(raw_id) == place
    assert ONE.write(place) == raw_id


@pytest.mark.parametrize(
    ("raw_id", "place"),
    [
        ("/", Place("", "")),
        ("/bucket/", Place("bucket", "")),
        ("/bucket/a/", Place("bucket", "a/")),
        ("/bucket//a", Place("bucket", "/a")),
        ("/Old_bucket.1/a", Place("Old_bucket.1", "a")),
    ],
)
def test_raw_id_and_place_stand_for_each_other_when_all_buckets_are_shown(raw_id: str, place: Place) -> None:
    assert ALL.read(raw_id) == place
    assert ALL.write(place) == raw_id


@pytest.mark.parametrize(
    "raw_id", ["", "a", "bucket/a", "/\0", "/\ud800", "/" + "x" * 1100, "/.kloudless-folder", "/a/.kloudless-x/b"]
)
def test_not_found_when_no_raw_id_is_written_so(raw_id: str) -> None:
    with refused(ErrorKind.NOT_FOUND):
        ONE.read(raw_id)


@pytest.mark.parametrize(
    "raw_id", ["//", "//a", "/bucket", "/../a", "/./a", "/b ucket/a", "/b#cket/", "/" + "b" * 256 + "/a"]
)
def test_not_found_when_no_bucket_is_called_so(raw_id: str) -> None:
    with refused(ErrorKind.NOT_FOUND):
        ALL.read(raw_id)


@pytest.mark.parametrize("raw_id", ["//", "//a", "/a//b", "/a//"])
def test_not_found_when_the_store_has_no_empty_segments(raw_id: str) -> None:
    with refused(ErrorKind.NOT_FOUND):
        Layout("bucket", "in/", keeps_empty_segments=False).read(raw_id)


def test_parents_lead_up_to_the_root_when_followed() -> None:
    assert ONE.parent(Place("bucket", "in/a/b"), is_folder=False) == Place("bucket", "in/a/")
    assert ONE.parent(Place("bucket", "in/a/"), is_folder=True) == Place("bucket", "in/")
    assert ONE.parent(Place("bucket", "in/"), is_folder=True) is None
    assert ALL.parent(Place("bucket", "a"), is_folder=False) == Place("bucket", "")
    assert ALL.parent(Place("bucket", ""), is_folder=True) == Place("", "")
    assert ALL.parent(Place("", ""), is_folder=True) is None


@pytest.mark.parametrize("name", ["abc", "a-b.c", "a" * 63, "1a1", "my.bucket"])
def test_bucket_can_be_called_so(name: str) -> None:
    check_bucket_name(name)


@pytest.mark.parametrize(
    "name", ["ab", "a" * 64, "Abc", "a_b", "a..b", "192.168.5.4", "-abc", "abc-", ".abc", "a b", "ü"]
)
def test_invalid_name_and_the_rule_is_told_when_a_bucket_cannot_be_called_so(name: str) -> None:
    with refused(ErrorKind.INVALID_NAME) as caught:
        check_name(name, Place("", ""), is_folder=True)
    assert "bucket" in caught.value.message


@pytest.mark.parametrize("name", [".kloudless-folder", ".kloudless-x", "x" * 1020])
def test_invalid_name_when_it_is_reserved_or_the_key_gets_too_long(name: str) -> None:
    with refused(ErrorKind.INVALID_NAME):
        check_name(name, Place("bucket", "in/a/"), is_folder=True)


@pytest.mark.parametrize(
    ("name", "is_folder", "numbered"),
    [
        ("a.txt", False, "a (2).txt"),
        ("a", False, "a (2)"),
        ("a.tar.gz", False, "a.tar (2).gz"),
        (".hidden", False, ".hidden (2)"),
        ("...", False, "... (2)"),
        ("a.", False, "a (2)."),
        ("v1.2", True, "v1.2 (2)"),
        ("ü" * 20, False, "ü" * 8 + " (2)"),
        ("x" * 30 + ".txt", False, "x" * 12 + " (2).txt"),
        ("x." + "y" * 30, False, "x." + "y" * 14 + " (2)"),
    ],
)
def test_number_stands_before_the_ending_and_the_name_stays_short_enough(
    name: str, is_folder: bool, numbered: str
) -> None:
    assert number_name(name, 2, is_folder=is_folder, bytes_max=20) == numbered
