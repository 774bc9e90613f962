from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from tests.app.drive import Drive, read_error, read_json
from tests.app.uploads.conftest import Multipart


def test_upload_says_what_a_client_needs_to_go_on(drive: Drive, multipart: Multipart) -> None:
    started = multipart.start("a.bin", size=20)
    assert set(started) == {
        "id", "account", "name", "part_size", "parallel_uploads", "size", "created", "expires", "href", "type", "api"
    }  # fmt: skip
    assert isinstance(started["id"], int)
    assert (started["account"], started["name"], started["size"]) == (drive.caller.account_id, "a.bin", 20)
    assert started["part_size"] > 0
    assert started["parallel_uploads"] is True
    assert started["href"] == drive.caller.api.base_url + drive.url(f"multipart/{started['id']}")
    assert read_json(drive.client.get(started["href"])) == started


def test_file_is_made_of_its_parts_in_order_of_number_however_they_arrive(drive: Drive, multipart: Multipart) -> None:
    started = multipart.start("a.bin")
    size = started["part_size"]
    parts = {1: b"1" * size, 2: b"2" * size, 3: b"the end"}
    for number in (3, 1, 2):
        assert read_json(multipart.put(started, number, parts[number])) == started
    assert drive.list_names() == []
    file = read_json(multipart.complete(started), status=201)
    assert (file["type"], file["name"], file["size"]) == ("file", "a.bin", 2 * size + 7)
    assert (file["parent"]["id"], file["parent"]["name"]) == ("root", drive.caller.folder.name)
    assert drive.read(file["id"]) == b"".join(parts.values())
    assert drive.list_names() == ["a.bin"]


def test_parts_may_arrive_at_the_same_time(drive: Drive, multipart: Multipart) -> None:
    started = multipart.start("a.bin", size=4 * multipart.part_size)
    contents = [bytes([number]) * multipart.part_size for number in range(4)]
    with ThreadPoolExecutor(4) as threads:
        replies = list(threads.map(multipart.put, [started] * 4, range(1, 5), contents))
    assert [reply.status_code for reply in replies] == [200] * 4
    assert drive.read(read_json(multipart.complete(started), status=201)["id"]) == b"".join(contents)


def test_part_that_is_sent_again_replaces_the_first_try(drive: Drive, multipart: Multipart) -> None:
    started = multipart.start("a.bin")
    multipart.put(started, 1, b"a longer first try")
    assert multipart.put(started, 1, b"second").status_code == 200
    assert drive.read(read_json(multipart.complete(started), status=201)["id"]) == b"second"


@pytest.mark.parametrize(
    "number", ["0", "10001", "-1", "1.5", "one", "", "+1", "\N{FULLWIDTH DIGIT ONE}", "1_0", " 1", "9" * 30, None]
)
def test_part_number_that_is_none_is_400(drive: Drive, multipart: Multipart, number: str | None) -> None:
    started = multipart.start("a.bin")
    params = {} if number is None else {"part_number": number}
    refused = drive.client.put(started["href"], params=params, content=b"x")
    assert read_error(refused) == (400, "invalid_parameters")
    assert read_json(multipart.complete(started), status=201)["size"] == 0


def test_last_part_number_is_accepted(multipart: Multipart) -> None:
    assert multipart.put(multipart.start("a.bin"), 10_000, b"x").status_code == 200


@pytest.mark.parametrize("is_chunked", [False, True])
def test_part_that_is_too_long_is_refused_and_does_not_count(
    drive: Drive, multipart: Multipart, is_chunked: bool
) -> None:
    started = multipart.start("a.bin")
    content = b"x" * (started["part_size"] + 1)
    refused = multipart.put(started, 1, iter([content]) if is_chunked else content)
    assert refused.status_code in {400, 413}
    assert read_error(refused)[1] in {"invalid_parameters", "request_too_large"}
    assert read_json(multipart.complete(started), status=201)["size"] == 0
    assert drive.list_names() == ["a.bin"]


def refuse_to_complete(multipart: Multipart, started: dict[str, Any]) -> None:
    for _ in range(2):
        assert read_error(multipart.complete(started)) == (400, "invalid_parameters")


def test_missing_part_is_refused_by_complete_and_can_still_be_sent(drive: Drive, multipart: Multipart) -> None:
    started = multipart.start("a.bin")
    size = started["part_size"]
    multipart.put(started, 1, b"1" * size)
    multipart.put(started, 3, b"3")
    refuse_to_complete(multipart, started)
    assert drive.list_names() == []
    assert multipart.put(started, 2, b"2" * size).status_code == 200
    file = read_json(multipart.complete(started), status=201)
    assert drive.read(file["id"]) == b"1" * size + b"2" * size + b"3"


def test_short_part_in_the_middle_is_refused_by_complete_and_can_be_sent_again(
    drive: Drive, multipart: Multipart
) -> None:
    started = multipart.start("a.bin")
    multipart.put(started, 1, b"too short")
    multipart.put(started, 2, b"2")
    refuse_to_complete(multipart, started)
    assert multipart.put(started, 1, b"1" * started["part_size"]).status_code == 200
    assert read_json(multipart.complete(started), status=201)["size"] == started["part_size"] + 1


def test_bytes_other_than_announced_are_refused(drive: Drive, multipart: Multipart) -> None:
    started = multipart.start("a.bin", size=10)
    assert read_error(multipart.put(started, 1, b"short")) == (400, "invalid_parameters")
    assert read_error(multipart.put(started, 1, b"x" * 11)) == (400, "invalid_parameters")
    assert read_error(multipart.put(started, 2, b"x")) == (400, "invalid_parameters")
    refuse_to_complete(multipart, started)  # nothing has come
    assert multipart.put(started, 1, iter([b"short"])).status_code in {200, 400}  # no length says so beforehand
    refuse_to_complete(multipart, started)
    assert multipart.put(started, 1, b"x" * 10).status_code == 200
    assert drive.read(read_json(multipart.complete(started), status=201)["id"]) == b"x" * 10


@pytest.mark.parametrize("size", [None, 0])
def test_no_parts_make_an_empty_file(drive: Drive, multipart: Multipart, size: int | None) -> None:
    file = read_json(multipart.complete(multipart.start("empty", size=size)), status=201)
    assert (file["size"], drive.read(file["id"])) == (0, b"")


def test_empty_first_part_makes_an_empty_file(drive: Drive, multipart: Multipart) -> None:
    started = multipart.start("empty")
    assert multipart.put(started, 1, b"").status_code == 200
    assert read_json(multipart.complete(started), status=201)["size"] == 0


def test_part_whose_client_leaves_does_not_count(drive: Drive, multipart: Multipart) -> None:
    started = multipart.start("a.bin")

    def leave() -> Any:
        yield b"some bytes"
        raise ConnectionAbortedError

    with pytest.raises(ConnectionAbortedError):
        multipart.put(started, 1, leave())
    assert read_json(multipart.complete(started), status=201)["size"] == 0


def test_part_that_arrives_while_another_request_completes_is_409(multipart: Multipart) -> None:
    started = multipart.start("a.bin")

    def send() -> Iterator[bytes]:
        yield b"first"
        multipart.set(started, state="finishing", **multipart.claimed(60))
        yield b"last"

    assert read_error(multipart.put(started, 1, send())) == (409, "conflict")


@pytest.mark.parametrize(
    "body",
    [
        {"parent_id": "root"},
        {"name": ""},
        {"name": 7},
        {"name": "a/b"},
        {"name": ".."},
        {"name": "a", "size": -1},
        {"name": "a", "size": "many"},
        {"name": "a", "size": 1.5},
        {"name": "a", "size": 2**53},
    ],
)
def test_start_that_makes_no_sense_is_400(drive: Drive, body: dict[str, Any]) -> None:
    assert read_error(drive.client.post(drive.url("multipart"), json=body)) == (400, "invalid_parameters")


def test_start_with_a_bad_parent_is_400(drive: Drive) -> None:
    file = drive.upload("a.txt")
    for parent_id in ("nonsense", file["id"]):
        refused: httpx.Response = drive.client.post(drive.url("multipart"), json={"name": "a", "parent_id": parent_id})
        assert read_error(refused) == (400, "invalid_parent_folder")


def test_file_larger_than_the_storage_takes_is_413(drive: Drive) -> None:
    refused = drive.client.post(drive.url("multipart"), json={"name": "a", "size": 2**53 - 1})
    assert read_error(refused)[0] in {413, 507}
    assert list(drive.caller.folder.iterdir()) == []
