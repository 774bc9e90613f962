from __future__ import annotations

import json

import pytest

from tests.app.drive import METADATA, Drive, read_error, read_json

FORM = "multipart/form-data; boundary=xx"


def build_field(name: str, value: bytes, *, filename: str | None = None) -> bytes:
    disposition = f'form-data; name="{name}"' + ("" if filename is None else f'; filename="{filename}"')
    return f"--xx\r\nContent-Disposition: {disposition}\r\n\r\n".encode() + value + b"\r\n"


def build_metadata(value: object) -> bytes:
    return build_field("metadata", json.dumps(value).encode())


END = b"--xx--\r\n"
FILE = build_field("file", b"\x00bytes\r\n--x\r\n", filename="sent.bin")
METADATA_FIELD = build_metadata({"name": "a.bin", "parent_id": "root"})


def test_form_with_metadata_and_file_is_stored(drive: Drive) -> None:
    body = {"metadata": json.dumps({"name": "é.bin", "parent_id": "root"})}
    stored = drive.client.post(drive.url("files"), data=body, files={"file": ("sent.bin", b"bytes")})
    file = read_json(stored, status=201)
    assert (file["name"], drive.read(file["id"])) == ("é.bin", b"bytes")


def test_file_keeps_the_name_it_was_sent_with_and_goes_to_the_root_without_metadata(drive: Drive) -> None:
    stored = drive.client.post(drive.url("files"), files={"file": ("sent é.bin", b"bytes")})
    file = read_json(stored, status=201)
    assert (file["name"], file["parent"]["id"], drive.read(file["id"])) == ("sent é.bin", "root", b"bytes")


def test_name_of_the_metadata_may_be_left_to_the_file(drive: Drive) -> None:
    folder = drive.create_folder("folder")
    body = build_metadata({"parent_id": folder["id"]}) + FILE + END
    stored = drive.client.post(drive.url("files"), headers={"Content-Type": FORM}, content=body)
    assert read_json(stored, status=201)["path"] == "/folder/sent.bin"


def test_header_wins_over_the_field_and_lets_the_file_come_first(drive: Drive) -> None:
    headers = {"Content-Type": FORM, METADATA: '{"name": "header.bin"}'}
    for body in (METADATA_FIELD + FILE + END, FILE + build_field("other", b"later") + END):
        stored = drive.client.post(drive.url("files"), params={"overwrite": "true"}, headers=headers, content=body)
        assert stored.status_code in {200, 201}, stored.text
        assert stored.json()["name"] == "header.bin"
    assert drive.list_names() == ["header.bin"]


def test_taken_name_follows_the_same_rules_as_a_binary_upload(drive: Drive) -> None:
    first = drive.upload("sent.bin", b"first")
    url, files = drive.url("files"), {"file": ("sent.bin", b"second")}
    assert read_json(drive.client.post(url, files=files), status=201)["name"] == "sent (1).bin"
    replaced = read_json(drive.client.post(url, params={"overwrite": "1"}, files=files), status=200)
    assert (replaced["id"], drive.read(first["id"])) == (first["id"], b"second")


def test_form_is_the_same_however_it_is_cut_into_chunks(drive: Drive) -> None:
    body = b"\r\n" + METADATA_FIELD + FILE + END + b"epilogue"
    for size in (1, 7, len(body)):
        chunks = iter([body[start : start + size] for start in range(0, len(body), size)])
        headers = {"Content-Type": FORM}
        stored = drive.client.post(drive.url("files"), params={"overwrite": "1"}, headers=headers, content=chunks)
        assert stored.status_code in {200, 201}, stored.text
        assert drive.read(stored.json()["id"]) == b"\x00bytes\r\n--x\r\n"


def test_large_file_of_a_form_is_stored_whole(drive: Drive) -> None:
    data = bytes(range(256)) * 20_000
    stored = drive.client.post(drive.url("files"), files={"file": ("large.bin", data)})
    assert drive.read(read_json(stored, status=201)["id"]) == data


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (FILE + METADATA_FIELD + END, (400, "bad_request")),  # metadata behind the file
        (METADATA_FIELD + FILE + FILE + END, (400, "bad_request")),  # two files
        (METADATA_FIELD + END, (400, "invalid_parameters")),  # no file
        (END, (400, "invalid_parameters")),
        (b"", (400, "invalid_parameters")),
        (METADATA_FIELD + FILE, (400, "bad_request")),  # no closing boundary
        (METADATA_FIELD + FILE[:-8], (400, "bad_request")),
        (METADATA_FIELD + b"--xxjunk", (400, "invalid_parameters")),
        (b"preamble\r\n" + FILE + END, (400, "bad_request")),
        (b"--xx\r\nno colon\r\n\r\n", (400, "bad_request")),
        (b"--xx\r\nContent-Disposition: " + b"x" * 70_000, (400, "bad_request")),
        (build_field("metadata", b"junk") + FILE + END, (400, "invalid_parameters")),
        (build_metadata(["a"]) + FILE + END, (400, "invalid_parameters")),
        (build_field("metadata", b"[" * 60_000) + FILE + END, (400, "invalid_parameters")),
        (build_metadata({"name": 7}) + FILE + END, (400, "invalid_parameters")),
        (build_field("metadata", b"x" * 70_000) + FILE + END, (413, "request_too_large")),
        (build_field("other", b"x") * 21 + FILE + END, (400, "bad_request")),
        (build_field("file", b"bytes") + END, (400, "invalid_parameters")),  # neither name nor metadata
        (build_field("file", b"bytes", filename="../up.txt") + END, (400, "invalid_parameters")),
        (build_metadata({"name": "a", "parent_id": "nonsense"}) + FILE + END, (400, "invalid_parent_folder")),
    ],
)
def test_form_that_makes_no_sense_is_refused_and_nothing_is_stored(
    shared: Drive, body: bytes, expected: tuple[int, str]
) -> None:
    refused = shared.client.post(shared.url("files"), headers={"Content-Type": FORM}, content=body)
    assert read_error(refused) == expected
    assert shared.list_names() == []


@pytest.mark.parametrize(
    "content_type",
    [
        "multipart/form-data",
        "multipart/form-data; boundary",
        "multipart/form-data; boundary=",
        "Multipart/Form-Data; charset=utf-8",
    ],
)
def test_form_without_a_boundary_is_400(shared: Drive, content_type: str) -> None:
    refused = shared.client.post(shared.url("files"), headers={"Content-Type": content_type}, content=FILE)
    assert read_error(refused) == (400, "bad_request")
    assert shared.list_names() == []
