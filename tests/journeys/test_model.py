"""Sequences of operations on accounts of every kind come out as they do in a model of a tree.

`make soak` plays many more.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import Phase
from hypothesis.stateful import run_state_machine_as_test

from tests.app.drive import Drive
from tests.connectors.s3.target import make_versioned_bucket
from tests.fuzzing import FACTOR, build_fuzz_settings
from tests.journeys.model import TreeMachine
from tests.servers.accounts import KINDS, LOOPBACK, AccountKind, build_seaweedfs_account
from tests.servers.api import Api, build_settings, running_api
from tests.servers.seaweedfs import SHARED_SEAWEEDFS

STEPS_COUNT = 25
STORIES_COUNT = 20


def build_versions_account(api: Api, name: str) -> dict[str, Any]:
    """A folder of a bucket that keeps versions."""
    server = SHARED_SEAWEEDFS.get()
    bucket = f"{server.bucket}-versions"
    make_versioned_bucket(server, bucket)
    return {**build_seaweedfs_account(api, name), "bucket": bucket}


VERSIONS = AccountKind(name="seaweedfs, versions", build=build_versions_account, offers=frozenset({"list_versions"}))


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    settings = build_settings(tmp_path_factory.mktemp("model"), allowed_networks=[LOOPBACK])
    with running_api(settings) as running:
        yield running


@pytest.mark.timeout(600 * FACTOR)
@pytest.mark.parametrize("kind", [*KINDS, VERSIONS], ids=lambda kind: kind.name)
def test_account_agrees_with_the_model(api: Api, kind: AccountKind) -> None:
    caller = api.create_caller(kind.build)
    with caller.client() as client:
        attributes = {"drive": Drive(caller, client), "has_versions": "list_versions" in kind.offers}
        machine = type("Machine", (TreeMachine,), attributes)
        chosen = build_fuzz_settings(STORIES_COUNT, stateful_step_count=STEPS_COUNT, phases=[Phase.generate])
        run_state_machine_as_test(machine, settings=chosen)
