from __future__ import annotations

import pytest

from connectors.core.errors import ConnectorError, ErrorKind
from connectors.core.resources import RawId
from tests.app.drive import Drive, read_error, read_json
from tests.app.versions.conftest import Versioned
from tests.servers.api import Caller


def test_versions_come_newest_first_in_pages(versioned: Versioned) -> None:
    first = versioned.list_page()
    assert (first["type"], first["api"], first["count"], first["page"]) == ("object_list", "storage", 2, "1")
    last = versioned.list_page(page=first["next_page"])
    assert (last["count"], last["page"], last["next_page"]) == (1, first["next_page"], None)
    assert [version["size"] for version in versioned.walk()] == [9, 6, 5]


def test_version_says_all_that_is_known_of_it(versioned: Versioned) -> None:
    newest, older, _ = versioned.walk()
    assert newest == {
        "type": "version",
        "api": "storage",
        "id": newest["id"],
        "file_id": versioned.file["id"],
        "account": versioned.drive.caller.account_id,
        "size": 9,
        "modified": "2026-03-04T08:06:07.890000Z",
        "modifier": {"id": "olga"},
        "current": True,
        "raw_id": "v3",
        "href": f"{versioned.url}/{newest['id']}",
    }
    assert older["current"] is False
    assert read_json(versioned.drive.client.get(older["href"])) == older


@pytest.mark.parametrize(("page_size", "counts"), [("1", [1, 1, 1]), ("2", [2, 1]), ("1000", [2, 1])])
def test_page_holds_at_most_what_was_asked_for(versioned: Versioned, page_size: str, counts: list[int]) -> None:
    found: list[int] = []
    page: str | None = "1"
    while page is not None:
        reply = versioned.list_page(page=page, page_size=page_size)
        found.append(reply["count"])
        page = reply["next_page"]
    assert found == counts


@pytest.mark.parametrize("params", [{"page": "nonsense"}, {"page": "2"}, {"page_size": "0"}, {"page_size": "1001"}])
def test_page_that_makes_no_sense_is_400(versioned: Versioned, params: dict[str, str]) -> None:
    reply = versioned.drive.client.get(versioned.url, params=params)
    assert read_error(reply) == (400, "invalid_parameters")


def test_page_token_is_of_no_use_for_another_file_or_listing(versioned: Versioned) -> None:
    other = versioned.drive.upload("b.txt")
    token = versioned.list_page()["next_page"]
    for url in (f"{other['href']}/versions", versioned.drive.url("folders/root/contents")):
        assert read_error(versioned.drive.client.get(url, params={"page": token})) == (400, "invalid_parameters")


@pytest.mark.parametrize("path", ["", "/{version}", "/{version}/contents"])
def test_version_of_another_file_or_account_is_404(versioned: Versioned, path: str) -> None:
    other = versioned.drive.upload("b.txt")
    version = versioned.walk()[0]["id"]
    path = path.format(version=version)
    foreign = versioned.drive.caller.api.create_caller()
    client = versioned.drive.client
    if path:
        assert read_error(client.get(f"{other['href']}/versions{path}")) == (404, "not_found")
    with foreign.client() as stranger:
        for url in (
            f"{versioned.url}{path}",
            f"{foreign.storage_url}/files/{versioned.file['id']}/versions{path}",
        ):
            assert read_error(stranger.get(url)) == (404, "not_found")


@pytest.mark.parametrize("version", ["nonsense", "1", "%00", "v1", "A" * 8000])
def test_version_that_never_was_is_404(versioned: Versioned, version: str) -> None:
    for path in ("", "/contents"):
        assert read_error(versioned.drive.client.get(f"{versioned.url}/{version}{path}")) == (404, "not_found")
    assert read_error(versioned.drive.client.post(f"{versioned.url}/{version}/restore")) == (404, "not_found")


def test_version_that_is_not_kept_any_more_is_404(versioned: Versioned) -> None:
    oldest = versioned.walk()[-1]
    del versioned.drive.store.histories[RawId(versioned.file["raw_id"])].versions[0]
    client = versioned.drive.client
    for reply in (
        client.get(oldest["href"]),
        client.get(f"{oldest['href']}/contents"),
        client.head(f"{oldest['href']}/contents"),
        client.post(f"{oldest['href']}/restore"),
    ):
        assert reply.status_code == 404


def test_versions_of_a_file_that_is_gone_or_a_folder_are_refused(versioned: Versioned) -> None:
    folder = versioned.drive.create_folder("folder")
    client = versioned.drive.client
    refused = client.get(versioned.drive.url(f"files/{folder['id']}/versions"))
    assert read_error(refused) == (400, "invalid_resource_type")
    assert client.delete(versioned.file["href"]).status_code == 204
    assert read_error(client.get(versioned.url)) == (404, "not_found")


def test_versions_are_501_where_the_storage_keeps_none(caller: Caller, versioned: Versioned) -> None:
    drive = Drive(caller, versioned.drive.client)
    url = f"{drive.upload('a.txt')['href']}/versions"
    refused = drive.client.get(url)
    assert read_error(refused) == (501, "not_implemented")
    assert "versions" in refused.json()["message"]


def test_error_of_the_storage_reaches_the_client(versioned: Versioned) -> None:
    versioned.drive.store.faults["list_versions"] = [ConnectorError(ErrorKind.UNAVAILABLE, "down for a while")]
    assert read_error(versioned.drive.client.get(versioned.url)) == (503, "service_not_available")
