"""Clients that are generated from the document: they are made without a warning, type-checked, and they work."""

from __future__ import annotations

import os
import shutil
import sys
import sysconfig
from pathlib import Path

import pytest

from tests.clients.generated.tools import install_node_packages, install_python_generator, run
from tests.servers.api import Api, Caller
from tests.servers.missing import skipping_when_missing

pytestmark = pytest.mark.timeout(600)  # tools are installed first

HERE = Path(__file__).parent
TSC = ["--strict", "--target", "es2022", "--module", "nodenext", "--skipLibCheck", "--noEmitOnError"]


@pytest.fixture
def local_caller(api: Api) -> Caller:
    return api.create_caller()


@pytest.fixture
def document(api: Api, tmp_path: Path) -> Path:
    path = tmp_path / "openapi.json"
    with api.client() as client:
        path.write_bytes(client.get("/openapi.json").content)
    return path


def test_python_client_lists_uploads_and_downloads(local_caller: Caller, document: Path, tmp_path: Path) -> None:
    tool = tmp_path / "tool"
    tool.mkdir()
    with skipping_when_missing():
        install_python_generator(tool)
    scripts = {"PATH": f"{sysconfig.get_path('scripts')}:{os.environ['PATH']}"}  # it formats with ruff
    command = [sys.executable, "-m", "openapi_python_client", "generate", "--path", str(document), "--meta", "none"]
    command += ["--config", str(HERE / "openapi-python-client.yaml"), "--output-path", "kloudless_api"]
    made = run([*command, "--fail-on-warning"], folder=tmp_path, variables={"PYTHONPATH": str(tool), **scripts})
    assert (made.returncode, made.stdout) == (0, "Generating kloudless_api\n"), made.stdout + made.stderr
    shutil.copy(HERE / "use_client.py", tmp_path)
    # What the generator writes itself does not pass mypy; what it promises to its users does.
    mypy = [sys.executable, "-m", "mypy", "--strict", "--follow-imports", "silent", "--cache-dir", os.devnull]
    checked = run([*mypy, "--config-file", os.devnull, "use_client.py"], folder=tmp_path)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    address = [local_caller.api.base_url, str(local_caller.account_id)]
    key = {"API_KEY": local_caller.api_key}
    used = run([sys.executable, "use_client.py", *address], folder=tmp_path, variables=key)
    assert used.returncode == 0, used.stderr


def test_typescript_client_lists_uploads_and_downloads(local_caller: Caller, document: Path, tmp_path: Path) -> None:
    for name in ("package.json", "use_client.ts"):
        shutil.copy(HERE / name, tmp_path)
    with skipping_when_missing():
        install_node_packages(tmp_path)
    tools = tmp_path / "node_modules" / ".bin"
    made = run([str(tools / "openapi-typescript"), str(document), "-o", "schema.d.ts"], folder=tmp_path)
    assert made.returncode == 0, made.stderr
    checked = run([str(tools / "tsc"), *TSC, "use_client.ts"], folder=tmp_path)
    assert checked.returncode == 0, checked.stdout
    address = [local_caller.api.base_url, str(local_caller.account_id)]
    used = run(["node", "use_client.js", *address], folder=tmp_path, variables={"API_KEY": local_caller.api_key})
    assert used.returncode == 0, used.stderr
