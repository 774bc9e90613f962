from __future__ import annotations

import json

import pytest

from tests.app.drive import METADATA, Drive, read_error, read_json


@pytest.mark.parametrize(
    "content_type", [None, "application/octet-stream", "application/json", "text/plain; charset=x"]
)
def test_bytes_are_stored_whatever_their_content_type_says(drive: Drive, content_type: str | None) -> None:
    headers = {} if content_type is None else {"Content-Type": content_type}
    file = read_json(drive.send_file("a.bin", b'{"a": 1}', headers=headers), status=201)
    assert (file["type"], file["name"], file["size"], file["parent"]["id"]) == ("file", "a.bin", 8, "root")
    assert drive.read(file["id"]) == b'{"a": 1}'


def test_chunked_body_of_unknown_length_is_stored(drive: Drive) -> None:
    chunks = [bytes([number]) * 100_000 for number in range(12)]
    file = read_json(drive.send_file("a.bin", iter(chunks)), status=201)
    assert file["size"] == 1_200_000
    assert drive.read(file["id"]) == b"".join(chunks)


@pytest.mark.parametrize("data", [b"", iter([])])
def test_empty_file_is_stored(drive: Drive, data: object) -> None:
    file = read_json(drive.send_file("empty", data), status=201)
    assert (file["size"], drive.read(file["id"])) == (0, b"")


@pytest.mark.parametrize("flag", [None, "false", "False", "0", ""])
def test_taken_name_is_kept_and_the_file_stored_under_a_free_one_without_overwrite(
    drive: Drive, flag: str | None
) -> None:
    first = drive.upload("a.txt", b"first")
    params = {} if flag is None else {"overwrite": flag}
    second = read_json(drive.send_file("a.txt", b"second", params=params), status=201)
    assert second["name"] == "a (1).txt"
    assert second["id"] != first["id"]
    assert (drive.read(first["id"]), drive.read(second["id"])) == (b"first", b"second")


@pytest.mark.parametrize("flag", ["true", "True", "TRUE", "1"])
def test_file_is_replaced_with_200_when_overwrite_is_asked_for(drive: Drive, flag: str) -> None:
    first = read_json(drive.send_file("a.txt", b"first", params={"overwrite": flag}), status=201)
    second = read_json(drive.send_file("a.txt", b"second", params={"overwrite": flag}), status=200)
    assert (second["id"], second["name"], second["size"]) == (first["id"], "a.txt", 6)
    assert drive.read(first["id"]) == b"second"
    assert drive.list_names() == ["a.txt"]


def test_junk_in_overwrite_is_400_and_nothing_is_stored(drive: Drive) -> None:
    refused = drive.send_file("a.txt", b"x", params={"overwrite": "perhaps"})
    assert read_error(refused) == (400, "invalid_parameters")
    assert drive.list_names() == []


def test_folder_of_that_name_is_409_that_names_it_when_overwriting(drive: Drive) -> None:
    folder = drive.create_folder("a")
    refused = drive.send_file("a", b"x", params={"overwrite": "true"})
    assert read_error(refused) == (409, "naming_conflict")
    assert refused.json()["conflicting_resource_id"] == folder["id"]


@pytest.mark.parametrize(
    ("header", "name"),
    [
        (json.dumps({"name": "é€😀.txt"}).encode(), "é€😀.txt"),
        ('{"name": "é€😀.txt"}'.encode(), "é€😀.txt"),
        ('{"name": "été.txt"}'.encode("latin-1"), "été.txt"),
        (b'{"name": "a.txt", "parent_id": null}', "a.txt"),
        (b'{"name": "a.txt", "unknown": {"deep": [1]}}', "a.txt"),
    ],
)
def test_metadata_is_read_as_every_client_writes_it(drive: Drive, header: bytes, name: str) -> None:
    stored = drive.client.post(drive.url("files"), headers=[(METADATA.encode(), header)], content=b"x")
    assert read_json(stored, status=201)["name"] == name
    assert drive.list_names() == [name]


@pytest.mark.parametrize(
    "header",
    [
        "",
        "junk",
        "[]",
        "null",
        "7",
        '"a"',
        "{",
        '{"name": "a"} trailing',
        "{}",
        '{"parent_id": "root"}',
        '{"name": 7}',
        '{"name": null}',
        '{"name": ["a"]}',
        '{"name": ""}',
        '{"name": "a/b"}',
        '{"name": "."}',
        '{"name": ".."}',
        '{"name": "\\u0000"}',
        '{"name": "\\ud800"}',
        json.dumps({"name": "x" * 300}),
        '{"name": "a", "parent_id": 7}',
        '{"name": "a", "parent_id": {}}',
        "[" * 30_000,
        '{"a":' * 9_000,
    ],
)
def test_metadata_that_makes_no_sense_is_400_and_nothing_is_stored(shared: Drive, header: str) -> None:
    refused = shared.client.post(shared.url("files"), headers={METADATA: header}, content=b"x")
    assert read_error(refused) == (400, "invalid_parameters")
    assert shared.list_names() == []


def test_metadata_nested_100_000_deep_is_431(shared: Drive) -> None:
    refused = shared.client.post(shared.url("files"), headers={METADATA: "[" * 100_000}, content=b"x")
    assert refused.status_code == 431
    assert shared.list_names() == []


@pytest.mark.parametrize("parent_id", ["", "nonsense", "x" * 8000])
def test_bad_parent_is_400_and_nothing_is_stored(shared: Drive, parent_id: str) -> None:
    assert read_error(shared.send_file("a", b"x", parent=parent_id)) == (400, "invalid_parent_folder")
    assert shared.list_names() == []


def test_file_as_parent_is_400(drive: Drive) -> None:
    file = drive.upload("a")
    assert read_error(drive.send_file("b", b"x", parent=file["id"])) == (400, "invalid_parent_folder")


@pytest.mark.parametrize("headers", [{}, {"Content-Type": "application/json"}])
@pytest.mark.parametrize(
    "body",
    [
        "",
        "{",
        "[]",
        "{}",
        '{"name": "a.txt", "parent_id": "root"}',
        '{"url": "", "name": "a.txt"}',
        '{"url": "http://127.0.0.1/"}',
        '{"url": "http://127.0.0.1/", "name": 7}',
        '{"url": 7, "name": "a.txt"}',
        '{"url": "http://127.0.0.1/", "name": "a.txt", "parent_id": null}',
        '{"url": "http://127.0.0.1/", "name": "a\\u0000b"}',
        '{"url": "http://127.0.0.1/", "name": "a/b"}',
        '{"url": "ftp://127.0.0.1/", "name": "a.txt"}',
        '{"url": "nonsense", "name": "a.txt"}',
        '{"url": "http://user:hunter2@127.0.0.1/", "name": "a.txt"}',
    ],
)
def test_upload_by_url_without_what_it_needs_is_400(shared: Drive, headers: dict[str, str], body: str) -> None:
    refused = shared.client.post(shared.url("files"), headers=headers, content=body)
    assert read_error(refused) == (400, "invalid_parameters")
    assert "hunter2" not in refused.text
    assert shared.list_names() == []


@pytest.mark.parametrize(
    "content_type", ["application/octet-stream", "text/plain", "application/x-www-form-urlencoded"]
)
def test_bytes_without_metadata_are_400_that_says_what_to_send(shared: Drive, content_type: str) -> None:
    refused = shared.client.post(shared.url("files"), headers={"Content-Type": content_type}, content=b"x")
    assert read_error(refused) == (400, "invalid_parameters")
    assert METADATA in refused.json()["message"]
    assert shared.list_names() == []


def test_file_of_each_client_at_once_is_stored_under_its_own_name(drive: Drive) -> None:
    names = {read_json(drive.send_file("a.txt", bytes([number])), status=201)["name"] for number in range(5)}
    assert names == {"a.txt", *(f"a ({number}).txt" for number in range(1, 5))}
