"""Every case runs once for each subject and each operation that is named in its mark and that the subject offers.

In a sample, a connector's second server is there for what changes something: that is where servers differ.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.connectors.faulty.extent import by_extent
from tests.connectors.faulty.operations import Operation
from tests.connectors.faulty.subject import Subject
from tests.connectors.faulty.subjects import SUBJECTS
from tests.connectors.faulty.trial import LyingTrial, opened_lying_trial

FIRST = {subject.service: subject for subject in reversed(SUBJECTS)}
READ = by_extent(tuple(subject for subject in SUBJECTS if subject is FIRST[subject.service]), SUBJECTS)
"""What the operations that change nothing, and the API, are tried on."""


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "operations(*operations): what the case is tried with")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "case" in metafunc.fixturenames:
        mark = metafunc.definition.get_closest_marker("operations")
        operations: tuple[Operation, ...] = mark.args if mark else ()
        cases = [
            (subject, each)
            for subject in SUBJECTS
            for each in operations
            if subject.can(each.needs) and (subject in READ or not each.is_reading)
        ]
        metafunc.parametrize("case", cases, ids=[f"{subject.name}-{each.name}" for subject, each in cases])
    elif "subject" in metafunc.fixturenames:
        metafunc.parametrize("subject", READ, ids=[subject.name for subject in READ])


@pytest_asyncio.fixture
async def trial(case: tuple[Subject, Operation]) -> AsyncIterator[LyingTrial]:
    """The operation, with a proxy that lies."""
    async with opened_lying_trial(*case) as opened:
        yield opened
