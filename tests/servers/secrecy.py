"""Secrets that tests use, marked when they are made, and the search for them in what our programs write.

As a plugin of pytest it fails every case during which one was written in the test process; `check_written` is for what
other processes wrote. What our programs make in the test process is marked by itself: tokens, codes, names of journeys
and consents, and all that simulators issue.
"""

from __future__ import annotations

import json
import re
import secrets
from collections import defaultdict
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

HEAD_CHARACTERS = 12  # what is searched for first; shorter ones are no secrets
SHOWN_CHARACTERS = 60
MADE_BYTES_MIN = 32  # of what is made to be a secret, and not only to be unique
HIDDEN = "[secret]"
GREETING = re.compile(r"Kloudless is ready\..*path=/hello\.txt'\n\n?|Stopped\.\n", re.DOTALL)
"""What `serve --demo` says to people, which shows the demo's key."""

_marked: defaultdict[str, set[str]] = defaultdict(set)  # by their beginnings


def mark(secret: str) -> str:
    """The secret, which from now on must appear in no log."""
    if len(secret) >= HEAD_CHARACTERS:
        _marked[secret[:HEAD_CHARACTERS]].add(secret)
    return secret


_make = secrets.token_urlsafe


def _make_marked(nbytes: int | None = None) -> str:
    made = _make(nbytes)
    return mark(made) if nbytes is None or nbytes >= MADE_BYTES_MIN else made


secrets.token_urlsafe = _make_marked


def mark_data(data: Path) -> None:
    """Marks the keys of a server's data folder, and what its demo is opened with."""
    demo = data / "demo.json"
    if demo.exists():
        facts = json.loads(demo.read_text())
        tokens = [account["bearer_token"] for account in facts["accounts"]]
        for secret in (facts["api_key"], facts["developer_token"], *tokens):
            mark(secret)
    if (data / "keys.json").exists():
        mark_keys((data / "keys.json").read_text())


def mark_keys(text: str) -> None:
    """Marks the keys of a key file."""
    keys = json.loads(text)
    for secret in (keys["id_key"], *(key["key"] for key in keys["sealing_keys"])):
        mark(secret)


def hide(text: str) -> str:
    """The text with every marked secret covered."""
    for secret in {secret for secret, _ in _find(text)}:
        text = text.replace(secret, HIDDEN)
    return text


def find_leaks(text: str) -> list[str]:
    """What stands around each marked secret in the text, without the secret."""
    return [hide(text[max(0, place - SHOWN_CHARACTERS) : place + len(secret)]) for secret, place in _find(text)]


def check_written(text: str) -> None:
    """AssertionError when what a server wrote to its log holds a secret."""
    leaks = find_leaks(GREETING.sub("", text))
    assert leaks == [], f"secrets in a log: {leaks}"


def _find(text: str) -> Iterator[tuple[str, int]]:
    for place in range(len(text) - HEAD_CHARACTERS + 1):
        for secret in _marked.get(text[place : place + HEAD_CHARACTERS], ()):
            if text.startswith(secret, place):
                yield secret, place


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    call: pytest.CallInfo[None],
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Fails a case when what was captured from its beginning to its end holds a secret."""
    report = yield
    if call.when == "teardown":
        leaks = [leak for _, text in report.sections for leak in find_leaks(GREETING.sub("", text))]
        report.sections = [(title, hide(text)) for title, text in report.sections]
        if leaks and report.outcome == "passed":
            report.outcome = "failed"
            report.longrepr = f"secrets were written: {leaks}"
    return report
