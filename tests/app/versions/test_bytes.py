from __future__ import annotations

import pytest

from connectors.core.resources import RawId
from tests.app.drive import read_error, read_json
from tests.app.versions.conftest import Versioned


def test_each_version_gives_its_own_bytes(versioned: Versioned) -> None:
    contents = [versioned.drive.client.get(f"{version['href']}/contents") for version in versioned.walk()]
    assert [reply.content for reply in contents] == [b"the third", b"second", b"first"]


def test_bytes_of_a_version_have_the_headers_that_keep_them_harmless(versioned: Versioned) -> None:
    url = f"{versioned.walk()[1]['href']}/contents"
    got, head = versioned.drive.client.get(url), versioned.drive.client.head(url)
    assert (head.status_code, head.content) == (200, b"")
    for reply in (got, head):
        assert reply.headers["content-length"] == "6"
        assert reply.headers["content-type"] == "text/plain"
        assert reply.headers["content-security-policy"] == "sandbox"
        assert reply.headers["x-content-type-options"] == "nosniff"
        assert reply.headers["content-disposition"].startswith('attachment; filename="a.txt"')
    assert got.headers["etag"] == head.headers["etag"]


@pytest.mark.parametrize(
    ("headers", "status", "content"),
    [
        ({"Range": "bytes=1-3"}, 206, b"eco"),
        ({"Range": "bytes=-2"}, 206, b"nd"),
        ({"Range": "bytes=1-3", "If-Range": "{etag}"}, 206, b"eco"),
        ({"Range": "bytes=1-3", "If-Range": '"other"'}, 200, b"second"),
        ({"If-None-Match": "{etag}"}, 304, b""),
        ({"If-None-Match": "{etag}", "Range": "bytes=0-0"}, 304, b""),
    ],
)
def test_ranges_and_conditions_hold_for_versions(
    versioned: Versioned, headers: dict[str, str], status: int, content: bytes
) -> None:
    url = f"{versioned.walk()[1]['href']}/contents"
    etag = versioned.drive.client.head(url).headers["etag"]
    sent = {name: value.format(etag=etag) for name, value in headers.items()}
    reply = versioned.drive.client.get(url, headers=sent)
    assert (reply.status_code, reply.content) == (status, content)


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"Range": "bytes=6-"}, (416, "range_not_satisfiable")),
        ({"If-Match": '"other"'}, (412, "precondition_failed")),
    ],
)
def test_range_or_version_that_is_not_there_is_refused(
    versioned: Versioned, headers: dict[str, str], expected: tuple[int, str]
) -> None:
    url = f"{versioned.walk()[1]['href']}/contents"
    assert read_error(versioned.drive.client.get(url, headers=headers)) == expected


def test_old_version_is_the_current_one_after_restoring_and_nothing_is_lost(versioned: Versioned) -> None:
    oldest = versioned.walk()[-1]
    restored = read_json(versioned.drive.client.post(f"{oldest['href']}/restore"))
    assert (restored["id"], restored["type"], restored["size"]) == (versioned.file["id"], "file", 5)
    assert versioned.drive.read(versioned.file["id"]) == b"first"
    versions = versioned.walk()
    assert [version["size"] for version in versions] == [5, 9, 6, 5]
    assert [version["current"] for version in versions] == [True, False, False, False]
    assert versions[-1] == oldest


def test_nothing_is_restored_when_the_file_is_gone(versioned: Versioned) -> None:
    oldest = versioned.walk()[-1]
    assert versioned.drive.client.delete(versioned.file["href"]).status_code == 204
    assert read_error(versioned.drive.client.post(f"{oldest['href']}/restore")) == (404, "not_found")
    assert RawId(versioned.file["raw_id"]) not in versioned.drive.store.nodes
