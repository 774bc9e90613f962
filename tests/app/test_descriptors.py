"""A process may open as many descriptors as its limits need, where the system lets it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.run import ROOT

CODE = """
import resource
from app.core.settings import Settings
from app.server import raise_descriptor_limit

resource.setrlimit(resource.RLIMIT_NOFILE, ({soft}, {hard}))
missing = raise_descriptor_limit(Settings(connections_max=100, requests_parallel_max=50))
print(missing, *resource.getrlimit(resource.RLIMIT_NOFILE))
"""
WANTED = 100 + 2 * 50 + 512


@pytest.mark.parametrize(
    ("soft", "hard", "result"),
    [(256, 4096, (0, WANTED, 4096)), (256, 300, (WANTED - 300, 300, 300)), (2000, 4096, (0, 2000, 4096))],
)
def test_limit_is_raised_as_far_as_it_is_needed_and_allowed(soft: int, hard: int, result: tuple[int, ...]) -> None:
    code = CODE.format(soft=soft, hard=hard)
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert tuple(map(int, ran.stdout.split())) == result
