"""What the Dockerfile does, done here by its own words: built, then run by a user who owns nothing of it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.architecture.tree import ROOT
from tests.architecture.tree import list_files as list_files_of_ours
from tests.deploy import dockerfile
from tests.deploy.dockerfile import Stage
from tests.servers.missing import skip_without
from tests.servers.ports import find_free_port
from tests.servers.postgres import create_database, drop_database, is_reachable_by_others
from tests.servers.process import wait_until_ready

PYTHONS = (Path(sys.base_prefix) / "bin" / "python3", Path("/usr/bin/python3"), Path("/usr/local/bin/python3"))
UNREAD = (".md", ".mako")
"""Of files that only people and tools read."""
BUILD_SECONDS_MAX = 400.0
CALL_SECONDS_MAX = 60.0
STOP_SECONDS_MAX = 30.0


@dataclass(frozen=True)
class Image:
    """A folder in which everything stands where it stands in the image."""

    root: Path
    final: Stage

    def place(self, text: str) -> str:
        """The same with the image's folders put below ours."""
        for folder in ("/opt/kloudless", "/build", "/data"):
            text = text.replace(folder, f"{self.root}{folder}")
        return text

    @property
    def environment(self) -> dict[str, str]:
        """Of a container: nothing but what the image sets; no HOME."""
        given = {name: self.place(value) for name, value in self.final.environment.items()}
        path = given["PATH"].replace("$PATH", os.defpath)
        return {**given, "PATH": path, "TMPDIR": str(self.root / "tmp"), "KLOUDLESS_HOST": "127.0.0.1"}

    def run(self, *command: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Runs a command of the image, as its user."""
        return subprocess.run(
            [*self.as_user, *command],
            cwd=self.root / "data",
            env={**self.environment, **variables},
            capture_output=True,
            text=True,
            timeout=CALL_SECONDS_MAX,
            check=False,
        )

    @property
    def as_user(self) -> list[str]:
        """What to put before a command. Who is not root already is a user without rights."""
        if os.geteuid() != 0:
            return []
        user, group = self.final.get("USER").split(":")
        fence = ["--no-new-privs", "--bounding-set=-all", "--inh-caps=-all"]
        return ["setpriv", f"--reuid={user}", f"--regid={group}", "--clear-groups", *fence, "--"]

    @contextmanager
    def running(self, **variables: str) -> Iterator[tuple[subprocess.Popen[bytes], str, dict[str, str]]]:
        """The entry point with its default command, its address, and its variables."""
        port = str(find_free_port())
        variables = {"KLOUDLESS_PORT": port, **variables}
        command = [*self.final.get_command("ENTRYPOINT"), *self.final.get_command("CMD")]
        with (self.root / "log").open("ab") as log:
            process = subprocess.Popen(
                [*self.as_user, *command],
                cwd=self.root / "data",
                env={**self.environment, **variables},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        try:
            wait_until_ready(f"http://127.0.0.1:{port}", process)
            yield process, f"http://127.0.0.1:{port}", variables
        finally:
            process.kill()
            process.wait(STOP_SECONDS_MAX)


def find_python() -> Path:
    """One that other users can run, and that can make environments."""
    found = next((python for python in PYTHONS if python.exists() and is_usable(python)), None)
    if found is None:
        skip_without("a Python that all users can run", "on Debian: apt-get install python3-venv")
    return found


def is_usable(python: Path) -> bool:
    code = "import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))"
    if os.geteuid() == 0 and not is_reachable_by_others(python):
        return False
    return subprocess.run([python, "-c", code], capture_output=True, check=False).returncode == 0


@pytest.fixture(scope="module")
def image() -> Iterator[Image]:
    build, final = dockerfile.read(ROOT / "Dockerfile")
    root = Path(tempfile.mkdtemp(prefix="kloudless-image-"))
    try:
        root.chmod(0o755)
        made = Image(root, final)
        for folder in ("build", "opt", "data", "tmp"):
            (root / folder).mkdir()
        subprocess.run([find_python(), "-m", "venv", root / "tools"], check=True, timeout=BUILD_SECONDS_MAX)
        for name, rest in build.instructions:
            # Downloads are remembered here; in the image they would only take room.
            follow(made, name, rest, environment={**os.environ, **build.environment, "PIP_NO_CACHE_DIR": "0"})
        shutil.rmtree(root / "build")
        if os.geteuid() == 0:
            for folder in ("data", "tmp"):
                os.chown(root / folder, *map(int, final.get("USER").split(":")))
        yield made
    finally:
        shutil.rmtree(root)


def follow(image: Image, name: str, rest: str, *, environment: dict[str, str]) -> None:
    """Does what an instruction of the building stage says."""
    folder = image.root / "build"
    if name == "COPY":
        *sources, target = rest.split()
        for source in sources:
            if (ROOT / source).is_dir():
                shutil.copytree(ROOT / source, folder / target, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(ROOT / source, folder / target)
    elif name == "RUN":
        ran = subprocess.run(
            ["sh", "-c", image.place(rest)],
            cwd=folder,
            env={**environment, "PATH": f"{image.root}/tools/bin:{os.environ['PATH']}"},
            capture_output=True,
            text=True,
            timeout=BUILD_SECONDS_MAX,
            check=False,
        )
        assert ran.returncode == 0, ran.stdout + ran.stderr
    else:
        assert name in {"ENV", "WORKDIR"}, f"{name} is not tried here"


def list_files(folder: Path) -> dict[Path, int]:
    return {path: path.lstat().st_mtime_ns for path in folder.rglob("*")}


@pytest.mark.timeout(600)  # packages are installed once
def test_user_without_rights_serves_is_asked_and_stops_when_told(image: Image) -> None:
    before = list_files(image.root / "opt")
    health = image.final.get_command("HEALTHCHECK")
    with image.running() as (process, url, variables):
        assert image.run(*health, **variables).returncode == 0
        assert image.run("kloudless", "health", "--ready", **variables).returncode == 0
        assert httpx.get(f"{url}/docs", trust_env=False, timeout=60).status_code == 200
        assert "<script" in httpx.get(f"{url}/docs", trust_env=False, timeout=60).text
        assert httpx.get(f"{url}/docs/assets/swagger-ui-bundle.js", trust_env=False, timeout=60).status_code == 200
        owner = Path(f"/proc/{process.pid}").stat().st_uid
        assert owner != 0
        checkup = image.run("kloudless", "doctor", "--json", **variables)
        assert checkup.returncode == 0, checkup.stdout
        started = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert process.wait(STOP_SECONDS_MAX) == 0
        assert time.monotonic() - started < STOP_SECONDS_MAX
    assert image.run(*health, **variables).returncode == 1
    assert (image.root / "log").read_text().endswith("Stopped.\n")
    assert list_files(image.root / "opt") == before, "the code can be read-only"
    written = {path.name for path in (image.root / "data").iterdir()}
    assert written - {"shared.json"} == {"keys.json", "kloudless.db", "server.lock"}  # other keys are another test's


@pytest.mark.timeout(600)
def test_nothing_that_builds_is_left_in_the_environment(image: Image) -> None:
    code = "import importlib.util as u; print([u.find_spec(name) for name in ('pip', 'setuptools', 'wheel')])"
    found = image.run("python", "-c", code)
    assert found.stdout == "[None, None, None]\n"


@pytest.mark.timeout(600)
def test_every_file_that_our_code_reads_is_in_the_environment(image: Image) -> None:
    (packages,) = (image.root / "opt" / "kloudless").glob("lib/python*/site-packages")
    needed = [
        path.relative_to(ROOT)
        for folder in ("app", "connectors", "migrations")
        for path in list_files_of_ours()
        if path.is_relative_to(ROOT / folder) and path.suffix not in UNREAD
    ]
    assert [str(path) for path in needed if not (packages / path).is_file()] == []


@pytest.mark.timeout(600)
def test_every_step_of_the_compose_file_works_on_a_server_database(
    image: Image, postgres_url: str, request: pytest.FixtureRequest
) -> None:
    name = f"i{os.getpid()}"
    variables = {
        "DATABASE_URL": create_database(postgres_url, name),
        "KLOUDLESS_KEYS_FILE": str(image.root / "data" / "shared.json"),
    }
    request.addfinalizer(lambda: drop_database(postgres_url, name))
    for _ in range(2):  # each start of all services repeats them
        for command in (["keys", "create", "--if-missing"], ["migrate"]):
            ran = image.run("kloudless", *command, **variables)
            assert ran.returncode == 0, ran.stderr
    with image.running(**variables) as (process, _, _):
        saved = image.run("kloudless", "backup", str(image.root / "data"), "--json", **variables)
        assert saved.returncode == 0, saved.stderr
        manifest: dict[str, Any] = json.loads(saved.stdout)
        assert manifest["database"] == "postgresql"
        Path(manifest["file"]).unlink()
        process.send_signal(signal.SIGTERM)
        assert process.wait(STOP_SECONDS_MAX) == 0
