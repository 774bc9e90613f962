"""The command behind `make test` tells the truth."""

import os
import re
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


def test_cases_that_may_take_long_come_first_when_a_suite_is_collected(tmp_path: Path) -> None:
    path = tmp_path / "test_case.py"
    cases = [f"@pytest.mark.timeout({seconds})\ndef test_{seconds}(): pass\n" for seconds in (200, 600, 300)]
    path.write_text("\n".join(["import pytest\n\ndef test_short(): pass\n", *cases]))
    arguments = f"-c pyproject.toml {path} -p no:cacheprovider -p no:randomly -p tests.runner.long_first".split()
    command = [sys.executable, "-m", "pytest", *arguments, "--collect-only", "-q"]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert re.findall(r"::test_(\w+)", ran.stdout) == ["600", "300", "200", "short"]
