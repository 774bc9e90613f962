"""A simulator for each test, or for a module's, and the first user's official client."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.servers.gdrive import Place, running_place


@pytest.fixture
def place() -> Iterator[Place]:
    with running_place() as place:
        yield place


@pytest.fixture
def service(place: Place) -> Iterator[Any]:
    """The official client as the first user."""
    service = place.build_service(1)
    yield service
    service.close()


@pytest.fixture(scope="module")
def calm_place() -> Iterator[Place]:
    """One simulator for all cases of a module that leave things as they are."""
    with running_place() as place:
        yield place


@pytest.fixture(scope="module")
def calm_service(calm_place: Place) -> Iterator[Any]:
    """The official client as the first user there."""
    service = calm_place.build_service(1)
    yield service
    service.close()
