"""What the official Node client 1.0.7 puts on the wire, byte for byte, with its faults: the server lives with them.

The client writes headers as latin-1, counts a body's length in characters, sends bodies with GET and DELETE, uploads
without a length, doubles slashes, and sends the deletion of an application as a GET.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, BinaryIO

import httpx
import pytest

from tests.servers.api import Caller

REPLY_SECONDS_MAX = 30.0
NAME = "für Ünal.txt"


@dataclass(frozen=True)
class Reply:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def data(self) -> Any:
        return json.loads(self.body)


@dataclass
class Wire:
    """One connection to the server."""

    caller: Caller
    sent: socket.socket = field(init=False)
    received: BinaryIO = field(init=False)

    def __post_init__(self) -> None:
        self.sent = socket.create_connection(("127.0.0.1", self.caller.api.settings.port), timeout=REPLY_SECONDS_MAX)
        self.received = self.sent.makefile("rb")

    def close(self) -> None:
        self.received.close()
        self.sent.close()

    def read_reply(self) -> Reply:
        status_line = self.received.readline()
        assert status_line.startswith(b"HTTP/1.1 "), status_line
        headers = {}
        while line := self.received.readline().rstrip(b"\r\n"):
            name, _, value = line.decode("latin-1").partition(": ")
            headers[name.lower()] = value
        status = int(status_line.split()[1])
        body = b"" if status == 204 else self.received.read(int(headers["content-length"]))
        return Reply(status, headers, body)

    def call(self, method: str, path: str, data: dict[str, Any]) -> Reply:
        """As the client's `_request` does: always a JSON body, its length counted in characters."""
        self.sent.sendall(self.build_call(method, path, data))
        return self.read_reply()

    def build_call(self, method: str, path: str, data: dict[str, Any], authorization: str = "") -> bytes:
        body = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
        head = (
            f"{method} {path} HTTP/1.1\r\n"
            f"Authorization: {authorization or f'ApiKey {self.caller.api_key}'}\r\n"
            "Accept: application/json\r\n"
            "Content-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n"
            f"Host: 127.0.0.1:{self.caller.api.settings.port}\r\n"
            "Connection: keep-alive\r\n\r\n"
        )
        return (head + body).encode()

    def upload(self, name: str, content: bytes) -> Reply:
        """As the client's `files.upload`: one chunk, and the metadata as latin-1."""
        metadata = json.dumps({"parent_id": "root", "name": name}, ensure_ascii=False, separators=(",", ":"))
        head = (
            f"POST {self.caller.storage_url}/files HTTP/1.1\r\n"
            f"Authorization: ApiKey {self.caller.api_key}\r\n"
            "Accept: application/json\r\n"
            "Content-Type: application/octet-stream\r\n"
            f"X-Kloudless-Metadata: {metadata}\r\n"
            f"Host: 127.0.0.1:{self.caller.api.settings.port}\r\n"
            "Connection: keep-alive\r\n"
            "Transfer-Encoding: chunked\r\n\r\n"
        )
        self.sent.sendall(head.encode("latin-1") + b"%x\r\n%b\r\n0\r\n\r\n" % (len(content), content))
        return self.read_reply()

    def put_part(self, path: str, number: int, part: bytes) -> Reply:
        """As the client's `uploadChunk`, which uses another HTTP library."""
        head = (
            f"PUT {path}?part_number={number} HTTP/1.1\r\n"
            f"Authorization: ApiKey {self.caller.api_key}\r\n"
            "Content-Type: application/octet-stream\r\n"
            f"host: 127.0.0.1:{self.caller.api.settings.port}\r\n"
            f"content-length: {len(part)}\r\n"
            "Connection: close\r\n\r\n"
        )
        self.sent.sendall(head.encode() + part)
        return self.read_reply()

    def complete(self, path: str) -> Reply:
        """As the client's `finalise`: JSON by its header, and no body."""
        self.sent.sendall(
            f"POST {path}/complete HTTP/1.1\r\n"
            f"Authorization: ApiKey {self.caller.api_key}\r\n"
            "Content-Type: application/json\r\n"
            f"host: 127.0.0.1:{self.caller.api.settings.port}\r\n"
            "content-length: 0\r\n"
            "Connection: close\r\n\r\n".encode()
        )
        return self.read_reply()


@pytest.fixture
def wire(caller: Caller) -> Iterator[Wire]:
    opened = Wire(caller)
    yield opened
    opened.close()


@pytest.fixture
def client(caller: Caller) -> Iterator[httpx.Client]:
    with caller.client() as opened:
        yield opened


def put_part_alone(caller: Caller, path: str, number: int, part: bytes) -> Reply:
    wire = Wire(caller)
    try:
        return wire.put_part(path, number, part)
    finally:
        wire.close()


def test_name_is_read_when_metadata_header_is_latin_1_and_body_has_no_length(wire: Wire, client: httpx.Client) -> None:
    content = os.urandom(200_000)
    stored = wire.upload(NAME, content)
    assert (stored.status, stored.headers["content-type"]) == (201, "application/json")
    assert (stored.data["name"], stored.data["size"]) == (NAME, len(content))
    assert client.get(stored.data["href"] + "/contents").content == content


def test_body_is_ignored_when_it_comes_with_get_and_delete(wire: Wire, caller: Caller) -> None:
    file_id = wire.upload("a.txt", b"abc").data["id"]
    url = f"{caller.storage_url}/files/{file_id}"
    ids = {"account_id": caller.account_id, "file_id": file_id}
    assert wire.call("GET", url, ids).data["id"] == file_id
    content = wire.call("GET", f"{url}/contents", ids)
    assert (content.status, content.body) == (200, b"abc")
    assert wire.call("GET", "/v1/accounts", {}).data["objects"][0]["id"] == caller.account_id
    assert wire.call("DELETE", url, ids).status == 204
    assert wire.call("GET", url, ids).status == 404


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
def test_file_is_found_when_the_query_is_not_encoded(wire: Wire, caller: Caller, encoding: str) -> None:
    wire.upload(NAME, b"abc")
    request = wire.build_call("GET", f"{caller.storage_url}/search/?q=Für", {"account_id": caller.account_id})
    wire.sent.sendall(request.decode().encode(encoding))
    assert [item["name"] for item in wire.read_reply().data["objects"]] == [NAME]


def test_file_is_renamed_and_moved_when_all_arguments_are_in_the_body(wire: Wire, caller: Caller) -> None:
    file_id = wire.upload("a.txt", b"abc").data["id"]
    folder = wire.call("POST", f"{caller.storage_url}/folders", {"account_id": 7, "parent_id": "root", "name": "F"})
    assert folder.status == 201
    body = {"account_id": caller.account_id, "file_id": file_id, "name": "b.txt"}
    renamed = wire.call("PATCH", f"{caller.storage_url}/files/{file_id}", body)
    assert (renamed.status, renamed.data["name"]) == (200, "b.txt")
    body = {"account_id": caller.account_id, "file_id": renamed.data["id"], "parent_id": folder.data["id"]}
    moved = wire.call("PATCH", f"{caller.storage_url}/files/{renamed.data['id']}", body)
    assert (moved.status, moved.data["parent"]["id"]) == (200, folder.data["id"])


@pytest.mark.parametrize("name", ["für.txt", NAME, "日本語.txt"])
@pytest.mark.parametrize("is_together", [True, False], ids=["together", "apart"])
def test_next_request_is_not_misread_when_json_was_longer_than_its_length(
    wire: Wire, caller: Caller, client: httpx.Client, name: str, is_together: bool
) -> None:
    """The rest of the body, `}` at least, stands before the next request on the connection."""
    body = {"account_id": caller.account_id, "parent_id": "root", "name": name}
    request = wire.build_call("POST", f"{caller.storage_url}/folders", body)
    follower = wire.build_call("POST", f"{caller.storage_url}/folders", {"parent_id": "root", "name": "follower"})
    if is_together:
        request += follower
    wire.sent.sendall(request)
    refused = wire.read_reply()
    assert (refused.status, refused.data["error_code"]) == (400, "bad_request")
    assert refused.headers["connection"] == "close"
    assert wire.received.read() == b""
    assert client.get(f"{caller.storage_url}/folders/root/contents").json()["objects"] == []


@pytest.mark.needs("start_upload")
@pytest.mark.parametrize("order", [(1, 2, 3), (3, 1, 2)])
def test_file_is_whole_when_three_parts_come_at_once(
    wire: Wire, caller: Caller, client: httpx.Client, order: tuple[int, ...]
) -> None:
    wire.upload("parts.bin", b"to be replaced")
    url = f"{caller.storage_url}/multipart"
    started = wire.call("POST", f"{url}?overwrite=True", {"parent_id": "root", "name": "parts.bin", "size": None})
    session = wire.call("GET", f"{url}/{started.data['id']}", {}).data
    assert isinstance(session["id"], int)
    parts = {1: os.urandom(session["part_size"]), 2: os.urandom(session["part_size"]), 3: os.urandom(70_000)}
    with ThreadPoolExecutor(len(parts)) as threads:
        sending = [threads.submit(put_part_alone, caller, f"{url}/{session['id']}", n, parts[n]) for n in order]
    assert [part.result().status for part in sending] == [200, 200, 200]
    file = wire.complete(f"{url}/{session['id']}").data
    assert (file["name"], file["size"]) == ("parts.bin", sum(map(len, parts.values())))
    assert client.get(file["href"] + "/contents").content == parts[1] + parts[2] + parts[3]


@pytest.mark.needs("start_upload")
def test_complete_is_refused_when_a_part_was_rejected(wire: Wire, caller: Caller, client: httpx.Client) -> None:
    url = f"{caller.storage_url}/multipart"
    session = wire.call("POST", url, {"parent_id": "root", "name": "parts.bin", "size": 200_000}).data
    refused = wire.complete(f"{url}/{session['id']}")
    assert (refused.status, refused.data["error_code"]) == (400, "invalid_parameters")
    assert client.get(f"{caller.storage_url}/folders/root/contents").json()["objects"] == []


@pytest.mark.needs("start_upload")
def test_file_is_empty_when_upload_in_parts_had_none(wire: Wire, caller: Caller) -> None:
    url = f"{caller.storage_url}/multipart"
    session = wire.call("POST", url, {"parent_id": "root", "name": "empty.bin", "size": 0}).data
    file = wire.complete(f"{url}/{session['id']}").data
    assert (file["name"], file["size"]) == ("empty.bin", 0)


@pytest.mark.parametrize("prefix", ["/v1/meta/applications/", "/v1//meta///applications/", "/v1/applications/"])
def test_application_is_found_but_not_deleted_when_delete_comes_as_get(wire: Wire, caller: Caller, prefix: str) -> None:
    authorization = f"Bearer {caller.developer_token}"
    wire.sent.sendall(wire.build_call("GET", prefix, {}, authorization))
    assert [item["id"] for item in wire.read_reply().data["objects"]] == [caller.application_id]
    body = {"application_id": caller.application_id}
    for _ in range(2):
        wire.sent.sendall(wire.build_call("GET", f"{prefix}/{caller.application_id}", body, authorization))
        reply = wire.read_reply()
        assert (reply.status, reply.data["id"], reply.data["active"]) == (200, caller.application_id, True)


@pytest.mark.parametrize("scheme", ["ApiKey", "APIKey", "apikey", "APIKEY"])
def test_key_is_accepted_when_scheme_is_spelled_in_any_case(wire: Wire, caller: Caller, scheme: str) -> None:
    wire.sent.sendall(wire.build_call("GET", caller.account_url, {}, f"{scheme} {caller.api_key}"))
    assert wire.read_reply().data["id"] == caller.account_id


def test_error_can_be_read_when_call_fails(wire: Wire, caller: Caller) -> None:
    reply = wire.call("GET", f"{caller.storage_url}/files/F1", {"account_id": 7, "file_id": "F1"})
    assert (reply.status, reply.data["error_code"], reply.headers["content-type"]) == (
        404,
        "not_found",
        "application/json",
    )
    assert reply.data["message"]
