"""What a runtime says about the budgets of its accounts: numbers by service, and nobody's name."""

from __future__ import annotations

import asyncio

import pytest

from connectors.core.clock import ManualClock
from connectors.core.errors import ConnectorError, ErrorKind
from connectors.core.layers.retry import RetryBudget
from connectors.core.manifest import Limits
from connectors.core.stack import BudgetSummary, Runtime
from tests.connectors.core.fakes import build_manifest, unavailable, work

MANIFEST = build_manifest(limits=Limits(requests_parallel_max=2))


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def runtime(clock: ManualClock) -> Runtime:
    return Runtime(clock=clock, random=lambda: 1.0)


async def call(runtime: Runtime, account_key: str, error: ConnectorError | None = None) -> None:
    async def run() -> None:
        if error is not None:
            raise error

    await runtime.build_send_work(MANIFEST, account_key, classify_exception=lambda _: None)(work(run=run))


async def test_the_worst_account_is_told_when_one_was_told_to_wait(runtime: Runtime, clock: ManualClock) -> None:
    await call(runtime, "idle")
    with pytest.raises(ConnectorError):
        await call(runtime, "paused", ConnectorError(ErrorKind.RATE_LIMITED, retry_after_seconds=40))
    clock.advance(10)
    assert runtime.read_budgets() == {
        "example": BudgetSummary(accounts_count=2, free_count_min=2, paused_count=1, wait_seconds_max=30.0)
    }


async def test_calls_are_told_by_whether_they_run_or_wait() -> None:
    runtime, gate = Runtime(), asyncio.Event()
    send = runtime.build_send_work(MANIFEST, "7", classify_exception=lambda _: None)
    calls = [asyncio.create_task(send(work(run=gate.wait))) for _ in range(5)]
    await asyncio.wait(calls, timeout=0.01)
    during = runtime.read_budgets()["example"]
    gate.set()
    await asyncio.gather(*calls)
    after = runtime.read_budgets()["example"]
    assert (during.running_count, during.waiting_count, during.free_count_min) == (2, 3, 0)
    assert (after.running_count, after.waiting_count, after.free_count_min) == (0, 0, 2)


async def test_account_is_counted_when_its_calls_are_not_repeated_any_more(runtime: Runtime) -> None:
    await call(runtime, "well")
    for _ in range(int(RetryBudget.TOKENS_MAX)):
        with pytest.raises(ConnectorError):
            await call(runtime, "failing", unavailable())
    assert runtime.read_budgets()["example"].exhausted_count == 1
