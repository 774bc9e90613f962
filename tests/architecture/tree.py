"""What the checks read: the repository's own files, and Python sources as syntax trees."""

from __future__ import annotations

import ast
import io
import tokenize
from collections.abc import Iterator
from fnmatch import fnmatch
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]


@cache
def list_files(root: Path = ROOT) -> tuple[Path, ...]:
    """All files below `root` that belong to the repository: whatever .gitignore does not name."""
    ignored = [line.rstrip("/") for line in (ROOT / ".gitignore").read_text().splitlines() if line]
    return tuple(sorted(_walk(root, [".git", *ignored])))


def list_python(*folders: str, root: Path = ROOT) -> list[Path]:
    """The repository's Python files below these top-level folders; all of them if none is named."""
    return [
        path
        for path in list_files(root)
        if path.suffix == ".py" and (not folders or path.relative_to(root).parts[0] in folders)
    ]


def name(path: Path, root: Path = ROOT) -> str:
    """A file's name as people say it: relative to the repository."""
    return path.relative_to(root).as_posix()


@cache
def parse(path: Path) -> ast.Module:
    """The syntax tree of a file."""
    return ast.parse(path.read_text(), filename=str(path))


def list_comments(path: Path) -> list[tuple[int, str]]:
    """All comments of a Python file with their line numbers."""
    tokens = tokenize.generate_tokens(io.StringIO(path.read_text()).readline)
    return [(token.start[0], token.string) for token in tokens if token.type == tokenize.COMMENT]


def list_imports(path: Path) -> list[tuple[int, str]]:
    """Everything a module imports, as (line, dotted name); `from a import b` is both a and a.b."""
    found: list[tuple[int, str]] = []
    for node in ast.walk(parse(path)):
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.append((node.lineno, node.module))
            found += [(node.lineno, f"{node.module}.{alias.name}") for alias in node.names]
    return found


def _walk(folder: Path, ignored: list[str]) -> Iterator[Path]:
    for path in folder.iterdir():
        if any(fnmatch(path.name, pattern) for pattern in ignored):
            continue
        if path.is_dir():
            yield from _walk(path, ignored)
        else:
            yield path
