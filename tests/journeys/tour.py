"""README's tour: the commands it shows and what it says they print. `python -m tests.journeys.tour` writes it anew."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.servers.browser import ACTION_SECONDS_MAX, running_browser
from tests.servers.missing import skipping_when_missing
from tests.servers.process import ROOT, Server, running_server

README = ROOT / "README.md"
RUN_SECONDS_MAX = 120
STEP = re.compile(r"^```sh\n(?P<commands>.*?)^```\n(?:\n```text\n(?P<shown>.*?)^```\n)?", re.MULTILINE | re.DOTALL)
SHOWN_SERVER = "http://127.0.0.1:8000"
END_OF_STEP = "--- end of step ---"

MASKS = {
    "<request id>": re.compile(r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b"),
    "<id>": re.compile(r"\b[A-Za-z0-9_-]{32,}"),
    "<time>": re.compile(r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z"),
    "<server>": re.compile(r"\bhttp://127\.0\.0\.1:\d+"),
}
"""All that may differ from one run to the next; ids hide the account's keys, so they are other ones everywhere."""


@dataclass(frozen=True)
class Step:
    """Commands to paste, and what they print."""

    commands: str
    shown: str
    place: tuple[int, int]  # of the whole step in README


def mask(text: str) -> str:
    """The text with everything hidden that differs from run to run."""
    for name, pattern in MASKS.items():
        text = pattern.sub(name, text)
    return text


def read_steps(readme: str) -> list[Step]:
    """The steps of the tour, in order."""
    tour = re.search(r"^## [^\n]*tour\b.*?(?=^## )", readme, re.MULTILINE | re.DOTALL)
    if tour is None:
        raise ValueError("README.md has no section that is called a tour")
    steps = (match for match in STEP.finditer(readme) if tour.start() <= match.start() < tour.end())
    return [Step(match["commands"], match["shown"] or "", match.span()) for match in steps]


def connect_by_clicking(server: Server) -> None:
    """Opens the printed link, chooses Dropbox, consents, and sees that it is connected."""
    (link,) = re.findall(r"Connect an account of your own at (\S+)", server.output.read_text())
    with skipping_when_missing(), running_browser() as browser:
        page = browser.new_page()
        page.set_default_timeout(ACTION_SECONDS_MAX * 1000)
        page.goto(link)
        page.click("text=Dropbox")
        page.click("#allow")
        page.wait_for_url(f"{server.base_url}/v1/oauth/callback?*")
        page.wait_for_selector("text=This is account 4, ada@example.com.")


def run_steps(steps: list[Step], folder: Path) -> Iterator[str]:
    """What each step prints when all are pasted into one shell, beside `make run` that was just started.

    What README wants to be clicked is clicked before that.
    """
    (folder / ".venv").symlink_to(sys.prefix)
    pasted = "".join(f"{step.commands}printf '\\n%s\\n' '{END_OF_STEP}'\n" for step in steps)
    with running_server(folder / "data", module="sandbox.cli", command="demo") as server:
        connect_by_clicking(server)
        ran = subprocess.run(
            ["bash", "--noprofile", "--norc"],
            input=pasted,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=folder,
            env={**os.environ, "TMPDIR": str(folder), "PIP_DISABLE_PIP_VERSION_CHECK": "1"},
            text=True,
            timeout=RUN_SECONDS_MAX,
            check=False,
        )
    for printed in ran.stdout.split(END_OF_STEP)[:-1]:
        yield printed.strip() + "\n" if printed.strip() else ""


def write(readme: Path) -> None:
    """Puts what the commands print now into README."""
    text = readme.read_text()
    steps = read_steps(text)
    with tempfile.TemporaryDirectory() as folder:
        printed = list(run_steps(steps, Path(folder)))
    for step, output in reversed(list(zip(steps, printed, strict=True))):
        shown = f"\n```text\n{MASKS['<server>'].sub(SHOWN_SERVER, output)}```\n" if output else ""
        start, end = step.place
        text = f"{text[:start]}```sh\n{step.commands}```\n{shown}{text[end:]}"
    readme.write_text(text)


if __name__ == "__main__":
    write(README)
