"""A simulator for each test, and the first user's clients."""

from __future__ import annotations

from collections.abc import Iterator

import dropbox
import httpx
import pytest

from tests.servers.dropbox import Place, running_place


@pytest.fixture
def place() -> Iterator[Place]:
    with running_place() as place:
        yield place


@pytest.fixture
def sdk(place: Place) -> dropbox.Dropbox:
    """The official client as the first user."""
    return place.build_sdk(1)


@pytest.fixture
def client(place: Place) -> httpx.Client:
    """A plain client as the first user."""
    return place.build_client(1)
