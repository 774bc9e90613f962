"""The event loop answers whatever the storage has to do: nothing that blocks runs in it."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from threading import Event

import psutil
import pytest

from tests.servers.process import Server, running_server

ENTRIES_COUNT = 100_000
PAGE_SIZE = 1000
LISTINGS_COUNT = 4
STREAMS_COUNT = 8
STREAM_BYTES = 64 * 2**20
BEAT_SECONDS = 0.02
BEATS_COUNT_MIN = 20
SILENCE_SECONDS_MAX = 0.25
"""For 9 beats of 10; threads that work at the same time count, too. With listings in the event loop most fail."""

STALL_SECONDS_MAX = 10.0
"""For every beat, whatever else the machine does: no beat waits until an upload is safe on the disk."""

RUN_SECONDS_MAX = 100.0


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with running_server(tmp_path / "data") as running:
        yield running
    shutil.rmtree(tmp_path)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "source.bin"
    path.write_bytes(os.urandom(2**20) * (STREAM_BYTES // 2**20))
    return path


def make_entries(folder: Path) -> None:
    folder.mkdir()
    held = os.open(folder, os.O_RDONLY)
    for number in range(ENTRIES_COUNT):
        os.close(os.open(f"entry {number:06}.txt", os.O_CREAT | os.O_WRONLY, dir_fd=held))
    os.close(held)


def list_pages(server: Server, folder_id: str, is_over: Event) -> int:
    """Reads the folder page by page, from the beginning again at its end; how many pages it read."""
    count = 0
    page: str | None = None
    with server.client() as client:
        while not is_over.is_set():
            params = {"page": page or "1", "page_size": str(PAGE_SIZE)}
            listed = client.get(f"{server.storage_url}/folders/{folder_id}/contents", params=params).json()
            assert listed["count"] == PAGE_SIZE
            page, count = listed["next_page"], count + 1
    return count


def curl(server: Server, *arguments: str) -> None:
    command = ("curl", "-sS", "--fail", "-o", "/dev/null", "-H", f"Authorization: APIKey {server.api_key}")
    subprocess.run([*command, *arguments], check=True, timeout=RUN_SECONDS_MAX)


def upload(server: Server, source: Path, name: str) -> None:
    metadata = f'X-Kloudless-Metadata: {{"name": "{name}", "parent_id": "root"}}'
    url = f"{server.base_url}{server.storage_url}/files"
    curl(server, "-X", "POST", "-H", metadata, "-T", str(source), url)


@dataclass(frozen=True)
class Beat:
    """How long the server took to say that it lives, and how long it was at work meanwhile, in all its threads."""

    seconds: float
    work_seconds: float

    @property
    def silence_seconds(self) -> float:
        """Waiting for a processor that others use is no silence of the server's."""
        return min(self.seconds, self.work_seconds)


def measure_beats(server: Server, is_over: Callable[[], bool]) -> list[Beat]:
    process = psutil.Process(server.process.pid)
    beats = []
    with closing(HTTPConnection(*server.address, timeout=RUN_SECONDS_MAX)) as connection:
        while not is_over():
            worked_seconds, started = sum(process.cpu_times()[:2]), time.perf_counter()
            connection.request("GET", "/health")
            assert connection.getresponse().read() == b'{"status":"ok"}'
            seconds = time.perf_counter() - started
            beats.append(Beat(seconds, sum(process.cpu_times()[:2]) - worked_seconds))
            time.sleep(BEAT_SECONDS)
    return beats


@pytest.mark.usefixtures("_curl")
def test_server_answers_at_once_when_it_lists_a_huge_folder_and_moves_bytes(server: Server, source: Path) -> None:
    make_entries(server.files / "huge")
    upload(server, source, "download.bin")
    with server.client() as client:
        ids = {
            path: client.get(f"{server.storage_url}/path", params={"path": path}).json()["id"]
            for path in ("/huge", "/download.bin")
        }
    download_url = f"{server.base_url}{server.storage_url}/files/{ids['/download.bin']}/contents"

    is_over = Event()
    with ThreadPoolExecutor(STREAMS_COUNT + LISTINGS_COUNT) as threads:
        listings = [threads.submit(list_pages, server, ids["/huge"], is_over) for _ in range(LISTINGS_COUNT)]
        streams = [
            threads.submit(curl, server, download_url)
            if number % 2
            else threads.submit(upload, server, source, f"upload-{number}.bin")
            for number in range(STREAMS_COUNT)
        ]
        try:
            beats = measure_beats(server, lambda: all(stream.done() for stream in streams))
        finally:
            is_over.set()
        assert all(stream.exception() is None for stream in streams)
        assert all(listing.result() > 0 for listing in listings)

    assert len(beats) >= BEATS_COUNT_MIN
    silences = sorted(beat.silence_seconds for beat in beats)
    assert silences[len(silences) * 9 // 10] < SILENCE_SECONDS_MAX, f"{silences[-1]:.3f} s at worst"
    assert max(beat.seconds for beat in beats) < STALL_SECONDS_MAX
