"""What servers tell of files, in all the ways that they tell it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from connectors.core.resources import File, Folder, Quota
from connectors.webdav.mapping import (
    Entry,
    Mapper,
    read_etag,
    read_media_type,
    read_quota,
    read_size,
    read_time,
)
from connectors.webdav.multistatus import DAV, Member

MOMENT = datetime(1994, 11, 6, 8, 49, 37, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "Sun, 06 Nov 1994 08:49:37 GMT",
        "Sunday, 06-Nov-94 08:49:37 GMT",
        "Sun Nov  6 08:49:37 1994",
        "1994-11-06T08:49:37Z",
        "1994-11-06T09:49:37+01:00",
        " Sun, 06 Nov 1994 08:49:37 GMT ",
        "Sun, 06 Nov 1994 03:49:37 EST",
    ],
)
def test_moment_is_the_same_in_every_spelling(text: str) -> None:
    assert read_time(text) == MOMENT


@pytest.mark.parametrize(
    "text", [None, "", " ", "yesterday", "Sun, 99 Nov 1994 08:49:37 GMT", "0001-01-01T00:00:00+14:00"]
)
def test_there_is_no_time_when_it_cannot_be_read(text: str | None) -> None:
    assert read_time(text) is None


@pytest.mark.parametrize(
    ("text", "etag"),
    [
        ('"abc"', "abc"),
        ('W/"abc"', "abc"),
        ("abc", "abc"),
        (' "a b" ', "a b"),
        ('""', None),
        ('"', '"'),
        ("", None),
        (None, None),
    ],
)
def test_etag_is_bare_when_it_is_compared(text: str | None, etag: str | None) -> None:
    assert read_etag(text) == etag


@pytest.mark.parametrize(
    ("has_exact_etags", "text", "shown"),
    [(True, '"a"', "a"), (True, "a", "a"), (True, 'W/"a"', None), (True, None, None), (False, '"a"', None)],
)
def test_etag_is_told_only_when_each_write_has_another_one(
    has_exact_etags: bool, text: str | None, shown: str | None
) -> None:
    assert Mapper("root", has_exact_etags=has_exact_etags).show_etag(text) == shown


@pytest.mark.parametrize(
    ("text", "size"),
    [("0", 0), (" 12 ", 12), ("-1", None), ("", None), (None, None), ("1e3", None), ("٣", None), ("9" * 20, None)],
)
def test_size_is_a_number_or_none(text: str | None, size: int | None) -> None:
    assert read_size(text) == size


@pytest.mark.parametrize(
    ("text", "media_type"),
    [
        ("text/plain; charset=utf-8", "text/plain"),
        ("Image/PNG", "image/png"),
        ("httpd/unix-directory", None),
        ("", None),
        (None, None),
        ("nonsense", None),
    ],
)
def test_media_type_is_bare(text: str | None, media_type: str | None) -> None:
    assert read_media_type(text) == media_type


@pytest.mark.parametrize(
    ("used", "available", "quota"),
    [
        ("10", "90", Quota(100, 10, 90)),
        ("10", "-3", Quota(None, 10, None)),
        ("10", None, Quota(None, 10, None)),
        ("", "90", Quota(None, None, 90)),
        ("", "", None),
        (None, None, None),
    ],
)
def test_quota_says_what_the_server_says(used: str | None, available: str | None, quota: Quota | None) -> None:
    told = {f"{DAV}quota-used-bytes": used, f"{DAV}quota-available-bytes": available}
    assert read_quota({name: text for name, text in told.items() if text is not None}) == quota


def test_nothing_is_made_up_when_a_server_tells_nothing() -> None:
    mapper = Mapper("root", has_exact_etags=True)
    file = mapper.build(mapper.build_above((b"a",)), mapper.read_entry(b"b.txt", Member("/a/b.txt")))
    assert isinstance(file, File)
    assert (file.raw_id, file.name, file.path) == ("/a/b.txt", "b.txt", "/a/b.txt")
    assert (file.size_bytes, file.etag, file.modified_at, file.created_at, file.media_type, file.raw) == (None,) * 6


def test_folder_has_no_size_whatever_the_server_tells() -> None:
    mapper = Mapper("root", has_exact_etags=True)
    told = {f"{DAV}getcontentlength": "4096", f"{DAV}getetag": '"x"', f"{DAV}getcontenttype": "httpd/unix-directory"}
    entry = mapper.read_entry(b"a", Member("/a/", properties=told, is_folder=True))
    assert entry == Entry(b"a", is_folder=True)
    assert isinstance(mapper.build(mapper.build_above(()), entry), Folder)


def test_everything_told_is_there_when_it_is_asked_for() -> None:
    mapper = Mapper("root", has_exact_etags=True, include_raw=True)
    told = {f"{DAV}getcontentlength": "5"}
    assert mapper.read_entry(b"a", Member("/a", properties=told)).raw == told


def test_name_is_shown_and_addressed_when_it_is_no_valid_text() -> None:
    mapper = Mapper("root", has_exact_etags=True)
    file = mapper.build(mapper.build_above((b"caf\xe9",)), Entry(b"\xff.txt", is_folder=False))
    assert (file.raw_id, file.name) == ("bytes:/caf%E9/%FF.txt", "\N{REPLACEMENT CHARACTER}.txt")
    assert file.parent is not None
    assert file.parent.raw_id == "bytes:/caf%E9"
