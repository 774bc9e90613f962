"""Lists, uploads and downloads with the client that openapi-python-client made; run by a test, checked by mypy."""

from __future__ import annotations

import io
import json
import os
import sys

from kloudless_api import AuthenticatedClient
from kloudless_api.api.storage import download_file, list_contents, upload_file
from kloudless_api.models import ContentsPage, ErrorBody, FileReply
from kloudless_api.types import File

base_url, account_id = sys.argv[1:]
client = AuthenticatedClient(base_url=base_url, token=os.environ["API_KEY"], prefix="APIKey")

where = json.dumps({"name": "a.txt", "parent_id": "root"})
body = File(payload=io.BytesIO(b"some bytes"))
uploaded = upload_file.sync(account_id, client=client, body=body, x_kloudless_metadata=where)
assert isinstance(uploaded, FileReply), uploaded
size: int | None = uploaded.size
assert size == 10

page = list_contents.sync(account_id, "root", client=client)
assert isinstance(page, ContentsPage), page
names: list[str] = [entry.name for entry in page.objects]
assert names == ["a.txt"]

downloaded = download_file.sync(account_id, uploaded.id, client=client)
assert isinstance(downloaded, File), downloaded
assert downloaded.payload.read() == b"some bytes"

refused = list_contents.sync(account_id, "nonsense", client=client)
assert isinstance(refused, ErrorBody), refused
code: str = refused.error_code
assert code == "not_found"
