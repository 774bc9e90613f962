from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from connectors.core.errors import ConnectorError, ErrorKind
from connectors.core.resources import RawId, Ref
from tests.app.drive import Drive, wait_until
from tests.app.edge.faulty import CHUNK, FaultyConnector
from tests.app.edge.wire import Wire

LEAVE_SECONDS_MAX = 30.0  # the promise is one second; a busy machine gets more
FILE_BYTES = 2**30


def count_open(name: str) -> int:
    """How many of this process's descriptors lead to a file of that name."""
    count = 0
    for descriptor in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):  # closed meanwhile
            count += str(descriptor.readlink()).endswith(name)
    return count


@pytest.fixture
def faulty_file_url(drive: Drive, faulty_url: str) -> str:
    file_id = drive.caller.api.state.ids.encode(int(faulty_url.split("/")[3]), Ref("file", RawId("1")))
    return f"{faulty_url}/files/{file_id}/contents"


@pytest.mark.parametrize("headers", [{}, {"Range": "bytes=5-"}])
def test_client_that_leaves_a_download_closes_the_file(drive: Drive, wire: Wire, headers: dict[str, str]) -> None:
    file = drive.upload("large.bin")
    os.truncate(drive.caller.folder / "large.bin", FILE_BYTES)
    wire.ask("GET", drive.url(f"files/{file['id']}/contents"), {**drive.caller.key_header, **headers})
    wire.receive(2**20)
    name = f"{drive.caller.folder.name}/large.bin"
    assert count_open(name) == 1
    wire.close()
    wait_until(lambda: count_open(name) == 0, seconds_max=LEAVE_SECONDS_MAX)


def test_client_that_does_not_read_holds_the_source_and_leaving_closes_it(
    drive: Drive, wire: Wire, faulty: FaultyConnector, faulty_file_url: str
) -> None:
    wire.ask("GET", faulty_file_url, drive.caller.key_header)
    assert faulty.is_open.wait(10)
    assert not faulty.is_closed.is_set()
    wire.close()
    assert faulty.is_closed.wait(LEAVE_SECONDS_MAX)


@pytest.mark.parametrize(
    "error",
    [ConnectorError(ErrorKind.UNAVAILABLE, "the storage went away"), RuntimeError("oops"), AssertionError("oops")],
)
def test_source_that_fails_in_the_middle_cuts_the_connection(
    drive: Drive, wire: Wire, faulty: FaultyConnector, faulty_file_url: str, error: Exception
) -> None:
    faulty.download_error = error
    wire.ask("GET", faulty_file_url, drive.caller.key_header)
    received = wire.read_to_end()
    head, _, body = received.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200")
    assert b"content-length: 1000000000000" in head.lower()
    assert body == CHUNK
    assert faulty.is_closed.is_set()


def test_client_library_notices_that_a_download_was_cut(
    drive: Drive, faulty: FaultyConnector, faulty_file_url: str
) -> None:
    faulty.download_error = ConnectorError(ErrorKind.UNAVAILABLE)
    with pytest.raises(httpx.RemoteProtocolError):
        drive.client.get(faulty_file_url)


def test_file_that_shrinks_while_it_is_read_cuts_the_connection(drive: Drive, wire: Wire) -> None:
    file = drive.upload("large.bin")
    path = drive.caller.folder / "large.bin"
    os.truncate(path, FILE_BYTES)
    wire.ask("GET", drive.url(f"files/{file['id']}/contents"), drive.caller.key_header)
    wire.receive(2**20)
    os.truncate(path, 2**21)
    assert len(wire.read_to_end()) < FILE_BYTES
    assert count_open(f"{drive.caller.folder.name}/large.bin") == 0


def test_many_downloads_leave_no_descriptor_open(drive: Drive) -> None:
    file = drive.upload("a.bin", b"x" * 100_000)
    for headers in (
        {},
        {"Range": "bytes=0-9"},
        {"Range": "bytes=999999-"},
        {"If-None-Match": "*"},
        {"If-Match": '"x"'},
    ):
        drive.client.get(f"{file['href']}/contents", headers=headers)
        drive.client.head(f"{file['href']}/contents", headers=headers)
    wait_until(lambda: count_open("/a.bin") == 0)
