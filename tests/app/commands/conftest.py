"""Every command of `kloudless`, run inside the test process; `test_serving.py` runs the real script."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from app import cli
from app.doctor import database

ROOT = "photos"


@dataclass(frozen=True)
class Outcome:
    """How a command ended and what it said."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """What was printed for scripts."""
        return json.loads(self.out)


Run = Callable[..., Outcome]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What the operator lists as a root."""
    path = tmp_path / "photos"
    path.mkdir()
    return path


@pytest.fixture
def run(tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs one command in a folder of its own; variables of the environment may be given."""
    monkeypatch.setattr(cli, "set_up_logging", lambda **_: None)  # it would redirect the whole test process
    for name in ("LATENCY_SECONDS_MAX", "CLOCK_JUMP_SECONDS_MAX"):
        monkeypatch.setattr(database, name, 60.0)  # a busy machine is no finding
    roots = {ROOT: {"folder": str(folder), "applications": ["*"]}}
    variables = {
        "COLUMNS": "300",
        "KLOUDLESS_DATA_DIR": str(tmp_path / "data"),
        "KLOUDLESS_CONNECTORS": json.dumps({"local": {"roots": roots}}),
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    def run(*arguments: str, **given: str) -> Outcome:
        with monkeypatch.context() as context:
            for name, value in given.items():
                context.setenv(name, value)
            context.setattr(sys, "argv", ["kloudless", *arguments])
            capsys.readouterr()
            with pytest.raises(SystemExit) as ended:
                cli.main()
        said = capsys.readouterr()
        status = ended.value.code
        assert isinstance(status, int)
        return Outcome(status, said.out, said.err)

    return run


@pytest.fixture
def app_id(run: Run) -> str:
    developer = run("developer", "create", "--json").json
    made: str = run("app", "create", "--name", "Mine", "--developer", str(developer["id"]), "--json").json["id"]
    return made
