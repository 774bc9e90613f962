"""The command line, which on a signal writes down how many tasks of its event loop are alive."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

from app import cli

SIGNAL = signal.SIGUSR1
FILE_VARIABLE = "WATCHED_FILE"


def main() -> None:
    """As `app.cli` has it."""
    signal.signal(SIGNAL, _write_down)
    cli.main()


def _write_down(_signal: int, _frame: object) -> None:
    target = Path(os.environ[FILE_VARIABLE])
    new = target.with_suffix(".new")
    new.write_text(str(len(asyncio.all_tasks())))  # whoever is interrupted runs in the event loop
    new.replace(target)
