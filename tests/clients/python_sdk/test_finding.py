"""Pages, whole trees, search and recent files, through the official Python SDK."""

from __future__ import annotations

import time
from typing import Any

import kloudless
import pytest
from kloudless import exceptions
from kloudless.resources import Resource

from tests.app.drive import wait_until
from tests.clients.python_sdk.sdk import upload

CLOCK_TICK_SECONDS_MAX = 0.05


def test_iterator_meets_every_object_once_when_folder_has_several_pages(
    account: kloudless.Account, folder: Resource
) -> None:
    names = [f"{number}.txt" for number in range(7)]
    for name in names:
        upload(account, name, b"x", parent=folder.data["id"])
    first = folder.get("contents", params={"page_size": 3})
    assert first.data["count"] == len(first.objects) == 3
    assert first.next_page
    assert sorted(item.data["name"] for item in first.get_paging_iterator()) == names
    assert len(list(first.get_paging_iterator(max_resources=5))) == 5
    last = first
    while last.next_page:
        last = last.get_next_page()
    with pytest.raises(exceptions.NoNextPage):
        last.get_next_page()


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


def test_recent_files_come_newest_first_when_they_are_several_pages(account: kloudless.Account) -> None:
    for name in ("old 1", "old 2"):
        upload(account, name, b"x")
    second = int(time.time())
    # Some storages know no times between whole seconds, and a file system's clock is up to a tick behind this one.
    wait_until(lambda: time.time() > second + 1 + CLOCK_TICK_SECONDS_MAX)
    for name in ("new 1", "new 2", "new 3"):
        upload(account, name, b"x")
    first = account.get("storage/recent", params={"page_size": 2})
    assert (len(first.objects), first.data["total"], first.data["next_page"]) == (2, 5, 2)
    found = [item.data for item in first.get_paging_iterator()]
    assert [file["name"][:3] for file in found] == ["new"] * 3 + ["old"] * 2
    assert {file["name"] for file in found} == {"old 1", "old 2", "new 1", "new 2", "new 3"}
    assert [file["modified"] for file in found] == sorted((file["modified"] for file in found), reverse=True)
    after = max(file["modified"] for file in found[3:])
    later = account.get("storage/recent", params={"after": after})
    assert sorted(item.data["name"] for item in later.get_paging_iterator()) == ["new 1", "new 2", "new 3"]


def test_file_is_found_wherever_it_is_when_a_part_of_its_name_is_searched(
    account: kloudless.Account, folder: Resource
) -> None:
    inner = account.post("storage/folders", json={"name": "inner", "parent_id": folder.data["id"]})
    wanted = upload(account, "Quarterly Report \N{EN DASH} été.pdf", b"x", parent=inner.data["id"])
    upload(account, "something else.pdf", b"x", parent=inner.data["id"])
    for query in ("report", "QUARTERLY", "été", "Report \N{EN DASH} é"):
        assert [item.data["id"] for item in account.get("storage/search", params={"q": query})] == [wanted.data["id"]]
    below = {"q": "report", "parents": inner.data["id"]}
    assert [item.data["id"] for item in account.get("storage/search", params=below)] == [wanted.data["id"]]
    wanted.delete()
    assert account.get("storage/search", params={"q": "report"}).objects == []
