"""Our Google Drive simulator with an account on it; plain, with every third call failing, and with faults by seed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from pathlib import Path

from connectors.core.connector import Connector
from connectors.core.manifest import ACCESS_TOKEN
from connectors.core.oauth_settings import ENDPOINT
from connectors.core.resources import PermissionChange
from connectors.core.service import AccountContext, Options, Registry
from connectors.core.stack import Runtime
from connectors.gdrive.manifest import MANIFEST
from connectors.gdrive.service import build_service
from simulators.core.faults import SAFE_KINDS, Chance, FaultKind
from tests.connectors.behavior.faults import SEEDS, FailingRuntime, PatientRuntime
from tests.connectors.behavior.target import Target
from tests.servers.gdrive import Place, running_place
from tests.servers.shared import Shared

FAULT_KINDS = (*SAFE_KINDS, FaultKind.LOST_ANSWER, FaultKind.CUT_BODY)
READERS = {FaultKind.CUT_BODY: r"/files/[^/]+(/export|/revisions/[^/]+)?$"}
"""Bytes that were given to a reader already cannot be taken back: one that breaks off is an error, as it must be."""


@contextmanager
def running(_: Path) -> Iterator[Place]:
    """The simulator that a test process shares."""
    with running_place() as place:
        yield place


SHARED_GDRIVE = Shared(running)


def open_account(
    place: Place, runtime: Runtime, *, user: int = 1, include_raw: bool = False, **settings: object
) -> Connector:
    """The account of one of the simulator's users, as the registry opens it."""
    options = Options(settings={MANIFEST.service: {ENDPOINT: place.url, **settings}})
    context = AccountContext(
        account_key=str(user),
        application_id="behavior",
        credentials={ACCESS_TOKEN: place.issue(user, "drive")[0]},
        runtime=runtime,
        include_raw=include_raw,
    )
    return Registry([build_service(options)]).open(MANIFEST.service, context)


def open_with(
    build_runtime: Callable[[], Runtime], seed: int | None = None
) -> Callable[[Path], AbstractAsyncContextManager[Connector]]:
    """Opens the first user's account; with a seed the simulator fails as that says."""

    @asynccontextmanager
    async def open_it(_: Path) -> AsyncIterator[Connector]:
        place, runtime = SHARED_GDRIVE.get(), build_runtime()
        faults = place.world.faults
        if seed is not None:
            faults.chance = Chance(seed=seed, kinds=FAULT_KINDS, spared=READERS)
        try:
            yield open_account(place, runtime)
            problems = place.listening.take_problems()
            assert not problems, problems  # with the test whose calls they are
        finally:
            faults.chance = None
            place.empty(1)
            await runtime.aclose()

    return open_it


def build_target(name: str, build_runtime: Callable[[], Runtime], seed: int | None = None) -> Target:
    return Target(
        name=name,
        manifest=MANIFEST,
        open=open_with(build_runtime, seed),
        is_repeat=build_runtime is FailingRuntime or (seed or 1) > 1,
        read_notice=build_service(Options()).read_notice,
        grantee=PermissionChange(role="writer", type="user", email="ben@example.com"),
        stranger=PermissionChange(role="reader", type="user", email="nobody"),
    )


TARGETS = (
    build_target("gdrive", Runtime),
    build_target("gdrive+faults", FailingRuntime),
    *(build_target(f"gdrive+seed{seed}", PatientRuntime, seed) for seed in SEEDS),
)
