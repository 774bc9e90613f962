"""One operation, run again and again with something else going wrong each time, and what must be so however it ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from connectors.core.clock import ManualClock
from connectors.core.errors import ConnectorError, ErrorKind
from connectors.core.guard import AddressGuard
from connectors.core.guarded_transport import GuardedTransport
from connectors.core.resources import OnConflict
from connectors.core.service import Registry
from connectors.core.stack import Runtime
from connectors.core.transport import TransportSettings
from tests.connectors.faulty.extent import IS_ALL, pair
from tests.connectors.faulty.operations import BEFORE, FILES, FOLDERS, NEW, Operation, Stage, build_stream
from tests.connectors.faulty.subject import Place, Subject, Tree, digest
from tests.servers.lying import Lie, LyingProxy
from tests.servers.origin import Seen

LOOPBACK = "127.0.0.0/8"
IDLE_SECONDS_MAX = 30.0  # only ends what hangs; nothing waits so long
CALM_RUNS_TRIED_MAX = 3
CONNECTIONS_MAX = 8  # few, so that one which is never given back is missed soon
NEVER_OUTSIDE = frozenset({ErrorKind.TOKEN_EXPIRED, ErrorKind.NOT_MODIFIED})

Choose = Callable[[int, Seen], Lie | None]


def build_transport(idle_seconds_max: float = IDLE_SECONDS_MAX) -> GuardedTransport:
    """Reaches this machine, and no other."""
    settings = TransportSettings(idle_timeout_seconds=idle_seconds_max, connections_max=CONNECTIONS_MAX)
    return GuardedTransport(AddressGuard([LOOPBACK]), settings)


@dataclass(slots=True, kw_only=True)
class Outcome:
    """How a run ended: with a result, or with an error; what the place holds now, and what went over the wire."""

    result: object = None
    error: ConnectorError | None = None
    is_cancelled: bool = False
    tree: Tree = field(default_factory=dict)
    leftovers: list[str] = field(default_factory=list)
    requests: list[Seen] = field(default_factory=list)
    lied: list[Seen] = field(default_factory=list)
    sleeps: list[float] = field(default_factory=list)

    def count(self, seen: Seen) -> int:
        """How often the same request was sent."""
        return sum((each.method, each.target) == (seen.method, seen.target) for each in self.requests)


@dataclass(slots=True, kw_only=True)
class Trial:
    """An operation of a subject whose server is at an origin, with whatever is in between.

    `baseline` is the outcome without a fault.
    """

    subject: Subject
    operation: Operation
    origin: str
    transport: GuardedTransport
    baseline: Outcome = field(default_factory=Outcome)
    _place: Place | None = None
    _stage: Stage | None = None

    @property
    def name(self) -> str:
        """What is tried with what."""
        return f"{self.subject.name} {self.operation.name}"

    async def run_once(self, *, cancel_at: asyncio.Event | None = None) -> Outcome:
        """Runs it in a place as it was at first, and checks all that must be so whatever goes wrong.

        With `cancel_at` it is cancelled as soon as that is set.
        """
        place, clock = self._take_place(), ManualClock()
        runtime = Runtime(clock=clock, guarded_transport=self.transport)
        registry = Registry([self.subject.build_service()])  # which remembers nothing of the run before
        stage = self._stage = Stage(self.subject.open(place, self.origin, runtime, registry), place)
        outcome = Outcome(sleeps=clock.sleeps)
        try:
            outcome.result = await self._run(stage, cancel_at)
        except ConnectorError as error:
            outcome.error = error
        except asyncio.CancelledError:
            if cancel_at is None:
                raise
            outcome.is_cancelled = True
        outcome.tree, outcome.leftovers = place.look(), place.list_leftovers()
        if self.operation.is_reading:
            self._place = place
        assert not [key for key, budgets in runtime._accounts.items() if budgets.limiter._running_count]
        return outcome

    async def check_account(self) -> None:
        """The account of the last run, all that is remembered of it included, works as if nothing had been."""
        stage = self._stage
        assert stage is not None
        self._place = None  # which is another one afterwards
        await stage.connector.list_folder(stage.root)
        file = await stage.connector.upload(stage.root, "after.txt", build_stream(NEW), on_conflict=OnConflict.FAIL)
        assert stage.place.look()[file.name] == digest(NEW)

    def check(self, outcome: Outcome) -> None:
        """A success is the whole result, a failure is a clear error; nobody sees anything in between."""
        if outcome.error is not None:
            self._check_error(outcome.error)
        elif not outcome.is_cancelled:
            assert outcome.result == self.baseline.result
            assert outcome.tree == self.operation.after
            return
        if self.operation.is_stepwise:
            assert is_between(BEFORE, outcome.tree, self.operation.after), outcome.tree
        else:
            assert outcome.tree in (BEFORE, self.operation.after), outcome.tree

    async def _run(self, stage: Stage, cancel_at: asyncio.Event | None) -> object:
        if cancel_at is None:
            return await self.operation.run(stage)
        running = asyncio.ensure_future(self.operation.run(stage))
        waiting = asyncio.ensure_future(cancel_at.wait())
        await asyncio.wait([running, waiting], return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        running.cancel()
        return await running

    def _check_error(self, error: ConnectorError) -> None:
        assert error.kind not in NEVER_OUTSIDE
        assert error.message
        assert error.context["connector"] == self.subject.service
        for secret in self.subject.get_server()[1]:
            assert secret not in f"{error} {error!r} {error.__cause__!r}"

    def _take_place(self) -> Place:
        place, self._place = self._place, None
        if place is None:
            place = self.subject.make_place()
            place.fill(FILES, FOLDERS)
        return place


@dataclass(slots=True, kw_only=True)
class LyingTrial(Trial):
    """With a proxy in between that tells lies."""

    proxy: LyingProxy

    async def learn(self) -> None:
        """Finds the baseline. A run in which the server itself made somebody wait is none."""
        for _ in range(CALM_RUNS_TRIED_MAX):
            self.proxy.begin()
            self.baseline = await self.run_once()
            assert self.baseline.error is None, self.baseline.error
            if not self.baseline.sleeps:
                break
        assert not self.baseline.sleeps
        self.baseline.requests = list(self.proxy.requests)

    async def run(self, choose: Choose = lambda *_: None, *, is_cancelled_at_lie: bool = False) -> Outcome:
        """One run, checked, in which the proxy lies as it is told."""
        self.proxy.begin(choose)
        outcome = await self.run_once(cancel_at=self.proxy.arrived if is_cancelled_at_lie else None)
        outcome.requests, outcome.lied = list(self.proxy.requests), list(self.proxy.lied)
        self.proxy.begin()
        self.check(outcome)
        return outcome

    async def sweep(
        self,
        *lies: Lie,
        may_lie: Callable[[Seen], bool] = lambda _: True,
        is_cancelled_at_lie: bool = False,
        is_all: bool = IS_ALL,
    ) -> AsyncIterator[tuple[Lie, Outcome]]:
        """One run for each lie about each request, or about those that one may lie about; or for a sample of both.

        Afterwards the account must work.
        """
        numbers = [number for number, seen in enumerate(self.baseline.requests, start=1) if may_lie(seen)]
        for lie, number in pair(lies, numbers, is_all=is_all, seed=self.name):
            outcome = await self.run(lie_at(number, lie), is_cancelled_at_lie=is_cancelled_at_lie)
            assert len(outcome.lied) == 1, f"{lie.name} about {number}"
            yield lie, outcome
        await self.check_account()

    async def sweep_ends(self, *lies: Lie) -> AsyncIterator[tuple[Lie, Outcome]]:
        """One run for each lie from each request on: the provider is never the same again. Or for a sample of both.

        Once it is there again the account must work.
        """
        numbers = range(1, len(self.baseline.requests) + 1)
        for lie, number in pair(lies, numbers, is_all=IS_ALL, seed=self.name):
            yield lie, await self.run(lie_from(number, lie))
        await self.check_account()


def lie_at(number: int, lie: Lie) -> Choose:
    """About one request, by its number."""
    return lambda at, _: lie if at == number else None


def lie_from(number: int, lie: Lie) -> Choose:
    """About that request and all later ones."""
    return lambda at, _: lie if at >= number else None


def is_between(before: Tree, now: Tree, after: Tree) -> bool:
    """True when everything is as it was or as it is to be, and no bytes that stay are gone."""
    is_each = all(
        (path in now, now.get(path)) in {(path in tree, tree.get(path)) for tree in (before, after)}
        for path in {*before, *now, *after}
    )
    return is_each and set(after.values()) & set(before.values()) <= set(now.values())


def check_tasks(before: set[asyncio.Task[Any]]) -> None:
    """Nothing runs that did not run before, but for whoever asks."""
    assert asyncio.all_tasks() - before <= {asyncio.current_task()}


async def learn(subject: Subject) -> None:
    """Finds out what accounts can do, with patience: it is kept for the process."""
    transport = build_transport()
    try:
        await subject.learn(Runtime(guarded_transport=transport))
    finally:
        await transport.aclose()


@asynccontextmanager
async def opened_lying_trial(
    subject: Subject, operation: Operation, *, idle_seconds_max: float = IDLE_SECONDS_MAX
) -> AsyncIterator[LyingTrial]:
    """A trial that ran once without any fault. At its end no task and no connection is left."""
    tasks = asyncio.all_tasks()
    transport = build_transport(idle_seconds_max)
    try:
        await learn(subject)
        async with LyingProxy(*subject.address) as proxy:
            trial = LyingTrial(
                subject=subject, operation=operation, origin=proxy.origin, transport=transport, proxy=proxy
            )
            await trial.learn()
            yield trial
            await transport.aclose()
            proxy.hang_up()  # a call that nobody waits for any more ends with the provider's silence
            await proxy.wait_until_idle()
    finally:
        await transport.aclose()
    check_tasks(tasks)
