"""Runs the test suite: `python -m tests.run [arguments for pytest]`.

Without arguments everything runs, in parallel and with coverage, which must reach the limit in pyproject.toml. With
arguments pytest does what they say, and nothing is measured.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from coverage import CoverageData

ROOT = Path(__file__).parents[1]
PROCESSES_MAX = 4  # each starts its own servers
PROCESSES_COUNT = min((os.cpu_count() or 1) + 1, PROCESSES_MAX)  # one more than can run: cases often wait for servers
IN_PARALLEL = ("-n", str(PROCESSES_COUNT), "--dist", "worksteal")
MEASURED = [ROOT / folder for folder in ("app", "connectors", "sandbox")]
MEASURING = ROOT / "tests" / "measuring"


def main(arguments: Sequence[str]) -> int:
    """Returns the exit status: pytest's, or that of the coverage report when all tests passed."""
    if arguments:
        return _run("pytest", *arguments)
    with tempfile.TemporaryDirectory(prefix="kloudless-lines-") as folder:
        status = _run("pytest", *IN_PARALLEL, **build_variables(Path(folder), MEASURED))
        if status == 0:
            collect(Path(folder), MEASURED, ROOT / ".coverage")
    return status or _run("coverage", "report")


def build_variables(results: Path, measured: Sequence[Path]) -> dict[str, str]:
    """What makes every Python that a command starts note which lines of these folders run."""
    folders = os.pathsep.join(str(folder) for folder in measured)
    return {"PYTHONPATH": str(MEASURING), "MEASURED_FOLDERS": folders, "MEASURED_INTO": str(results)}


def collect(results: Path, measured: Sequence[Path], path: Path) -> None:
    """Writes what all processes noted as coverage's data, with the files of which no line ran."""
    data = CoverageData(basename=str(path))
    data.erase()
    data.add_lines({str(file): () for folder in measured for file in folder.rglob("*.py")})
    for result in results.iterdir():
        data.add_lines(json.loads(result.read_text()))
    data.write()


def _run(*command: str, **variables: str) -> int:
    environment = {**os.environ, **variables}
    return subprocess.run([sys.executable, "-m", *command], cwd=ROOT, env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
