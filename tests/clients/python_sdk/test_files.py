"""Files and folders of every kind of account, through the official Python SDK."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import kloudless
import pytest
from kloudless import exceptions
from kloudless.resources import Resource

from tests.clients.python_sdk.sdk import CHUNK_BYTES, CONTENT, download, list_names, upload
from tests.servers.accounts import AccountKind


def test_folder_is_created_once_when_asked_twice(account: kloudless.Account, folder: Resource) -> None:
    again = account.post("storage/folders", json={"name": "A folder", "parent_id": "root"})
    assert again.data["id"] == folder.data["id"]
    with pytest.raises(exceptions.APIException) as raised:
        account.post("storage/folders?conflict_if_exists=true", json={"name": "A folder", "parent_id": "root"})
    assert (raised.value.status, raised.value.error_data["error_code"]) == (409, "naming_conflict")
    assert raised.value.error_data["conflicting_resource_id"] == folder.data["id"]


def test_bytes_come_back_when_uploaded_as_bytes(account: kloudless.Account) -> None:
    file = upload(account, "bytes.bin", CONTENT)
    assert (file.data["name"], file.data["size"], file.data["type"]) == ("bytes.bin", len(CONTENT), "file")
    assert download(file) == CONTENT


def test_bytes_come_back_when_uploaded_from_an_open_file(account: kloudless.Account, tmp_path: Path) -> None:
    path = tmp_path / "source.bin"
    path.write_bytes(CONTENT)
    with path.open("rb") as source:
        file = upload(account, "file.bin", source)
    assert file.data["size"] == len(CONTENT)
    assert download(file) == CONTENT


def test_bytes_come_back_when_uploaded_from_a_generator(account: kloudless.Account) -> None:
    chunks = (CONTENT[start : start + CHUNK_BYTES] for start in range(0, len(CONTENT), CHUNK_BYTES))
    assert download(upload(account, "generator.bin", chunks)) == CONTENT


def test_empty_file_stays_empty_when_uploaded(account: kloudless.Account) -> None:
    file = upload(account, "empty.txt", b"")
    assert (file.data["size"], download(file)) == (0, b"")


@pytest.mark.parametrize("content", [b"[1, 2, 3]", b'{"type": "object_list"}', b'"text"'])
def test_json_file_is_plain_bytes_when_downloaded(account: kloudless.Account, content: bytes) -> None:
    assert download(upload(account, "data.json", content)) == content


def test_name_survives_when_it_is_not_ascii(account: kloudless.Account) -> None:
    name = "Übersicht \N{EN DASH} 日本語 💡.txt"
    file = upload(account, name, b"x")
    assert file.data["name"] == name
    assert list_names(account) == [name]
    assert account.get(f"storage/files/{file.data['id']}").data["name"] == name


def test_taken_name_gives_a_new_name_or_a_replaced_file_when_uploaded_again(account: kloudless.Account) -> None:
    file = upload(account, "a.txt", b"first")
    beside = upload(account, "a.txt", b"second")
    assert beside.data["name"] != "a.txt"
    replaced = upload(account, "a.txt", b"third", params={"overwrite": True})
    assert replaced.data["name"] == "a.txt"
    assert (download(beside), download(replaced)) == (b"second", b"third")
    assert len(list_names(account)) == 2
    assert file.data["parent"] == replaced.data["parent"]


def test_file_has_its_new_name_when_renamed(account: kloudless.Account) -> None:
    renamed = upload(account, "old.txt", CONTENT).patch(json={"name": "new.txt"})
    assert renamed.data["name"] == "new.txt"
    assert list_names(account) == ["new.txt"]
    assert download(renamed) == CONTENT


def test_file_is_in_the_other_folder_when_moved(account: kloudless.Account, folder: Resource) -> None:
    moved = upload(account, "a.txt", CONTENT).patch(json={"parent_id": folder.data["id"], "name": "b.txt"})
    assert moved.data["parent"]["id"] == folder.data["id"]
    assert (list_names(account), list_names(account, folder.data["id"])) == (["A folder"], ["b.txt"])
    assert download(moved) == CONTENT


def test_file_is_there_twice_when_copied(account: kloudless.Account, folder: Resource) -> None:
    file = upload(account, "a.txt", CONTENT)
    copy = file.post("copy", json={"parent_id": folder.data["id"], "name": "copy.txt"})
    assert copy.data["id"] != file.data["id"]
    assert (download(copy), download(file)) == (CONTENT, CONTENT)
    assert list_names(account, folder.data["id"]) == ["copy.txt"]


def test_folder_goes_with_all_it_holds_when_renamed_copied_and_deleted(
    account: kloudless.Account, folder: Resource
) -> None:
    upload(account, "inside.txt", b"x", parent=folder.data["id"])
    renamed = folder.patch(json={"name": "Renamed"})
    copy = renamed.post("copy", json={"parent_id": "root", "name": "Copied"})
    assert list_names(account, copy.data["id"]) == ["inside.txt"]
    with pytest.raises(exceptions.ForbiddenException) as raised:
        renamed.delete()
    assert raised.value.error_data["error_code"] == "folder_not_empty"
    assert renamed.delete(params={"recursive": True}).status_code == 204
    assert list_names(account) == ["Copied"]


def test_content_is_new_and_name_the_same_when_updated(account: kloudless.Account) -> None:
    file = upload(account, "a.txt", b"old")
    updated = file.put(data=CONTENT)
    assert (updated.data["name"], updated.data["size"]) == ("a.txt", len(CONTENT))
    assert download(updated) == CONTENT


def test_file_is_gone_when_deleted(account: kloudless.Account) -> None:
    file = upload(account, "a.txt", b"x")
    assert file.delete().status_code == 204
    with pytest.raises(exceptions.NotFoundException) as raised:
        file.get()
    assert raised.value.error_data["error_code"] == "not_found"
    assert raised.value.error_data["id"] in str(raised.value)


@pytest.mark.needs("start_upload")
def test_file_is_whole_when_uploaded_in_parts(account: kloudless.Account) -> None:
    body = {"name": "parts.bin", "parent_id": "root"}
    session = account.post("storage/multipart", json=body, params={"overwrite": "true"})
    size = session.data["part_size"]
    parts = [os.urandom(size), b"the last part may be short"]
    numbered = list(enumerate(parts, 1))
    for number, part in reversed(numbered) if session.data["parallel_uploads"] else numbered:
        url = f"storage/multipart/{session.data['id']}?part_number={number}"
        assert account.put(url, data=part, get_raw_response=True).status_code == 200
    file = account.post(f"storage/multipart/{session.data['id']}/complete")
    assert (file.data["name"], file.data["size"]) == ("parts.bin", size + len(parts[1]))
    assert hashlib.sha256(download(file)).digest() == hashlib.sha256(b"".join(parts)).digest()


@pytest.mark.needs("start_upload")
def test_nothing_is_left_when_upload_in_parts_is_aborted(account: kloudless.Account) -> None:
    session = account.post("storage/multipart", json={"name": "parts.bin", "parent_id": "root", "size": 3})
    session.put(data=b"abc", params={"part_number": 1})
    assert session.delete().status_code == 204
    assert list_names(account) == []
    with pytest.raises(exceptions.NotFoundException):
        session.post("complete")


def test_provider_object_is_included_when_raw_data_is_asked_for(account: kloudless.Account) -> None:
    file = upload(account, "a.txt", b"x")
    assert "raw" not in file.data
    raw = account.get(f"storage/files/{file.data['id']}", get_raw_data=True).data["raw"]
    assert raw["id"] == file.data["raw_id"]
    assert raw["object"]
    listed = account.get("storage/folders/root/contents", get_raw_data=True)
    assert [item.data["raw"]["id"] for item in listed] == [file.data["raw_id"]]


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_id_is_that_of_the_listing_when_raw_id_is_encoded(
    account: kloudless.Account, folder: Resource, kind: str
) -> None:
    resource = folder if kind == "folder" else upload(account, "a.txt", b"x")
    encoded = account.post("encode_raw_id", json={"raw_id": resource.data["raw_id"], "type": kind})
    assert encoded.data["id"] == resource.data["id"]


@pytest.mark.parametrize(
    ("header", "start", "end"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=1000-1999", 1000, 2000),
        ("bytes=699999-", 699_999, 700_000),
        ("bytes=650000-9999999", 650_000, 700_000),
        ("bytes=-10", 699_990, 700_000),
    ],
)
def test_part_of_the_bytes_comes_when_a_range_is_asked_for(
    account: kloudless.Account, header: str, start: int, end: int
) -> None:
    part = upload(account, "a.bin", CONTENT).get("contents", headers={"Range": header})
    assert (part.status_code, part.headers["Content-Range"]) == (206, f"bytes {start}-{end - 1}/{len(CONTENT)}")
    assert part.content == CONTENT[start:end]


def test_error_tells_the_size_when_a_range_begins_behind_the_end(account: kloudless.Account) -> None:
    file = upload(account, "a.bin", b"0123456789")
    with pytest.raises(exceptions.APIException) as raised:
        file.get("contents", headers={"Range": "bytes=10-"})
    assert (raised.value.status, raised.value.error_data["error_code"]) == (416, "range_not_satisfiable")
    assert raised.value.response.headers["Content-Range"] == "bytes */10"


def test_folder_is_in_the_other_one_with_all_it_holds_when_moved(account: kloudless.Account, folder: Resource) -> None:
    moved = account.post("storage/folders", json={"name": "Moved", "parent_id": "root"})
    upload(account, "inside.txt", CONTENT, parent=moved.data["id"])
    moved = moved.patch(json={"parent_id": folder.data["id"]})
    assert (list_names(account), list_names(account, folder.data["id"])) == (["A folder"], ["Moved"])
    (inside,) = moved.get("contents").objects
    assert download(inside) == CONTENT


def test_error_names_what_is_in_the_way_when_a_name_is_taken(
    account: kloudless.Account, folder: Resource, account_kind: AccountKind
) -> None:
    file = upload(account, "a.txt", b"x")
    other = upload(account, "b.txt", b"y")
    for body, conflict in (({"name": "b.txt"}, other), ({"name": "A folder"}, folder)):
        with pytest.raises(exceptions.APIException) as raised:
            file.patch(json=body)
        assert (raised.value.status, raised.value.error_data["error_code"]) == (409, "naming_conflict")
        named = conflict.data["id"] if account_kind.is_naming_conflicts else None
        assert raised.value.error_data.get("conflicting_resource_id") == named
    assert list_names(account) == ["A folder", "a.txt", "b.txt"]
