"""Documents of a storage's own, which have no bytes until they are exported."""

from __future__ import annotations

from typing import Any

import pytest

from tests.app.drive import Drive, read_error, read_json
from tests.app.sharing import SharingDrive


@pytest.fixture
def document(sharing: SharingDrive) -> dict[str, Any]:
    return read_json(sharing.send_file("a.minutes", b"what was said"), status=201)


@pytest.mark.parametrize(
    ("query", "name", "media_type"),
    [("", "a.minutes.html", "text/html"), ("?export_format=epub", "a.minutes.epub", "application/epub+zip")],
)
def test_head_tells_what_a_download_does(
    sharing: SharingDrive, document: dict[str, Any], query: str, name: str, media_type: str
) -> None:
    url = f"{document['href']}/contents{query}"
    told, came = sharing.client.head(url), sharing.client.get(url)
    names = ("content-type", "content-disposition", "content-length", "etag", "last-modified", "accept-ranges")
    assert [told.headers.get(each) for each in names] == [came.headers.get(each) for each in names]
    assert "content-length" not in told.headers  # nobody knows before it is there
    assert (told.headers["content-type"], name in told.headers["content-disposition"]) == (media_type, True)


@pytest.mark.parametrize("wish", ["epub", ".EPUB", "application/epub%2Bzip", "application/epub+zip"])
def test_document_comes_in_the_format_that_is_asked_for(
    sharing: SharingDrive, document: dict[str, Any], wish: str
) -> None:
    reply = sharing.client.get(f"{document['href']}/contents?export_format={wish}")
    assert (reply.status_code, reply.content) == (200, b"what was said")
    assert reply.headers["content-type"] == "application/epub+zip"
    assert 'filename="a.minutes.epub"' in reply.headers["content-disposition"]
    assert reply.headers["accept-ranges"] == "none"


@pytest.mark.parametrize("query", ["", "?export_format=html"])
def test_export_comes_whole_or_not_at_all_when_a_part_is_wanted_or_it_is_known(
    sharing: SharingDrive, document: dict[str, Any], query: str
) -> None:
    url = f"{document['href']}/contents{query}"
    whole = sharing.client.get(url, headers={"Range": "bytes=0-3"})
    assert (whole.status_code, whole.content, whole.headers["accept-ranges"]) == (200, b"what was said", "none")
    assert sharing.client.get(url, headers={"If-None-Match": whole.headers["etag"]}).status_code == 304
    assert read_error(sharing.client.get(url, headers={"If-Match": '"other"'})) == (412, "precondition_failed")


def test_formats_are_told_with_documents_only(sharing: SharingDrive, document: dict[str, Any]) -> None:
    assert document["export_formats"] == ["html", "epub"]
    assert "export_formats" not in read_json(sharing.send_file("a.txt", b"text"), status=201)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("wish", ["pdf", "", "text/markdown", "html,epub"])
def test_unknown_format_is_400_and_those_there_are_are_named(
    sharing: SharingDrive, document: dict[str, Any], method: str, wish: str
) -> None:
    reply = sharing.client.request(method, f"{document['href']}/contents", params={"export_format": wish})
    assert reply.status_code == 400
    if method == "GET":
        assert read_error(reply) == (400, "invalid_parameters")
        assert "html, epub" in reply.json()["message"]


def test_file_with_bytes_of_its_own_is_400(sharing: SharingDrive) -> None:
    file = read_json(sharing.send_file("a.txt", b"text"), status=201)
    reply = sharing.client.get(f"{file['href']}/contents", params={"export_format": "pdf"})
    assert read_error(reply) == (400, "invalid_parameters")
    assert "only documents of the provider's own" in reply.json()["message"]


def test_storage_without_such_documents_is_400(drive: Drive) -> None:
    file = read_json(drive.send_file("a.txt", b"text"), status=201)
    reply = drive.client.get(f"{file['href']}/contents", params={"export_format": "pdf"})
    assert read_error(reply) == (400, "invalid_parameters")
    assert "leave out export_format" in reply.json()["message"]
