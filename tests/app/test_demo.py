"""What `serve --demo` makes, keeps and makes again."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from app.accounts.service import purge_account, revoke_token
from app.applications.service import (
    DeveloperCaller,
    authenticate_developer,
    delete_application,
    delete_key,
    find_application_id_by_key,
)
from app.core.errors import ApiError
from app.core.http.credentials import Credentials
from app.core.migrating import migrate
from app.core.settings import Settings
from app.core.state import State, build_registry_from, build_state
from app.core.tokens import hash_token
from app.demo import (
    Demo,
    Neighbors,
    allow_this_machine,
    describe_demo,
    follow_demo,
    lead_to,
    leading_commands,
    prepare_demo,
    show_metrics,
)

Spoil = Callable[[State, Demo], Coroutine[Any, Any, None]]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    made = Settings(data_dir=tmp_path / "data")
    migrate(made)
    return made


async def _prepare(settings: Settings, spoil: Spoil | None = None) -> tuple[Demo, str | None]:
    """Runs once, as a process would; then says whose the printed key is, and spoils things if asked to."""
    state = build_state(settings)
    try:
        demo = await prepare_demo(state)
        owner = await find_application_id_by_key(state, demo.api_key)
        await authenticate_developer(state, Credentials("bearer", demo.developer_token))
        if spoil is not None:
            await spoil(state, demo)
        return demo, owner
    finally:
        await state.aclose()


async def test_file_holds_exactly_what_scripts_need_and_is_private(settings: Settings) -> None:
    demo, owner = await _prepare(settings)
    written = json.loads(settings.demo_file.read_text())
    assert set(written) == {
        "base_url",
        "application_id",
        "api_key",
        "developer_token",
        "accounts",
        "metrics_token",
        "connectors",
    }
    assert [set(account) for account in written["accounts"]] == [{"id", "service", "account", "bearer_token"}]
    assert (written["application_id"], written["base_url"]) == (owner, settings.base_url)
    assert stat.S_IMODE(settings.demo_file.stat().st_mode) == 0o600
    assert [path.name for path in settings.data_dir.glob("demo*")] == ["demo.json"]
    assert len(list(settings.demo_path.rglob("*"))) > 8
    assert demo.api_key in describe_demo(settings, demo)


async def test_everything_is_reused_when_it_runs_again(settings: Settings) -> None:
    first, _ = await _prepare(settings)
    written = settings.demo_file.stat().st_mtime_ns
    (settings.demo_path / "Welcome.md").unlink()
    assert (await _prepare(settings))[0] == first
    assert settings.demo_file.stat().st_mtime_ns == written
    assert not (settings.demo_path / "Welcome.md").exists()


async def test_metrics_are_shown_with_the_demos_token_unless_the_operator_set_one(settings: Settings) -> None:
    demo, _ = await _prepare(settings)
    shown = show_metrics(settings, demo).metrics_token
    assert shown is not None
    assert shown.get_secret_value() == demo.metrics_token
    own = settings.model_copy(update={"metrics_token": SecretStr("the-operators-own")})
    assert show_metrics(own, demo) == own


async def test_only_the_address_changes_when_the_port_does(settings: Settings) -> None:
    first, _ = await _prepare(settings)
    moved = settings.model_copy(update={"port": settings.port + 1})
    await _prepare(moved)
    written = json.loads(settings.demo_file.read_text())
    assert written["base_url"] == moved.base_url != first.base_url
    assert {**written, "base_url": first.base_url} == json.loads(json.dumps(_plain(first)))


def _plain(demo: Demo) -> dict[str, Any]:
    accounts = [{name: getattr(account, name) for name in account.__struct_fields__} for account in demo.accounts]
    return {name: getattr(demo, name) for name in demo.__struct_fields__} | {"accounts": accounts}


@pytest.mark.parametrize("content", [None, "", "{}", '{"base_url": 1}'])
async def test_file_is_made_again_when_it_is_gone_or_broken(settings: Settings, content: str | None) -> None:
    first, _ = await _prepare(settings)
    settings.demo_file.unlink()
    if content is not None:
        settings.demo_file.write_text(content)
    second, owner = await _prepare(settings)
    assert owner == first.application_id
    assert (second.api_key, second.accounts[0].id) == (first.api_key, first.accounts[0].id)
    assert second.developer_token != first.developer_token
    assert stat.S_IMODE(settings.demo_file.stat().st_mode) == 0o600
    assert json.loads(settings.demo_file.read_text()) == _plain(second)


async def _delete_account(state: State, demo: Demo) -> None:
    await purge_account(state, account_id=demo.accounts[0].id)


async def _revoke_token(state: State, demo: Demo) -> None:
    await revoke_token(state, token_hash=hash_token(demo.accounts[0].bearer_token))


async def _delete_key(state: State, demo: Demo) -> None:
    await delete_key(state, developer_id=None, application_id=demo.application_id, key=demo.api_key)


@pytest.mark.parametrize(
    ("spoil", "changed"),
    [(_delete_account, "bearer_token"), (_revoke_token, "bearer_token"), (_delete_key, "api_key")],
)
async def test_only_what_was_taken_away_is_replaced(settings: Settings, spoil: Spoil, changed: str) -> None:
    first, second = _plain((await _prepare(settings, spoil))[0]), _plain((await _prepare(settings))[0])
    before, after = ({**demo, **demo["accounts"][0]} for demo in (first, second))
    assert {name for name in before if before[name] != after[name]} - {"accounts"} == {changed}


async def test_plain_words_are_said_when_the_demo_application_was_deleted(settings: Settings) -> None:
    async def delete(state: State, demo: Demo) -> None:
        caller: DeveloperCaller = await authenticate_developer(state, Credentials("bearer", demo.developer_token))
        await delete_application(state, caller=caller, application_id=demo.application_id)

    await _prepare(settings, delete)
    with pytest.raises(ApiError, match=r"serve without --demo"):
        await _prepare(settings)


async def test_neighbor_is_not_visited_when_the_operator_told_its_connector_something_himself(
    settings: Settings,
) -> None:
    name = next(service.manifest.service for service in build_registry_from(settings) if service.demo is None)
    own = settings.model_copy(update={"connectors": {name: {}}})
    neighbors = Neighbors(connectors={name: {"client_id": "sandbox"}}, credentials={name: {"access_token": "a"}})
    assert lead_to(settings, neighbors).connectors == neighbors.connectors
    state = build_state(lead_to(own, neighbors))
    try:
        demo = await prepare_demo(state, neighbors)
    finally:
        await state.aclose()
    assert (len(demo.accounts), demo.connectors) == (1, {})


async def test_commands_follow_the_demo_only_while_it_runs(settings: Settings) -> None:
    name = next(service.manifest.service for service in build_registry_from(settings) if service.demo is None)
    assert follow_demo(settings) == settings, "there never was one"
    demo = Demo("http://127.0.0.1", "app", "key", "token", (), connectors={name: {"client_id": "sandbox"}})
    settings.demo_file.write_text(json.dumps(_plain(demo)))
    assert follow_demo(settings) == settings
    with leading_commands(settings):
        assert follow_demo(settings).connectors == follow_demo(settings).connectors == demo.connectors
        assert follow_demo(settings).allowed_networks == allow_this_machine(settings).allowed_networks
        told = settings.model_copy(update={"connectors": {name: {"client_id": "own"}}})
        assert follow_demo(told).connectors == told.connectors
    assert follow_demo(settings) == settings


def test_servers_on_this_machine_are_allowed_unless_the_operator_says_what_is(tmp_path: Path) -> None:
    assert "127.0.0.0/8" in allow_this_machine(Settings(data_dir=tmp_path)).allowed_networks
    chosen = Settings(data_dir=tmp_path, allowed_networks=["10.0.0.0/8"])
    assert allow_this_machine(chosen) == chosen
