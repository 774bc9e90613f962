from __future__ import annotations

import pytest

from tests.app.drive import Drive, read_error, read_json


def test_list_holds_files_and_folders_with_the_envelope_of_every_list(drive: Drive) -> None:
    drive.create_folder("folder")
    drive.upload("file.txt", b"12")
    listed = read_json(drive.client.get(drive.url("folders/root/contents")))
    assert set(listed) == {"api", "type", "count", "page", "next_page", "objects", "partial"}
    assert (listed["api"], listed["type"], listed["count"]) == ("storage", "object_list", 2)
    assert (listed["page"], listed["next_page"], listed["partial"]) == ("1", None, False)
    assert [(entry["type"], entry["name"]) for entry in listed["objects"]] == [
        ("file", "file.txt"),
        ("folder", "folder"),
    ]


def test_entries_are_the_same_objects_as_single_ones(drive: Drive) -> None:
    folder = drive.create_folder("folder")
    file = drive.upload("file.txt", b"12")
    listed = read_json(drive.client.get(drive.url("folders/root/contents")))["objects"]
    assert listed == [read_json(drive.client.get(file["href"])), read_json(drive.client.get(folder["href"]))]


def test_empty_folder_gives_an_empty_list(drive: Drive) -> None:
    folder = drive.create_folder("empty")
    listed = read_json(drive.client.get(f"{folder['href']}/contents"))
    assert (listed["count"], listed["next_page"], listed["objects"]) == (0, None, [])


@pytest.mark.parametrize("page_size", [1, 2, 3, 4])
def test_every_page_size_gives_each_entry_once_and_ends_with_null(drive: Drive, page_size: int) -> None:
    names = ["a", "b", "c"]
    for name in names:
        drive.upload(name)
    pages = drive.walk("root", page_size=page_size)
    assert [entry["name"] for page in pages for entry in page["objects"]] == names
    assert all(page["count"] == len(page["objects"]) <= page_size for page in pages)
    assert [page["page"] for page in pages] == ["1", *(page["next_page"] for page in pages[:-1])]


def test_first_page_is_the_same_with_page_one_without_page_and_with_an_empty_page(drive: Drive) -> None:
    drive.upload("a")
    url = drive.url("folders/root/contents")
    first, *others = (read_json(drive.client.get(url, params=params)) for params in ({}, {"page": "1"}, {"page": ""}))
    assert all(other == first for other in others)


@pytest.mark.parametrize("page", ["0", "2", "-1", "nonsense", "AQ", "é", "x" * 9000])
def test_page_that_no_reply_gave_is_400(shared: Drive, page: str) -> None:
    refused = shared.client.get(shared.url("folders/root/contents"), params={"page": page})
    assert read_error(refused) == (400, "invalid_parameters")


def test_page_of_another_folder_or_account_is_400(drive: Drive) -> None:
    folder = drive.create_folder("folder")
    drive.upload("a")
    next_page = drive.walk("root", page_size=1)[0]["next_page"]
    for url in (f"{folder['href']}/contents",):
        assert read_error(drive.client.get(url, params={"page": next_page})) == (400, "invalid_parameters")
    other = drive.caller.api.create_caller()
    with other.client() as client:
        refused = client.get(f"{other.storage_url}/folders/root/contents", params={"page": next_page})
    assert read_error(refused) == (400, "invalid_parameters")


@pytest.mark.parametrize(
    "page_size", ["0", "1001", "-1", "+5", "1.5", "ten", "\N{FULLWIDTH DIGIT ONE}", "1_0", "9" * 30]
)
def test_page_size_out_of_range_is_400(shared: Drive, page_size: str) -> None:
    refused = shared.client.get(shared.url("folders/root/contents"), params={"page_size": page_size})
    assert read_error(refused) == (400, "invalid_parameters")


def test_page_size_of_1000_is_accepted(drive: Drive) -> None:
    drive.upload("a")
    listed = read_json(drive.client.get(drive.url("folders/root/contents"), params={"page": "1", "page_size": "1000"}))
    assert listed["count"] == 1


def test_entry_that_goes_between_pages_leaves_the_others_listed_once(drive: Drive) -> None:
    for name in ("a", "b", "c", "d"):
        drive.upload(name)
    url = drive.url("folders/root/contents")
    first = read_json(drive.client.get(url, params={"page_size": "2"}))
    (drive.caller.folder / "b").unlink()
    (drive.caller.folder / "aa").touch()
    second = read_json(drive.client.get(url, params={"page_size": "2", "page": first["next_page"]}))
    assert [entry["name"] for entry in second["objects"]] == ["c", "d"]
    assert second["next_page"] is None
