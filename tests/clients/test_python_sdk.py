"""The official Python SDK 2.0.1, unchanged, lives its whole life on the server: once for every connector."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kloudless
import pytest
import requests
from kloudless import exceptions
from kloudless.resources import Resource

from tests.servers.api import ROOT, Caller

CONTENT = os.urandom(700_000)
CHUNK_BYTES = 64 * 1024
ANSWER_SECONDS_MAX = 30


@pytest.fixture(autouse=True)
def _pointed_here(caller: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(kloudless.configuration, "base_url", caller.api.base_url)


@pytest.fixture
def account(caller: Caller) -> Iterator[kloudless.Account]:
    with kloudless.Account(token=caller.bearer_token) as opened:
        yield opened


@pytest.fixture
def application(caller: Caller) -> Iterator[kloudless.Client]:
    with kloudless.Client(api_key=caller.api_key) as opened:
        yield opened


@pytest.fixture
def developer(caller: Caller) -> Iterator[kloudless.Client]:
    with kloudless.Client(token=caller.developer_token) as opened:
        yield opened


@pytest.fixture
def folder(account: kloudless.Account) -> Resource:
    return account.post("storage/folders", json={"name": "A folder", "parent_id": "root"})


def upload(account: kloudless.Account, name: str, data: Any, *, parent: str = "root", **options: Any) -> Resource:
    headers = {"X-Kloudless-Metadata": json.dumps({"name": name, "parent_id": parent})}
    return account.post("storage/files", data=data, headers=headers, **options)


def download(file: Resource) -> bytes:
    return b"".join(file.get("contents").iter_content(CHUNK_BYTES))


def list_names(account: kloudless.Account, folder_id: str = "root") -> list[str]:
    contents = account.get(f"storage/folders/{folder_id}/contents")
    return sorted(item.data["name"] for item in contents.get_paging_iterator())


def test_account_is_found_when_token_is_its_own(account: kloudless.Account, caller: Caller) -> None:
    found = account.get()
    assert (found.data["id"], found.data["type"]) == (caller.account_id, "account")
    assert "storage" in found.data["apis"]
    assert found.url == f"{caller.api.base_url}/v1/accounts/{caller.account_id}"
    found.refresh()
    assert found.data["id"] == caller.account_id


def test_account_opens_when_key_and_number_are_given(caller: Caller) -> None:
    with kloudless.Account(api_key=caller.api_key, account_id=caller.account_id) as account:
        assert account.get().data["id"] == caller.account_id
        assert list_names(account) == []


def test_token_is_verified_when_it_belongs_to_the_application(caller: Caller) -> None:
    assert kloudless.verify_token(caller.application_id, caller.bearer_token)["account_id"] == caller.account_id
    with kloudless.get_verified_account(caller.application_id, caller.bearer_token) as account:
        assert account.get().data["id"] == caller.account_id


def test_token_is_refused_when_it_is_wrong_or_of_another_application(caller: Caller) -> None:
    with pytest.raises(exceptions.TokenVerificationFailed):
        kloudless.verify_token("another", caller.bearer_token)
    with pytest.raises(exceptions.APIException) as raised:
        kloudless.verify_token(caller.application_id, "wrong")
    assert raised.value.status == 400
    assert raised.value.error_data["error_code"] == "invalid_token"


@pytest.mark.parametrize(
    ("path", "params"),
    [
        ("storage/folders/root/contents", {"recursive": True, "page_size": 2}),
        ("storage/search", {"q": "f", "page_size": 2}),
        ("storage/search", {"q": "f", "page_size": 1, "parents": "root"}),
    ],
)
def test_iterator_meets_everything_below_once_when_it_asks_for_a_whole_tree(
    account: kloudless.Account, folder: Resource, path: str, params: dict[str, Any]
) -> None:
    for name in ("f1", "f2", "f3"):
        upload(account, name, b"x", parent=folder.data["id"])
    found = [item.data["name"] for item in account.get(path, params=params).get_paging_iterator()]
    assert sorted(found) == sorted(["f1", "f2", "f3", folder.data["name"]])


def test_iterator_meets_recent_files_newest_first_when_there_are_several_pages(account: kloudless.Account) -> None:
    files = [upload(account, f"{number}", b"x") for number in range(5)]
    first = account.get("storage/recent", params={"page_size": 2})
    assert (first.data["total"], first.data["next_page"]) == (5, 2)
    assert [item.data["name"] for item in first.get_paging_iterator()] == ["4", "3", "2", "1", "0"]
    later = account.get("storage/recent", params={"after": files[2].data["modified"]})
    assert [item.data["name"] for item in later.get_paging_iterator()] == ["4", "3"]


def test_iterator_meets_every_object_once_when_folder_has_several_pages(
    account: kloudless.Account, folder: Resource
) -> None:
    names = [f"{number}.txt" for number in range(7)]
    for name in names:
        upload(account, name, b"x", parent=folder.data["id"])
    first = folder.get("contents", params={"page_size": 3})
    assert (len(first.objects), first.data["count"], bool(first.next_page)) == (3, 3, True)
    assert sorted(item.data["name"] for item in first.get_paging_iterator()) == names
    assert len(list(first.get_paging_iterator(max_resources=5))) == 5
    last = first.get_next_page().get_next_page()
    assert len(last.objects) == 1
    with pytest.raises(exceptions.NoNextPage):
        last.get_next_page()


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


def test_file_is_whole_when_uploaded_in_parts(account: kloudless.Account) -> None:
    body = {"name": "parts.bin", "parent_id": "root"}
    session = account.post("storage/multipart", json=body, params={"overwrite": "true"})
    size = session.data["part_size"]
    parts = [os.urandom(size), b"the last part may be short"]
    for number, part in reversed(list(enumerate(parts, 1))):
        url = f"storage/multipart/{session.data['id']}?part_number={number}"
        assert account.put(url, data=part, get_raw_response=True).status_code == 200
    file = account.post(f"storage/multipart/{session.data['id']}/complete")
    assert (file.data["name"], file.data["size"]) == ("parts.bin", size + len(parts[1]))
    assert hashlib.sha256(download(file)).digest() == hashlib.sha256(b"".join(parts)).digest()


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


def test_link_lives_from_its_creation_to_its_end(account: kloudless.Account) -> None:
    file = upload(account, "a.txt", CONTENT)
    link = account.post("storage/links", json={"file_id": file.data["id"], "direct": True})
    assert (link.data["type"], link.data["file_id"], link.data["active"]) == ("link", file.data["id"], True)
    assert requests.get(link.data["url"], timeout=ANSWER_SECONDS_MAX).content == CONTENT
    assert [found.data["id"] for found in account.get("storage/links").get_paging_iterator()] == [link.data["id"]]
    updated = link.patch(params={"file_id": file.data["id"]}, json={"active": False})
    assert (updated.data["id"], updated.data["active"]) == (link.data["id"], False)
    assert requests.get(link.data["url"], timeout=ANSWER_SECONDS_MAX).status_code == 403
    link.refresh()
    assert link.data["active"] is False
    assert link.delete().status_code == 204
    assert account.get("storage/links").objects == []
    assert requests.get(link.data["url"], timeout=ANSWER_SECONDS_MAX).status_code == 404
    with pytest.raises(exceptions.NotFoundException):
        link.get()


def test_iterator_meets_every_link_once_when_there_are_several_pages(account: kloudless.Account) -> None:
    file_id = upload(account, "a.txt", b"x").data["id"]
    ids = {account.post("storage/links", json={"file_id": file_id}).data["id"] for _ in range(5)}
    first = account.get("storage/links", params={"page_size": 2})
    assert (len(first.objects), first.data["total"]) == (2, 5)
    found = [link.data["id"] for link in first.get_paging_iterator()]
    assert (len(found), set(found)) == (5, ids)


def test_space_is_told_when_quota_is_asked_for(account: kloudless.Account) -> None:
    quota = account.get("storage/quota").data
    assert {"total", "used", "remaining"} <= set(quota)


def test_error_is_an_authorization_exception_when_token_or_key_is_wrong(caller: Caller) -> None:
    for client in (kloudless.Account(token="wrong"), kloudless.Client(api_key="wrong")):
        with client, pytest.raises(exceptions.AuthorizationException) as raised:
            client.get("" if isinstance(client, kloudless.Account) else "accounts")
        assert raised.value.error_data["error_code"] == "unauthorized"
        assert raised.value.error_data["id"] in str(raised.value)


def test_error_is_a_not_found_exception_when_account_is_of_another_application(
    caller: Caller, application: kloudless.Client
) -> None:
    other = caller.api.create_caller()
    with pytest.raises(exceptions.NotFoundException):
        application.get(f"accounts/{other.account_id}")
    with pytest.raises(exceptions.NotFoundException):
        application.get(f"accounts/{other.account_id}/storage/folders/root/contents")


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("storage/folders/root/contents?page_size=0", "invalid_parameters"),
        ("storage/folders/root/contents?page=nonsense", "invalid_parameters"),
        ("storage/path", "invalid_parameters"),
    ],
)
def test_error_is_an_api_exception_with_its_code_when_parameters_are_wrong(
    account: kloudless.Account, path: str, code: str
) -> None:
    with pytest.raises(exceptions.APIException) as raised:
        account.get(path)
    assert type(raised.value) is exceptions.APIException
    assert (raised.value.status, raised.value.error_data["error_code"]) == (400, code)


def test_error_is_a_server_exception_when_operation_is_not_offered(account: kloudless.Account) -> None:
    with pytest.raises(exceptions.ServerException) as raised:
        account.get("storage/search", params={"q": "a", "lang": "cmis"})
    assert (raised.value.status, raised.value.error_data["error_code"]) == (501, "not_implemented")


def test_iterator_meets_every_account_once_when_there_are_several_pages(
    caller: Caller, application: kloudless.Client
) -> None:
    numbers = [caller.account_id]
    for number in range(4):
        (caller.folder / str(number)).mkdir()
        body = {
            "account": f"no. {number}",
            "service": "local",
            "token": ROOT,
            "folder": f"{caller.folder.name}/{number}",
        }
        numbers.append(application.post("accounts", json=body).data["id"])
    first = application.get("accounts", params={"page_size": 2})
    assert [len(first.objects), first.data["total"]] == [2, 5]
    assert sorted(item.data["id"] for item in first.get_paging_iterator()) == sorted(numbers)


def test_account_is_changed_and_removed_when_asked_by_key(caller: Caller, application: kloudless.Client) -> None:
    url = f"accounts/{caller.account_id}"
    changed = application.patch(url, json={"account": "A new label", "custom_properties": {"team": "blue"}})
    assert (changed.data["account"], changed.data["custom_properties"]) == ("A new label", {"team": "blue"})
    assert application.delete(url).status_code == 204
    with pytest.raises(exceptions.NotFoundException):
        application.get(url)
    with kloudless.Account(token=caller.bearer_token) as account, pytest.raises(exceptions.AuthorizationException):
        account.get()


def test_applications_and_keys_are_managed_when_meta_token_is_given(developer: kloudless.Client) -> None:
    created = developer.post("meta/applications", json={"name": "Made by the SDK"})
    listed = developer.get("meta/applications", params={"page_size": 1})
    assert created.data["id"] in [item.data["id"] for item in listed.get_paging_iterator()]
    renamed = created.patch(json={"name": "Renamed"})
    assert renamed.data["name"] == "Renamed"
    key = created.post("apikeys")
    keys = created.get("apikeys")
    assert len(keys.objects) == 2
    with kloudless.Client(api_key=key.data["key"]) as application:
        assert application.get("accounts").objects == []
        assert key.delete().status_code == 204
        with pytest.raises(exceptions.AuthorizationException):
            application.get("accounts")
    assert created.delete().status_code == 204
    with pytest.raises(exceptions.NotFoundException):
        created.get()
