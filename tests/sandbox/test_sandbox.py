"""`kloudless sandbox` as people run it: what it prints works, and it ends when it is told to."""

from __future__ import annotations

import json
import re
import shlex
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from app import cli
from app.core.settings import Settings
from app.core.state import build_registry_from
from connectors.core.manifest import OAuth2
from sandbox.cli import main
from simulators.registry import SIMULATORS
from tests.servers.process import ROOT, build_command

SANDBOX = "sandbox.cli"
WAIT_SECONDS_MAX = 60.0
STOP_SECONDS_MAX = 60.0


@contextmanager
def running(number: signal.Signals) -> Iterator[str]:
    """What the command has printed when it is ready; it ends well by this signal."""
    with subprocess.Popen(
        [*build_command(SANDBOX), "sandbox", "--port", "0"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout is not None
        printed = ""
        try:
            while "-X DELETE" not in printed:
                line = process.stdout.readline()
                assert line, printed
                printed += line
            yield printed
            process.send_signal(number)
            rest, _ = process.communicate(timeout=STOP_SECONDS_MAX)
            assert (process.returncode, rest.strip()) == (0, "Stopped.")
        finally:
            process.kill()


def read_setting(printed: str) -> dict[str, dict[str, str]]:
    """The setting that is to be pasted into a shell."""
    (line,) = re.findall(r"^ +export KLOUDLESS_CONNECTORS=(.*)$", printed, re.MULTILINE)
    (text,) = shlex.split(line)
    setting: dict[str, dict[str, str]] = json.loads(text)
    return setting


def ask(url: str, data: dict[str, Any] | None = None) -> Any:
    with httpx.Client(trust_env=False, timeout=WAIT_SECONDS_MAX) as client:
        reply = client.get(url) if data is None else client.post(url, json=data)
    assert reply.is_success, reply.text
    return reply.json()


@pytest.fixture(scope="module")
def printed() -> Iterator[str]:
    with running(signal.SIGINT) as said:
        yield said


def test_setting_leads_every_connector_to_its_simulator_when_it_is_pasted(printed: str, tmp_path: Path) -> None:
    setting = read_setting(printed)
    assert set(setting) == {simulator.service for simulator in SIMULATORS}
    registry = build_registry_from(Settings(data_dir=tmp_path, connectors=setting))
    for name, told in setting.items():
        service = registry.find(name)
        assert service is not None
        assert service.client is not None
        assert service.client.client_id == told["client_id"]
        assert isinstance(service.manifest.auth, OAuth2)
        assert service.manifest.auth.token_url.startswith(told["endpoint"])
        assert printed.count(told["endpoint"]) > 1


def test_every_page_that_is_named_is_there_when_the_simulators_run(printed: str) -> None:
    for simulator in SIMULATORS:
        told = read_setting(printed)[simulator.service]
        assert ask(f"{told['endpoint']}/simulator")["provider"] == simulator.title
        asked = {"client_id": told["client_id"], "response_type": "code", "redirect_uri": "http://localhost/"}
        for name in ("authorize_url", "token_url", "revoke_url"):
            method = "GET" if name == "authorize_url" else "POST"
            reply = httpx.request(method, told[name], params=asked, trust_env=False, timeout=60)
            assert reply.status_code in {200, 400, 401}, (name, reply.text)


def test_faults_come_and_go_when_the_printed_commands_are_pasted(printed: str) -> None:
    commands = re.findall(r"^ +(curl .*)$", printed, re.MULTILINE)
    *asking, clearing = commands
    for command in commands:
        done = subprocess.run(["bash", "-c", f"{command} -fsS"], capture_output=True, text=True, timeout=60, check=True)
        assert json.loads(done.stdout)["provider"] == SIMULATORS[0].title
    assert len(asking) == 3
    assert "DELETE" in clearing


def test_nobody_answers_any_more_when_it_has_ended() -> None:
    with running(signal.SIGTERM) as said:
        url = read_setting(said)[SIMULATORS[0].service]["endpoint"]
        assert ask(f"{url}/simulator")
    with pytest.raises(httpx.ConnectError):
        ask(f"{url}/simulator")


@pytest.mark.parametrize(("is_taken", "words"), [(True, "Choose another --port."), (False, "choose a smaller --port.")])
def test_it_says_what_to_do_when_a_port_cannot_be_had(
    is_taken: bool, words: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cli, "set_up_logging", lambda **_: None)  # it would redirect the whole test process
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1] if is_taken else 65536
        monkeypatch.setattr("sys.argv", ["kloudless", "sandbox", "--port", str(port)])
        with pytest.raises(SystemExit) as ended:
            main()
    said = capsys.readouterr()
    assert (ended.value.code, said.out, said.err.count("\n")) == (1, "", 1)
    assert words in said.err
