"""A server that is killed while it writes: nothing half-written is ever seen, and what can go on goes on."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path

import httpx
import pytest

from tests.servers.process import Server, running_server

MIB = 2**20
SENT = os.urandom(4 * MIB)
SIZE_BYTES = 17 * MIB
WAIT_SECONDS_MAX = 30.0
POLL_SECONDS = 0.02
LEFTOVER_AGE_SECONDS = 3600
HIDDEN = ".kloudless-"


@contextmanager
def half_sent(
    server: Server,
    method: str,
    path: str,
    *,
    metadata: dict[str, str] | None = None,
    declared_bytes: int = 2 * len(SENT),
) -> Iterator[None]:
    """A request of which only the first bytes are on their way."""
    connection = HTTPConnection(*server.address, timeout=WAIT_SECONDS_MAX)
    connection.putrequest(method, f"{server.storage_url}/{path}")
    connection.putheader("Authorization", f"APIKey {server.api_key}")
    connection.putheader("Content-Length", str(declared_bytes))
    if metadata is not None:
        connection.putheader("X-Kloudless-Metadata", json.dumps(metadata))
    connection.endheaders()
    connection.send(SENT)
    try:
        yield
    finally:
        connection.close()


def wait_until(is_true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_SECONDS_MAX
    while not is_true():
        assert time.monotonic() < deadline, "the server took no bytes"
        time.sleep(POLL_SECONDS)


def list_hidden(server: Server) -> list[Path]:
    return [path for path in server.files.iterdir() if path.name.startswith(HIDDEN)]


def list_names(server: Server, client: httpx.Client) -> set[str]:
    listed = client.get(f"{server.storage_url}/folders/root/contents")
    assert listed.status_code == 200, listed.text
    return {entry["name"] for entry in listed.json()["objects"]}


def upload(server: Server, client: httpx.Client, name: str, content: bytes) -> httpx.Response:
    metadata = json.dumps({"name": name, "parent_id": "root"})
    return client.post(f"{server.storage_url}/files", headers={"X-Kloudless-Metadata": metadata}, content=content)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


def test_no_partial_file_is_seen_when_server_is_killed_in_the_middle_of_uploads(data: Path) -> None:
    with running_server(data) as server, server.client() as client:
        before = list_names(server, client)
        kept_ids = [upload(server, client, f"kept-{n}.bin", b"as it was").json()["id"] for n in range(2)]
        with (
            half_sent(server, "POST", "files", metadata={"name": "new.bin", "parent_id": "root"}),
            half_sent(server, "POST", "files?overwrite=true", metadata={"name": "kept-0.bin", "parent_id": "root"}),
            half_sent(server, "PUT", f"files/{kept_ids[1]}"),
        ):
            wait_until(lambda: sum(path.stat().st_size >= MIB for path in list_hidden(server)) == 3)
            server.kill()

    with running_server(data) as server, server.client() as client:
        assert list_names(server, client) == before | {"kept-0.bin", "kept-1.bin"}
        for file_id in kept_ids:
            assert client.get(f"{server.storage_url}/files/{file_id}/contents").content == b"as it was"
        assert client.get(f"{server.storage_url}/path", params={"path": "/new.bin"}).status_code == 404
        again = upload(server, client, "new.bin", SENT)
        assert (again.status_code, again.json()["name"]) == (201, "new.bin")

        for leftover in list_hidden(server):
            long_ago = time.time() - LEFTOVER_AGE_SECONDS
            os.utime(leftover, (long_ago, long_ago))
        list_names(server, client)
        wait_until(lambda: not list_hidden(server))
        assert client.get(f"{server.storage_url}/files/{again.json()['id']}/contents").content == SENT


def test_upload_in_parts_goes_on_when_server_was_killed_in_the_middle_of_a_part(data: Path) -> None:
    with running_server(data) as server, server.client() as client:
        body = {"name": "parts.bin", "parent_id": "root", "size": SIZE_BYTES}
        started = client.post(f"{server.storage_url}/multipart", json=body).json()
        path, part_bytes = f"multipart/{started['id']}", started["part_size"]
        content = os.urandom(SIZE_BYTES)
        parts = [content[start : start + part_bytes] for start in range(0, SIZE_BYTES, part_bytes)]
        assert (len(parts), len(SENT) < part_bytes) == (3, True)
        url = f"{server.storage_url}/{path}"
        assert client.put(url, params={"part_number": 1}, content=parts[0]).status_code == 200

        def has_half_a_part() -> bool:
            return any(SENT[:MIB] in path.read_bytes()[part_bytes:] for path in list_hidden(server))

        with half_sent(server, "PUT", f"{path}?part_number=2", declared_bytes=part_bytes):
            wait_until(has_half_a_part)
            server.kill()

    with running_server(data) as server, server.client() as client:
        assert "parts.bin" not in list_names(server, client)
        assert client.get(url).json() | {"href": ""} == started | {"href": ""}
        refused = client.post(f"{url}/complete")
        assert (refused.status_code, refused.json()["error_code"]) == (400, "invalid_parameters")
        for number in (2, 3):
            assert client.put(url, params={"part_number": number}, content=parts[number - 1]).status_code == 200
        completed = client.post(f"{url}/complete")
        assert completed.status_code == 201, completed.text
        stored = client.get(f"{server.storage_url}/files/{completed.json()['id']}/contents")
        assert stored.content == content
        assert not list_hidden(server)


def test_server_ends_cleanly_when_asked_in_the_middle_of_an_upload(data: Path) -> None:
    with (
        running_server(data, KLOUDLESS_SHUTDOWN_SECONDS_MAX="1") as server,
        half_sent(server, "POST", "files", metadata={"name": "new.bin", "parent_id": "root"}),
    ):
        wait_until(lambda: bool(list_hidden(server)))
        assert server.stop() == 0
        assert not list_hidden(server)
        assert not (server.files / "new.bin").exists()
