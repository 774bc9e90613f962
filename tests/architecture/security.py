"""Reads SECURITY.md's list of threats, and finds the tests that it names."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.architecture.tree import ROOT, list_python, name, parse

DOCUMENT = "SECURITY.md"
TEST = re.compile(r"`(tests/[\w/]+\.py)((?:::\w+)+)`")
COLUMNS_COUNT = 3
SECRET = re.compile(r"secret|passw|passphrase|signature|api_?key|bearer|(^|_)mac$", re.IGNORECASE)


@dataclass(frozen=True)
class Threat:
    """A line of the list."""

    what: str
    answer: str
    tests: tuple[tuple[str, tuple[str, ...]], ...]  # files, each with the names that lead to a test in it


def list_threats(root: Path = ROOT) -> list[Threat]:
    """All lines, in order."""
    threats = []
    for line in (root / DOCUMENT).read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split(" | ")]
        if line.startswith("| ") and len(cells) == COLUMNS_COUNT and cells[0] not in {"Threat", "---"}:
            tests = tuple((file, tuple(names.strip(":").split("::"))) for file, names in TEST.findall(cells[2]))
            threats.append(Threat(cells[0], cells[1], tests))
    return threats


def find_unproved(root: Path = ROOT) -> Iterator[str]:
    """Lines that name no test, or one that is not there."""
    for threat in list_threats(root):
        if not threat.tests:
            yield f"{threat.what}: names no test"
        for file, names in threat.tests:
            if not (root / file).is_file() or not _has_test(root / file, names):
                yield f"{threat.what}: there is no {file}::{'::'.join(names)}"


def _has_test(path: Path, names: tuple[str, ...]) -> bool:
    body = ast.parse(path.read_text()).body
    for wanted in names:
        found = [
            node
            for node in body
            if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and node.name == wanted
        ]
        if not found:
            return False
        body = found[0].body
    return names[-1].startswith("test_")


def find_compared_secrets(root: Path = ROOT) -> Iterator[str]:
    """Secrets that an operator compares, which takes the longer the more of them is right."""
    for path in list_python("app", "connectors", root=root):
        for node in ast.walk(parse(path)):
            if isinstance(node, ast.Compare) and any(isinstance(op, ast.Eq | ast.NotEq) for op in node.ops):
                for side in (node.left, *node.comparators):
                    word = (
                        side.attr if isinstance(side, ast.Attribute) else side.id if isinstance(side, ast.Name) else ""
                    )
                    if SECRET.search(word):
                        yield f"{name(path, root)}:{node.lineno} compares {word}; use hmac.compare_digest"
