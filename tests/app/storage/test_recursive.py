from __future__ import annotations

from typing import Any

import pytest

from tests.app.drive import Drive, read_error, read_json

RECURSIVE = {"recursive": "true"}
PATHS = ["/a", "/a/b", "/a/b/deep.txt", "/a/one.txt", "/c", "/three.txt"]


@pytest.fixture
def tree(drive: Drive) -> Drive:
    a = drive.create_folder("a")
    b = drive.create_folder("b", parent=a["id"])
    drive.create_folder("c")
    drive.upload("deep.txt", b"deep", parent=b["id"])
    drive.upload("one.txt", parent=a["id"])
    drive.upload("three.txt")
    return drive


def list_paths(pages: list[dict[str, Any]]) -> list[str]:
    return [entry["path"] for page in pages for entry in page["objects"]]


@pytest.mark.parametrize("flag", ["true", "True", "1"])
def test_everything_below_is_listed_and_folders_first(tree: Drive, flag: str) -> None:
    listed = read_json(tree.client.get(tree.url("folders/root/contents"), params={"recursive": flag}))
    assert list_paths([listed]) == PATHS
    assert (listed["count"], listed["page"], listed["next_page"], listed["partial"]) == (6, "1", None, False)


def test_entries_are_the_same_objects_as_single_ones(tree: Drive) -> None:
    listed = read_json(tree.client.get(tree.url("folders/root/contents"), params=RECURSIVE))["objects"]
    assert listed == [read_json(tree.client.get(entry["href"])) for entry in listed]


def test_only_direct_children_are_listed_without_the_flag(tree: Drive) -> None:
    for params in ({}, {"recursive": "false"}, {"recursive": ""}):
        assert len(read_json(tree.client.get(tree.url("folders/root/contents"), params=params))["objects"]) == 3


def test_only_what_is_below_is_listed_in_an_inner_folder(tree: Drive) -> None:
    a = read_json(tree.client.get(tree.url("path"), params={"path": "/a"}))
    listed = read_json(tree.client.get(f"{a['href']}/contents", params=RECURSIVE))
    assert list_paths([listed]) == PATHS[1:4]
    assert a["can_list_recursively"] is True


@pytest.mark.parametrize("page_size", [1, 2, 3, 5, 6, 7])
def test_every_page_size_gives_each_entry_once_and_ends_with_null(tree: Drive, page_size: int) -> None:
    pages = tree.walk("root", page_size=page_size, is_recursive=True)
    assert list_paths(pages) == PATHS
    assert all(page["count"] == len(page["objects"]) <= page_size for page in pages)
    assert not any(page["partial"] for page in pages)


def test_what_stays_is_listed_once_when_others_come_and_go(tree: Drive) -> None:
    first = read_json(tree.client.get(tree.url("folders/root/contents"), params={**RECURSIVE, "page_size": "2"}))
    (tree.caller.folder / "a" / "b" / "deep.txt").unlink()
    (tree.caller.folder / "a" / "new").mkdir()
    (tree.caller.folder / "A").mkdir()
    params = {**RECURSIVE, "page": first["next_page"]}
    second = read_json(tree.client.get(tree.url("folders/root/contents"), params=params))
    assert list_paths([second]) == ["/a/new", "/a/one.txt", "/c", "/three.txt"]


def test_page_of_another_listing_is_400(tree: Drive) -> None:
    url = tree.url("folders/root/contents")
    flat, deep = (
        read_json(tree.client.get(url, params={"page_size": "1", "recursive": flag}))["next_page"]
        for flag in ("false", "true")
    )
    inner = f"{tree.create_folder('inner')['href']}/contents"
    for where, params in (
        (url, {"page": deep}),
        (url, {**RECURSIVE, "page": flat}),
        (inner, {**RECURSIVE, "page": deep}),
    ):
        assert read_error(tree.client.get(where, params=params)) == (400, "invalid_parameters")


def test_flag_that_is_neither_true_nor_false_is_400(shared: Drive) -> None:
    refused = shared.client.get(shared.url("folders/root/contents"), params={"recursive": "perhaps"})
    assert read_error(refused) == (400, "invalid_parameters")


def test_folder_that_is_gone_or_is_a_file_is_an_error(drive: Drive) -> None:
    folder, file = drive.create_folder("folder"), drive.upload("file.txt")
    (drive.caller.folder / "folder").rmdir()
    assert read_error(drive.client.get(f"{folder['href']}/contents", params=RECURSIVE)) == (404, "not_found")
    url = drive.url(f"folders/{file['id']}/contents")
    assert read_error(drive.client.get(url, params=RECURSIVE)) == (400, "invalid_resource_type")
