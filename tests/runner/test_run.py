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
    "skips": "import pytest\n\ndef test_a():\n    pytest.skip('no such server here')\n",
    "is empty": "",
}


@pytest.mark.parametrize(
    ("case", "is_ci", "processes", "status"),
    [
        ("passes", True, 0, 0),
        ("fails", False, 0, 1),
        ("is empty", False, 0, 5),
        ("skips", False, 0, 0),
        ("skips", True, 0, 1),
        ("skips", True, 2, 1),
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
            *f"-c pyproject.toml {path} -p tests.conftest -p no:cacheprovider -n {processes}".split(),
        ],
        cwd=ROOT,
        env={**os.environ, "CI": "true" if is_ci else ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == status, ran.stdout
    assert ("no such server here" in ran.stdout) == (case == "skips")
    assert ("skipped in CI" in ran.stdout) == (case == "skips" and is_ci)
