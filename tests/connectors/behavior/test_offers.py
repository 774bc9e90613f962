from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest

from connectors.core.connector import Connector
from connectors.core.manifest import Capabilities
from tests.connectors.behavior.offers import NOT_OFFERED, find_missing, remove_not_offered
from tests.connectors.behavior.target import Target
from tests.connectors.behavior.targets import TARGETS


@pytest.fixture
def bare() -> Target:
    """A target that declares nothing."""
    manifest = msgspec.structs.replace(TARGETS[0].manifest, capabilities=Capabilities(download_range=False))
    return Target(name="bare", manifest=manifest, open=TARGETS[0].open)


def test_case_is_taken_out_and_listed_when_its_capability_is_not_declared(bare: Target) -> None:
    def item(target: Target | None, *needs: str) -> Any:
        marks = [pytest.mark.needs(*needs).mark] if needs else []
        return SimpleNamespace(
            path=SimpleNamespace(stem="test_download"),
            originalname="test_it",
            callspec=SimpleNamespace(params={"target": target}),
            iter_markers=lambda _: marks,
        )

    config = cast("pytest.Config", SimpleNamespace(stash=pytest.Stash()))
    items = [item(bare, "download_range"), item(bare), item(None), item(bare, "get_quota", "names_unique")]
    kept = [items[1], items[2]]
    remove_not_offered(config, items)
    assert items == kept
    assert config.stash[NOT_OFFERED] == [
        "not offered: bare: test_download::test_it: needs download_range",
        "not offered: bare: test_download::test_it: needs get_quota",
    ]


def test_costly_case_is_taken_out_and_listed_when_its_target_is_a_repeat(bare: Target) -> None:
    def item(target: Target, *marks: pytest.Mark) -> Any:
        return SimpleNamespace(
            path=SimpleNamespace(stem="test_download"),
            originalname="test_it",
            callspec=SimpleNamespace(params={"target": target}),
            iter_markers=lambda name: [mark for mark in marks if mark.name == name],
        )

    config = cast("pytest.Config", SimpleNamespace(stash=pytest.Stash()))
    repeat, costly = replace(bare, is_repeat=True), pytest.mark.costly.mark
    items = [item(repeat, costly), item(repeat), item(bare, costly)]
    kept = items[1:]
    remove_not_offered(config, items)
    assert items == kept
    assert config.stash[NOT_OFFERED] == ["not repeated: bare: test_download::test_it: too costly to come again"]


def test_what_the_engine_adds_is_offered_when_the_provider_lacks_it(bare: Target) -> None:
    simulated = ["copy", "copy_folder", "get_by_path", "delete_recursive", "list_recursive", "search", "list_recent"]
    assert find_missing(simulated, bare) == []
    assert find_missing(["get_quota", "start_upload"], bare) == ["get_quota", "start_upload"]


def test_unknown_capability_is_an_error_when_a_case_needs_it(bare: Target) -> None:
    with pytest.raises(AttributeError):
        find_missing(["fly"], bare)


async def test_declared_capabilities_are_those_of_the_opened_connector(target: Target, connector: Connector) -> None:
    assert connector.capabilities == target.capabilities
    assert connector.manifest.limits == target.limits
