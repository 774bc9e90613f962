from __future__ import annotations

import json
import unicodedata
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from app.search.endpoints import QUERY_CHARACTERS_MAX
from app.search.service import FOLDERS_MAX
from tests.app.drive import Drive, read_error, read_json
from tests.app.edge.wire import Wire
from tests.servers.api import Api

FOUND = ["/Reports", "/Reports/old/REPORT.pdf", "/Reports/old/other report", "/a report.txt"]


@pytest.fixture
def reports(drive: Drive) -> Drive:
    outer = drive.create_folder("Reports")
    old = drive.create_folder("old", parent=outer["id"])
    drive.create_folder("other report", parent=old["id"])
    drive.upload("REPORT.pdf", b"pdf", parent=old["id"])
    drive.upload("a report.txt")
    drive.upload("else.txt")
    return drive


def search(drive: Drive, query: str, **params: str) -> dict[str, Any]:
    return read_json(drive.client.get(drive.url("search"), params={"q": query, **params}))


def refuse(drive: Drive, **params: str) -> tuple[int, str]:
    return read_error(drive.client.get(drive.url("search"), params=params))


def list_paths(*pages: dict[str, Any]) -> list[str]:
    return [entry["path"] for page in pages for entry in page["objects"]]


def find_id(drive: Drive, path: str) -> str:
    found: str = read_json(drive.client.get(drive.url("path"), params={"path": path}))["id"]
    return found


def test_names_are_found_anywhere_with_the_envelope_of_every_list(reports: Drive) -> None:
    found = search(reports, "report")
    assert set(found) == {"api", "type", "count", "page", "next_page", "objects", "partial"}
    assert (found["api"], found["type"], found["count"]) == ("storage", "object_list", 4)
    assert (found["page"], found["next_page"], found["partial"]) == ("1", None, False)
    assert sorted(list_paths(found)) == FOUND


def test_entries_are_the_same_objects_as_single_ones(reports: Drive) -> None:
    objects = search(reports, "report")["objects"]
    assert objects == [read_json(reports.client.get(entry["href"])) for entry in objects]


def test_nothing_is_an_empty_list(reports: Drive) -> None:
    found = search(reports, "nowhere")
    assert (found["count"], found["next_page"], found["objects"], found["partial"]) == (0, None, [], False)


@pytest.mark.parametrize("page_size", [1, 2, 3, 4, 5])
def test_every_page_size_gives_each_entry_once_and_ends_with_null(reports: Drive, page_size: int) -> None:
    pages = reports.walk_pages("search", page_size=page_size, q="report")
    assert sorted(list_paths(*pages)) == FOUND
    assert all(page["count"] == len(page["objects"]) <= page_size for page in pages)


def test_first_page_is_the_same_with_page_one_and_with_an_empty_page(reports: Drive) -> None:
    first = search(reports, "report")
    assert search(reports, "report", page="1") == search(reports, "report", page="") == first


@pytest.mark.parametrize("params", [{}, {"q": ""}, {"q": "  "}, {"q": "x" * (QUERY_CHARACTERS_MAX + 1)}, {"q": "a\0"}])
def test_query_that_is_missing_or_too_long_is_400(shared: Drive, params: dict[str, str]) -> None:
    assert refuse(shared, **params) == (400, "invalid_parameters")


@pytest.mark.parametrize("page_size", ["0", "1001", "-1", "ten"])
def test_page_size_out_of_range_is_400(shared: Drive, page_size: str) -> None:
    assert refuse(shared, q="a", page_size=page_size) == (400, "invalid_parameters")


@pytest.mark.parametrize("page", ["0", "2", "nonsense", "é", "x" * 40_000])
def test_page_that_no_reply_gave_is_400(shared: Drive, page: str) -> None:
    assert refuse(shared, q="a", page=page) == (400, "invalid_parameters")


def test_page_of_another_query_or_folder_or_account_is_400(reports: Drive) -> None:
    page = search(reports, "report", page_size="1")["next_page"]
    folder = find_id(reports, "/Reports")
    for params in ({"q": "repor"}, {"q": "report", "parents": folder}, {"q": "report", "parents": "root"}):
        assert refuse(reports, **params, page=page) == (400, "invalid_parameters")
    other = reports.caller.api.create_caller()
    with other.client() as client:
        assert refuse(Drive(other, client), q="report", page=page) == (400, "invalid_parameters")
    listed = reports.walk("root", page_size=1)[0]["next_page"]
    assert refuse(reports, q="report", page=listed) == (400, "invalid_parameters")


@pytest.mark.parametrize(
    ("lang", "status", "code"),
    [("raw", 501, "not_implemented"), ("cmis", 501, "not_implemented"), ("klingon", 400, "invalid_parameters")],
)
def test_query_in_another_language_is_an_error(shared: Drive, lang: str, status: int, code: str) -> None:
    assert refuse(shared, q="a", lang=lang) == (status, code)


@pytest.mark.parametrize("lang", ["keyword", ""])
def test_query_of_keywords_is_answered(reports: Drive, lang: str) -> None:
    assert search(reports, "report", lang=lang)["count"] == 4


class TestParents:
    @pytest.mark.parametrize(
        ("parents", "expected"),
        [
            ("", FOUND),
            (",", FOUND),
            ("root", FOUND),
            ("/Reports", FOUND[1:3]),
            ("/Reports/old", FOUND[1:3]),
            ("/Reports/old/other report", []),
            ("root,/Reports", FOUND),
            ("/Reports,/Reports", FOUND[1:3]),
            ("/Reports/old,/Reports", FOUND[1:3]),
            ("/Reports,/Reports/old/other report,/Reports/old", FOUND[1:3]),
        ],
    )
    @pytest.mark.parametrize("page_size", [1, 1000])
    def test_only_what_is_below_is_found_and_once(
        self, reports: Drive, parents: str, expected: list[str], page_size: int
    ) -> None:
        ids = [find_id(reports, path) if path.startswith("/") else path for path in parents.split(",")]
        pages = reports.walk_pages("search", page_size=page_size, q="report", parents=",".join(ids))
        assert sorted(list_paths(*pages)) == expected

    def test_folders_are_searched_one_after_the_other(self, drive: Drive) -> None:
        folders = [drive.create_folder(name) for name in "badc"]
        for folder in (*folders[:2], folders[3]):
            for name in ("x1", "x2", "y"):
                drive.upload(name, parent=folder["id"])
        parents = ",".join(folder["id"] for folder in folders)
        expected = [f"/{folder}/{name}" for folder in "bac" for name in ("x1", "x2")]
        for page_size in (1, 2, 3, 1000):
            pages = drive.walk_pages("search", page_size=page_size, q="x", parents=parents)
            assert list_paths(*pages) == expected
            assert all(page["objects"] for page in pages[:-1])

    def test_others_are_searched_when_a_folder_goes_between_pages(self, drive: Drive) -> None:
        folders = [drive.create_folder(name) for name in "abc"]
        for folder in folders:
            drive.upload("x", parent=folder["id"])
        parents = ",".join(folder["id"] for folder in folders)
        first = search(drive, "x", parents=parents, page_size="1")
        (drive.caller.folder / "b" / "x").unlink()
        (drive.caller.folder / "b").rmdir()
        second = search(drive, "x", parents=parents, page=first["next_page"])
        assert (list_paths(first, second), second["next_page"]) == (["/a/x", "/c/x"], None)

    def test_folder_that_is_none_of_the_account_is_an_error(self, reports: Drive) -> None:
        folder, file = find_id(reports, "/Reports"), find_id(reports, "/else.txt")
        other = reports.caller.api.create_caller()
        with other.client() as client:
            foreign = Drive(other, client).create_folder("folder")["id"]
        for bad in ("nonsense", foreign):
            for parents in (bad, f"{folder},{bad}", f"{bad},root"):
                assert refuse(reports, q="x", parents=parents) == (404, "not_found")
        assert refuse(reports, q="x", parents=f"{folder},{file}") == (400, "invalid_resource_type")

    def test_folder_that_is_gone_is_404_with_the_first_page(self, drive: Drive) -> None:
        folders = [drive.create_folder(name)["id"] for name in "ab"]
        (drive.caller.folder / "b").rmdir()
        for parents in (folders[1], ",".join(folders)):
            assert refuse(drive, q="x", parents=parents) == (404, "not_found")

    def test_too_many_folders_are_400(self, reports: Drive) -> None:
        folder = find_id(reports, "/Reports")
        assert search(reports, "report", parents=",".join([folder] * FOLDERS_MAX))["count"] == 2
        assert refuse(reports, q="x", parents=",".join([folder] * (FOLDERS_MAX + 1))) == (400, "invalid_parameters")


class TestSpelling:
    @pytest.mark.parametrize("name", ["Größe & Maß", "日本語", "100% +x", "a=b;c", "ÄÖÜ", "é"])
    def test_name_is_found_when_its_query_is_encoded(self, drive: Drive, name: str) -> None:
        drive.upload(name)
        assert list_paths(search(drive, name.upper())) == [f"/{name}"]
        assert list_paths(search(drive, unicodedata.normalize("NFD", name))) == [f"/{name}"]

    @pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
    @pytest.mark.parametrize("is_quoted", [True, False])
    def test_name_is_found_when_its_query_is_sent_as_bytes(self, drive: Drive, encoding: str, is_quoted: bool) -> None:
        drive.upload("Größenänderung")
        raw = "GRÖSSENÄND".encode(encoding)
        query = quote(raw) if is_quoted else raw.decode("latin-1")
        with Wire(drive.caller.api.settings.port) as wire:
            for _ in range(2):  # the connection goes on
                wire.ask("GET", drive.url(f"search/?q={query}&page_size=5"), drive.caller.key_header)
                reply = wire.read()
                assert reply.status == 200, reply.body
                assert list_paths(json.loads(reply.body)) == ["/Größenänderung"]

    def test_spaces_may_be_spelled_in_either_way(self, drive: Drive) -> None:
        drive.upload("a b")
        for query in ("a%20b", "a+b"):
            assert list_paths(read_json(drive.client.get(drive.url(f"search?q={query}")))) == ["/a b"]


def test_token_may_search_its_own_account_only(api: Api, reports: Drive) -> None:
    with reports.caller.client(reports.caller.bearer_header) as client:
        assert read_json(client.get("/v1/accounts/me/storage/search", params={"q": "report"}))["count"] == 4
    other = api.create_caller()
    with other.client(other.bearer_header) as client:
        assert read_error(client.get(reports.url("search"), params={"q": "report"})) == (403, "forbidden")
    with api.client() as client:
        refused: httpx.Response = client.get(reports.url("search"))
    assert read_error(refused) == (401, "authentication_required")
