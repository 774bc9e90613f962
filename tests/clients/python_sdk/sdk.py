"""Short ways to do with the official Python SDK what most of its tests do."""

from __future__ import annotations

import json
import os
from typing import Any

import kloudless
from kloudless.resources import Resource

CONTENT = os.urandom(700_000)
CHUNK_BYTES = 64 * 1024
ANSWER_SECONDS_MAX = 30


def upload(account: kloudless.Account, name: str, data: Any, *, parent: str = "root", **options: Any) -> Resource:
    headers = {"X-Kloudless-Metadata": json.dumps({"name": name, "parent_id": parent})}
    return account.post("storage/files", data=data, headers=headers, **options)


def download(file: Resource) -> bytes:
    return b"".join(file.get("contents").iter_content(CHUNK_BYTES))


def list_names(account: kloudless.Account, folder_id: str = "root") -> list[str]:
    contents = account.get(f"storage/folders/{folder_id}/contents")
    return sorted(item.data["name"] for item in contents.get_paging_iterator())
