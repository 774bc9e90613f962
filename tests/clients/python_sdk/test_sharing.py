"""Links, permissions and properties of files, through the official Python SDK."""

from __future__ import annotations

import kloudless
import pytest
import requests
from kloudless import exceptions

from tests.clients.python_sdk.sdk import ANSWER_SECONDS_MAX, CONTENT, download, upload
from tests.servers.accounts import AccountKind


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


def test_link_gives_the_new_bytes_when_its_file_was_updated(account: kloudless.Account) -> None:
    file = upload(account, "a.txt", b"old")
    link = account.post("storage/links", json={"file_id": file.data["id"], "direct": True})
    file.put(data=CONTENT)
    reply = requests.get(link.data["url"], timeout=ANSWER_SECONDS_MAX)
    assert reply.content == CONTENT
    assert reply.headers["Content-Disposition"].startswith("attachment")


def test_link_is_dead_when_its_file_was_deleted(account: kloudless.Account) -> None:
    file = upload(account, "a.txt", b"x")
    link = account.post("storage/links", json={"file_id": file.data["id"], "direct": True})
    file.delete()
    assert requests.get(link.data["url"], timeout=ANSWER_SECONDS_MAX).status_code == 404
    with pytest.raises(exceptions.NotFoundException):
        account.post("storage/links", json={"file_id": file.data["id"]})


@pytest.mark.needs("list_properties")
def test_properties_live_from_their_creation_to_their_end(account: kloudless.Account) -> None:
    file = upload(account, "a.txt", CONTENT)
    assert file.get("properties").data["properties"] == []
    wanted = {"color": "blue", "Größe": "10 + 5 = fünfzehn"}
    body = [{"key": key, "value": value} for key, value in wanted.items()]
    for properties in (file.patch("properties", json=body), file.get("properties")):
        assert {each["key"]: each["value"] for each in properties.data["properties"]} == wanted
    left = file.patch("properties", json=[{"key": "color", "value": None}]).data["properties"]
    assert [each["key"] for each in left] == ["Größe"]
    assert download(account.get(f"storage/files/{file.data['id']}")) == CONTENT
    assert file.delete("properties").status_code == 204
    assert file.get("properties").objects == []


@pytest.mark.needs("list_permissions", "set_permissions")
def test_permissions_live_from_their_creation_to_their_end(
    account: kloudless.Account, account_kind: AccountKind
) -> None:
    file = upload(account, "a.txt", CONTENT)
    (owner,) = file.get("permissions").data["permissions"]
    assert owner["role"] == "owner"
    added = file.patch("permissions", json=[account_kind.grantee]).data["permissions"]
    roles = [(each["type"], each["role"]) for each in added]
    assert roles == [(owner["type"], "owner"), (account_kind.grantee["type"], "reader")]
    assert file.get("permissions").data["permissions"] == added
    assert file.put("permissions", json=[]).data["permissions"] == [owner]
    assert download(account.get(f"storage/files/{file.data['id']}")) == CONTENT
