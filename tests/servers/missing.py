"""What happens to a test whose server cannot be had on this machine."""

from __future__ import annotations

import os
from typing import NoReturn

import pytest


def skip_without(server: str, reason: str) -> NoReturn:
    """Skips the case, naming the server and the reason; in CI, where every server can be had, the case fails."""
    message = f"{server} cannot be had: {reason}"
    if os.environ.get("CI") == "true":
        pytest.fail(message, pytrace=False)
    pytest.skip(message)
