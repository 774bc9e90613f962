"""Notes which lines of the measured folders run, in every Python that starts while its folder is on PYTHONPATH.

Before Python 3.12 a tracer, as coverage has one, is called for every line of every library, too: the suite takes half
as long again. Here only what is measured pays: its modules are compiled with a call in front of each statement, and
kept in that form beside Python's own cache. With Python 3.12 and coverage's core `sysmon` none of this is needed.
"""

from __future__ import annotations

import ast
import atexit
import json
import os
import sys
import time
import zlib
from collections import defaultdict
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

FOLDERS, RESULTS = "MEASURED_FOLDERS", "MEASURED_INTO"
"""Variables: whole paths of what is measured, and of the folder that each process leaves a file in when it ends."""

NAME = "__line_runs__"
CACHED = ".pyc"

_seen: defaultdict[str, set[int]] = defaultdict(set)


def mark(tree: ast.Module) -> ast.Module:
    """The tree with a call in front of each statement, for the lines that coverage calls statements.

    One thing differs: a `case` or an `except` counts when it applies, not already when it is looked at.
    """
    for node in ast.walk(tree):
        for block in ("body", "orelse", "finalbody"):
            statements = getattr(node, block, None)
            if isinstance(statements, list) and statements:
                setattr(node, block, _mark_block(statements, _find_own_line(node) if block == "body" else ()))
    return tree


def _mark_block(statements: Sequence[ast.stmt], lines: Sequence[int]) -> list[ast.stmt]:
    marked: list[ast.stmt] = []
    waiting = list(lines)
    for statement in statements:
        waiting += [decorator.lineno for decorator in getattr(statement, "decorator_list", ())]
        waiting.append(statement.lineno)
        if not _must_come_first(statement):
            marked += [_build_call(line, statement) for line in waiting]
            waiting.clear()
        marked.append(statement)
    return marked


def _find_own_line(node: ast.AST) -> Sequence[int]:
    """The line of what is no statement, but has a block that runs when it applies."""
    if isinstance(node, ast.ExceptHandler):
        return [node.lineno]
    return [node.pattern.lineno] if isinstance(node, ast.match_case) else []


def _must_come_first(statement: ast.stmt) -> bool:
    """Docstrings, and what Python wants before everything else."""
    if isinstance(statement, ast.ImportFrom):
        return statement.module == "__future__"
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def _build_call(line: int, statement: ast.stmt) -> ast.Expr:
    call = ast.Expr(ast.Call(ast.Name(NAME, ast.Load()), [ast.Constant(line)], []))
    return ast.fix_missing_locations(ast.copy_location(call, statement))


class _Loader(SourceFileLoader):
    """Reads a measured module."""

    def source_to_code(self, data: Any, path: Any, *, _optimize: int = -1) -> CodeType:  # type: ignore[override]  # typeshed leaves the keyword out
        tree = mark(ast.parse(data, path))
        code: CodeType = compile(tree, path, "exec", dont_inherit=True, optimize=_optimize)
        return code

    def exec_module(self, module: ModuleType) -> None:
        module.__dict__[NAME] = _seen[self.path].add
        super().exec_module(module)

    def get_data(self, path: str) -> bytes:
        return super().get_data(_keep_apart(path))

    def set_data(self, path: str, data: Any, *, _mode: int = 0o666) -> None:
        super().set_data(_keep_apart(path), data, _mode=_mode)


class _Finder:
    """Finds measured modules, and leaves all others to Python."""

    def __init__(self, folders: Sequence[Path]) -> None:
        self._beginnings = tuple(f"{folder}{os.sep}" for folder in folders)
        self._packages = {folder.name for folder in folders}

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None, /
    ) -> ModuleSpec | None:
        if fullname.partition(".")[0] not in self._packages:
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is None or type(spec.loader) is not SourceFileLoader or not spec.has_location:
            return None
        if spec.origin is None or not spec.origin.startswith(self._beginnings):
            return None
        spec.loader = _Loader(fullname, spec.origin)
        return spec


def _keep_apart(path: str) -> str:
    """Another name for cached modules, which changes when this file does."""
    return f"{path.removesuffix(CACHED)}.measured-{_VERSION:08x}{CACHED}" if path.endswith(CACHED) else path


def _write(folder: Path) -> None:
    name = f"{os.getpid()}-{time.monotonic_ns()}.json"
    (folder / name).write_text(json.dumps({path: sorted(lines) for path, lines in _seen.items()}))


_VERSION = zlib.crc32(Path(__file__).read_bytes())

if os.environ.get(FOLDERS):
    sys.meta_path.insert(0, _Finder([Path(folder) for folder in os.environ[FOLDERS].split(os.pathsep)]))
    atexit.register(_write, Path(os.environ[RESULTS]))
