from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from app.core.errors import ApiError, ErrorCode
from app.links.pages import build_file_page, build_refusal_page, show_name, show_size
from connectors.core.resources import File, RawId
from tests.app.links.conftest import Page


@pytest.mark.parametrize(
    ("size_bytes", "shown"),
    [
        (0, "0 bytes"),
        (1, "1 byte"),
        (999, "999 bytes"),
        (1000, "1 kB"),
        (1437, "1.4 kB"),
        (999_949, "999.9 kB"),
        (999_950, "1 MB"),
        (1_437_912, "1.4 MB"),
        (10**9, "1 GB"),
        (5 * 10**12, "5 TB"),
        (2**63, "9.2 EB"),
        (10**22, "10000 EB"),
    ],
)
def test_size_is_said_as_people_say_it(size_bytes: int, shown: str) -> None:
    assert show_size(size_bytes) == shown


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("plain.txt", "plain.txt"),
        ("a\u202eb\u2066c\u200bd\x00e\x7f", "a?b?c?d?e?".replace("?", "\N{REPLACEMENT CHARACTER}")),
        ("👨\u200d👩\u200d👧 a\u200cb.txt", "👨\u200d👩\u200d👧 a\u200cb.txt"),
        ("\ud800half", "\N{REPLACEMENT CHARACTER}half"),
        ("one\u2028two", "one\N{REPLACEMENT CHARACTER}two"),
        ("x" * 300, "x" * 300),
        ("a" * 400 + ".pdf", "a" * 150 + "\N{HORIZONTAL ELLIPSIS}" + "a" * 146 + ".pdf"),
    ],
)
def test_name_is_shown_without_what_could_mislead(name: str, shown: str) -> None:
    assert show_name(name) == shown


def build_page(**facts: object) -> Page:
    file = File(raw_id=RawId("1"), **{"name": "a.txt", **facts})  # type: ignore[arg-type]  # facts as a test gives them
    return Page(bytes(build_file_page(file, download_path="/l/x/download").body).decode())


def test_what_is_not_known_is_not_shown() -> None:
    page = build_page()
    assert not {"Size", "Modified"} & set(page.words)
    assert "Size" in build_page(size_bytes=0).words


def test_time_is_shown_in_utc() -> None:
    modified = datetime(2026, 11, 3, 1, 5, tzinfo=timezone(timedelta(hours=2)))
    page = build_page(modified_at=modified)
    assert "2 November 2026, 23:05 UTC" in page.words
    assert page.find("time")["datetime"] == modified.astimezone(UTC).isoformat()


@pytest.mark.parametrize(
    ("name", "ending"),
    [("a.pdf", "PDF"), ("a.tar.gz", "GZ"), ("a", None), (".hidden", None), ("a.", None), ("a.toolong", None)],
)
def test_sign_names_a_short_ending(name: str, ending: str | None) -> None:
    page = build_page(name=name)
    assert page.has("text") == (ending is not None)
    assert ending is None or ending in page.words


def test_refusal_keeps_status_and_headers() -> None:
    error = ApiError(ErrorCode.TOO_MANY_REQUESTS, "Wait <b>", headers={"Retry-After": "7"})
    reply = build_refusal_page(error)
    assert (reply.status_code, reply.headers["retry-after"]) == (429, "7")
    assert b"Wait &lt;b&gt;" in bytes(reply.body)
