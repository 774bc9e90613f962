"""The search language and the order of what it finds, and what an answer consists of."""

from __future__ import annotations

from typing import Any

import pytest
from googleapiclient.errors import HttpError

from tests.servers.gdrive import Place

FOLDER = "application/vnd.google-apps.folder"


@pytest.fixture(scope="module")
def stocked(calm_place: Place, calm_service: Any) -> Any:
    """The client of a user who has some files to find."""
    place, service = calm_place, calm_service
    place.store(1, "HelloWorld.txt", b"the quick brown fox")
    place.store(1, "hello there.md", b"lazy dog", "text/markdown")
    place.store(1, "it's \\ odd", b"")
    place.store(1, "photo.png", b"\x89PNG", "image/png")
    folder = service.files().create(body={"name": "Folder", "mimeType": FOLDER}).execute()["id"]
    body = {"name": "inner", "parents": [folder], "properties": {"stage": "draft"}, "appProperties": {"mine": "1"}}
    service.files().create(body=body | {"starred": True, "modifiedTime": "2020-01-02T03:04:05Z"}).execute()
    return service


@pytest.fixture(scope="module")
def file_id(calm_service: Any) -> str:
    """A file in the trash, where no search of these cases looks."""
    body = {"name": "f", "properties": {"a": "1", "b": "2"}}
    made = calm_service.files().create(body=body).execute()["id"]
    calm_service.files().update(fileId=made, body={"trashed": True}).execute()
    return str(made)


def find(service: Any, query: str, **more: Any) -> list[str]:
    found = service.files().list(q=f"({query}) and trashed = false", **more).execute()["files"]
    return [file["name"] for file in found]


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("name = 'Folder'", ["Folder"]),
        ("name contains 'hello'", ["HelloWorld.txt", "hello there.md"]),
        ("name contains 'world'", []),
        ("name contains 'there'", ["hello there.md"]),
        (r"name = 'it\'s \\ odd'", ["it's \\ odd"]),
        ("not name contains 'hello' and mimeType contains 'image/'", ["photo.png"]),
        ("mimeType = 'application/vnd.google-apps.folder'", ["Folder"]),
        ("fullText contains 'quick fox'", ["HelloWorld.txt"]),
        ("""fullText contains '"lazy dog"'""", ["hello there.md"]),
        ("modifiedTime < '2021-01-01T00:00:00'", ["inner"]),
        ("modifiedTime < '2021-01-01' or name = 'Folder'", ["Folder", "inner"]),
        ("starred = true", ["inner"]),
        ("properties has { key='stage' and value='draft' }", ["inner"]),
        ("appProperties has { key='mine' and value='1' }", ["inner"]),
        ("appProperties has { key='mine' and value='2' }", []),
        ("'root' in parents and (name = 'inner' or name = 'photo.png')", ["photo.png"]),
        ("'ada@example.com' in owners and name = 'inner'", ["inner"]),
        ("'me' in writers and not 'root' in parents", ["inner"]),
        ("sharedWithMe or name = 'inner'", ["inner"]),
        ("trashed = true", []),
        ("trashed != false", []),
        ("visibility = 'limited' and name = 'inner'", ["inner"]),
    ],
)  # fmt: skip
def test_the_right_files_come_when_they_are_searched(stocked: Any, query: str, names: list[str]) -> None:
    assert sorted(find(stocked, query)) == sorted(names)


@pytest.mark.parametrize(
    "query",
    [
        "name = Folder",
        "name like 'x'",
        "fullText = 'x'",
        "trashed = 'true'",
        "size > 5",
        "name = 'a' and",
        "(name = 'a'",
        "name = 'a",
        "'root' in folders",
        "properties has { key='a' }",
        "modifiedTime > 'yesterday'",
    ],
)
def test_a_search_is_refused_when_it_is_not_in_the_language(stocked: Any, query: str) -> None:
    with pytest.raises(HttpError) as caught:
        find(stocked, query)
    detail = caught.value.error_details[0]
    assert (caught.value.status_code, detail["reason"], detail["location"]) == (400, "invalid", "q")


def test_files_come_in_the_order_that_is_asked_for(stocked: Any) -> None:
    query = "not name contains 'inner'"
    assert find(stocked, query, orderBy="folder,name desc") == [
        "Folder",
        "photo.png",
        "it's \\ odd",
        "HelloWorld.txt",
        "hello there.md",
    ]
    with pytest.raises(HttpError):
        find(stocked, query, orderBy="shoe size")
    with pytest.raises(HttpError):
        find(stocked, "fullText contains 'fox'", orderBy="name")


def test_names_with_numbers_come_in_their_natural_order_when_that_is_asked_for(place: Place, service: Any) -> None:
    for name in ("a10", "a9", "A1"):
        place.store(1, name, b"")
    assert find(service, "trashed = false", orderBy="name_natural") == ["A1", "a9", "a10"]
    assert find(service, "trashed = false", orderBy="name") == ["A1", "a10", "a9"]


def test_a_token_is_refused_when_it_belongs_to_another_search(place: Place, service: Any) -> None:
    for name in "abc":
        place.store(1, name, b"")
    token = service.files().list(q="trashed = false", pageSize=1).execute()["nextPageToken"]
    for query, page_token in (("name = 'a'", token), ("trashed = false", "made-up")):
        with pytest.raises(HttpError) as caught:
            service.files().list(q=query, pageSize=1, pageToken=page_token).execute()
        assert caught.value.error_details[0]["location"] == "pageToken"
    place.world.clock.advance(24 * 3600)
    late = place.build_service(1)
    with pytest.raises(HttpError):
        late.files().list(q="trashed = false", pageSize=1, pageToken=token).execute()
    late.close()


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ("name", {"name": "f"}),
        ("name,owners/emailAddress", {"name": "f", "owners": [{"emailAddress": "ada@example.com"}]}),
        ("owners(me,kind)", {"owners": [{"me": True, "kind": "drive#user"}]}),
        ("properties", {"properties": {"a": "1", "b": "2"}}),
        ("properties/a,name", {"name": "f", "properties": {"a": "1"}}),
        ("capabilities(canTrash)", {"capabilities": {"canTrash": True}}),
        ("description", {}),
    ],
)
def test_only_what_was_asked_for_comes_when_fields_are_named(
    calm_service: Any, file_id: str, fields: str, expected: Any
) -> None:
    assert calm_service.files().get(fileId=file_id, fields=fields).execute() == expected


@pytest.mark.parametrize("fields", ["nothing", "name/first", "owners(shoe)", "name,", "owners(me", "files(id)", "()"])
def test_fields_are_refused_when_there_are_none_such(calm_service: Any, fields: str) -> None:
    with pytest.raises(HttpError) as caught:
        calm_service.files().get(fileId="root", fields=fields).execute()
    detail = caught.value.error_details[0]
    assert (caught.value.status_code, detail["reason"], detail["location"]) == (400, "invalidParameter", "fields")


def test_an_answer_is_short_when_no_fields_are_named(place: Place, service: Any) -> None:
    file_id = place.store(1, "a", b"")
    expected = {"kind": "drive#file", "id": file_id, "name": "a", "mimeType": "text/plain"}
    assert service.files().get(fileId=file_id).execute() == expected
    assert service.files().list().execute()["files"] == [expected]


def test_everything_comes_when_all_fields_are_asked_for(place: Place, service: Any) -> None:
    file_id = place.store(1, "a.tar.gz", b"abc")
    shown = service.files().get(fileId=file_id, fields="*").execute()
    assert {"capabilities", "permissions", "owners", "sha256Checksum", "webViewLink", "version"} <= shown.keys()
    assert (shown["fileExtension"], shown["fullFileExtension"]) == ("gz", "tar.gz")


def test_about_is_refused_when_no_fields_are_named(service: Any) -> None:
    with pytest.raises(HttpError) as caught:
        service.about().get().execute()
    assert caught.value.error_details[0]["reason"] == "required"
    shown = service.about().get(fields="*").execute()
    assert shown["user"]["emailAddress"] == "ada@example.com"
    assert shown["storageQuota"]["limit"] == str(15 * 1024**3)


def test_properties_are_cleared_when_they_are_set_to_nothing(place: Place, service: Any) -> None:
    body = {"name": "f", "properties": {"a": "1", "b": "2"}, "appProperties": {"own": "1"}}
    file_id = service.files().create(body=body).execute()["id"]
    changed = {"properties": {"a": None, "c": "3"}}
    fields = "properties,appProperties"
    shown = service.files().update(fileId=file_id, body=changed, fields=fields).execute()
    assert shown == {"properties": {"b": "2", "c": "3"}, "appProperties": {"own": "1"}}
