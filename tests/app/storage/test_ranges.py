from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from email.utils import format_datetime, parsedate_to_datetime

import httpx
import msgspec
import pytest

from tests.app.drive import Drive, read_error
from tests.app.sharing import MANIFEST, SharingDrive

DATA = b"0123456789"
FAR_AHEAD = "Fri, 01 Jan 2100 00:00:00 GMT"
LONG_AGO = "Mon, 01 Jan 1990 00:00:00 GMT"


@pytest.fixture(scope="module")
def contents(shared: Drive) -> Iterator[httpx.Client]:
    url = f"{shared.upload('digits.txt', DATA)['href']}/contents"
    with shared.caller.client() as client:
        client.base_url = httpx.URL(url)
        yield client


@pytest.fixture(scope="module")
def etag(contents: httpx.Client) -> str:
    return contents.get("").headers["etag"]


@pytest.fixture(scope="module")
def last_modified(contents: httpx.Client) -> str:
    return contents.get("").headers["last-modified"]


@pytest.mark.parametrize(
    ("asked", "first", "last"),
    [
        ("bytes=0-0", 0, 0),
        ("bytes=0-3", 0, 3),
        ("bytes=4-6", 4, 6),
        ("bytes=9-9", 9, 9),
        ("bytes=3-", 3, 9),
        ("bytes=0-", 0, 9),
        ("bytes=-3", 7, 9),
        ("bytes=-1000", 0, 9),
        ("bytes=5-1000", 5, 9),
        ("bytes=5-9999999999999999999", 5, 9),
        ("bytes=-9999999999999999999", 0, 9),
        ("Bytes=1-2", 1, 2),
        ("bytes= 1-2", 1, 2),
    ],
)
def test_one_range_is_206_with_just_these_bytes(contents: httpx.Client, asked: str, first: int, last: int) -> None:
    reply = contents.get("", headers={"Range": asked})
    assert (reply.status_code, reply.content) == (206, DATA[first : last + 1])
    assert reply.headers["content-range"] == f"bytes {first}-{last}/10"
    assert reply.headers["content-length"] == str(last - first + 1)
    assert reply.headers["content-type"] == "text/plain"


@pytest.mark.parametrize("asked", ["bytes=10-", "bytes=10-20", "bytes=9999999999999999999-", "bytes=-0"])
def test_range_that_touches_no_byte_is_416_with_the_size(contents: httpx.Client, asked: str) -> None:
    reply = contents.get("", headers={"Range": asked})
    assert read_error(reply) == (416, "range_not_satisfiable")
    assert reply.headers["content-range"] == "bytes */10"


@pytest.mark.parametrize(
    "asked",
    [
        "bytes=5-2",
        "bytes=--5",
        "bytes=a-b",
        "bytes=",
        "bytes=-",
        "bytes=1.5-3",
        "bytes=\N{FULLWIDTH DIGIT ONE}-",
        "bytes=1-2-3",
        "bytes=5",
    ],
)
def test_range_that_says_nothing_sensible_is_416(contents: httpx.Client, asked: str) -> None:
    assert read_error(contents.get("", headers=[(b"Range", asked.encode())])) == (416, "range_not_satisfiable")


def test_range_with_numbers_of_no_length_that_fits_is_416(contents: httpx.Client) -> None:
    asked = f"bytes=0-{'9' * 5000}"
    assert read_error(contents.get("", headers={"Range": asked})) == (416, "range_not_satisfiable")


@pytest.mark.parametrize("asked", ["bytes=0-1,4-5", "bytes=0-1, -2", "items=0-1", "0-1", "", "bytes 0-1"])
def test_several_ranges_and_other_units_give_the_whole_file(contents: httpx.Client, asked: str) -> None:
    reply = contents.get("", headers={"Range": asked})
    assert (reply.status_code, reply.content) == (200, DATA)
    assert "content-range" not in reply.headers


def test_any_range_of_an_empty_file_is_416_with_size_0(shared: Drive) -> None:
    url = f"{shared.upload('empty')['href']}/contents"
    for asked in ("bytes=0-", "bytes=0-0", "bytes=-5"):
        reply = shared.client.get(url, headers={"Range": asked})
        assert read_error(reply) == (416, "range_not_satisfiable")
        assert reply.headers["content-range"] == "bytes */0"


def test_head_ignores_a_range(contents: httpx.Client) -> None:
    reply = contents.head("", headers={"Range": "bytes=2-3"})
    assert (reply.status_code, reply.headers["content-length"]) == (200, "10")


def test_range_is_given_when_if_range_names_this_version(contents: httpx.Client, etag: str, last_modified: str) -> None:
    for version in (etag, last_modified):
        reply = contents.get("", headers={"Range": "bytes=2-3", "If-Range": version})
        assert (reply.status_code, reply.content) == (206, b"23")


@pytest.mark.parametrize("version", ['"other"', LONG_AGO, FAR_AHEAD, "nonsense", ""])
@pytest.mark.parametrize("asked", ["bytes=2-3", "bytes=10-"])
def test_whole_file_is_given_when_if_range_names_another_version(
    contents: httpx.Client, version: str, asked: str
) -> None:
    reply = contents.get("", headers={"Range": asked, "If-Range": version})
    assert (reply.status_code, reply.content) == (200, DATA)


def test_weak_etag_is_good_for_if_none_match_but_not_for_a_range(contents: httpx.Client, etag: str) -> None:
    reply = contents.get("", headers={"Range": "bytes=2-3", "If-Range": f"W/{etag}"})
    assert (reply.status_code, reply.content) == (200, DATA)
    assert contents.get("", headers={"If-None-Match": f"W/{etag}"}).status_code == 304
    assert contents.get("", headers={"If-Match": f"W/{etag}"}).status_code == 412


def test_range_that_no_longer_fits_is_416_only_for_this_version(contents: httpx.Client, etag: str) -> None:
    reply = contents.get("", headers={"Range": "bytes=10-", "If-Range": etag})
    assert read_error(reply) == (416, "range_not_satisfiable")


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("form", ["{}", '"other", {}', "{},", "*"])
def test_304_without_a_body_when_the_client_has_this_version(
    contents: httpx.Client, etag: str, method: str, form: str
) -> None:
    reply = contents.request(method, "", headers={"If-None-Match": form.format(etag)})
    assert (reply.status_code, reply.content, reply.headers["etag"]) == (304, b"", etag)
    assert "content-type" not in reply.headers
    assert "content-disposition" not in reply.headers


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_whole_file_is_given_when_the_client_has_another_version(contents: httpx.Client, method: str) -> None:
    for header in ({"If-None-Match": '"other"'}, {"If-Modified-Since": LONG_AGO}, {"If-Modified-Since": "junk"}):
        assert contents.request(method, "", headers=header).status_code == 200


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_if_modified_since_is_304_at_and_after_the_files_time(
    contents: httpx.Client, last_modified: str, method: str
) -> None:
    for since in (last_modified, FAR_AHEAD):
        assert contents.request(method, "", headers={"If-Modified-Since": since}).status_code == 304
    before = format_datetime(parsedate_to_datetime(last_modified) - timedelta(seconds=1), usegmt=True)
    assert contents.request(method, "", headers={"If-Modified-Since": before}).status_code == 200


def test_if_none_match_wins_over_if_modified_since(contents: httpx.Client) -> None:
    headers = {"If-None-Match": '"other"', "If-Modified-Since": FAR_AHEAD}
    assert contents.get("", headers=headers).status_code == 200


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_412_when_another_version_is_wanted(contents: httpx.Client, method: str) -> None:
    for headers in ({"If-Match": '"other"'}, {"If-Unmodified-Since": LONG_AGO}):
        reply = contents.request(method, "", headers=headers)
        assert reply.status_code == 412
        assert method == "HEAD" or read_error(reply) == (412, "precondition_failed")


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_file_is_given_when_this_version_is_wanted(
    contents: httpx.Client, etag: str, last_modified: str, method: str
) -> None:
    wanted = [{"If-Match": etag}, {"If-Match": "*"}, {"If-Match": f'"other", {etag}'}]
    wanted += [{"If-Unmodified-Since": last_modified}, {"If-Unmodified-Since": FAR_AHEAD}]
    wanted += [{"If-Match": etag, "If-Unmodified-Since": LONG_AGO}, {"If-Unmodified-Since": "junk"}]
    for headers in wanted:
        assert contents.request(method, "", headers=headers).status_code == 200


def test_range_is_given_when_the_other_conditions_hold(contents: httpx.Client, etag: str) -> None:
    for condition in ({"If-None-Match": '"other"'}, {"If-Match": etag}, {"If-Unmodified-Since": FAR_AHEAD}):
        assert contents.get("", headers={"Range": "bytes=2-3", **condition}).content == b"23"


@pytest.mark.parametrize("asked", ["bytes=2-3", "bytes=10-"])
def test_preconditions_come_before_the_range(contents: httpx.Client, etag: str, asked: str) -> None:
    assert contents.get("", headers={"Range": asked, "If-None-Match": etag}).status_code == 304
    failed = contents.get("", headers={"Range": asked, "If-Match": '"other"'})
    assert read_error(failed) == (412, "precondition_failed")


@pytest.mark.parametrize(
    "date",
    ["Fri, 31 Dec 9999 23:59:59 -2359", "Mon, 01 Jan 99999999999999999999 00:00:00"],
)
def test_dates_outside_the_calendar_are_ignored(contents: httpx.Client, date: str) -> None:
    for name in ("If-Modified-Since", "If-Unmodified-Since"):
        assert contents.get("", headers={name: date}).status_code == 200
    assert contents.get("", headers={"Range": "bytes=0-1", "If-Range": date}).status_code == 200


def test_date_without_a_zone_is_utc(contents: httpx.Client, last_modified: str) -> None:
    nameless = last_modified.replace("GMT", "-0000")
    assert contents.get("", headers={"If-Modified-Since": nameless}).status_code == 304


def test_whole_file_is_sent_where_the_storage_has_no_ranges(sharing: SharingDrive) -> None:
    url = f"{sharing.upload('digits.txt', DATA)['href']}/contents"
    capabilities = msgspec.structs.replace(MANIFEST.capabilities, download_range=False)
    sharing.store.__dict__["manifest"] = msgspec.structs.replace(MANIFEST, capabilities=capabilities)
    for asked in ("bytes=1-2", "bytes=99-", "bytes=2-1"):
        reply = sharing.client.get(url, headers={"Range": asked})
        assert (reply.status_code, reply.content, reply.headers["accept-ranges"]) == (200, DATA, "none")
    assert sharing.client.head(url).headers["accept-ranges"] == "none"
