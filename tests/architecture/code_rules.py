"""House law about Python code, one function per rule: each lists the violations below a root, best none."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from tests.architecture.tree import list_comments, list_files, list_imports, list_python, name, parse

FILE_LINES_MAX = 400
FUNCTION_LINES_MAX = 60
LARGE: dict[str, tuple[int, str]] = {}
"""`path` or `path:function` to its lines and the reason; a number may only shrink."""

CONNECTOR_FILES = ("README.md", "manifest.py", "service.py")
ORDINARY_WORDS = frozenset({"local"})
"""Providers' names that code must be able to say in another sense: only quoted as a whole, or imported, they count."""

DRAWERS = frozenset({"utils", "util", "helpers", "helper", "common", "misc", "base"})
POLICY_IMPORTS = frozenset({"logging", "structlog", "sqlalchemy", "alembic", "fastapi", "starlette"})
POLICY_NAMES = frozenset({"sleep", "environ", "getenv"})
POLICY_TEXTS = frozenset({"authorization"})

EXPLAINED = {
    "ruff: noqa": re.compile(r"# ruff: noqa: [A-Z]+\d+(, ?[A-Z]+\d+)* - \S.*"),
    "noqa": re.compile(r"# noqa: [A-Z]+\d+(, ?[A-Z]+\d+)* - \S.*"),
    "type: ignore": re.compile(r"# type: ignore\[[a-z, -]+\] +# \S.*"),
    "pragma: no cover": re.compile(r"# pragma: no cover - \S.*"),
}


def find_foreign_repositories(root: Path) -> Iterator[str]:
    """A repository is private to its module; other modules ask the service."""
    for path in list_python("app", root=root):
        module = path.relative_to(root).parts[1]
        for line, imported in list_imports(path):
            owner = re.fullmatch(r"app\.(\w+)\.repository", imported)
            if owner and owner[1] != module:
                yield f"{name(path, root)}:{line} uses the repository of {owner[1]}"


def find_provider_names(root: Path) -> Iterator[str]:
    """The app, the sandbox and the engine know no provider, neither in code nor in words."""
    providers = _list_providers(root)
    for path in _list_neutral(root):
        for line, imported in list_imports(path):
            if imported.split(".")[0] == "connectors" and providers & set(imported.split(".")):
                yield f"{name(path, root)}:{line} imports {imported}"
        for node in ast.walk(parse(path)):
            if isinstance(node, ast.Constant) and node.value in providers:
                yield f'{name(path, root)}:{node.lineno} says "{node.value}"'
        for number, line_text in enumerate(path.read_text().splitlines(), 1):
            words = {word.lower() for word in re.findall(r"[A-Z]?[a-z0-9]+|[A-Z0-9]+(?![a-z])", line_text)}
            whole = set(re.findall(r"[a-z0-9_]+", line_text.lower()))
            for said in sorted((providers - ORDINARY_WORDS) & (words | whole)):
                yield f"{name(path, root)}:{number} says {said}"


def find_incomplete_connectors(root: Path) -> Iterator[str]:
    """Alike things look alike: every connector has the files that the others have."""
    for folder in _list_connector_folders(root):
        for file in CONNECTOR_FILES:
            if not (folder / file).is_file():
                yield f"{name(folder, root)} lacks {file}"


def find_policy_in_connectors(root: Path) -> Iterator[str]:
    """A connector states facts about its provider; waiting, signing, logging and settings are the engine's."""
    for folder in _list_connector_folders(root):
        strangers = _list_providers(root) - ORDINARY_WORDS - _list_services(folder) - {folder.name}
        for path in list_files(root):
            if path.suffix == ".py" and path.is_relative_to(folder):
                yield from _find_policy(path, root, strangers)


def find_large_code(root: Path) -> Iterator[str]:
    """A file fits a reader's patience, a function fits a screen."""
    sizes: dict[str, int] = {}
    for path in list_python("app", "connectors", "sandbox", "simulators", root=root):
        sizes[name(path, root)] = len(path.read_text().splitlines())
        for node in ast.walk(parse(path)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                sizes[f"{name(path, root)}:{node.name}"] = (node.end_lineno or node.lineno) - node.lineno + 1
    for place, lines in sizes.items():
        lines_max = FUNCTION_LINES_MAX if ":" in place else FILE_LINES_MAX
        allowed = LARGE.get(place, (lines_max, ""))[0]
        if lines > allowed:
            yield f"{place} has {lines} lines; {allowed} are allowed"
    for place, (allowed, _) in LARGE.items():
        if sizes.get(place, 0) < allowed:
            yield f"{place} has shrunk to {sizes.get(place, 0)} lines; lower its entry from {allowed}, or remove it"


def find_drawers(root: Path) -> Iterator[str]:
    """Nothing is kept in a drawer whose label says nothing."""
    for path in list_python(root=root):
        drawers = DRAWERS & {*path.relative_to(root).parts[:-1], path.stem}
        if drawers:
            yield f"{name(path, root)} is called {', '.join(sorted(drawers))}"


def find_undescribed_modules(root: Path) -> Iterator[str]:
    """Every module says first what belongs in it."""
    for path in list_python("app", "connectors", "sandbox", "simulators", root=root):
        if parse(path).body and not ast.get_docstring(parse(path)):
            yield f"{name(path, root)} does not begin with a docstring"


def find_undescribed_promises(root: Path) -> Iterator[str]:
    """Whatever the engine offers says what it promises."""
    for path in list_python("connectors", root=root):
        if path.relative_to(root).parts[1] != "core":
            continue
        for node in parse(path).body:
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                continue
            if not node.name.startswith("_") and not ast.get_docstring(node):
                yield f"{name(path, root)}:{node.lineno} {node.name} has no docstring"


def find_unexplained_exceptions(root: Path) -> Iterator[str]:
    """Who switches a check off names it and says why."""
    for path in list_python(root=root):
        for line, comment in list_comments(path):
            for word, form in EXPLAINED.items():
                if comment.startswith(f"# {word}") and not form.fullmatch(comment):
                    yield f"{name(path, root)}:{line} lacks a code or a reason: {comment}"


def _find_policy(path: Path, root: Path, strangers: set[str]) -> Iterator[str]:
    for line, imported in list_imports(path):
        if imported.split(".")[0] in POLICY_IMPORTS or imported.split(".")[-1] in POLICY_NAMES:
            yield f"{name(path, root)}:{line} imports {imported}"
    for node in ast.walk(parse(path)):
        if isinstance(node, ast.Attribute) and node.attr in POLICY_NAMES:
            yield f"{name(path, root)}:{node.lineno} uses {node.attr}"
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            said = node.value.lower()
            if said in POLICY_TEXTS or strangers & set(re.findall(r"[a-z0-9_]+", said)):
                yield f"{name(path, root)}:{node.lineno} says {node.value!r}"


def _list_neutral(root: Path) -> list[Path]:
    engine = root / "connectors" / "core"
    suite = root / "tests" / "connectors" / "behavior"
    return list_python("app", "sandbox", root=root) + [
        path for path in list_python(root=root) if path.is_relative_to(engine) or path.is_relative_to(suite)
    ]


def _list_connector_folders(root: Path) -> list[Path]:
    parts = [path.relative_to(root).parts for path in list_files(root)]
    folders = {top[1] for *top, _ in parts if top[:1] == ["connectors"] and top[1:]}
    return [root / "connectors" / folder for folder in sorted(folders - {"core"})]


def _list_providers(root: Path) -> set[str]:
    folders = _list_connector_folders(root)
    return {folder.name for folder in folders}.union(*map(_list_services, folders))


def _list_services(folder: Path) -> set[str]:
    """The public names that a connector's manifests declare."""
    manifest = folder / "manifest.py"
    if not manifest.is_file():
        return set()
    return {
        str(node.value.value)
        for node in ast.walk(parse(manifest))
        if isinstance(node, ast.keyword) and node.arg == "service" and isinstance(node.value, ast.Constant)
    }
