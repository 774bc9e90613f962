"""Raw ids that are paths: one spelling each, and none that leads elsewhere."""

from __future__ import annotations

import pytest

from connectors.core.errors import ConnectorError, ErrorKind
from connectors.core.paths import Parts, number_name, read_name, read_path, read_raw_id, show, write_raw_id

NAME_BYTES_MAX = 20


@pytest.mark.parametrize(
    ("parts", "raw_id"),
    [
        ((), "/"),
        ((b"a", b"b c"), "/a/b c"),
        (("ü".encode(),), "/ü"),
        ((b"%41",), "/%41"),
        ((b"caf\xe9", b"a b"), "bytes:/caf%E9/a%20b"),
    ],
)
def test_path_comes_back_from_its_raw_id(parts: Parts, raw_id: str) -> None:
    assert write_raw_id(parts) == raw_id
    assert read_raw_id(raw_id) == parts


@pytest.mark.parametrize(
    "raw_id",
    ["", "a", "/a/", "//", "/a//b", "/.", "/a/..", "/a\0b", "/\ud800", "bytes:/a", "bytes:/caf%e9", "bytes:caf%E9"],
)
def test_not_found_when_a_raw_id_is_spelled_in_another_way(raw_id: str) -> None:
    with pytest.raises(ConnectorError) as caught:
        read_raw_id(raw_id)
    assert caught.value.kind is ErrorKind.NOT_FOUND


@pytest.mark.parametrize("raw_id", ["/.kloudless-x", "/a/.KLOUDLESS-x/b", "/" + "a" * 100_000])
def test_not_found_when_a_raw_id_is_reserved_or_absurd(raw_id: str) -> None:
    with pytest.raises(ConnectorError) as caught:
        read_raw_id(raw_id)
    assert caught.value.kind is ErrorKind.NOT_FOUND


@pytest.mark.parametrize("path", ["", "a", "/a/../b", "/a//b", "/\ud800"])
def test_invalid_name_when_a_path_is_none(path: str) -> None:
    with pytest.raises(ConnectorError) as caught:
        read_path(path)
    assert caught.value.kind is ErrorKind.INVALID_NAME


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "a\0b", "\ud800", ".kloudless-x", "x" * 21, "é" * 11])
def test_invalid_name_when_nothing_can_be_called_so(name: str) -> None:
    with pytest.raises(ConnectorError) as caught:
        read_name(name, name_bytes_max=NAME_BYTES_MAX)
    assert caught.value.kind is ErrorKind.INVALID_NAME


@pytest.mark.parametrize(
    ("name", "is_folder", "numbered"),
    [
        (b"a.txt", False, b"a (7).txt"),
        (b"a.b", True, b"a.b (7)"),
        (b".hidden", False, b".hidden (7)"),
        (b"x" * 20, False, b"x" * 16 + b" (7)"),
        (b"x." + b"y" * 18, False, b"x." + b"y" * 14 + b" (7)"),
        ("é".encode() * 8 + b".txt", False, "é".encode() * 6 + b" (7).txt"),
    ],
)
def test_numbered_name_is_as_long_as_it_may_be(name: bytes, is_folder: bool, numbered: bytes) -> None:
    assert number_name(name, 7, is_folder=is_folder, name_bytes_max=NAME_BYTES_MAX) == numbered
    assert len(numbered) <= NAME_BYTES_MAX


def test_name_is_shown_when_it_is_no_text() -> None:
    assert show(b"caf\xe9") == "caf\N{REPLACEMENT CHARACTER}"
