"""Runs the test suite: `python -m tests.run [arguments for pytest]`.

Without arguments everything runs, in parallel and with coverage, which must reach the limit in pyproject.toml. With
arguments pytest does what they say, and nothing is measured.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]
PROCESSES_MAX = 4  # each starts its own servers
PROCESSES_COUNT = min((os.cpu_count() or 1) + 1, PROCESSES_MAX)  # one more than there are cores: many tests wait
IN_PARALLEL = ("-n", str(PROCESSES_COUNT), "--dist", "worksteal")


def main(arguments: Sequence[str]) -> int:
    """Returns the exit status: pytest's, or that of the coverage report when all tests passed."""
    if arguments:
        return _run("pytest", *arguments)
    _run("coverage", "erase")
    return (
        _run("coverage", "run", "-m", "pytest", *IN_PARALLEL)
        or _run("coverage", "combine", "--quiet")
        or _run("coverage", "report")
    )


def _run(*command: str) -> int:
    return subprocess.run([sys.executable, "-m", *command], cwd=ROOT, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
