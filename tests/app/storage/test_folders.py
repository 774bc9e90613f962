from __future__ import annotations

import json

import pytest

from tests.app.drive import Drive, read_error, read_json


def test_folder_is_created_with_201_and_found_again(drive: Drive) -> None:
    folder = drive.create_folder("Übung 1")
    assert (folder["type"], folder["name"], folder["parent"]["id"]) == ("folder", "Übung 1", "root")
    assert read_json(drive.client.get(folder["href"])) == folder
    assert (drive.caller.folder / "Übung 1").is_dir()


def test_parent_is_the_root_when_it_is_left_out_or_null(drive: Drive) -> None:
    first = drive.client.post(drive.url("folders"), json={"name": "a"})
    second = drive.client.post(drive.url("folders"), json={"name": "b", "parent_id": None})
    assert {read_json(reply, status=201)["parent"]["id"] for reply in (first, second)} == {"root"}


def test_folder_is_created_inside_another_by_its_id(drive: Drive) -> None:
    outer = drive.create_folder("outer")
    inner = drive.create_folder("inner", parent=outer["id"])
    assert inner["parent"]["id"] == outer["id"]
    assert inner["path"] == "/outer/inner"
    assert [above["id"] for above in inner["ancestors"]] == [outer["id"], "root"]


@pytest.mark.parametrize("flag", ["false", "False", "0", ""])
def test_existing_folder_is_returned_with_200_when_it_is_created_again(drive: Drive, flag: str) -> None:
    folder = drive.create_folder("a")
    params = {"conflict_if_exists": flag} if flag else {}
    again = drive.client.post(drive.url("folders"), params=params, json={"name": "a", "parent_id": "root"})
    assert read_json(again, status=200)["id"] == folder["id"]


@pytest.mark.parametrize("flag", ["true", "True", "1"])
def test_existing_folder_is_409_that_names_it_when_conflicts_were_asked_for(drive: Drive, flag: str) -> None:
    folder = drive.create_folder("a")
    again = drive.client.post(drive.url("folders"), params={"conflict_if_exists": flag}, json={"name": "a"})
    assert read_error(again) == (409, "naming_conflict")
    assert again.json()["conflicting_resource_id"] == folder["id"]


@pytest.mark.parametrize("flag", ["false", "true"])
def test_file_of_that_name_is_409_that_names_it_when_a_folder_is_created(drive: Drive, flag: str) -> None:
    file = drive.upload("a")
    refused = drive.client.post(drive.url("folders"), params={"conflict_if_exists": flag}, json={"name": "a"})
    assert read_error(refused) == (409, "naming_conflict")
    assert refused.json()["conflicting_resource_id"] == file["id"]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"name": ""},
        {"name": None},
        {"name": 5},
        {"name": "a/b"},
        {"name": ".."},
        {"name": "nul\0"},
        {"name": "x" * 300},
        {"name": "x" * 5000},
        {"name": "\ud800"},
        {"name": "a", "parent_id": 7},
        ["a"],
        "a",
        None,
    ],
)
def test_bad_names_and_bodies_are_400_and_nothing_is_created(shared: Drive, body: object) -> None:
    refused = shared.client.post(shared.url("folders"), content=json.dumps(body))
    assert read_error(refused) == (400, "invalid_parameters")
    assert shared.list_names() == []


@pytest.mark.parametrize("parent_id", ["nonsense", "", "x" * 8000, "ROOT"])
def test_bad_parent_is_400_invalid_parent_folder(shared: Drive, parent_id: str) -> None:
    refused = shared.client.post(shared.url("folders"), json={"name": "a", "parent_id": parent_id})
    assert read_error(refused) == (400, "invalid_parent_folder")


def test_parent_that_is_a_file_is_400_invalid_parent_folder(drive: Drive) -> None:
    file = drive.upload("a.txt")
    refused = drive.client.post(drive.url("folders"), json={"name": "a", "parent_id": file["id"]})
    assert read_error(refused) == (400, "invalid_parent_folder")


def test_parent_that_is_gone_is_404_and_one_that_became_a_file_400(drive: Drive) -> None:
    parent = drive.create_folder("gone")
    body = {"name": "a", "parent_id": parent["id"]}
    (drive.caller.folder / "gone").rmdir()
    assert read_error(drive.client.post(drive.url("folders"), json=body)) == (404, "not_found")
    assert read_error(drive.send_file("a", parent=parent["id"])) == (404, "not_found")
    (drive.caller.folder / "gone").touch()
    assert read_error(drive.client.post(drive.url("folders"), json=body)) == (400, "invalid_parent_folder")
    assert read_error(drive.send_file("a", parent=parent["id"])) == (400, "invalid_parent_folder")


def test_root_has_metadata_and_is_its_own_id(drive: Drive) -> None:
    root = read_json(drive.client.get(drive.url("folders/root")))
    assert (root["id"], root["type"], root["parent"], root["path"]) == ("root", "folder", None, "/")
    assert root["can_create_folders"] is True
    assert root["can_upload_files"] is True
    assert root["href"] == drive.caller.api.base_url + drive.url("folders/root")


def test_folder_is_renamed_moved_or_both(drive: Drive) -> None:
    target, folder = drive.create_folder("target"), drive.create_folder("a")
    drive.upload("inside.txt", b"kept", parent=folder["id"])
    renamed = read_json(drive.client.patch(folder["href"], json={"name": "b"}))
    assert (renamed["name"], renamed["parent"]) == ("b", folder["parent"])
    moved = read_json(drive.client.patch(renamed["href"], json={"parent_id": target["id"]}))
    assert (moved["name"], moved["parent"]["id"]) == ("b", target["id"])
    both = read_json(drive.client.patch(moved["href"], json={"name": "c", "parent_id": "root"}))
    assert (both["name"], both["parent"]["id"]) == ("c", "root")
    assert drive.list_names() == ["c", "target"]
    assert drive.list_names(both["id"]) == ["inside.txt"]


def test_moving_or_copying_a_folder_into_itself_is_400(drive: Drive) -> None:
    folder = drive.create_folder("a")
    inner = drive.create_folder("inner", parent=folder["id"])
    for parent in (folder, inner):
        body = {"parent_id": parent["id"]}
        assert read_error(drive.client.patch(folder["href"], json=body)) == (400, "invalid_parent_folder")
        assert read_error(drive.client.post(f"{folder['href']}/copy", json=body)) == (400, "invalid_parent_folder")
    assert drive.list_names(folder["id"]) == ["inner"]


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_rename_onto_a_taken_name_is_409_that_names_it(drive: Drive, kind: str) -> None:
    folder = drive.create_folder("a")
    taken = drive.upload("b") if kind == "file" else drive.create_folder("b")
    refused = drive.client.patch(folder["href"], json={"name": "b"})
    assert read_error(refused) == (409, "naming_conflict")
    assert refused.json()["conflicting_resource_id"] == taken["id"]
    assert drive.list_names() == ["a", "b"]


def test_copy_holds_everything_and_takes_a_free_name_when_its_own_is_taken(drive: Drive) -> None:
    folder = drive.create_folder("a")
    inner = drive.create_folder("inner", parent=folder["id"])
    drive.upload("deep.txt", b"deep", parent=inner["id"])
    copied = read_json(drive.client.post(f"{folder['href']}/copy", json={"parent_id": "root"}), status=201)
    assert copied["name"] == "a (1)"
    found = read_json(drive.client.get(drive.url("path"), params={"path": "/a (1)/inner/deep.txt"}))
    assert drive.read(found["id"]) == b"deep"
    assert drive.list_names(folder["id"]) == ["inner"]


def test_copy_takes_the_name_it_is_given(drive: Drive) -> None:
    folder, target = drive.create_folder("a"), drive.create_folder("target")
    body = {"parent_id": target["id"], "name": "b", "account": drive.caller.account_id}
    copied = read_json(drive.client.post(f"{folder['href']}/copy", json=body), status=201)
    assert (copied["name"], copied["parent"]["id"]) == ("b", target["id"])


@pytest.mark.parametrize("flag", [None, "false", "False", "0"])
def test_deleting_a_folder_that_is_not_empty_is_403_without_recursive(drive: Drive, flag: str | None) -> None:
    folder = drive.create_folder("a")
    drive.upload("inside.txt", parent=folder["id"])
    refused = drive.client.delete(folder["href"], params={"recursive": flag} if flag else {})
    assert read_error(refused) == (403, "folder_not_empty")
    assert drive.list_names(folder["id"]) == ["inside.txt"]


@pytest.mark.parametrize("flag", ["true", "True", "1"])
def test_recursive_delete_takes_everything_and_a_second_one_is_404(drive: Drive, flag: str) -> None:
    folder = drive.create_folder("a")
    inner = drive.create_folder("inner", parent=folder["id"])
    drive.upload("deep.txt", parent=inner["id"])
    params = {"recursive": flag, "permanent": "true"}
    deleted = drive.client.delete(folder["href"], params=params)
    assert (deleted.status_code, deleted.content) == (204, b"")
    assert read_error(drive.client.delete(folder["href"], params=params)) == (404, "not_found")
    assert read_error(drive.client.get(folder["href"])) == (404, "not_found")
    assert read_error(drive.client.get(f"{folder['href']}/contents")) == (404, "not_found")
    assert drive.list_names() == []


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
def test_root_can_be_neither_changed_nor_deleted(drive: Drive, method: str) -> None:
    drive.upload("kept.txt")
    params = {"recursive": "true"} if method == "DELETE" else {}
    body = {"name": "other"} if method == "PATCH" else None
    refused = drive.client.request(method, drive.url("folders/root"), params=params, json=body)
    assert read_error(refused) == (403, "permission_denied")
    assert drive.list_names() == ["kept.txt"]


def test_unknown_flag_value_is_400(drive: Drive) -> None:
    folder = drive.create_folder("a")
    refused = drive.client.delete(folder["href"], params={"recursive": "perhaps"})
    assert read_error(refused) == (400, "invalid_parameters")
    assert drive.list_names() == ["a"]
