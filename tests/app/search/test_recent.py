from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.search.service import RECENT_FILES_MAX, parse_after
from tests.app.drive import Drive, read_error, read_json

START = datetime(2026, 11, 22, 22, 36, 1, 123456, tzinfo=UTC)
NAMES = ["newest", "newer", "middle", "older", "oldest"]


@pytest.fixture
def files(drive: Drive) -> Drive:
    """Five files on three levels, each a microsecond older than the one before, and folders that are newer."""
    outer = drive.create_folder("outer")
    inner = drive.create_folder("inner", parent=outer["id"])
    places = {"middle": "root", "oldest": inner["id"], "newest": inner["id"], "older": "root", "newer": outer["id"]}
    for name, parent in places.items():
        file = drive.upload(name, parent=parent)
        set_time(drive, file["path"], START - timedelta(microseconds=NAMES.index(name)))
    return drive


def set_time(drive: Drive, path: str, time: datetime) -> None:
    whole, micros = int(time.replace(microsecond=0).timestamp()), time.microsecond
    nanoseconds = whole * 10**9 + micros * 1000
    os.utime(drive.caller.folder / path.removeprefix("/"), ns=(nanoseconds, nanoseconds))


def list_recent(drive: Drive, **params: str) -> dict[str, Any]:
    return read_json(drive.client.get(drive.url("recent"), params=params))


def list_names(*pages: dict[str, Any]) -> list[str]:
    return [entry["name"] for page in pages for entry in page["objects"]]


def test_files_come_newest_first_with_the_envelope_of_numbered_lists(files: Drive) -> None:
    listed = list_recent(files)
    assert set(listed) == {"api", "type", "count", "page", "next_page", "objects", "total", "partial"}
    assert (listed["api"], listed["type"], listed["count"], listed["total"]) == ("storage", "object_list", 5, 5)
    assert (listed["page"], listed["next_page"], listed["partial"]) == (1, None, False)
    assert list_names(listed) == NAMES
    assert {entry["type"] for entry in listed["objects"]} == {"file"}


def test_entries_are_the_same_objects_as_single_ones(files: Drive) -> None:
    objects = list_recent(files)["objects"]
    assert objects == [read_json(files.client.get(entry["href"])) for entry in objects]
    assert objects[0]["modified"] == "2026-11-22T22:36:01.123456Z"


def test_account_without_files_has_an_empty_list(drive: Drive) -> None:
    drive.create_folder("folder")
    listed = list_recent(drive)
    assert (listed["count"], listed["total"], listed["next_page"], listed["objects"]) == (0, 0, None, [])


@pytest.mark.parametrize("page_size", [1, 2, 3, 5, 1000])
def test_every_page_size_gives_each_file_once_and_ends_with_null(files: Drive, page_size: int) -> None:
    pages = []
    page: int | None = 1
    while page is not None:
        pages.append(list_recent(files, page=str(page), page_size=str(page_size)))
        assert (pages[-1]["page"], pages[-1]["total"]) == (page, 5)
        page = pages[-1]["next_page"]
    assert list_names(*pages) == NAMES
    assert len(pages) == -(-5 // page_size)


@pytest.mark.parametrize(
    ("params", "status", "code"),
    [
        ({"page": "0"}, 400, "invalid_parameters"),
        ({"page": "-1"}, 400, "invalid_parameters"),
        ({"page": "two"}, 400, "invalid_parameters"),
        ({"page_size": "0"}, 400, "invalid_parameters"),
        ({"page_size": "1001"}, 400, "invalid_parameters"),
        ({"page": "2"}, 404, "not_found"),
        ({"page": "4", "page_size": "2"}, 404, "not_found"),
        ({"page": "2", "after": "2200-01-01"}, 404, "not_found"),
    ],
)
def test_page_that_there_is_not_is_an_error(files: Drive, params: dict[str, str], status: int, code: str) -> None:
    assert read_error(files.client.get(files.url("recent"), params=params)) == (status, code)


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        ("2026-11-22T22:36:01.123454Z", NAMES[:2]),
        ("2026-11-22T22:36:01.123454", NAMES[:2]),
        ("2026-11-22 22:36:01.123454+00:00", NAMES[:2]),
        ("2026-11-22 22:36:01.123454 00:00", NAMES[:2]),
        ("2026-11-22T23:36:01.123454 01:00", NAMES[:2]),
        ("2026-11-22 17:36:01.123454-05:00", NAMES[:2]),
        ("2026-11-22T22:36:01.123456Z", []),
        ("2026-11-22T22:36:01.123455Z", NAMES[:1]),
        ("2026-11-22T22:36:01", NAMES),
        ("2026-11-22", NAMES),
        ("2026-11-23", []),
        ("", NAMES),
        ("yesterday", []),
        ("1763850961", []),
        ("0001-01-01T00:00:00+23:59", []),
        ("2026-13-01", []),
    ],
)
def test_only_files_later_than_a_time_come_and_none_when_it_is_no_time(
    files: Drive, after: str, expected: list[str]
) -> None:
    listed = list_recent(files, after=after)
    assert (list_names(listed), listed["total"]) == (expected, len(expected))


def test_plus_sign_of_a_zone_may_be_sent_as_it_is(files: Drive) -> None:
    reply = files.client.get(f"{files.url('recent')}?after=2026-11-22T22:36:01.123455+00:00")
    assert list_names(read_json(reply)) == NAMES[:1]


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2026-11-22 22:36:01.123456+00:00", START),
        ("2026-11-22T22:36:01.123456Z", START),
        (" 2026-11-22T22:36:01.123456 ", START),
        ("2026-11-23 00:36:01.123456 02:00", START),
        ("2026-11-22", datetime(2026, 11, 22, tzinfo=UTC)),
        ("", None),
        (" ", None),
        ("now", None),
        ("22:36", None),
        ("2026-11-22 22:36:01 hours", None),
    ],
)
def test_time_is_read_as_clients_write_it(text: str, time: datetime | None) -> None:
    assert parse_after(text) == time


def test_file_moves_to_the_front_when_it_is_written(files: Drive) -> None:
    files.client.put(list_recent(files)["objects"][-1]["href"], content=b"new bytes")
    assert list_names(list_recent(files)) == ["oldest", *NAMES[:-1]]


def test_files_come_whether_or_not_the_application_has_the_flag(files: Drive) -> None:
    url = f"/v1/meta/applications/{files.caller.application_id}"
    with files.caller.client(files.caller.developer_header) as developer:
        for flag in (True, False):
            assert developer.patch(url, json={"recent_enabled": flag}).json()["recent_enabled"] is flag
            assert list_recent(files)["total"] == 5


def test_answer_is_partial_and_ends_when_there_are_more_than_the_most(drive: Drive) -> None:
    for number in range(RECENT_FILES_MAX + 5):
        (drive.caller.folder / f"{number}").touch()
    for number in range(5):
        set_time(drive, f"/{number}", START - timedelta(days=4000))
    listed = list_recent(drive, page_size="1000")
    assert (listed["count"], listed["total"], listed["partial"]) == (RECENT_FILES_MAX, RECENT_FILES_MAX, True)
    assert listed["next_page"] is None
    assert not {"0", "1", "2", "3", "4"} & set(list_names(listed))


def test_nobody_else_may_look(files: Drive) -> None:
    other = files.caller.api.create_caller()
    with other.client() as client:
        assert read_error(client.get(files.url("recent"))) == (404, "not_found")
    with files.caller.api.client() as client:
        assert read_error(client.get(files.url("recent"), params={"page": "0"})) == (401, "authentication_required")
