"""Requests that schemathesis makes out of the document, good and bad, alone and one after another.

`make soak` makes many more of them.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.app.document.asking import build_variables
from tests.fuzzing import FACTOR, SEED
from tests.servers.api import Api
from tests.servers.missing import skipping_when_missing
from tests.servers.packages import find_script

SETTINGS = Path(__file__).with_name("schemathesis.toml")
EXAMPLES_COUNT = 8 * FACTOR
SECONDS_MAX = 500 * FACTOR


@pytest.mark.timeout(600 * FACTOR)
def test_nothing_is_found_when_requests_are_generated(api: Api, tmp_path: Path) -> None:
    with skipping_when_missing():
        script = find_script("schemathesis", "schemathesis", package="schemathesis")
    command = [str(script), "--config-file", str(SETTINGS), "run", f"{api.base_url}/openapi.json", "--no-color"]
    command += ["--phases", "examples,coverage,fuzzing,stateful", "--checks", "all"]
    command += ["--seed", SEED or "1", "--max-examples", str(EXAMPLES_COUNT)]
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
