from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from tests.app.drive import METADATA, Drive, read_error, read_json, wait_until

COMMON = {
    "id",
    "type",
    "api",
    "href",
    "account",
    "name",
    "size",
    "created",
    "modified",
    "parent",
    "ancestors",
    "path",
    "raw_id",
    "owner",
    "creator",
    "last_modifier",
    "ids",
    "id_type",
}
FIELDS = {
    "file": COMMON | {"mime_type", "downloadable"},
    "folder": COMMON | {"can_create_folders", "can_upload_files", "can_list_recursively"},
}
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")


def list_replies(drive: Drive) -> list[dict[str, Any]]:
    """The object of every route that answers with a file or folder."""
    file, folder = drive.upload("a.txt", b"12"), drive.create_folder("folder")
    client = drive.client
    upload = read_json(
        client.post(drive.url("multipart"), json={"name": "parts", "parent_id": folder["id"]}), status=201
    )
    assert client.put(upload["href"], params={"part_number": "1"}, content=b"x").status_code == 200
    return [
        file,
        folder,
        read_json(client.post(drive.url("folders"), json={"name": "folder"})),
        read_json(client.get(file["href"])),
        read_json(client.get(folder["href"])),
        read_json(client.get(drive.url("folders/root"))),
        *read_json(client.get(drive.url("folders/root/contents")))["objects"],
        read_json(client.put(file["href"], content=b"345")),
        read_json(client.get(drive.url("path"), params={"path": "/a.txt"})),
        read_json(client.get(drive.url("path"), params={"path": "/folder/"})),
        read_json(client.post(f"{file['href']}/copy", json={"parent_id": folder["id"]}), status=201),
        read_json(client.post(f"{folder['href']}/copy", json={"name": "copy"}), status=201),
        read_json(client.post(f"{upload['href']}/complete"), status=201),
        read_json(client.patch(file["href"], json={"name": "b.txt"})),
        read_json(client.patch(folder["href"], json={"name": "other"})),
    ]


def test_every_file_and_folder_has_all_its_fields_and_an_absolute_href(drive: Drive) -> None:
    for entry in list_replies(drive):
        assert set(entry) == FIELDS[entry["type"]], entry["href"]
        assert entry["href"] == f"{drive.caller.api.base_url}{drive.url(entry['type'])}s/{entry['id']}"
        assert (entry["api"], entry["account"]) == ("storage", drive.caller.account_id)
        assert entry["ids"][entry["id_type"]] == entry["id"]
        assert entry["created"] is None or TIME.fullmatch(entry["created"])
        assert TIME.fullmatch(entry["modified"])
        for above in [*(entry["ancestors"] or []), *([entry["parent"]] if entry["parent"] else [])]:
            assert set(above) == {"id", "name", "type", "id_type"}
        if entry["id"] != "root":
            assert entry["parent"] == entry["ancestors"][0]
            assert entry["ancestors"][-1]["id"] == "root"


def test_parent_is_the_same_in_the_answers_to_create_and_rename(drive: Drive) -> None:
    folder = drive.create_folder("folder")
    for created in (drive.upload("a.txt", parent=folder["id"]), drive.create_folder("inner", parent=folder["id"])):
        renamed = read_json(drive.client.patch(created["href"], json={"name": f"renamed {created['name']}"}))
        assert renamed["parent"] == created["parent"]
        assert renamed["parent"]["name"] == "folder"


def test_id_is_the_same_wherever_the_object_appears(drive: Drive) -> None:
    file = drive.upload("a.txt")
    ids = {
        file["id"],
        read_json(drive.client.get(file["href"]))["id"],
        read_json(drive.client.get(drive.url("folders/root/contents")))["objects"][0]["id"],
        read_json(drive.client.get(drive.url("path"), params={"path": "/a.txt"}))["id"],
    }
    assert len(ids) == 1
    assert re.fullmatch(r"[\w-]{1,8192}", ids.pop())


def test_times_are_those_of_the_storage(drive: Drive) -> None:
    before = datetime.now(UTC)
    modified = datetime.fromisoformat(drive.upload("a.txt")["modified"])
    assert before - timedelta(minutes=1) < modified < datetime.now(UTC) + timedelta(minutes=1)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_hrefs_start_with_the_origin_that_the_client_used(drive: Drive, host: str) -> None:
    origin = f"http://{host}:{drive.caller.api.settings.port}"
    file = drive.upload("a.txt")
    upload = {"name": "b.txt", "parent_id": "root"}
    for reply in (
        drive.client.get(
            drive.url(f"files/{file['id']}"), headers={"Host": f"{host}:{drive.caller.api.settings.port}"}
        ),
        drive.client.get(f"{origin}{drive.url('quota')}"),
        drive.client.post(f"{origin}{drive.url('multipart')}", json=upload),
    ):
        assert reply.json()["href"].startswith(f"{origin}/v1/accounts/{drive.caller.account_id}/storage/")
    listed = drive.client.get(f"{origin}{drive.url('folders/root/contents')}").json()
    assert {entry["href"].startswith(f"{origin}/v1/") for entry in listed["objects"]} == {True}


def test_own_account_is_me_for_a_bearer_token(drive: Drive) -> None:
    file = drive.upload("a.txt")
    with drive.caller.client(drive.caller.bearer_header) as client:
        mine = read_json(client.get(f"/v1/accounts/me/storage/files/{file['id']}"))
        assert mine == file  # also the href: it names the account
        assert read_error(client.get("/v1/accounts/me,2/storage/quota")) == (400, "invalid_parameters")
    assert read_error(drive.client.get("/v1/accounts/me/storage/quota")) == (400, "invalid_parameters")


@pytest.mark.parametrize("value", ["true", "True", "TRUE", "1"])
def test_raw_data_comes_when_it_is_asked_for(drive: Drive, value: str) -> None:
    headers = {"X-Kloudless-Raw-Data": value}
    file = read_json(drive.send_file("a.txt", b"12", headers=headers), status=201)
    assert file["raw"]["id"] == file["raw_id"]
    assert file["raw"]["object"]["size"] == 2
    listed = read_json(drive.client.get(drive.url("folders/root/contents"), headers=headers))
    assert all(set(entry["raw"]) == {"id", "object"} for entry in listed["objects"])


@pytest.mark.parametrize("value", ["false", "False", "0", "", "junk"])
def test_raw_data_is_left_out_otherwise(drive: Drive, value: str) -> None:
    file = read_json(drive.send_file("a.txt", headers={"X-Kloudless-Raw-Data": value}), status=201)
    assert "raw" not in file
    assert file["raw_id"] == "/a.txt"


@pytest.mark.parametrize("value", ["junk", "[]", "null", '{"a": 1}', '{"a": null}', "[" * 20_000])
def test_junk_in_raw_headers_is_400(shared: Drive, value: str) -> None:
    refused = shared.client.get(shared.url("folders/root"), headers={"X-Kloudless-Raw-Headers": value})
    assert read_error(refused) == (400, "invalid_parameters")


def test_raw_headers_that_make_sense_are_accepted(shared: Drive) -> None:
    value = json.dumps({"X-Upstream": "yes", "Authorization": "never forwarded"})
    read_json(shared.client.get(shared.url("folders/root"), headers={"X-Kloudless-Raw-Headers": value}))


def test_acting_as_another_user_is_403_for_an_account_of_no_administrator(shared: Drive) -> None:
    for method, path in (("GET", "folders/root"), ("GET", "folders/root/contents"), ("POST", "files")):
        headers = {"X-Kloudless-As-User": "somebody", METADATA: '{"name": "a"}'}
        assert read_error(shared.client.request(method, shared.url(path), headers=headers)) == (403, "forbidden")
    assert shared.list_names() == []


@pytest.mark.parametrize(("params", "headers"), [({"return_type": "task"}, {}), ({}, {"X-Kloudless-Async": "true"})])
def test_task_answers_with_the_result_itself_once_it_is_finished(
    drive: Drive, params: dict[str, str], headers: dict[str, str]
) -> None:
    folder = drive.create_folder("folder")
    drive.upload("a.txt", parent=folder["id"])
    copied = drive.client.post(f"{folder['href']}/copy", params=params, headers=headers, json={"name": "copy"})
    task = read_json(copied, status=202)
    assert task["state"] == task["status"] == "PENDING"
    wait_until(lambda: "state" not in drive.client.get(task["href"]).json())
    body = read_json(drive.client.get(task["href"]))
    assert not {"state", "status"} & set(body)  # the picker takes them for a task that is not finished
    assert drive.list_names(body["id"]) == ["a.txt"]


def test_json_bodies_of_get_and_delete_are_ignored(drive: Drive) -> None:
    file = drive.upload("a.txt", b"12")
    for body in (b'{"account_id": 7, "file_id": "F1"}', b'{"truncated": "', b"\xff"):
        headers = {"Content-Type": "application/json"}
        for path in (f"files/{file['id']}", "folders/root", "folders/root/contents", "quota"):
            read_json(drive.client.request("GET", drive.url(path), headers=headers, content=body))
        got = drive.client.request("GET", f"{file['href']}/contents", headers=headers, content=body)
        assert got.content == b"12"
    deleted = drive.client.request("DELETE", file["href"], headers=headers, content=b'{"file_id": "F1"}')
    assert deleted.status_code == 204


def test_quota_says_how_much_space_there_is(shared: Drive) -> None:
    quota = read_json(shared.client.get(shared.url("quota")))
    assert set(quota) == {"type", "api", "total", "used", "remaining", "href"}
    assert (quota["type"], quota["api"]) == ("quota", "storage")
    assert 0 <= quota["remaining"] <= quota["total"]
    assert 0 <= quota["used"] <= quota["total"]


def find(drive: Drive, path: str) -> httpx.Response:
    return drive.client.get(drive.url("path"), params={"path": path})


def test_path_finds_files_folders_and_the_root(drive: Drive) -> None:
    folder = drive.create_folder("Ördner €😀")
    file = drive.upload("a+b %41&c.txt", parent=folder["id"])
    assert read_json(find(drive, "/Ördner €😀"))["id"] == folder["id"]
    assert read_json(find(drive, "/Ördner €😀/"))["id"] == folder["id"]
    assert read_json(find(drive, "/Ördner €😀/a+b %41&c.txt")) == file
    assert read_json(find(drive, "/"))["id"] == "root"


@pytest.mark.parametrize("path", ["/missing", "/missing/deeper", "/a.txt/deeper", "/a.txt/"])
def test_path_of_nothing_is_404(drive: Drive, path: str) -> None:
    drive.upload("a.txt")
    assert read_error(find(drive, path)) == (404, "not_found")


@pytest.mark.parametrize(
    "path", ["", "relative", "a/b", "/..", "/../etc/passwd", "/a/../b", "/.", "/a//b", "/nul\0", "/" + "x" * 20_000]
)
def test_path_that_is_none_is_400(shared: Drive, path: str) -> None:
    assert read_error(find(shared, path)) == (400, "invalid_parameters")


def test_path_that_is_left_out_is_400(shared: Drive) -> None:
    assert read_error(shared.client.get(shared.url("path"))) == (400, "invalid_parameters")
