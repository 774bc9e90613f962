"""The command behind `make test` tells the truth."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.run import ROOT

CASES = {
    "passes": "def test_a():\n    assert True\n",
    "fails": "def test_a():\n    assert False\n",
    "lacks a server": (
        "from tests.servers.missing import skip_without\n\n"
        "def test_a():\n    skip_without('SomeServer', 'no package for this machine')\n"
    ),
    "is empty": "",
}


@pytest.mark.parametrize(
    ("case", "is_ci", "processes", "status"),
    [
        ("passes", True, 0, 0),
        ("fails", False, 0, 1),
        ("is empty", False, 0, 5),
        ("lacks a server", False, 0, 0),
        ("lacks a server", True, 0, 1),
        ("lacks a server", True, 2, 1),
    ],
)
def test_exit_status_tells_what_happened_when_suite_ends(
    tmp_path: Path, case: str, is_ci: bool, processes: int, status: int
) -> None:
    path = tmp_path / "test_case.py"
    path.write_text(CASES[case])
    ran = subprocess.run(
        [
            sys.executable,
            "-m",
            "tests.run",
            *f"-c pyproject.toml {path} -p no:cacheprovider -n {processes}".split(),
        ],
        cwd=ROOT,
        env={**os.environ, "CI": "true" if is_ci else ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == status, ran.stdout
    is_told = "SomeServer cannot be had: no package for this machine" in ran.stdout
    assert is_told == (case == "lacks a server")
