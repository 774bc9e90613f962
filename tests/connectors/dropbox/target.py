"""Accounts on the simulated Dropbox: one in a team, whose files are the user's own, and one alone whose calls fail."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from connectors.core.clock import ManualClock
from connectors.core.connector import Connector
from connectors.core.layers.retry import RetryPolicy
from connectors.core.manifest import ACCESS_TOKEN
from connectors.core.resources import PermissionChange
from connectors.core.service import AccountContext, Options, Registry
from connectors.core.stack import Runtime
from connectors.dropbox.manifest import MANIFEST
from connectors.dropbox.service import ENDPOINT, build_service
from simulators.core.faults import SAFE_KINDS, Chance, FaultKind
from simulators.dropbox.scopes import USER_SCOPES
from tests.connectors.behavior.faults import FailingRuntime
from tests.connectors.behavior.target import Target
from tests.servers.dropbox import Place, running_place
from tests.servers.shared import Shared

STRANGER_ID = "dbid:nobody"
SEEDS = range(1, 51) if os.environ.get("FAULTS") == "all" else (1,)
KINDS = (*SAFE_KINDS, FaultKind.LOST_ANSWER, FaultKind.CUT_BODY)
REPEATABLE = r"^(?!.*(files/upload$|session/finish|files/download|copy_v2|add_for_user))"
"""Where a lost answer is asked for again: bytes that break off are the reader's, new names are made once."""

FAULTS_EVERY = 13
"""How often the simulator itself fails, which is no oftener than a retry budget allows."""


def build_patient() -> Runtime:
    """One whose waits take no time, and that tries often: of many calls at once some are unlucky again and again."""
    return Runtime(clock=ManualClock(), policy=RetryPolicy(attempts_max=8))


@contextmanager
def running(_: Path) -> Iterator[Place]:
    """One simulator for the process; its answers are judged when it ends."""
    with running_place() as place:
        yield place


SHARED_DROPBOX = Shared(running)


def open_account(
    place: Place,
    number: int,
    runtime: Runtime,
    *,
    learned: dict[str, Any] | None = None,
    scopes: frozenset[str] = USER_SCOPES,
    **more: Any,
) -> Connector:
    """A user's account as the registry opens it."""
    access_token, _ = place.issue(number, *scopes)
    context = AccountContext(
        account_key=f"user {number}",
        application_id="tests",
        credentials={ACCESS_TOKEN: access_token},
        runtime=runtime,
        learned=learned or {},
        **more,
    )
    options = Options(settings={MANIFEST.service: {ENDPOINT: place.url}})
    return Registry([build_service(options)]).open(MANIFEST.service, context)


@dataclass(kw_only=True)
class Account:
    """A user. What probing finds out is asked for once, as an app would keep it."""

    number: int
    build_runtime: Callable[[], Runtime] = Runtime
    learned: dict[str, Any] | None = field(default=None)
    seed: int | None = None  # of what the simulator itself does wrong

    @asynccontextmanager
    async def open(self, _place: Path) -> AsyncIterator[Connector]:
        runtime, place = self.build_runtime(), SHARED_DROPBOX.get()
        try:
            if self.learned is None:
                self.learned = (await open_account(place, self.number, runtime).probe()).learned
            if self.seed is not None:
                place.world.faults.chance = Chance(seed=self.seed, every=FAULTS_EVERY, kinds=KINDS, path=REPEATABLE)
            yield open_account(place, self.number, runtime, learned=self.learned)
            problems, place.listening.problems = place.listening.problems, []
            assert not problems, problems  # with the test whose calls they are
        finally:
            place.world.faults.chance = None
            await runtime.aclose()


def build_target(name: str, account: Account) -> Target:
    """An account, and whom it can share with."""
    return Target(
        name=name,
        manifest=MANIFEST,
        open=account.open,
        grantee=PermissionChange(role="writer", email="ben@example.com"),
        stranger=PermissionChange(role="reader", raw_id=STRANGER_ID),
    )


TARGETS = (
    build_target("dropbox", Account(number=1, learned={})),
    build_target("dropbox+faults", Account(number=3, build_runtime=FailingRuntime)),
    *(
        build_target(f"dropbox+seed{seed}", Account(number=3, learned={}, build_runtime=build_patient, seed=seed))
        for seed in SEEDS
    ),
)
