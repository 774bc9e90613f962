"""`kloudless doctor --deep`: the way to every storage step by step, against a real WebDAV server over TLS."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from app.accounts.callers import load_row
from app.accounts.credentials import open_credentials, seal_credentials
from app.core.settings import Settings
from app.core.state import State, build_state
from app.doctor import providers
from app.models import Account
from tests.app.commands.conftest import ROOT, Run
from tests.servers.ports import find_free_port
from tests.servers.rclone import running_rclone_webdav
from tests.servers.webdav import WebDavServer

SECRET = "a-secret-of-the-account"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebDavServer]:
    with running_rclone_webdav(tmp_path_factory.mktemp("webdav"), is_tls=True) as running:
        yield running


@dataclass(frozen=True)
class Deep:
    """An installation with accounts, and what the doctor says of them."""

    run: Run
    app: str
    variables: dict[str, str]

    def add(self, server: WebDavServer, path: str = "") -> int:
        """Connects a folder of the server."""
        if path:
            with server.client() as client:
                assert client.request("MKCOL", path).status_code == 201
        options = ("--url", f"{server.url}{path}", "--username", server.user)
        given = {**self.variables, "KLOUDLESS_ADD_PASSWORD": server.password}
        added = self.run("account", "add", "webdav", "--app", self.app, *options, "--json", **given)
        assert added.status == 0, added.err
        number: int = added.json["id"]
        return number

    def change(self, account_id: int, **credentials: str) -> None:
        """Makes the account's stored credentials wrong, as time does."""

        async def change(state: State) -> None:
            row = await load_row(state, account_id)
            assert row is not None
            sealed = seal_credentials(
                state,
                open_credentials(state, row) | credentials,
                application_id=row.application_id,
                service=row.service,
            )
            async with state.db.writing() as session:
                await session.execute(update(Account).where(Account.id == account_id).values(sealed_credentials=sealed))

        async def run() -> None:
            state = build_state(Settings())
            try:
                await change(state)
            finally:
                await state.aclose()

        asyncio.run(run())

    def look(self, *options: str, **variables: str) -> tuple[int, list[dict[str, Any]]]:
        """The exit status, and what was found of accounts."""
        answer = self.run("doctor", "--deep", *options, "--json", **(self.variables | variables))
        assert SECRET not in answer.out + answer.err
        names = [finding["name"] for finding in answer.json]
        return answer.status, answer.json[names.index("public origins") + 1 :]

    def find_failure(self, **variables: str) -> tuple[str, str]:
        """What the only finding about an account says that does not work."""
        status, (found,) = self.look(**variables)
        assert (status, found["status"]) == (1, "failed")
        return found["text"], found["advice"]


@pytest.fixture
def deep(run: Run, app_id: str, server: WebDavServer) -> Deep:
    variables = {
        "KLOUDLESS_PORT": str(find_free_port()),
        "KLOUDLESS_ALLOWED_NETWORKS": "127.0.0.0/8",
        "KLOUDLESS_PROVIDER_CA_FILE": str(server.certificate and server.certificate.authority_path),
    }
    return Deep(run, app_id, variables)


def test_every_step_is_timed_when_all_is_well(deep: Deep, server: WebDavServer) -> None:
    deep.add(server)
    assert deep.run("account", "add", "local", "--app", deep.app, "--root", ROOT).status == 0
    status, found = deep.look()
    assert status == 0
    assert {finding["name"]: (finding["status"], list(finding["seconds"])) for finding in found} == {
        "webdav": ("ok", ["name", "connection", "TLS", "call"]),
        "local": ("ok", ["call"]),
    }
    for finding in found:
        assert all(0 <= seconds < providers.VISIT_SECONDS_MAX for seconds in finding["seconds"].values())
        assert "call" in finding["text"]


def test_one_account_of_each_service_and_host_is_called_unless_all_are_asked_for(
    deep: Deep, server: WebDavServer
) -> None:
    first, second = deep.add(server, "first/"), deep.add(server, "second/")
    by_host, by_account = deep.look()[1], deep.look("--all")[1]
    assert len(by_host) == 1
    assert sorted(finding["text"].split()[1] for finding in by_account) == sorted(map(str, (first, second)))
    assert deep.run("doctor", "--all", **deep.variables).status == 2


def test_storages_beyond_the_limit_are_said_to_be_left_out(
    deep: Deep, server: WebDavServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    deep.add(server)
    deep.run("account", "add", "local", "--app", deep.app, "--root", ROOT)
    monkeypatch.setattr(providers, "VISITS_MAX", 1)
    status, (called, left) = deep.look()
    assert (status, called["status"], left["status"]) == (0, "ok", "skipped")
    assert left["text"].startswith("1 more")


def test_refused_credentials_say_to_connect_anew(deep: Deep, server: WebDavServer) -> None:
    deep.change(deep.add(server), password=SECRET)
    text, advice = deep.find_failure()
    assert "TLS" in text  # so far it worked
    assert "connect the account again" in advice


def test_certificate_of_an_unknown_authority_says_which_setting_helps(deep: Deep, server: WebDavServer) -> None:
    deep.add(server)
    text, advice = deep.find_failure(KLOUDLESS_PROVIDER_CA_FILE="")
    assert "certificate is not trusted" in text
    assert "KLOUDLESS_PROVIDER_CA_FILE" in advice


def test_closed_port_is_told_from_a_port_without_tls(deep: Deep, server: WebDavServer) -> None:
    number = deep.add(server)
    deep.change(number, url=f"https://127.0.0.1:{find_free_port()}/", password=SECRET)
    assert "connection refused" in deep.find_failure()[0]
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.listen()
        deep.change(number, url=f"https://localhost:{silent.getsockname()[1]}/")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(providers, "STEP_SECONDS_MAX", 0.3)
            assert "does it speak TLS" in deep.find_failure()[0]


def test_storage_that_never_answers_holds_nothing_up(
    deep: Deep, server: WebDavServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = deep.add(server)
    monkeypatch.setattr(providers, "VISIT_SECONDS_MAX", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        deep.change(number, url=f"http://127.0.0.1:{silent.getsockname()[1]}/", password=SECRET)
        text, _ = deep.find_failure()
    assert "no answer within 0.5 s" in text
    assert "connection" in text.partition("before that")[2]


def test_address_that_is_not_allowed_is_not_called(deep: Deep, server: WebDavServer) -> None:
    deep.add(server)
    text, advice = deep.find_failure(KLOUDLESS_ALLOWED_NETWORKS="")
    assert "not public" in text
    assert "KLOUDLESS_ALLOWED_NETWORKS" in advice


def test_name_that_nobody_knows_is_said(deep: Deep, server: WebDavServer) -> None:
    deep.change(deep.add(server), url=f"https://{'a' * 64}.invalid/")
    assert "could not be looked up" in deep.find_failure()[0]


def test_nothing_is_called_when_nothing_is_connected_or_the_database_is_not_ready(run: Run, tmp_path: Path) -> None:
    fresh = Deep(run, "", {"KLOUDLESS_PORT": str(find_free_port())})
    assert [finding["text"] for finding in fresh.look()[1]] == ["needs: keys, migrations"]
    assert not (tmp_path / "data").exists()
    run("migrate")
    found = fresh.look()[1]
    assert [(finding["name"], finding["status"]) for finding in found] == [("providers", "skipped")]


def test_people_read_one_line_for_an_account(deep: Deep, server: WebDavServer) -> None:
    number = deep.add(server)
    said = deep.run("doctor", "--deep", **deep.variables).out.splitlines()
    (line,) = [line for line in said if line.startswith("ok       webdav")]
    assert f"account {number} at 127.0.0.1:" in line
    assert line.count(" ms") == 4
