"""What journeys need of the machine."""

from __future__ import annotations

import pytest

from tests.servers.missing import skipping_when_missing
from tests.servers.packages import find_program


@pytest.fixture(scope="session")
def _curl() -> None:
    """The program curl, which README's commands use."""
    with skipping_when_missing():
        find_program("curl", "curl", package="curl")
