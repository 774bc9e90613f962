"""The commands `backup` and `restore`: what they say, and what they need to be told."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from app.core.keys import KeyRing
from tests.app.commands.conftest import Run


@pytest.fixture
def backup(run: Run, app_id: str, tmp_path: Path) -> Path:
    """Of a database with one application, whose key is sealed."""
    path = tmp_path / "a.backup"
    assert run("backup", str(path)).status == 0
    return path


@pytest.fixture
def other(tmp_path: Path) -> dict[str, str]:
    """Another installation, which has the keys of the first."""
    folder = tmp_path / "other"
    folder.mkdir()
    shutil.copy(tmp_path / "data" / "keys.json", folder)
    return {"KLOUDLESS_DATA_DIR": str(folder)}


def test_backup_in_a_folder_is_named_after_its_time_and_tells_that_it_has_no_keys(
    run: Run, app_id: str, tmp_path: Path
) -> None:
    folder = tmp_path / "backups"
    folder.mkdir()
    answer = run("backup", str(folder), "--json")
    (path,) = folder.iterdir()
    assert (answer.status, answer.json["file"], path.suffix) == (0, str(path), ".backup")
    ring = KeyRing.from_file(tmp_path / "data" / "keys.json")
    assert (answer.json["sealing_key_ids"], answer.json["id_key_check"]) == ([*ring.key_ids], ring.id_key_check)
    assert "THE KEYS ARE NOT IN IT" in answer.err
    assert str(tmp_path / "data" / "keys.json") in answer.err
    content = path.read_bytes()
    assert ring.keys.id_key.encode() not in content
    path.unlink()
    assert run("backup", str(folder)).out.splitlines()[-1] == f"needs sealing keys: {ring.key_ids[0]}"


def test_backup_is_checked_without_a_database(run: Run, backup: Path, tmp_path: Path) -> None:
    empty = str(tmp_path / "empty")
    answer = run("restore", str(backup), "--check", "--json", KLOUDLESS_DATA_DIR=empty)
    assert (answer.status, answer.json["database"], len(answer.json["sealing_key_ids"])) == (0, "sqlite", 1)
    assert not Path(empty).exists()


def test_restored_database_goes_on_where_the_first_was(
    run: Run, app_id: str, backup: Path, other: dict[str, str]
) -> None:
    keys = run("key", "list", "--app", app_id, "--json").json
    answer = run("restore", str(backup), **other)
    assert (answer.status, answer.err) == (0, "")
    assert f"file: {backup}" in answer.out
    assert run("key", "list", "--app", app_id, "--json", **other).json == keys
    refused = run("restore", str(backup), **other)
    assert (refused.status, refused.out, refused.err.count("\n")) == (1, "", 1)
    assert "--replace" in refused.err
    replaced = run("restore", str(backup), "--replace", **other)
    assert replaced.status == 0
    assert "What was there before is kept as" in replaced.err
    assert run("key", "list", "--app", app_id, "--json", **other).json == keys


@pytest.mark.parametrize("has_other_keys", [False, True])
def test_restoring_waits_for_the_right_keys_unless_told_that_they_come_later(
    run: Run, app_id: str, backup: Path, tmp_path: Path, *, has_other_keys: bool
) -> None:
    folder = tmp_path / "keyless"
    variables = {"KLOUDLESS_DATA_DIR": str(folder)}
    if has_other_keys:
        KeyRing.from_file(folder / "keys.json", create=True)
    refused = run("restore", str(backup), **variables)
    assert (refused.status, refused.out, refused.err.count("\n")) == (1, "", 1)
    assert "the right keys are not here" in refused.err
    assert str(folder / "keys.json") in refused.err
    assert not (folder / "kloudless.db").exists()
    answer = run("restore", str(backup), "--keys-later", **variables)
    assert answer.status == 0
    assert "Bring the keys before a server starts" in answer.err
    shutil.copy(tmp_path / "data" / "keys.json", folder)
    assert len(run("key", "list", "--app", app_id, "--json", **variables).json) == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("backup", "{tmp}/missing/a.backup"), "missing"),
        (("restore", "{tmp}/missing.backup"), "No such file"),
        (("restore", "{tmp}/data/keys.json"), "no backup of ours"),
        (("restore", "{tmp}/data/keys.json", "--check"), "no backup of ours"),
    ],
)
def test_mistake_with_a_backup_is_one_plain_line(
    run: Run, app_id: str, tmp_path: Path, arguments: tuple[str, ...], said: str
) -> None:
    answer = run(*(argument.format(tmp=tmp_path) for argument in arguments))
    assert (answer.status, answer.out, answer.err.count("\n")) == (1, "", 1)
    assert said in answer.err
