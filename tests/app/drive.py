"""An account's storage in the words of a test, and the checks that every reply must pass."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from tests.servers.api import Caller

METADATA = "X-Kloudless-Metadata"
PAGES_MAX = 100
WAIT_SECONDS_MAX = 45.0  # less than the server's own limits of time, which would end what hangs, too
LOOK_SECONDS = 0.01


def wait_until(is_true: Callable[[], bool], *, seconds_max: float = WAIT_SECONDS_MAX) -> None:
    """Looks again and again until it is so."""
    end = time.monotonic() + seconds_max
    while not is_true():
        assert time.monotonic() < end, f"not so within {seconds_max} s"
        time.sleep(LOOK_SECONDS)


def read_json(reply: httpx.Response, *, status: int = 200) -> dict[str, Any]:
    """The object of a good reply, whose form is what the official clients need."""
    assert reply.status_code == status, reply.text
    assert reply.headers["content-type"] == "application/json"
    body: dict[str, Any] = reply.json()
    return body


def read_error(reply: httpx.Response) -> tuple[int, str]:
    """Status and code of an error whose body and headers are complete (contract 1.11, 1.12)."""
    assert reply.headers["content-type"] == "application/json", reply.text
    body = reply.json()
    assert set(body) - {"conflicting_resource_id"} == {"status_code", "error_code", "message", "id"}
    assert body["status_code"] == reply.status_code
    assert body["message"]
    assert str(uuid.UUID(body["id"])) == reply.headers["x-request-id"]
    assert reply.headers["access-control-allow-origin"] == "*"
    assert reply.headers["cache-control"] == "no-store"
    return reply.status_code, body["error_code"]


@dataclass(frozen=True)
class Drive:
    """One account, asked by its application."""

    caller: Caller
    client: httpx.Client

    def url(self, path: str) -> str:
        """An address below the account's storage."""
        return f"{self.caller.storage_url}/{path}"

    def send_file(
        self,
        name: str,
        data: Any = b"",
        *,
        parent: str = "root",
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        """Uploads and gives the reply as it is."""
        metadata = json.dumps({"name": name, "parent_id": parent})
        return self.client.post(
            self.url("files"), params=params, headers={METADATA: metadata, **(headers or {})}, content=data
        )

    def upload(self, name: str, data: bytes = b"", *, parent: str = "root") -> dict[str, Any]:
        """A new file."""
        return read_json(self.send_file(name, data, parent=parent), status=201)

    def create_folder(self, name: str, *, parent: str = "root") -> dict[str, Any]:
        """A new folder."""
        return read_json(self.client.post(self.url("folders"), json={"name": name, "parent_id": parent}), status=201)

    def list_names(self, folder: str = "root") -> list[str]:
        """The names in a folder, in order."""
        contents = read_json(self.client.get(self.url(f"folders/{folder}/contents")))
        return [entry["name"] for entry in contents["objects"]]

    def read(self, file_id: str) -> bytes:
        """A file's bytes."""
        reply = self.client.get(self.url(f"files/{file_id}/contents"))
        assert reply.status_code == 200, reply.text
        return reply.content

    def walk(self, folder: str, *, page_size: int, is_recursive: bool = False) -> list[dict[str, Any]]:
        """Every page of a folder, first to last."""
        params = {"recursive": "true"} if is_recursive else {}
        return self.walk_pages(f"folders/{folder}/contents", page_size=page_size, **params)

    def walk_pages(self, path: str, *, page_size: int, **params: str) -> list[dict[str, Any]]:
        """Every page of a list, first to last."""
        pages: list[dict[str, Any]] = []
        page: str | None = "1"
        while page is not None:
            assert len(pages) < PAGES_MAX
            asked = {**params, "page": page, "page_size": str(page_size)}
            pages.append(read_json(self.client.get(self.url(path), params=asked)))
            assert pages[-1]["next_page"] != page
            page = pages[-1]["next_page"]
        return pages
