"""Requests that schemathesis makes out of the document, good and bad, alone and one after another.

`make soak` makes many more of them. FUZZ_EXAMPLES says how many an operation gets, FUZZ_SEED which.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from tests.app.document.asking import build_variables
from tests.servers.api import Api
from tests.servers.packages import find_script

SETTINGS = Path(__file__).with_name("schemathesis.toml")
EXAMPLES_COUNT = int(os.environ.get("FUZZ_EXAMPLES", "8"))
SEED = int(os.environ.get("FUZZ_SEED", "1"))
SECONDS_MAX = 110 + 20 * EXAMPLES_COUNT


def test_nothing_is_found_when_requests_are_generated(api: Api, tmp_path: Path) -> None:
    command = [str(find_script("schemathesis", "schemathesis", package="schemathesis"))]
    command += ["--config-file", str(SETTINGS), "run", f"{api.base_url}/openapi.json", "--no-color"]
    command += ["--phases", "examples,coverage,fuzzing,stateful", "--checks", "all"]
    command += ["--seed", str(SEED), "--max-examples", str(EXAMPLES_COUNT)]
    done = subprocess.run(
        command,
        env={"PATH": os.defpath, "HOME": str(tmp_path), **build_variables(api)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-30_000:] + done.stderr
