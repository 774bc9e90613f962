"""Every case runs once per target that offers what it needs, in a new empty folder."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from connectors.core.connector import Connector
from tests.connectors.behavior.live import LIVE_TARGETS
from tests.connectors.behavior.space import Space
from tests.connectors.behavior.target import Target
from tests.connectors.behavior.targets import TARGETS


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One case per target."""
    if "target" in metafunc.fixturenames:
        targets = metafunc.config.stash[LIVE_TARGETS] or TARGETS
        metafunc.parametrize("target", targets, ids=[target.name for target in targets])


@pytest_asyncio.fixture
async def connector(target: Target, tmp_path: Path) -> AsyncIterator[Connector]:
    """The target's connector, as the registry opens it."""
    async with target.open(tmp_path) as opened:
        yield opened


@pytest_asyncio.fixture
async def space(target: Target, connector: Connector) -> Space:
    """A new empty folder."""
    root = connector.manifest.root.raw_id
    folder = await connector.create_folder(root, f"case-{uuid.uuid4().hex[:12]}")
    return Space(target, connector, folder.raw_id)
