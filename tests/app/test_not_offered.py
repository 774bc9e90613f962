"""What the README says is not offered is not, and says so itself."""

from __future__ import annotations

import json
import re
from typing import Any

import httpx
import pytest

from tests.app.drive import Drive, read_error
from tests.architecture.documents import Section
from tests.servers.api import Caller

pytestmark = pytest.mark.parametrize("api", ["sqlite"], indirect=True)

ROW = re.compile(r"\| `(?P<method>[A-Z]+) (?P<path>/[^`]+)`(?: `(?P<body>\{[^`]+)`)?[^|]*\| (?P<reason>[^|]+\.) \|")
ROWS = Section(file="README.md", marker="not-offered", render=str).read().strip().splitlines()[2:]


@pytest.mark.parametrize("row", ROWS)
def test_what_is_not_offered_says_so_itself(caller: Caller, client: httpx.Client, row: str) -> None:
    found = ROW.fullmatch(row)
    assert found is not None
    drive = Drive(caller, client)
    values = {
        "account_id": caller.account_id,
        "application_id": caller.application_id,
        "file_id": drive.upload("a.txt")["id"],
        "folder_id": drive.create_folder("folder")["id"],
    }
    body: Any = json.loads(found["body"] or "{}")
    headers = caller.developer_header if found["path"].startswith("/v1/meta") else caller.key_header
    reply = client.request(found["method"], found["path"].format(**values), headers=headers, json=body)
    assert read_error(reply) in {(404, "not_found"), (501, "not_implemented")}
    assert sorted(drive.list_names()) == ["a.txt", "folder"]
