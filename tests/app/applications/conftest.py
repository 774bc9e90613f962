"""A developer at work on an application of its own."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from tests.servers.api import Caller


@pytest.fixture
def developer(caller: Caller) -> Iterator[httpx.Client]:
    with caller.client(caller.developer_header) as opened:
        yield opened


@pytest.fixture
def place(caller: Caller) -> str:
    """The application, as a path."""
    return f"/v1/meta/applications/{caller.application_id}"
