"""One list of what several accounts hold; an account that fails is told of, and the others answer."""

from __future__ import annotations

import os
import shutil
from typing import Any

import pytest

from tests.app.drive import read_error, read_json
from tests.app.several.conftest import Accounts


def walk(accounts: Accounts, *, q: str, page_size: int, **params: str) -> list[dict[str, Any]]:
    """Every page of a search."""
    pages: list[dict[str, Any]] = []
    page: str | None = "1"
    while page is not None:
        asked = {"q": q, "page": page, "page_size": str(page_size), **params}
        pages.append(read_json(accounts.client.get(accounts.url("search"), params=asked)))
        assert len(pages) < 50
        assert pages[-1]["next_page"] != page
        page = pages[-1]["next_page"]
    return pages


def fill(accounts: Accounts, counts: tuple[int, ...]) -> set[tuple[int, str]]:
    """So many files to find in each account; the account and the name of each."""
    made = set()
    for place, count in enumerate(counts):
        for number in range(count):
            (accounts.folders[place] / f"found {number}.txt").write_text("x")
            made.add((accounts.ids[place], f"found {number}.txt"))
        (accounts.folders[place] / "other.txt").write_text("x")
    return made


def names(pages: list[dict[str, Any]]) -> list[tuple[int, str]]:
    return [(entry["account"], entry["name"]) for page in pages for entry in page["objects"]]


@pytest.mark.parametrize("page_size", [1, 2, 3, 7, 1000])
@pytest.mark.parametrize("counts", [(3, 3, 3), (0, 8, 1), (1, 0, 0), (0, 0, 0)])
def test_search_finds_everything_once_whatever_the_page(
    accounts: Accounts, counts: tuple[int, ...], page_size: int
) -> None:
    made = fill(accounts, counts)
    pages = walk(accounts, q="found", page_size=page_size)
    found = names(pages)
    assert len(found) == len(made)
    assert set(found) == made
    assert all(page["count"] == len(page["objects"]) <= page_size for page in pages)
    assert all((page["errors"], page["partial"], page["type"]) == ([], False, "object_list") for page in pages)


def test_objects_belong_to_their_account(accounts: Accounts) -> None:
    fill(accounts, (1, 1, 1))
    for entry in walk(accounts, q="found", page_size=10)[0]["objects"]:
        prefix = f"{accounts.caller.api.base_url}/v1/accounts/{entry['account']}/storage/files/"
        assert entry["href"] == f"{prefix}{entry['id']}"
        assert read_json(accounts.client.get(entry["href"]))["name"] == entry["name"]


def test_search_below_folders_asks_only_their_accounts(accounts: Accounts) -> None:
    fill(accounts, (1, 1, 1))
    folders = [accounts.drive(place).create_folder("inner") for place in (0, 2)]
    for place, folder in zip((0, 2), folders, strict=True):
        accounts.drive(place).upload("found below", b"x", parent=folder["id"])
    parents = ",".join(folder["id"] for folder in folders)
    found = names(walk(accounts, q="found", page_size=1, parents=parents))
    assert sorted(found) == [(accounts.ids[0], "found below"), (accounts.ids[2], "found below")]
    only = names(walk(accounts, q="found", page_size=10, parents=folders[0]["id"]))
    assert only == [(accounts.ids[0], "found below")]
    assert len(names(walk(accounts, q="found", page_size=10, parents="root"))) == 5


def test_search_below_a_folder_of_none_of_them_is_refused(accounts: Accounts) -> None:
    file = accounts.drive(1).upload("file", b"x")
    for parents, expected in (("junk", (404, "not_found")), (file["id"], (400, "invalid_resource_type"))):
        answer = accounts.client.get(accounts.url("search"), params={"q": "a", "parents": parents})
        assert read_error(answer) == expected


def test_page_of_a_search_belongs_to_its_question_and_its_accounts(accounts: Accounts) -> None:
    fill(accounts, (2, 2, 2))
    first = read_json(accounts.client.get(accounts.url("search"), params={"q": "found", "page_size": "3"}))
    page = first["next_page"]
    for url, q in (
        (accounts.url("search"), "other"),
        (accounts.url("search", 0, 1), "found"),
        (accounts.url("search", 0), "found"),
    ):
        answer = accounts.client.get(url, params={"q": q, "page": page})
        assert read_error(answer) == (400, "invalid_parameters")
    turned = accounts.client.get(accounts.url("search", 2, 0, 1), params={"q": "found", "page": page})
    assert len(read_json(turned)["objects"]) == 3


def test_recent_files_are_put_together_by_time(accounts: Accounts) -> None:
    for number in range(9):
        path = accounts.folders[number % 3] / f"{number}.txt"
        path.write_text("x")
        os.utime(path, ns=(10**18 + number, 10**18 + number * 10**9))
    newest = [f"{number}.txt" for number in reversed(range(9))]
    everything = read_json(accounts.client.get(accounts.url("recent")))
    assert [entry["name"] for entry in everything["objects"]] == newest
    assert (everything["total"], everything["partial"], everything["errors"]) == (9, False, [])
    second = read_json(accounts.client.get(accounts.url("recent"), params={"page": "2", "page_size": "4"}))
    assert [entry["name"] for entry in second["objects"]] == newest[4:8]
    assert (second["page"], second["next_page"], second["total"]) == (2, 3, 9)
    assert {entry["account"] for entry in second["objects"]} == set(accounts.ids)
    missing = accounts.client.get(accounts.url("recent"), params={"page": "4", "page_size": "4"})
    assert read_error(missing) == (404, "not_found")
    later = read_json(accounts.client.get(accounts.url("recent"), params={"after": "2001-09-09T01:46:45"}))
    assert [entry["name"] for entry in later["objects"]] == newest[:3]


@pytest.mark.parametrize("ordering", ["created", "-created"])
def test_links_are_put_together_in_their_order(accounts: Accounts, ordering: str) -> None:
    made = []
    for number in range(6):
        drive = accounts.drive(number % 3)
        file = drive.upload(f"{number}", b"x")
        made.append(read_json(drive.client.post(drive.url("links"), json={"file_id": file["id"]}), status=201))
    expected = made if ordering == "created" else made[::-1]
    params = {"ordering": ordering, "page_size": "4"}
    first = read_json(accounts.client.get(accounts.url("links"), params=params))
    second = read_json(accounts.client.get(accounts.url("links"), params=params | {"page": "2"}))
    assert [*first["objects"], *second["objects"]] == expected
    assert (first["total"], first["next_page"], second["next_page"], first["errors"]) == (6, 2, None, [])
    some = read_json(accounts.client.get(accounts.url("links", 0, 2)))
    assert {entry["account"] for entry in some["objects"]} == {accounts.ids[0], accounts.ids[2]}


@pytest.mark.parametrize("path", ["search?q=found", "recent", "links"])
def test_account_that_is_switched_off_is_told_of_and_the_others_answer(accounts: Accounts, path: str) -> None:
    fill(accounts, (1, 1, 1))
    for place in range(3):
        drive = accounts.drive(place)
        drive.client.post(drive.url("links"), json={"file_id": drive.upload("linked", b"x")["id"]})
    accounts.client.patch(f"/v1/accounts/{accounts.ids[1]}", json={"enabled": False})
    page = read_json(accounts.client.get(accounts.url(path)))
    assert {entry["account"] for entry in page["objects"]} == {accounts.ids[0], accounts.ids[2]}
    (error,) = page["errors"]
    assert (error["account"], error["status_code"], error["error_code"]) == (accounts.ids[1], 403, "forbidden")
    assert "switched off" in error["message"]
    assert page.get("partial", True)


@pytest.mark.parametrize("path", ["search?q=found", "recent"])
def test_account_whose_storage_fails_is_told_of_and_the_others_answer(accounts: Accounts, path: str) -> None:
    fill(accounts, (1, 1, 1))
    shutil.rmtree(accounts.folders[0])
    page = read_json(accounts.client.get(accounts.url(path)))
    assert {entry["account"] for entry in page["objects"]} == set(accounts.ids[1:])
    assert [error["account"] for error in page["errors"]] == [accounts.ids[0]]
    assert page["errors"][0]["status_code"] >= 400
    assert page["partial"]


def test_account_that_fails_meanwhile_is_left_out_of_later_pages(accounts: Accounts) -> None:
    fill(accounts, (4, 4, 4))
    params = {"q": "found", "page_size": "3"}
    first = read_json(accounts.client.get(accounts.url("search"), params=params))
    shutil.rmtree(accounts.folders[1])
    second = read_json(accounts.client.get(accounts.url("search"), params=params | {"page": first["next_page"]}))
    assert [error["account"] for error in second["errors"]] == [accounts.ids[1]]
    third = read_json(accounts.client.get(accounts.url("search"), params=params | {"page": second["next_page"]}))
    assert third["errors"] == []
    assert {entry["account"] for entry in third["objects"]} == {accounts.ids[0], accounts.ids[2]}


@pytest.mark.parametrize("path", ["search?q=found", "recent", "links"])
def test_request_fails_when_no_account_answers(accounts: Accounts, path: str) -> None:
    for account_id in accounts.ids:
        accounts.client.patch(f"/v1/accounts/{account_id}", json={"active": False})
    assert read_error(accounts.client.get(accounts.url(path))) == (403, "forbidden")
