"""What happens to a test whose server cannot be had on this machine."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

import pytest


class ServerMissingError(Exception):
    """There is no such server and none can be had: its name, and why."""

    def __init__(self, server: str, reason: str) -> None:
        super().__init__(f"{server} cannot be had: {reason}")
        self.server = server
        self.reason = reason


def skip_without(server: str, reason: str) -> NoReturn:
    """Skips the case, naming the server and the reason; in CI, where every server can be had, the case fails."""
    message = str(ServerMissingError(server, reason))
    if os.environ.get("CI") == "true":
        pytest.fail(message, pytrace=False)
    pytest.skip(message)


@contextmanager
def skipping_when_missing() -> Iterator[None]:
    """Skips the case like `skip_without` when the block cannot have its server."""
    try:
        yield
    except ServerMissingError as error:
        skip_without(error.server, error.reason)
