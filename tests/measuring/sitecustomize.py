"""Notes which lines of the measured folders run, in every Python that starts while its folder is on PYTHONPATH.

By slipcover, whose marks are in the measured code alone. A tracer, which coverage itself has before Python 3.12, is
called in every library, too: the suite takes half as long again.
"""

from __future__ import annotations

import atexit
import json
import os
import time
from collections.abc import Sequence
from pathlib import Path

FOLDERS, RESULTS = "MEASURED_FOLDERS", "MEASURED_INTO"
"""Variables: whole paths of what is measured, and of the folder that each process leaves a file in when it ends."""


def measure(folders: Sequence[str], results: Path) -> None:
    """Marks what is imported from now on; nothing in an environment that lacks what marks."""
    try:
        import slipcover  # noqa: PLC0415 - who is not measured does without
    except ImportError:
        return
    lines = slipcover.Slipcover(d_miss_threshold=-1)  # what runs is never changed again
    slipcover.ImportManager(lines, slipcover.FileMatcher(sources=folders)).__enter__()

    def write() -> None:
        os.chdir(results)  # paths below the working folder would be told without it
        ran = {path: file["executed_lines"] for path, file in lines.get_coverage()["files"].items()}
        (results / f"{os.getpid()}-{time.monotonic_ns()}.json").write_text(json.dumps(ran))

    atexit.register(write)


if os.environ.get(FOLDERS):
    measure(os.environ[FOLDERS].split(os.pathsep), Path(os.environ[RESULTS]))
