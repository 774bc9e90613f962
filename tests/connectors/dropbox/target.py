"""Accounts on the simulated Dropbox: one in a team, whose files are the user's own, and one alone whose calls fail."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from connectors.core.connector import Connector
from connectors.core.resources import PermissionChange
from connectors.core.service import AccountContext, Options, Registry
from connectors.core.stack import Runtime
from connectors.dropbox.manifest import MANIFEST
from connectors.dropbox.service import build_service
from simulators.dropbox.scopes import USER_SCOPES
from tests.connectors.behavior.faults import FailingRuntime
from tests.connectors.behavior.target import Target
from tests.servers.dropbox import Place, running_place
from tests.servers.shared import Shared

STRANGER_ID = "dbid:nobody"


@contextmanager
def running(_: Path) -> Iterator[Place]:
    """One simulator for the process; its answers are judged when it ends."""
    with running_place() as place:
        yield place


SHARED_DROPBOX = Shared(running)


def open_account(
    place: Place, number: int, runtime: Runtime, *, learned: dict[str, Any] | None = None, **more: Any
) -> Connector:
    """A user's account as the registry opens it."""
    access_token, _ = place.issue(number, *USER_SCOPES)
    context = AccountContext(
        account_key=f"user {number}",
        application_id="tests",
        credentials={"access_token": access_token},
        runtime=runtime,
        learned=learned or {},
        **more,
    )
    options = Options(settings={MANIFEST.service: {"endpoint": place.url}})
    return Registry([build_service(options)]).open(MANIFEST.service, context)


@dataclass(kw_only=True)
class Account:
    """A user. What probing finds out is asked for once, as an app would keep it."""

    number: int
    build_runtime: Callable[[], Runtime] = Runtime
    learned: dict[str, Any] | None = field(default=None)

    @asynccontextmanager
    async def open(self, _place: Path) -> AsyncIterator[Connector]:
        runtime, place = self.build_runtime(), SHARED_DROPBOX.get()
        try:
            if self.learned is None:
                self.learned = (await open_account(place, self.number, runtime).probe()).learned
            yield open_account(place, self.number, runtime, learned=self.learned)
            assert place.listening.problems == []
        finally:
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
)
