"""Documents of Drive's own, pictures of files, and files that nobody should open."""

from __future__ import annotations

import io
import zipfile
from typing import Any

import httpx
import pytest
from googleapiclient.errors import HttpError
from googleapiclient.http import MediaInMemoryUpload
from lxml import etree
from PIL import Image

from simulators.gdrive.exports import DOCUMENT, DOCX, EXPORTS, IMPORTS, SPREADSHEET, XLSX
from tests.servers.gdrive import Place

TEXT = "Minutes <1> & more\nübermorgen\n"
TABLE = "what,amount\nchairs,12\n"
EICAR = b"EICAR-STANDARD-ANTIVIRUS-TEST-FILE and so on"
BEGINNINGS = {"application/pdf": b"%PDF-", "application/rtf": b"{\\rtf1", "image/svg+xml": b"<svg"}


@pytest.mark.parametrize(
    ("source", "target"), [(source, target) for source, targets in EXPORTS.items() for target in targets]
)
def test_a_document_is_well_formed_when_it_is_exported(
    calm_place: Place, calm_service: Any, source: str, target: str
) -> None:
    file_id = calm_place.store(1, "doc", (TABLE if source == SPREADSHEET else TEXT).encode(), source)
    data = calm_service.files().export(fileId=file_id, mimeType=target).execute()
    if target in BEGINNINGS:
        assert data.startswith(BEGINNINGS[target])
    elif data.startswith(b"PK"):
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            assert archive.testzip() is None
            for name in archive.namelist():
                if name.endswith((".xml", ".rels", ".opf", ".xhtml")):
                    etree.fromstring(archive.read(name))
    else:
        assert (b"chairs" if source == SPREADSHEET else "übermorgen".encode()) in data


def test_a_document_has_no_size_when_it_is_shown(place: Place, service: Any) -> None:
    file_id = place.store(1, "doc", TEXT.encode(), DOCUMENT)
    shown = service.files().get(fileId=file_id, fields="*").execute()
    assert not {"size", "md5Checksum", "sha256Checksum", "webContentLink", "headRevisionId"} & shown.keys()
    assert set(shown["exportLinks"]) == set(EXPORTS[DOCUMENT])
    assert service.about().get(fields="exportFormats").execute()["exportFormats"][DOCUMENT] == list(EXPORTS[DOCUMENT])


def test_a_link_brings_the_export_when_the_caller_may_read_it(place: Place, service: Any) -> None:
    file_id = place.store(1, "doc", TEXT.encode(), DOCUMENT)
    links = service.files().get(fileId=file_id, fields="exportLinks").execute()["exportLinks"]
    with place.client(1) as client:
        assert "übermorgen" in client.get(links["text/plain"]).text
    with place.client(3) as stranger:
        assert stranger.get(links["text/plain"]).status_code == 404


@pytest.mark.parametrize(
    ("mime_type", "target", "exported"),
    [
        ("text/plain", DOCUMENT, "text/plain"),
        ("text/html", DOCUMENT, "text/plain"),
        ("text/csv", SPREADSHEET, "text/csv"),
        (DOCX, DOCUMENT, "text/plain"),
        (XLSX, SPREADSHEET, "text/csv"),
    ],
)
def test_bytes_become_a_document_when_its_type_is_wanted(
    place: Place, service: Any, mime_type: str, target: str, exported: str
) -> None:
    data = {"text/html": b"<h1>chairs</h1><p>&amp; more</p>", "text/csv": TABLE.encode()}.get(
        mime_type, b"chairs\n& more"
    )
    if mime_type in {DOCX, XLSX}:
        source = place.store(1, "source", b"chairs\n& more", target)
        data = service.files().export(fileId=source, mimeType=mime_type).execute()
    media = MediaInMemoryUpload(data, mimetype=mime_type)
    made = service.files().create(body={"name": "new", "mimeType": target}, media_body=media, fields="id,mimeType")
    file = made.execute()
    assert file["mimeType"] == target
    assert "chairs" in service.files().export(fileId=file["id"], mimeType=exported).execute().decode("utf-8-sig")
    assert IMPORTS[mime_type] == target


@pytest.mark.parametrize(
    ("call", "status", "reason"),
    [
        (lambda files, ids: files.get_media(fileId=ids["doc"]), 403, "fileNotDownloadable"),
        (lambda files, _: files.get_media(fileId="root"), 403, "fileNotDownloadable"),
        (lambda files, ids: files.export(fileId=ids["text"], mimeType="text/plain"), 403, "fileNotExportable"),
        (lambda files, ids: files.export(fileId=ids["doc"], mimeType="image/png"), 400, "badRequest"),
        (lambda files, ids: files.export(fileId=ids["long"], mimeType="text/plain"), 403, "exportSizeLimitExceeded"),
        (lambda files, ids: files.get_media(fileId=ids["bad"]), 403, "cannotDownloadAbusiveFile"),
    ],
)
def test_bytes_are_refused_when_there_are_none_to_have(
    place: Place, service: Any, call: Any, status: int, reason: str
) -> None:
    ids = {
        "doc": place.store(1, "doc", TEXT.encode(), DOCUMENT),
        "long": place.store(1, "long", b"line\n" * 2_200_000, DOCUMENT),
        "text": place.store(1, "text", b"text"),
        "bad": place.store(1, "bad", EICAR),
    }
    with pytest.raises(HttpError) as caught:
        call(service.files(), ids).execute()
    assert (caught.value.status_code, caught.value.error_details[0]["reason"]) == (status, reason)


def test_an_abusive_file_comes_when_that_is_acknowledged(place: Place, service: Any) -> None:
    file_id = place.store(1, "bad", EICAR)
    assert service.files().get_media(fileId=file_id, acknowledgeAbuse=True).execute() == EICAR


def test_a_picture_has_a_thumbnail_when_one_can_be_drawn(place: Place, service: Any) -> None:
    target = io.BytesIO()
    Image.new("RGB", (640, 480), "red").save(target, format="PNG")
    pictured = place.store(1, "red.png", target.getvalue(), "image/png")
    plain, document = place.store(1, "a.txt", b"a"), place.store(1, "doc", TEXT.encode(), DOCUMENT)
    fields = "hasThumbnail,thumbnailLink,imageMediaMetadata(width,height)"
    shown = {one: service.files().get(fileId=one, fields=fields).execute() for one in (pictured, plain, document)}
    assert shown[plain] == {"hasThumbnail": False}
    assert shown[pictured]["imageMediaMetadata"] == {"width": 640, "height": 480}
    assert shown[document]["hasThumbnail"] is True
    link = shown[pictured]["thumbnailLink"]
    assert httpx.get(link, trust_env=False, timeout=60).status_code == 401
    with place.client(1) as client:
        for address, side in ((link, 220), (link.replace("=s220", "=s64"), 64)):
            with Image.open(io.BytesIO(client.get(address).content)) as picture:
                assert max(picture.size) == side
