"""Programs that servers are started from: scripts of Python packages, and programs that Debian installs."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sysconfig
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.servers.missing import ServerMissingError

INSTALL_SECONDS_MAX = 300
REASON_CHARACTERS_MAX = 500
ADMINISTRATORS_PATH = ":/usr/sbin:/usr/local/sbin"


def find_script(server: str, name: str, *, package: str) -> Path:
    """A program that a Python package brought into our environment; ServerMissingError if it is not there."""
    path = Path(sysconfig.get_path("scripts")) / name
    if not path.is_file():
        raise ServerMissingError(server, f"the package {package} is not installed")
    return path


def find_program(server: str, name: str, *, package: str) -> Path:
    """A program of the machine, installed by its package manager if need be. ServerMissingError when that cannot be."""
    found = _find(name)
    if found is not None:
        return found
    installer = shutil.which("apt-get")
    if installer is None or os.geteuid() != 0:
        raise ServerMissingError(server, f"{name} is not installed; on Debian: apt-get install {package}")
    with _installing_alone():
        return _find(name) or _install(installer, server, name, package)


def _install(installer: str, server: str, name: str, package: str) -> Path:
    # RUNLEVEL=1 keeps the package from starting a server of its own.
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
    apt = [installer, "-q", "-o", f"DPkg::Lock::Timeout={INSTALL_SECONDS_MAX}"]
    reason = ""
    for command in (["install"], ["update"], ["install"]):  # the lists of packages may be missing or old
        options = ["-y", "--no-install-recommends", package] if command == ["install"] else []
        try:
            done = subprocess.run(
                [*apt, *command, *options],
                env=environment,
                capture_output=True,
                text=True,
                timeout=INSTALL_SECONDS_MAX,
                check=False,
            )
        except subprocess.TimeoutExpired:
            reason = f"apt-get was not done after {INSTALL_SECONDS_MAX} seconds"
            break
        found = _find(name)
        if found is not None:
            return found
        reason = done.stderr.strip()[-REASON_CHARACTERS_MAX:]
    raise ServerMissingError(server, f"{package} cannot be installed: {reason}")


def _find(name: str) -> Path | None:
    found = shutil.which(name, path=os.environ.get("PATH", os.defpath) + ADMINISTRATORS_PATH)
    return None if found is None else Path(found)


@contextmanager
def _installing_alone() -> Iterator[None]:
    """Test processes wait for each other: the lists of packages have a lock that apt-get does not wait for."""
    with (Path(tempfile.gettempdir()) / "kloudless-tests-install.lock").open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
