"""Further accounts of one application, each on a folder of its own."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.servers.api import ROOT, Api

Connect = Callable[..., httpx.Response]


@pytest.fixture
def connect(api: Api, client: httpx.Client) -> Connect:
    """Imports an account; what is given replaces or extends a body that would be accepted."""

    def connect(*, validate: bool = True, **given: Any) -> httpx.Response:
        body = {"account": "somebody", "service": "local", "token": ROOT, **given}
        if "folder" not in body:
            body["folder"] = secrets.token_hex(8)
        if body["folder"] is not None and "/" not in body["folder"]:
            (api.files / body["folder"]).mkdir(exist_ok=True)
        sent = {name: value for name, value in body.items() if value is not None}
        return client.post("/v1/accounts", params={} if validate else {"validate": "false"}, json=sent)

    return connect
