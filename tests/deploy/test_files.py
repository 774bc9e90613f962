"""The files that other programs read: those find nothing wrong, and the files say what the rest of the code says."""

from __future__ import annotations

import configparser
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from annotated_types import Le

from app.core.settings import Settings
from tests.architecture.tree import ROOT, list_files
from tests.deploy import dockerfile
from tests.servers.missing import skip_without

DOCKERFILE = ROOT / "Dockerfile"
COMPOSE = ("-f", "docker-compose.yml")
TWO_SERVERS = (*COMPOSE, "-f", "deploy/two-servers.yml")
UNIT = ROOT / "deploy" / "kloudless.service"
MALLOC = {"MALLOC_MMAP_THRESHOLD_": "33554432", "MALLOC_TRIM_THRESHOLD_": "134217728"}
EXPOSURE_MAX = 15
"""Tenths, as `systemd-analyze security` counts: 100 is a service without any fence."""


def run_tool(name: str, *arguments: str, **variables: str) -> str:
    """What a program from a package of ours prints; it must find nothing wrong."""
    program = Path(sys.executable).with_name(name)
    if not program.exists():
        skip_without(name, "its package is not installed")
    ran = subprocess.run(
        [program, *arguments],
        cwd=ROOT,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def read_compose(*files: str, **variables: str) -> dict[str, Any]:
    printed = run_tool("docker-compose", *files, "config", "--format", "json", POSTGRES_PASSWORD="pw", **variables)
    read: dict[str, Any] = json.loads(printed)
    return read


def test_linter_finds_nothing_in_the_dockerfile() -> None:
    assert run_tool("hadolint", "Dockerfile") == ""


def test_image_is_pinned_runs_as_nobody_in_particular_and_gets_signals_itself() -> None:
    build, final = dockerfile.read(DOCKERFILE)
    for stage in (build, final):
        assert re.fullmatch(r"python:3\.\d+\.\d+-slim-\w+( AS build)?", stage.base)
    user = final.get("USER")
    assert re.fullmatch(r"[1-9]\d+:[1-9]\d+", user), "a number: who checks it need not look into the image"
    assert final.get_command("ENTRYPOINT") == ["kloudless"]
    assert final.get_command("CMD") == ["serve"]
    assert final.get("STOPSIGNAL") == "SIGTERM"
    assert final.environment.items() >= MALLOC.items()
    assert "apt-get" not in DOCKERFILE.read_text()
    assert final.list_all("COPY") == ["--from=build /opt/kloudless /opt/kloudless"], "nothing of the building is in it"


def test_only_what_the_dockerfile_copies_is_sent_to_be_built() -> None:
    build = dockerfile.read(DOCKERFILE)[0]
    copied = {source for rest in build.list_all("COPY") for source in rest.split()[:-1]}
    lines = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]
    assert lines[0] == "*"
    assert {line[1:] for line in lines if line.startswith("!")} == copied
    assert all((ROOT / name).exists() for name in copied)


def test_every_python_package_of_ours_is_in_the_image() -> None:
    build = dockerfile.read(DOCKERFILE)[0]
    copied = {source for rest in build.list_all("COPY") for source in rest.split()[:-1]}
    packages = {path.relative_to(ROOT).parts[0] for path in list_files() if path.name == "__init__.py"}
    assert packages - copied == {"tests"}


@pytest.mark.parametrize("files", [COMPOSE, TWO_SERVERS])
def test_services_are_fenced_in_and_start_in_order(files: tuple[str, ...]) -> None:
    services = read_compose(*files)["services"]
    ours = {name: service for name, service in services.items() if service["image"] == "kloudless"}
    assert set(ours) - {"server-2"} == {"keys", "migrate", "server"}
    for service in ours.values():
        assert (service["read_only"], service["cap_drop"], service["init"]) == (True, ["ALL"], True)
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert "ports" not in service or all(port["host_ip"] == "127.0.0.1" for port in service["ports"])
        known = Settings.list_variables()
        assert set(service["environment"]) <= set(known)
        keys_file = Path(service["environment"]["KLOUDLESS_KEYS_FILE"])
        assert str(keys_file.parent) in [volume["target"] for volume in service["volumes"]]
    for name in ours.keys() - {"keys", "migrate"}:
        assert ours[name]["depends_on"]["migrate"]["condition"] == "service_completed_successfully"
        assert ours[name]["stop_grace_period"] == "1m10s"
    assert all(re.search(r":\d+\.\d+(\.\d+)?-\w+$", services[name]["image"]) for name in services.keys() - ours.keys())


def test_password_must_be_given() -> None:
    program = Path(sys.executable).with_name("docker-compose")
    if not program.exists():
        skip_without("docker-compose", "its package is not installed")
    environment = {name: value for name, value in os.environ.items() if name != "POSTGRES_PASSWORD"}
    ran = subprocess.run(
        [program, *COMPOSE, "--env-file", "/dev/null", "config", "--quiet"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (ran.returncode != 0, "put it into .env" in ran.stderr) == (True, True)


def test_two_servers_are_reached_through_the_proxy_only_and_believe_its_address() -> None:
    composed = read_compose(*TWO_SERVERS)
    services = composed["services"]
    address = services["proxy"]["networks"]["default"]["ipv4_address"]
    for name in ("server", "server-2"):
        assert "ports" not in services[name]
        assert services[name]["environment"]["KLOUDLESS_TRUSTED_PROXIES"] == address
    (mounted,) = services["proxy"]["volumes"]
    assert Path(mounted["source"]).resolve() == (ROOT / "deploy" / "nginx.conf").resolve()
    named = re.findall(r"^\s*server ([\w-]+):8000 ", (ROOT / "deploy" / "nginx.conf").read_text(), re.MULTILINE)
    assert named == ["server", "server-2"]


@pytest.fixture
def unit() -> configparser.ConfigParser:
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]  # as the standard library describes it
    parser.read_string(UNIT.read_text())
    return parser


def test_unit_is_fenced_in_and_may_end_its_requests(unit: configparser.ConfigParser) -> None:
    service = unit["Service"]
    assert service["ExecStart"].split()[1:] == ["serve"]
    assert (service["ProtectSystem"], service["NoNewPrivileges"], service["CapabilityBoundingSet"]) == (
        "strict",
        "yes",
        "",
    )
    assert service["StateDirectory"] == "kloudless"
    assert f"KLOUDLESS_DATA_DIR=/var/lib/{service['StateDirectory']}" in UNIT.read_text()
    assert all(f"{name}={value}" in UNIT.read_text() for name, value in MALLOC.items())
    (drain_seconds_max,) = [
        limit.le for limit in Settings.model_fields["shutdown_seconds_max"].metadata if isinstance(limit, Le)
    ]
    assert isinstance(drain_seconds_max, int)
    assert int(service["TimeoutStopSec"].removesuffix("s")) > drain_seconds_max


def test_systemd_finds_nothing_wrong_in_the_unit(tmp_path: Path) -> None:
    program = shutil.which("systemd-analyze")
    if program is None:
        skip_without("systemd-analyze", "systemd is not installed")
    copy = tmp_path / UNIT.name
    copy.write_text(
        re.sub(r"^ExecStart=\S+", f"ExecStart={shutil.which('true')}", UNIT.read_text(), flags=re.MULTILINE)
    )
    verified = subprocess.run([program, "verify", copy], capture_output=True, text=True, timeout=60, check=False)
    assert (verified.returncode, verified.stdout + verified.stderr) == (0, "")
    judged = subprocess.run(
        [program, "security", "--offline=true", f"--threshold={EXPOSURE_MAX}", copy],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert judged.returncode == 0, judged.stdout + judged.stderr
