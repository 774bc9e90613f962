"""Programs are found, installed where the machine lets us, or told to be missing with what to do."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.servers.missing import ServerMissingError
from tests.servers.packages import find_program, find_script

Installer = Callable[[str], Path]


@pytest.fixture
def write_installer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Installer:
    """Puts a package manager that does as told into an otherwise empty path, and gives the file of its calls."""
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr(os, "geteuid", lambda: 0)

    def write(action: str) -> Path:
        calls = tmp_path / "calls"
        calls.touch()
        installer = tmp_path / "apt-get"
        installer.write_text(f'#!/bin/sh\ncd {tmp_path}\necho "$4 $7" >> calls\n{action}\n')
        installer.chmod(0o755)
        return calls

    return write


def test_program_is_installed_when_it_is_missing(write_installer: Installer, tmp_path: Path) -> None:
    calls = write_installer("printf '#!/bin/sh' > some-server; chmod +x some-server")
    assert find_program("SomeServer", "some-server", package="some-package") == tmp_path / "some-server"
    assert calls.read_text().splitlines() == ["install some-package"]


def test_lists_are_updated_when_package_is_not_known(write_installer: Installer, tmp_path: Path) -> None:
    calls = write_installer(
        "case $(tail -2 calls | head -1) in update*) echo > some-server; chmod +x some-server;; esac"
    )
    assert find_program("SomeServer", "some-server", package="some-package") == tmp_path / "some-server"
    assert calls.read_text().splitlines() == ["install some-package", "update ", "install some-package"]


def test_nothing_is_installed_when_program_is_there(write_installer: Installer) -> None:
    calls = write_installer("")
    assert find_program("shell", "sh", package="some-package").name == "sh"
    assert calls.read_text() == ""


def test_reason_is_the_installers_when_it_fails(write_installer: Installer) -> None:
    write_installer("echo 'no such package' >&2; exit 100")
    with pytest.raises(ServerMissingError, match=r"^SomeServer cannot be had: some-package .*: no such package$"):
        find_program("SomeServer", "some-server", package="some-package")


def test_command_is_told_when_we_may_not_install(write_installer: Installer, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = write_installer("")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(ServerMissingError, match="on Debian: apt-get install some-package"):
        find_program("SomeServer", "some-server", package="some-package")
    assert calls.read_text() == ""


def test_package_is_told_when_its_script_is_missing() -> None:
    with pytest.raises(ServerMissingError, match="the package some-package is not installed"):
        find_script("SomeServer", "some-script", package="some-package")
