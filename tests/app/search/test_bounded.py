"""What clients see of a storage that can only list folders, when a reply may look at few of them."""

from __future__ import annotations

from typing import Any

import pytest

from app.storage.paging import EMPTY_PAGES_MAX
from tests.app.drive import Drive, read_json
from tests.app.search.conftest import CALLS_MAX, RECENT_CALLS_MAX


def list_paths(*pages: dict[str, Any]) -> list[str]:
    return [entry["path"] for page in pages for entry in page["objects"]]


@pytest.fixture
def wide(bounded: Drive) -> Drive:
    """Nine folders with two files each."""
    for number in range(9):
        folder = bounded.caller.folder / f"folder {number}"
        folder.mkdir()
        for name in ("one", "two"):
            (folder / name).touch()
    return bounded


@pytest.fixture
def barren(bounded: Drive) -> Drive:
    """More empty folders than one reply looks at, and at last a file."""
    for number in range(CALLS_MAX * EMPTY_PAGES_MAX + 10):
        (bounded.caller.folder / f"{number:03}").mkdir()
    (bounded.caller.folder / f"{CALLS_MAX * EMPTY_PAGES_MAX + 9:03}" / "needle").touch()
    return bounded


def test_everything_is_listed_once_in_pages_that_end_early(wide: Drive) -> None:
    pages = wide.walk("root", page_size=1000, is_recursive=True)
    paths = list_paths(*pages)
    assert sorted(paths) == sorted(
        path for number in range(9) for path in (f"/folder {number}", f"/folder {number}/one", f"/folder {number}/two")
    )
    assert [page["partial"] for page in pages] == [True] * (len(pages) - 1) + [False]
    assert all(page["objects"] for page in pages)
    assert len(pages) > 2


@pytest.mark.parametrize("page_size", [1, 2, 1000])
def test_everything_is_found_once_in_pages_that_end_early(wide: Drive, page_size: int) -> None:
    pages = wide.walk_pages("search", page_size=page_size, q="TWO")
    assert sorted(list_paths(*pages)) == [f"/folder {number}/two" for number in range(9)]
    assert all(page["objects"] for page in pages[:-1])


def test_folders_are_searched_one_after_the_other_in_pages_that_end_early(wide: Drive) -> None:
    listed = read_json(wide.client.get(wide.url("folders/root/contents")))["objects"]
    parents = ",".join(entry["id"] for entry in listed)
    pages = wide.walk_pages("search", page_size=1000, q="o", parents=parents)
    assert len(list_paths(*pages)) == len(set(list_paths(*pages))) == 18


def test_empty_page_is_partial_and_goes_on_when_nothing_was_found_within_the_limits(barren: Drive) -> None:
    first, second, *others = barren.walk_pages("search", page_size=10, q="needle")
    assert (first["count"], first["objects"], first["partial"]) == (0, [], True)
    assert first["next_page"] is not None
    assert [entry["name"] for page in (second, *others) for entry in page["objects"]] == ["needle"]


def test_empty_pages_are_skipped_when_something_is_found_within_the_limits(wide: Drive) -> None:
    first = read_json(wide.client.get(wide.url("search"), params={"q": "folder 8"}))
    assert first["count"] == 1
    (wide.caller.folder / "folder 8" / "needle").touch()
    found = read_json(wide.client.get(wide.url("search"), params={"q": "needle"}))
    assert list_paths(found) == ["/folder 8/needle"]


def test_recent_files_are_partial_when_only_some_folders_were_looked_at(wide: Drive) -> None:
    listed = read_json(wide.client.get(wide.url("recent")))
    assert listed["partial"] is True
    assert listed["total"] == 2 * (RECENT_CALLS_MAX - 1)  # the first call lists the folders


def test_capabilities_say_what_the_server_adds(bounded: Drive) -> None:
    offered = read_json(bounded.client.get(f"{bounded.caller.account_url}/capabilities"))["capabilities"]
    assert all(offered[name] for name in ("search", "list_recursive", "list_recent"))
    account = read_json(bounded.client.get(bounded.caller.account_url))
    assert account["properties"]["capabilities"]["can_search_file_name"] == {"value": True}
    root = read_json(bounded.client.get(bounded.url("folders/root")))
    assert root["can_list_recursively"] is True
