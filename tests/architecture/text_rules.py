"""House law about files of any kind, one function per rule: each lists the violations below a root, best none."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from tests.architecture.tree import list_files, name

TOP_LEVEL = frozenset(
    {
        ".ci",
        ".dockerignore",  # keeps keys and data out of the image
        ".gitignore",
        "CHANGELOG.md",
        "Dockerfile",
        "LICENSE",
        "Makefile",
        "README.md",
        "SECURITY.md",  # how to report, what was looked at, and which test proves it
        "app",
        "connectors",
        "deploy",  # what other programs read to run it: systemd, nginx, a second compose file
        "docker-compose.yml",
        "migrations",
        "pyproject.toml",
        "requirements-dev.lock",
        "requirements.lock",
        "sandbox",  # brings the app and the simulators together, which do not know each other
        "simulators",
        "tests",
    }
)

LEAKS = {
    "a path of one machine": re.compile(r"(?<![\w}.])/(work|root)/\w|(?<![\w/.}-])shared/\w"),
    "a package index": re.compile(r"pypi\.(org|python)|pythonhosted\.org|registry\.npmjs|deb\.debian\.org|--index-url"),
    "who wrote it": re.compile(r"\bclaude\b|\banthropic\b|(?<![-_\w])(?<!host )agents?\b|\bissue #?\d", re.IGNORECASE),
}
OPEN_END = re.compile(r"\b(TODO|FIXME|XXX)\b")
WORD_LISTS = {Path(__file__), Path(__file__).with_name("test_rules.py")}  # hold the words that are looked for
UNEXPLAINED = re.compile(r"^\s*(\"[A-Z]+\d*\"|ignore_missing_imports|ignore_errors|disable_error_code)[^#]*$")
SETTINGS_WITH_REASONS = ("[tool.ruff.lint]", "[tool.ruff.lint.per-file-ignores]", "[[tool.mypy.overrides]]")


def find_strangers_at_the_top(root: Path) -> Iterator[str]:
    """The top level is the documentation's first page."""
    present = {path.relative_to(root).parts[0] for path in list_files(root)}
    yield from (f"{entry} is not one of the agreed files and folders" for entry in sorted(present - TOP_LEVEL))
    yield from (f"{entry} is missing" for entry in sorted(TOP_LEVEL - present))


def find_leaks(root: Path) -> Iterator[str]:
    """The files speak of the product only, not of a machine, a package index or an author."""
    for path, number, line in _list_lines(root):
        for what, pattern in LEAKS.items():
            if pattern.search(line):
                yield f"{name(path, root)}:{number} names {what}: {line.strip()}"


def find_open_ends(root: Path) -> Iterator[str]:
    """What is left to do is not kept in comments."""
    for path, number, line in _list_lines(root):
        if OPEN_END.search(line):
            yield f"{name(path, root)}:{number} leaves something open: {line.strip()}"


def find_unexplained_settings(root: Path) -> Iterator[str]:
    """Each check that is switched off for all carries its reason on the line."""
    section = ""
    for number, line in enumerate((root / "pyproject.toml").read_text().splitlines(), 1):
        if line.startswith("["):
            section = line.partition(" #")[0].strip()
        elif section in SETTINGS_WITH_REASONS and UNEXPLAINED.match(line):
            yield f"pyproject.toml:{number} gives no reason: {line.strip()}"


def _list_lines(root: Path) -> Iterator[tuple[Path, int, str]]:
    for path in list_files(root):
        if path in WORD_LISTS:
            continue
        try:
            lines = path.read_text().splitlines()
        except UnicodeDecodeError:
            continue  # not a text
        yield from ((path, number, line) for number, line in enumerate(lines, 1))
