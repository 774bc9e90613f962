"""What all commands share, and those of developers, applications, accounts and keys."""

from __future__ import annotations

import io
import json
import secrets
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import typer

from app import cli
from app.core.keys import KeyRing
from app.core.settings import Settings
from app.server import only_server, open_socket
from tests.app.commands.conftest import ROOT, Run
from tests.servers.ports import find_free_port
from tests.servers.postgres import create_database, drop_database
from tests.servers.sandbox import SERVICES, SHARED_SANDBOX


def _walk(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    yield path, command
    for name, inner in getattr(command, "commands", {}).items():
        yield from _walk(inner, (*path, name))


def test_help_explains_every_command_and_option(run: Run) -> None:
    assert run("--help").status == 0  # adds the commands that the services bring
    seen = set()
    for path, command in _walk(typer.main.get_command(cli.cli)):
        answer = run(*path, "--help")
        assert answer.status == 0
        assert command.help, path
        for parameter in command.params:
            shown = parameter.opts[0] if parameter.opts[0].startswith("--") else parameter.name
            assert shown in answer.out, (path, parameter)
            assert getattr(parameter, "help", None), (path, parameter)
        for name, inner in getattr(command, "commands", {}).items():
            assert name in answer.out
            assert (inner.help or "").split(";")[0].split(".")[0] in answer.out
        seen.add(" ".join(path))
    assert seen >= {
        "serve",
        "migrate",
        "developer create",
        "app create",
        "app list",
        "key create",
        "key list",
        "key revoke",
        "account add local",
        "account list",
        "account check",
        "account remove",
        "backup",
        "doctor",
        "health",
        "keys create",
        "keys rotate",
        "restore",
    }


@pytest.mark.parametrize("group", [(), ("app",), ("account",), ("account", "add"), ("keys",), ("key",), ("developer",)])
def test_commands_are_listed_when_none_is_named(run: Run, group: tuple[str, ...]) -> None:
    answer = run(*group)
    assert "Commands" in answer.out + answer.err


def test_developer_application_and_keys_are_made_and_listed(run: Run) -> None:
    developer = run("developer", "create", "--name", "Ada", "--json").json
    assert (developer["name"], set(developer)) == ("Ada", {"id", "name", "token"})
    made = run("app", "create", "--name", "Ada's", "--developer", str(developer["id"]), "--json").json
    assert set(made) == {"id", "name", "api_key"}
    listed = run("app", "list", "--json").json
    assert listed == [{"id": made["id"], "name": "Ada's", "developer": developer["id"], "active": True}]
    second = run("key", "create", "--app", made["id"], "--json").json
    keys = run("key", "list", "--app", made["id"], "--json").json
    assert [key["key"] for key in keys] == [made["api_key"], second["key"]]
    assert run("key", "revoke", second["key"], "--app", made["id"]).out == "Revoked.\n"
    assert len(run("key", "list", "--app", made["id"], "--json").json) == 1


def test_people_read_the_same_as_scripts(run: Run, app_id: str) -> None:
    for command in (("app", "list"), ("key", "list", "--app", app_id)):
        as_json, as_text = run(*command, "--json").json, run(*command).out
        for value in as_json[0].values():
            assert str(value) in as_text
    assert run("account", "list").out == "None.\n"
    developer = dict(line.split(": ") for line in run("developer", "create").out.splitlines())
    assert set(developer) == {"id", "name", "token"}
    key = dict(line.split(": ") for line in run("key", "create", "--app", app_id).out.splitlines())
    assert key["app"] == app_id


def test_account_is_added_checked_listed_and_removed(run: Run, app_id: str, folder: Path) -> None:
    (folder / "2024").mkdir()
    command = ("account", "add", "local", "--app", app_id, "--root", ROOT, "--folder", "2024", "--json")
    added = run(*command, "--label", "Holidays").json
    assert set(added) == {"id", "account", "status", "bearer_token"}
    assert (added["account"], added["status"]) == ("Holidays", "connected")
    again = run(*command).json
    assert (again["id"], again["status"]) == (added["id"], "connected again")
    listed = run("account", "list", "--app", app_id, "--json").json
    assert [(row["id"], row["service"], row["app"], row["active"]) for row in listed] == [
        (added["id"], "local", app_id, True)
    ]
    assert run("account", "list", "--json").json == listed
    assert run("account", "list", "--app", "another", "--json").json == []
    assert run("account", "check", str(added["id"]), "--json").json["status"] == "ok"
    assert run("account", "remove", str(added["id"])).out == "Removed.\n"
    assert run("account", "list", "--json").json == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("key", "list", "--app", "missing"), "There is no such application."),
        (("key", "create", "--app", "missing"), "There is no such application."),
        (("key", "revoke", "some-key", "--app", "missing"), "There is no such application."),
        (("key", "revoke", "some-key", "--app", "{app}"), "The application has no such key."),
        (("app", "create", "--name", "A", "--developer", "99"), "There is no such developer."),
        (("app", "create", "--name", "", "--developer", "1"), "name: String should have at least 1 character"),
        (("account", "check", "99"), "There is no such account."),
        (("account", "remove", "99"), "There is no such account."),
        (("account", "add", "local", "--app", "missing", "--root", ROOT), "There is no application 'missing'"),
        (("account", "add", "local", "--app", "{app}", "--root", "none"), "the operator lists no root 'none'"),
        (("account", "add", "local", "--app", "{app}", "--root", ROOT, "--folder", "none"), "has no folder 'none'"),
    ],
)
def test_mistake_is_one_plain_line(run: Run, app_id: str, arguments: tuple[str, ...], said: str) -> None:
    answer = run(*(argument.format(app=app_id) for argument in arguments))
    assert (answer.status, answer.out) == (1, "")
    assert answer.err.startswith("kloudless: ")
    assert answer.err.count("\n") == 1
    assert said in answer.err


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"KLOUDLESS_PORT": "http"}, "setting port: "),
        ({"KLOUDLESS_CONNECTORS": "{"}, "connectors"),
        ({"KLOUDLESS_CONNECTORS": '{"local": {"roots": {"a": {}}}}'}, "local.roots.a has exactly two settings"),
        ({"PUBLIC_ORIGINS": "example.com"}, "setting public_origins: "),
        ({"KLOUDLESS_KEYS": "{}"}, "keys are not in the expected form"),
        ({"DATABASE_URL": "nonsense", "KLOUDLESS_KEYS": "{keys}"}, "Could not parse"),
        ({"DATABASE_URL": "other://u:s3cret@h/d", "KLOUDLESS_KEYS": "{keys}"}, "other"),
        ({"DATABASE_URL": "postgresql+asyncpg://u:s3cret@127.0.0.1:{port}/d"}, "key file"),
        (
            {"DATABASE_URL": "postgresql+asyncpg://u:s3cret@127.0.0.1:{port}/d", "KLOUDLESS_KEYS": "{keys}"},
            "database cannot be reached",
        ),
        ({"KLOUDLESS_DATA_DIR": "/dev/null/data"}, "/dev/null/data"),
    ],
)
def test_wrong_setting_is_one_plain_line(run: Run, tmp_path: Path, variables: dict[str, str], said: str) -> None:
    keys = KeyRing.from_file(tmp_path / "other.json", create=True).to_text()
    port = str(find_free_port())
    answer = run(
        "app",
        "list",
        **{name: value.replace("{port}", port).replace("{keys}", keys) for name, value in variables.items()},
    )
    assert (answer.status, answer.out, answer.err.count("\n")) == (1, "", 1)
    assert answer.err.startswith("kloudless: ")
    assert said in answer.err
    assert "s3cret" not in answer.err


def test_unknown_service_and_missing_option_are_named(run: Run, app_id: str) -> None:
    for arguments, said in ((("account", "add", "elsewhere"), "elsewhere"), (("key", "create"), "--app")):
        answer = run(*arguments)
        assert answer.status == 2
        assert said in answer.err
    assert "--root" in run("account", "add", "local", "--app", app_id).err


class Terminal(io.StringIO):
    """What a person types."""

    def isatty(self) -> bool:
        return True


def test_a_person_is_asked_for_what_is_missing(run: Run, app_id: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal(f"{ROOT}\n"))
    answer = run("account", "add", "local", "--app", app_id)
    assert answer.status == 0
    assert "status: connected" in answer.out
    assert "The name of a folder that the operator lists" in answer.err


def test_nothing_is_saved_when_the_connection_fails(run: Run, app_id: str) -> None:
    answer = run("account", "add", "local", "--app", app_id, "--root", "elsewhere")
    assert answer.status == 1
    assert "was not connected, nothing was saved" in answer.err
    assert run("account", "list", "--json").json == []


def test_keys_are_made_once_and_rotated(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "data" / "keys.json"
    assert run("keys", "create").status == 0
    made = KeyRing.from_file(path).keys
    refused = run("keys", "create")
    assert (refused.status, "exists; it is kept" in refused.err) == (1, True)
    assert run("keys", "create", "--if-missing").out == f"Kept {path}.\n"
    assert KeyRing.from_file(path).keys == made
    app = run(
        "app", "create", "--name", "A", "--developer", str(run("developer", "create", "--json").json["id"]), "--json"
    )
    assert run("keys", "rotate").err == "Sealed 1 secrets anew.\n"
    rotated = KeyRing.from_file(path).keys
    assert (rotated.id_key, rotated.sealing_keys[1:]) == (made.id_key, made.sealing_keys)
    assert run("keys", "rotate", "--forget-old").err == "Sealed 1 secrets anew.\n"
    forgotten = KeyRing.from_file(path).keys
    assert (forgotten.id_key, len(forgotten.sealing_keys)) == (made.id_key, 1)
    listed = run("key", "list", "--app", app.json["id"], "--json").json
    assert [key["key"] for key in listed] == [app.json["api_key"]]


def test_new_keys_are_printed_when_they_are_kept_in_the_environment(run: Run, tmp_path: Path) -> None:
    ring = KeyRing.from_file(tmp_path / "other.json", create=True)
    answer = run("keys", "rotate", KLOUDLESS_KEYS=ring.to_text())
    assert answer.status == 0
    assert KeyRing.from_text(answer.out).keys.sealing_keys[1:] == ring.keys.sealing_keys


def test_server_is_refused_when_another_one_serves_the_folder(run: Run) -> None:
    with only_server(Settings()):
        answer = run("serve")
        assert (answer.status, answer.out, answer.err.count("\n")) == (1, "", 1)
        assert "Another server already serves" in answer.err
        assert run("app", "list").status == 0


def test_server_is_refused_when_its_port_is_taken(run: Run) -> None:
    port = find_free_port()
    with open_socket(Settings(port=port)):
        answer = run("serve", KLOUDLESS_PORT=str(port))
    assert (answer.status, answer.out, answer.err.count("\n")) == (1, "", 1)
    assert f"Cannot listen on 127.0.0.1:{port}" in answer.err
    assert "KLOUDLESS_PORT" in answer.err


def test_embedded_database_is_migrated_and_its_revision_told(run: Run) -> None:
    for _ in range(2):
        assert run("migrate").out.startswith("The database is at revision 0")


def test_database_of_a_newer_version_is_refused(run: Run, tmp_path: Path) -> None:
    run("migrate")
    with closing(sqlite3.connect(tmp_path / "data" / "kloudless.db")) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    answer = run("app", "list")
    assert (answer.status, answer.err.count("\n")) == (1, 1)
    assert "9999" in answer.err


def test_server_database_is_migrated_only_when_asked(run: Run, postgres_url: str, tmp_path: Path) -> None:
    name = f"c{secrets.token_hex(6)}"
    keys = KeyRing.from_file(tmp_path / "other.json", create=True)
    variables = {"DATABASE_URL": create_database(postgres_url, name), "KLOUDLESS_KEYS": keys.to_text()}
    refused = run("serve", **variables)
    assert (refused.status, refused.err.count("\n")) == (1, 1)
    assert "run: kloudless migrate" in refused.err
    early = run("app", "list", **variables)
    assert (early.status, early.err.count("\n")) == (1, 1)
    assert "migrated?" in early.err
    assert run("migrate", **variables).status == 0
    assert run("app", "list", "--json", **variables).json == []
    drop_database(postgres_url, name)
    gone = run("migrate", **variables)
    assert (gone.status, gone.err.count("\n")) == (1, 1)
    assert "does not exist" in gone.err


def test_check_says_who_renews_the_access_or_how_to_set_that_up(run: Run, app_id: str) -> None:
    judged = SHARED_SANDBOX.get()[SERVICES[0]]
    told, token = judged.place.build_settings(), judged.build_account()["token"]
    with_client = {"KLOUDLESS_CONNECTORS": json.dumps({SERVICES[0]: told})}
    add = ("account", "add", SERVICES[0], "--app", app_id, "--json")
    number = str(run(*add, KLOUDLESS_ADD_ACCESS_TOKEN=token, **with_client).json["id"])
    assert run("account", "check", number, "--json", **with_client).json["oauth_client"] == told["client_id"]
    without = {name: value for name, value in told.items() if not name.startswith("client_")}
    checked = run("account", "check", number, "--json", KLOUDLESS_CONNECTORS=json.dumps({SERVICES[0]: without})).json
    assert (checked["status"], "Going live" in checked["oauth_client"]) == ("ok", True)
