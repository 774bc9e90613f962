"""An account's storage, asked with Idempotency-Keys."""

from __future__ import annotations

import httpx
import pytest

from tests.app.drive import Drive
from tests.servers.api import Caller


@pytest.fixture
def drive(caller: Caller, client: httpx.Client) -> Drive:
    return Drive(caller, client)
