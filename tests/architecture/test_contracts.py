"""The import contracts of pyproject.toml hold here, and each of them notices when it is broken."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.tree import ROOT

DIRECTION = "app and simulators stand on connectors"
SIMULATORS = "simulators imitate providers"
INDEPENDENT = "simulators do not know each other"
LAYERS = "inside app:"
MODULE = "inside a module:"
CIRCLES = "no circles between siblings"
STRANGERS = "connectors do not know each other"
REGISTRY = "only the registry opens a provider's folder"
LIBRARY = "connectors are usable without"

VIOLATIONS = [
    (DIRECTION, "connectors/local/stray.py", "import app.core.settings"),
    (DIRECTION, "connectors/core/stray.py", "import simulators"),
    (DIRECTION, "app/storage/stray.py", "import simulators"),
    (DIRECTION, "simulators/stray.py", "import app.core.settings"),
    (DIRECTION, "app/storage/stray.py", "import sandbox.running"),
    (DIRECTION, "simulators/core/stray.py", "import sandbox"),
    (INDEPENDENT, "simulators/newcomer/stray.py", "import simulators.registry"),
    (INDEPENDENT, "simulators/core/stray.py", "import simulators.dropbox.tree"),
    (SIMULATORS, "simulators/stray.py", "import connectors.core.errors"),
    (LAYERS, "app/models/stray.py", "import app.storage"),
    (LAYERS, "app/core/stray.py", "import app.models"),
    (LAYERS, "app/storage/stray.py", "import app.uploads"),
    (LAYERS, "app/storage/stray.py", "import app.connect"),
    (LAYERS, "app/demo.py", "import app.cli"),
    (LAYERS, "app/tasks/stray.py", "import app.accounts"),
    (LAYERS, "app/transfers/stray.py", "import app.storage"),
    (LAYERS, "app/transfers/stray.py", "import app.fetching"),
    (LAYERS, "app/applications/stray.py", "import app.accounts"),
    (LAYERS, "app/newcomer/__init__.py", ""),
    (MODULE, "app/storage/repository.py", "import app.storage.endpoints"),
    (MODULE, "app/accounts/schemas.py", "import app.accounts.service"),
    (CIRCLES, "connectors/core/stray.py", "import connectors.core.errors"),
    (STRANGERS, "connectors/newcomer/manifest.py", "import connectors.local.manifest"),
    (STRANGERS, "connectors/newcomer/manifest.py", "import connectors.registry"),
    (STRANGERS, "connectors/core/stray.py", "import connectors.newcomer.manifest"),
    (REGISTRY, "app/storage/stray.py", "import connectors.local.manifest"),
    (REGISTRY, "app/core/stray.py", "import connectors.newcomer.manifest"),
    (LIBRARY, "connectors/local/stray.py", "import sqlalchemy"),
    (LIBRARY, "connectors/core/stray.py", "from starlette.requests import Request"),
]
"""Which contract breaks when a file gets this line."""

ALSO = {
    "connectors/newcomer/__init__.py": "",
    "connectors/newcomer/manifest.py": '"""A provider that no contract names."""\n',
    "connectors/core/errors.py": "import connectors.core.stray\n",
    "connectors/core/stray.py": "",
    "simulators/newcomer/__init__.py": "",
    "app/storage/endpoints.py": "",
    "app/accounts/service.py": "",
}
"""What the violations need beside them; breaks nothing by itself."""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of the code, with room for violations."""
    for folder in ("app", "connectors", "sandbox", "simulators"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for file, text in ALSO.items():
        append(tmp_path / file, text)
    return tmp_path


def append(path: Path, text: str) -> None:
    path.parent.mkdir(exist_ok=True)
    with path.open("a") as file:
        file.write(text + "\n")


def lint(tree: Path) -> subprocess.CompletedProcess[str]:
    """Runs the contracts on a tree, with no other code on the path."""
    return subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache", "--config", "pyproject.toml"],
        cwd=tree,
        capture_output=True,
        text=True,
        check=False,
    )


def test_contracts_are_kept_when_nothing_is_added(tree: Path) -> None:
    found = lint(tree)
    assert found.returncode == 0, found.stdout
    assert " 0 broken" in found.stdout


@pytest.mark.parametrize(("contract", "file", "line"), VIOLATIONS)
def test_contract_breaks_when_a_module_imports_the_wrong_way(tree: Path, contract: str, file: str, line: str) -> None:
    append(tree / file, line)
    found = lint(tree)
    assert found.returncode == 1, found.stdout
    broken = [text for text in found.stdout.splitlines() if " BROKEN" in text]
    assert any(text.startswith(contract) for text in broken), found.stdout
