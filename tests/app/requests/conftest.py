"""An account's storage, whose requests are looked up afterwards."""

from __future__ import annotations

import httpx
import pytest

from tests.app.drive import Drive
from tests.servers.api import Caller


@pytest.fixture
def drive(caller: Caller, client: httpx.Client) -> Drive:
    return Drive(caller, client)
