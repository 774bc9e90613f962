"""The official client lives an ordinary life: it lists, stores, reads, moves, copies, finds and deletes."""

from __future__ import annotations

import gc
import hashlib
import io
import random
from typing import Any

import pytest
from googleapiclient.errors import HttpError
from googleapiclient.http import MediaInMemoryUpload, MediaIoBaseDownload, MediaIoBaseUpload

from tests.servers.gdrive import Place

FOLDER = "application/vnd.google-apps.folder"
CHUNK_BYTES = 256 * 1024


def make_folder(service: Any, name: str, parent: str = "root") -> str:
    body = {"name": name, "mimeType": FOLDER, "parents": [parent]}
    return str(service.files().create(body=body, fields="id").execute()["id"])


def make_file(service: Any, name: str, data: bytes, parent: str = "root", fields: str = "id") -> Any:
    media = MediaInMemoryUpload(data, mimetype="text/plain")
    return service.files().create(body={"name": name, "parents": [parent]}, media_body=media, fields=fields).execute()


def download(request: Any, chunk_bytes: int = CHUNK_BYTES) -> bytes:
    target = io.BytesIO()
    downloader = MediaIoBaseDownload(target, request, chunksize=chunk_bytes)
    done = False
    while not done:
        _, done = downloader.next_chunk()
    return target.getvalue()


def test_every_file_comes_once_when_a_list_has_many_pages(service: Any) -> None:
    folder = make_folder(service, "Many")
    ids = {service.files().create(body={"name": f"n{n}", "parents": [folder]}).execute()["id"] for n in range(25)}
    request = service.files().list(q=f"'{folder}' in parents and trashed = false", pageSize=7, fields="*")
    pages = []
    while request is not None:
        answer = request.execute()
        pages.append([file["id"] for file in answer["files"]])
        request = service.files().list_next(request, answer)
    assert [len(page) for page in pages] == [7, 7, 7, 4]
    assert {one for page in pages for one in page} == ids


def test_checksums_are_right_when_a_file_is_uploaded_at_once(service: Any) -> None:
    data = b"hello \xc3\xbc"
    fields = "name,size,md5Checksum,sha1Checksum,sha256Checksum,mimeType,headRevisionId,originalFilename"
    file = make_file(service, "a ü+ b.txt", data, fields=fields)
    assert file == {
        "name": "a ü+ b.txt",
        "size": "8",
        "md5Checksum": hashlib.md5(data, usedforsecurity=False).hexdigest(),
        "sha1Checksum": hashlib.sha1(data, usedforsecurity=False).hexdigest(),
        "sha256Checksum": hashlib.sha256(data).hexdigest(),
        "mimeType": "text/plain",
        "originalFilename": "a ü+ b.txt",
        "headRevisionId": file["headRevisionId"],
    }


def test_bytes_come_back_when_they_were_uploaded_in_chunks(service: Any) -> None:
    data = random.Random(1).randbytes(3 * CHUNK_BYTES + 5)
    media = MediaIoBaseUpload(io.BytesIO(data), mimetype="application/x-thing", chunksize=CHUNK_BYTES, resumable=True)
    request = service.files().create(body={"name": "big.bin"}, media_body=media, fields="id,size,md5Checksum")
    progress, answer = [], None
    while answer is None:
        status, answer = request.next_chunk()
        progress.append(status.resumable_progress if status else None)
    assert progress == [CHUNK_BYTES, 2 * CHUNK_BYTES, 3 * CHUNK_BYTES, None]
    assert answer["size"] == str(len(data))
    assert download(service.files().get_media(fileId=answer["id"])) == data


def test_an_empty_file_is_stored_when_an_upload_has_no_bytes(service: Any) -> None:
    media = MediaIoBaseUpload(io.BytesIO(b""), mimetype="text/plain", resumable=True)
    file = service.files().create(body={"name": "empty"}, media_body=media, fields="id,size,md5Checksum").execute()
    assert (file["size"], file["md5Checksum"]) == ("0", hashlib.md5(b"", usedforsecurity=False).hexdigest())


def test_a_part_comes_when_a_range_is_asked_for(service: Any) -> None:
    file = make_file(service, "digits", b"0123456789")
    request = service.files().get_media(fileId=file["id"])
    request.headers["Range"] = "bytes=2-4"
    assert request.execute() == b"234"
    request.headers["Range"] = "bytes=-3"
    assert request.execute() == b"789"
    request.headers["Range"] = "bytes=10-"
    with pytest.raises(HttpError) as caught:
        request.execute()
    assert caught.value.status_code == 416


def test_a_file_has_its_new_name_and_folder_when_it_is_moved(service: Any) -> None:
    source, target = make_folder(service, "From"), make_folder(service, "To")
    file = make_file(service, "a.txt", b"a", source)
    moved = (
        service.files()
        .update(
            fileId=file["id"], addParents=target, removeParents=source, body={"name": "b.txt"}, fields="name,parents"
        )
        .execute()
    )
    assert moved == {"name": "b.txt", "parents": [target]}
    with pytest.raises(HttpError) as caught:
        service.files().update(fileId=file["id"], addParents=source).execute()
    assert caught.value.error_details[0]["reason"] == "cannotAddParent"


def test_a_second_file_of_that_name_exists_when_the_name_is_used_again(service: Any) -> None:
    first, second = make_file(service, "twin", b"1"), make_file(service, "twin", b"2")
    found = service.files().list(q="name = 'twin'").execute()["files"]
    assert {file["id"] for file in found} == {first["id"], second["id"]}


def test_a_copy_has_the_same_bytes_when_a_file_is_copied(service: Any) -> None:
    folder = make_folder(service, "Copies")
    file = make_file(service, "a.txt", b"same", fields="id,md5Checksum")
    copied = service.files().copy(fileId=file["id"], body={"parents": [folder]}, fields="name,parents,md5Checksum")
    assert copied.execute() == {"name": "Copy of a.txt", "parents": [folder], "md5Checksum": file["md5Checksum"]}


def test_earlier_bytes_can_be_read_when_a_file_was_overwritten(service: Any) -> None:
    file = make_file(service, "a.txt", b"one")
    for data in (b"two", b"three"):
        media = MediaInMemoryUpload(data, mimetype="text/plain")
        service.files().update(fileId=file["id"], media_body=media).execute()
    found = service.revisions().list(fileId=file["id"], fields="*").execute()["revisions"]
    assert [revision["size"] for revision in found] == ["3", "3", "5"]
    first, second, head = (revision["id"] for revision in found)
    assert service.revisions().get_media(fileId=file["id"], revisionId=first).execute() == b"one"
    kept = service.revisions().update(
        fileId=file["id"], revisionId=first, body={"keepForever": True}, fields="keepForever"
    )
    assert kept.execute() == {"keepForever": True}
    service.revisions().delete(fileId=file["id"], revisionId=second).execute()
    left = service.revisions().list(fileId=file["id"]).execute()["revisions"]
    assert [revision["id"] for revision in left] == [first, head]
    assert service.files().get(fileId=file["id"], fields="quotaBytesUsed").execute() == {"quotaBytesUsed": "8"}


def test_nothing_is_left_when_the_trash_is_emptied(service: Any) -> None:
    folder = make_folder(service, "Old")
    file = make_file(service, "a.txt", b"a", folder)
    service.files().update(fileId=folder, body={"trashed": True}).execute()
    fields = "trashed,explicitlyTrashed"
    inner = service.files().get(fileId=file["id"], fields=fields).execute()
    assert inner == {"trashed": True, "explicitlyTrashed": False}
    service.files().emptyTrash().execute()
    for gone in (folder, file["id"]):
        with pytest.raises(HttpError) as caught:
            service.files().get(fileId=gone).execute()
        assert (caught.value.status_code, caught.value.error_details[0]["reason"]) == (404, "notFound")


def test_a_file_is_back_when_it_is_taken_out_of_the_trash(service: Any) -> None:
    file = make_file(service, "a.txt", b"a")
    service.files().update(fileId=file["id"], body={"trashed": True}).execute()
    assert service.files().list(q="trashed = true").execute()["files"]
    service.files().update(fileId=file["id"], body={"trashed": False}).execute()
    assert service.files().list(q="trashed = true").execute()["files"] == []


def test_everything_below_goes_when_a_folder_is_deleted(service: Any) -> None:
    folder = make_folder(service, "A")
    inner = make_file(service, "b", b"b", make_folder(service, "B", folder))
    service.files().delete(fileId=folder).execute()
    with pytest.raises(HttpError):
        service.files().get(fileId=inner["id"]).execute()
    assert service.about().get(fields="storageQuota").execute()["storageQuota"]["usage"] == "0"


def test_no_bytes_stay_behind_when_the_last_file_that_has_them_is_deleted(place: Place, service: Any) -> None:
    file = make_file(service, "a", b"bytes")
    copied = service.files().copy(fileId=file["id"]).execute()
    blob = place.drive.store.get(file["id"]).blob
    assert blob is not None
    path = blob.content.path
    del blob
    service.files().delete(fileId=file["id"]).execute()
    assert service.files().get_media(fileId=copied["id"]).execute() == b"bytes"
    service.files().delete(fileId=copied["id"]).execute()
    gc.collect()
    assert not path.exists()


def test_a_chosen_id_is_used_once_when_it_was_generated(service: Any) -> None:
    chosen = service.files().generateIds(count=2).execute()["ids"][0]
    assert service.files().create(body={"id": chosen, "name": "mine"}).execute()["id"] == chosen
    with pytest.raises(HttpError) as caught:
        service.files().create(body={"id": chosen, "name": "again"}).execute()
    assert caught.value.status_code == 409
    with pytest.raises(HttpError) as caught:
        service.files().create(body={"id": "1invented", "name": "other"}).execute()
    assert caught.value.status_code == 400


def test_all_answers_come_when_calls_are_sent_as_a_batch(service: Any) -> None:
    answers: dict[str, Any] = {}

    def keep(number: str, answer: Any, error: Any) -> None:
        answers[number] = error.status_code if error else answer["name"]

    batch = service.new_batch_http_request(callback=keep)
    batch.add(service.files().create(body={"name": "one"}), request_id="a")
    batch.add(service.files().get(fileId="nowhere"), request_id="b")
    batch.add(service.files().get(fileId="root"), request_id="c")
    batch.execute()
    assert answers == {"a": "one", "b": 404, "c": "My Drive"}


def test_a_query_is_understood_when_it_is_too_long_for_an_address(service: Any) -> None:
    make_file(service, "needle", b"")
    query = " or ".join(f"name = 'no such name {number:04}'" for number in range(120)) + " or name = 'needle'"
    assert [file["name"] for file in service.files().list(q=query).execute()["files"]] == ["needle"]


def test_a_shortcut_leads_to_its_target_when_one_is_made(service: Any) -> None:
    folder = make_folder(service, "Target")
    body = {
        "name": "Link",
        "mimeType": "application/vnd.google-apps.shortcut",
        "shortcutDetails": {"targetId": folder},
    }
    made = service.files().create(body=body, fields="mimeType,shortcutDetails,size").execute()
    assert made["shortcutDetails"] == {"targetId": folder, "targetMimeType": FOLDER}
    found = service.files().list(q=f"shortcutDetails.targetId = '{folder}'").execute()["files"]
    assert [file["name"] for file in found] == ["Link"]
