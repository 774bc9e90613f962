"""Accounts on the simulated Dropbox, a new one for each case: in a team, where files are the user's own; and alone,
where calls fail.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from connectors.core.connector import Connector
from connectors.core.manifest import ACCESS_TOKEN
from connectors.core.oauth_settings import ENDPOINT
from connectors.core.resources import PermissionChange
from connectors.core.service import AccountContext, Options, Registry
from connectors.core.stack import Runtime
from connectors.dropbox.manifest import MANIFEST
from connectors.dropbox.service import build_service
from simulators.core.faults import SAFE_KINDS, Chance, FaultKind
from simulators.core.users import User
from simulators.dropbox.scopes import USER_SCOPES
from tests.connectors.behavior.faults import SEEDS, FailingRuntime, PatientRuntime
from tests.connectors.behavior.target import Target
from tests.servers.dropbox import Place, running_place
from tests.servers.shared import Shared

NUMBERS = count(1000)
STRANGER_ID = "dbid:nobody"
KINDS = (*SAFE_KINDS, FaultKind.LOST_ANSWER, FaultKind.CUT_BODY)
READERS = {FaultKind.CUT_BODY: r"files/(download|export)$"}
"""Bytes that were given to a reader already cannot be taken back: one that breaks off is an error, as it must be."""


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


@dataclass(frozen=True, kw_only=True)
class Account:
    """How users are made and asked for."""

    team: str | None = None
    build_runtime: Callable[[], Runtime] = Runtime
    seed: int | None = None  # of what the simulator itself does wrong

    @asynccontextmanager
    async def open(self, _place: Path) -> AsyncIterator[Connector]:
        runtime, place = self.build_runtime(), SHARED_DROPBOX.get()
        number = next(NUMBERS)
        place.world.users.add(
            User(
                number=number,
                email=f"user{number}@example.com",
                given_name="User",
                surname=f"{number}",
                team=self.team and f"{self.team} {number}",
            )
        )
        try:
            if self.seed is not None:
                place.world.faults.chance = Chance(seed=self.seed, kinds=KINDS, spared=READERS)
            yield open_account(place, number, runtime)
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
        is_repeat=account.build_runtime is FailingRuntime or (account.seed or 1) > 1,
        grantee=PermissionChange(role="writer", email="ben@example.com"),
        stranger=PermissionChange(role="reader", raw_id=STRANGER_ID),
    )


TARGETS = (
    build_target("dropbox", Account(team="Team")),
    build_target("dropbox+faults", Account(build_runtime=FailingRuntime)),
    *(build_target(f"dropbox+seed{seed}", Account(build_runtime=PatientRuntime, seed=seed)) for seed in SEEDS),
)
