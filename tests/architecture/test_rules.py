"""The house law holds here, and each rule notices when it is broken."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.architecture import code_rules, text_rules
from tests.architecture.tree import ROOT

Rule = Callable[[Path], Iterator[str]]

RULES = [rule for module in (code_rules, text_rules) for word, rule in vars(module).items() if word.startswith("find_")]

TREE = {"connectors/northbox/manifest.py": 'NORTHBOX = Manifest(service="nbx")\n'}
"""A made-up provider: its folder and its service have names that are no ordinary words."""

LONG_FUNCTION = "def grow() -> None:\n" + "    print()\n" * code_rules.FUNCTION_LINES_MAX

BROKEN: list[tuple[Rule, str, str, str]] = [
    (
        code_rules.find_foreign_repositories,
        "app/storage/service.py",
        "from app.accounts.repository import AccountRepository\n",
        "uses the repository of accounts",
    ),
    (code_rules.find_foreign_repositories, "app/storage/x.py", "import app.accounts.repository\n", "accounts"),
    (code_rules.find_provider_names, "app/storage/service.py", "if service == 'nbx':\n    pass\n", 'says "nbx"'),
    (code_rules.find_provider_names, "app/storage/service.py", "is_northbox = True\n", "says northbox"),
    (code_rules.find_provider_names, "app/storage/service.py", "class NorthboxError: ...\n", "says northbox"),
    (code_rules.find_provider_names, "connectors/core/retry.py", "# as Northbox wants it\n", "says northbox"),
    (code_rules.find_provider_names, "app/a.py", "from connectors.northbox import service\n", "imports connectors"),
    (code_rules.find_provider_names, "app/a.py", "import connectors.local.service\n", "imports connectors.local"),
    (code_rules.find_provider_names, "app/a.py", "open('local')\n", 'says "local"'),
    (code_rules.find_provider_names, "tests/connectors/behavior/test_a.py", "NAME = 'nbx'\n", 'says "nbx"'),
    (code_rules.find_provider_names, "sandbox/a.py", "NAME = 'nbx'\n", 'says "nbx"'),
    (code_rules.find_incomplete_connectors, "connectors/northbox/service.py", "", "northbox lacks README.md"),
    (code_rules.find_policy_in_connectors, "connectors/northbox/api.py", "await asyncio.sleep(1)\n", "uses sleep"),
    (code_rules.find_policy_in_connectors, "connectors/northbox/api.py", "from time import sleep\n", "time.sleep"),
    (code_rules.find_policy_in_connectors, "connectors/northbox/api.py", "h['Authorization'] = t\n", "Authorization"),
    (code_rules.find_policy_in_connectors, "connectors/northbox/api.py", "os.environ['A']\n", "uses environ"),
    (code_rules.find_policy_in_connectors, "connectors/northbox/api.py", "import logging\n", "imports logging"),
    (code_rules.find_policy_in_connectors, "connectors/northbox/api.py", "import fastapi\n", "imports fastapi"),
    (code_rules.find_policy_in_connectors, "connectors/other/api.py", "x = 'for nbx only'\n", "for nbx only"),
    (code_rules.find_large_code, "simulators/a.py", "\n" * 401, "401 lines; 400 are allowed"),
    (code_rules.find_large_code, "app/a.py", LONG_FUNCTION, "a.py:grow has 61 lines; 60 are allowed"),
    (code_rules.find_drawers, "connectors/core/utils.py", "", "called utils"),
    (code_rules.find_drawers, "tests/helpers/clock.py", "", "called helpers"),
    (code_rules.find_undescribed_modules, "app/a.py", "import os\n", "does not begin with a docstring"),
    (code_rules.find_undescribed_promises, "connectors/core/a.py", "def give() -> None: ...\n", "give has no"),
    (code_rules.find_unexplained_exceptions, "app/a.py", "x = 1  # noqa: S101\n", "lacks a code or a reason"),
    (code_rules.find_unexplained_exceptions, "app/a.py", "x = 1  # noqa\n", "lacks a code or a reason"),
    (code_rules.find_unexplained_exceptions, "app/a.py", "x = 1  # type: ignore[misc]\n", "lacks a code or a reason"),
    (code_rules.find_unexplained_exceptions, "app/a.py", "x = 1  # pragma: no cover\n", "lacks a code or a reason"),
    (text_rules.find_strangers_at_the_top, "notes.txt", "", "notes.txt is not one of the agreed"),
    (text_rules.find_strangers_at_the_top, "app/a.py", "", "Makefile is missing"),
    (text_rules.find_leaks, "README.md", "cd /root/project\n", "a path of one machine"),
    (text_rules.find_leaks, "requirements.lock", "--index-url https://mirror.example/simple\n", "a package index"),
    (text_rules.find_leaks, "app/a.py", "# an agent wrote this\n", "who wrote it"),
    (text_rules.find_open_ends, "Makefile", "# TODO: more\n", "leaves something open"),
    (text_rules.find_unexplained_settings, "pyproject.toml", '[tool.ruff.lint]\n  "D100",\n', "gives no reason"),
]

FINE: list[tuple[Rule, str, str]] = [
    (code_rules.find_foreign_repositories, "app/storage/service.py", "from app.storage.repository import A\n"),
    (code_rules.find_provider_names, "app/a.py", "# the local time of the machine\nlocal = open('localhost')\n"),
    (code_rules.find_provider_names, "connectors/northbox/api.py", "northbox = 'nbx'\n"),
    (code_rules.find_policy_in_connectors, "connectors/northbox/api.py", "import asyncio\nx = 'authorized northbox'\n"),
    (code_rules.find_large_code, "app/a.py", LONG_FUNCTION.removesuffix("    print()\n")),
    (code_rules.find_unexplained_exceptions, "app/a.py", "x = 1  # noqa: S101, S102 - for a reason\n"),
    (code_rules.find_unexplained_exceptions, "app/a.py", "x = 1  # type: ignore[misc]  # a reason\n"),
    (text_rules.find_leaks, "app/a.py", "get('/v1/folders/root/contents', {'User-Agent': 'x', 'user_agent': 1})\n"),
]


@pytest.mark.parametrize("rule", RULES)
def test_nothing_is_found_when_law_is_kept(rule: Rule) -> None:
    violations = list(rule(ROOT))
    assert not violations, "\n".join(violations)


@pytest.fixture
def tree(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """A small repository that holds the given file."""
    path, text = request.param
    for file, content in {**TREE, "connectors/local/manifest.py": "", "pyproject.toml": "", path: text}.items():
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_text(content)
    return tmp_path


@pytest.mark.parametrize(
    ("rule", "tree", "expected"), [(rule, (path, text), said) for rule, path, text, said in BROKEN], indirect=["tree"]
)
def test_violation_is_named_when_law_is_broken(rule: Rule, tree: Path, expected: str) -> None:
    assert [found for found in rule(tree) if expected in found]


@pytest.mark.parametrize(("rule", "tree"), [(rule, (path, text)) for rule, path, text in FINE], indirect=["tree"])
def test_nothing_is_found_when_words_only_look_alike(rule: Rule, tree: Path) -> None:
    assert list(rule(tree)) == []


def test_every_rule_has_a_violation_that_shows_it_works() -> None:
    assert {rule for rule, *_ in BROKEN} == set(RULES)


@pytest.mark.parametrize("lines", [500, 300])
def test_exception_from_size_is_refused_when_it_is_larger_than_needed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, lines: int
) -> None:
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "big.py").write_text("\n" * lines)
    monkeypatch.setattr(code_rules, "LARGE", {"app/big.py": (lines + 50, "has to be")})
    assert list(code_rules.find_large_code(tmp_path)) == [
        f"app/big.py has shrunk to {lines} lines; lower its entry from {lines + 50}, or remove it"
    ]
