"""Two servers on one PostgreSQL behind the nginx that `deploy/` describes: clients see one, and one may die."""

from __future__ import annotations

import json
import os
import re
import secrets
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.architecture.tree import ROOT
from tests.servers.missing import skipping_when_missing
from tests.servers.nginx import find_nginx, running_nginx
from tests.servers.ports import find_free_port
from tests.servers.postgres import create_database, drop_database
from tests.servers.process import Server, build_command, running_server

CONFIGURATION = ROOT / "deploy" / "nginx.conf"
WAIT_SECONDS_MAX = 30.0
POLL_SECONDS = 0.05
REQUESTS_COUNT = 40
MIB = 2**20


@dataclass(frozen=True)
class Pair:
    """Both servers, and the origin under which clients know them."""

    first: Server
    second: Server
    origin: str

    def client(self, server: Server | None = None, *, headers: dict[str, str] | None = None) -> httpx.Client:
        """Asks through nginx, or one server as nginx would; as the demo application unless told otherwise."""
        return httpx.Client(
            base_url=self.origin if server is None else server.base_url,
            headers={
                "Authorization": f"APIKey {self.first.api_key}",
                "Host": self.origin.removeprefix("http://"),
                **(headers or {}),
            },
            trust_env=False,
            timeout=WAIT_SECONDS_MAX,
        )


@pytest.fixture
def pair(postgres_url: str, tmp_path: Path) -> Iterator[Pair]:
    with skipping_when_missing():
        find_nginx()
    name, port = f"j{secrets.token_hex(6)}", find_free_port()
    roots = {"photos": {"folder": str(tmp_path / "photos"), "applications": ["*"]}}
    variables = {
        "DATABASE_URL": create_database(postgres_url, name),
        "KLOUDLESS_KEYS_FILE": str(tmp_path / "keys.json"),
        "KLOUDLESS_DEMO_FOLDER": str(tmp_path / "files"),
        "KLOUDLESS_CONNECTORS": json.dumps({"local": {"roots": roots, "allow_api_accounts": True}}),
        "KLOUDLESS_TRUSTED_PROXIES": "127.0.0.1",
        "PUBLIC_ORIGINS": f"http://127.0.0.1:{port}",
    }
    (tmp_path / "photos").mkdir()
    for command in (["keys", "create"], ["migrate"]):
        subprocess.run(
            [*build_command(), *command], cwd=ROOT, env={**os.environ, **variables}, check=True, capture_output=True
        )
    with ExitStack() as stack:
        stack.callback(drop_database, postgres_url, name)
        first = stack.enter_context(running_server(tmp_path / "first", **variables))
        second = stack.enter_context(running_server(tmp_path / "second", **variables))
        http = configure(port, first, second)
        stack.enter_context(running_nginx(tmp_path / "nginx", http, ready_port=find_free_port()))
        yield Pair(first, second, f"http://127.0.0.1:{port}")


def configure(port: int, *servers: Server) -> str:
    """What `deploy/` says, with this test's addresses."""
    text = CONFIGURATION.read_text().replace("listen 8000;", f"listen 127.0.0.1:{port};")
    addresses = iter(servers)
    return re.sub(r"server [\w-]+:8000 ", lambda _: f"server {next(addresses).base_url.removeprefix('http://')} ", text)


def wait_until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_SECONDS_MAX
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(POLL_SECONDS)


def read(reply: httpx.Response, *, status: int = 200) -> dict[str, Any]:
    assert reply.status_code == status, reply.text
    body: dict[str, Any] = reply.json()
    return body


def test_what_one_server_was_told_the_other_knows_at_once(pair: Pair) -> None:
    with pair.client(pair.first) as first, pair.client(pair.second) as second, pair.client() as anywhere:
        body: dict[str, Any] = {"account": "photos", "service": "local", "token": "photos"}
        account = read(first.post("/v1/accounts", json=body), status=201)
        storage = f"/v1/accounts/{account['id']}/storage"
        assert read(second.get(f"/v1/accounts/{account['id']}"))["account"] == "photos"
        token = read(first.post(f"/v1/accounts/{account['id']}/tokens"), status=201)["access_token"]
        with pair.client(pair.second, headers={"Authorization": f"Bearer {token}"}) as owner:
            assert read(owner.get("/v1/accounts/me"))["id"] == account["id"]

        body = {"name": "big.bin", "parent_id": "root", "size": 20 * MIB}
        started = read(first.post(f"{storage}/multipart", json=body), status=201)
        assert started["href"].startswith(f"{pair.origin}/v1/")
        content, size = os.urandom(20 * MIB), started["part_size"]
        parts = [content[start : start + size] for start in range(0, len(content), size)]
        for number, part in enumerate(parts, 1):
            client = (first, second, anywhere)[number % 3]
            read(client.put(f"{storage}/multipart/{started['id']}", params={"part_number": number}, content=part))
        file = read(second.post(f"{storage}/multipart/{started['id']}/complete"), status=201)
        for client in (first, second, anywhere):
            assert client.get(f"{storage}/files/{file['id']}/contents").content == content


def test_key_that_one_server_revoked_is_soon_refused_by_the_other(pair: Pair) -> None:
    demo = json.loads((pair.first.data / "demo.json").read_text())
    keys = f"/v1/meta/applications/{demo['application_id']}/apikeys"
    with pair.client(pair.first, headers={"Authorization": f"Bearer {demo['developer_token']}"}) as developer:
        key = read(developer.post(keys), status=201)["key"]
        with pair.client(pair.second, headers={"Authorization": f"APIKey {key}"}) as holder:
            assert holder.get("/v1/accounts").status_code == 200
            assert developer.delete(f"{keys}/{key}").status_code == 204
            wait_until(lambda: holder.get("/v1/accounts").status_code == 401)


def test_other_server_goes_on_when_one_is_killed(pair: Pair) -> None:
    storage = pair.first.storage_url
    with pair.client() as client:
        for number in range(REQUESTS_COUNT):
            if number == REQUESTS_COUNT // 4:
                pair.first.kill()
            metadata = json.dumps({"name": f"{number}.txt", "parent_id": "root"})
            stored = client.post(f"{storage}/files", headers={"X-Kloudless-Metadata": metadata}, content=b"content")
            assert stored.status_code == 201, stored.text
            href = stored.json()["href"]
            assert href.startswith(pair.origin)
            assert client.get(f"{href}/contents").content == b"content"
        listed = read(client.get(f"{storage}/folders/root/contents", params={"page_size": 1000}))["objects"]
        assert {f"{number}.txt" for number in range(REQUESTS_COUNT)} <= {entry["name"] for entry in listed}
