"""Generators of clients as their users get them: from their language's packages, into a folder of the test."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.servers.missing import ServerMissingError
from tests.servers.packages import REASON_CHARACTERS_MAX, find_program

RUN_SECONDS_MAX = 300.0
PYTHON_PACKAGES = ("openapi-python-client==0.29.1", "ruamel.yaml==0.19.1", "shellingham==1.5.4")
"""Its dependencies that we do not have. It is not among ours because it wants an older typer than we use."""


def run(
    command: list[str], *, folder: Path, variables: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Runs a program in a folder, with the machine's settings for packages; what it says is kept."""
    return subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, **(variables or {})},
        capture_output=True,
        text=True,
        timeout=RUN_SECONDS_MAX,
        check=False,
    )


def install_python_generator(folder: Path) -> None:
    """Puts openapi-python-client there. ServerMissingError when it cannot be had."""
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--disable-pip-version-check"]
    _need(run([*pip, "--target", str(folder), *PYTHON_PACKAGES], folder=folder), "openapi-python-client")


def install_node_packages(folder: Path) -> None:
    """Puts there what its package.json names. ServerMissingError when that cannot be had."""
    npm = str(find_program("Node", "npm", package="npm"))
    _need(
        run([npm, "install", "--no-audit", "--no-fund", "--no-package-lock", "--fetch-retries=5"], folder=folder),
        "openapi-typescript",
    )


def _need(done: subprocess.CompletedProcess[str], name: str) -> None:
    if done.returncode:
        raise ServerMissingError(name, done.stderr.strip()[-REASON_CHARACTERS_MAX:])
