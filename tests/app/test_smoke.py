from __future__ import annotations

import httpx

from tests.servers.api import Caller


def test_a_stored_file_is_listed_and_read_back(caller: Caller, client: httpx.Client) -> None:
    stored = client.post(
        f"{caller.storage_url}/files",
        headers={"X-Kloudless-Metadata": '{"name": "a.txt", "parent_id": "root"}'},
        content=b"Hello",
    )
    assert stored.status_code == 201
    listed = client.get(f"{caller.storage_url}/folders/root/contents").json()
    assert [entry["id"] for entry in listed["objects"]] == [stored.json()["id"]]
    assert client.get(f"{caller.storage_url}/files/{stored.json()['id']}/contents").content == b"Hello"
