"""A simulated Dropbox of one's own, and accounts on it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import pytest

from connectors.core.clock import ManualClock
from connectors.core.connector import Connector
from connectors.core.stack import Runtime
from simulators.core.faults import Fault, FaultKind, Rule
from tests.connectors.dropbox.target import open_account
from tests.servers.dropbox import Place, running_place

Fail = Callable[..., None]
Meddle = Callable[[Callable[[], Awaitable[object]]], None]
ADA, BEN, CLEO = 1, 2, 3


@pytest.fixture
def place() -> Iterator[Place]:
    """A simulator with nothing in it; all that is asked of it and answered is judged."""
    with running_place() as place:
        yield place


@pytest.fixture
def clock() -> ManualClock:
    """On which waits take no time."""
    return ManualClock()


@pytest.fixture
async def runtime(clock: ManualClock) -> AsyncIterator[Runtime]:
    """One that waits on that clock."""
    runtime = Runtime(clock=clock)
    yield runtime
    await runtime.aclose()


@pytest.fixture
def connector(place: Place, runtime: Runtime) -> Connector:
    """The account of somebody without a team."""
    return open_account(place, CLEO, runtime)


@pytest.fixture
async def team(place: Place, runtime: Runtime) -> Connector:
    """The account of a team's administrator, as it is after connecting."""
    probe = await open_account(place, ADA, runtime).probe()
    return open_account(place, ADA, runtime, learned=probe.learned)


@pytest.fixture
def fail(place: Place) -> Fail:
    """Lets requests to some paths go wrong."""

    def add(
        kind: FaultKind, path: str = "", *, times: int | None = 1, skip: int = 0, seconds: float | None = None
    ) -> None:
        place.world.faults.add(Rule(fault=Fault(kind=kind, seconds=seconds), path=path, times=times, skip=skip))

    return add


@pytest.fixture
def meddle(clock: ManualClock, monkeypatch: pytest.MonkeyPatch) -> Meddle:
    """Lets something happen between an attempt and its repeat."""

    def add(happen: Callable[[], Awaitable[object]]) -> None:
        async def sleep(_: float) -> None:
            monkeypatch.undo()
            await happen()

        monkeypatch.setattr(clock, "sleep", sleep)

    return add
