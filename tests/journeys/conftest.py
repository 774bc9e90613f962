"""What journeys need of the machine."""

from __future__ import annotations

import shutil

import pytest

from tests.servers.missing import skip_without


@pytest.fixture(scope="session")
def _curl() -> None:
    """The program curl, which README's commands use."""
    if shutil.which("curl") is None:
        skip_without("curl", "it is not installed; on Debian: apt-get install curl")
