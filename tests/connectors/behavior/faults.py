"""A runtime whose calls fail on purpose, so that the whole suite shows which repeats are safe."""

from __future__ import annotations

import math
import os
from typing import Any

import httpx

from connectors.core.call import Intent, Repeat, ResultT, SendWork, Work, read_intent
from connectors.core.clock import ManualClock
from connectors.core.errors import ConnectorError, ErrorKind
from connectors.core.layers.retry import ATTEMPT, RetryPolicy
from connectors.core.manifest import Manifest
from connectors.core.stack import ClassifyException, HttpSend, Runtime

FAILS_EVERY = 3
SEEDS = range(1, int(os.environ.get("FAULT_SEEDS", "5")) + 1)
"""Each decides for one target what a simulator does wrong, in a third of all requests."""

PATIENT = RetryPolicy(attempts_max=50, backoff_seconds_first=60.0, backoff_seconds_max=60.0, total_seconds_max=math.inf)
"""Waits long enough, by a clock that nobody waits for, to get back what a failure takes from the retry budget."""


class FailingRuntime(Runtime):
    """The first attempt of every third call fails: before it did anything, or after it did all where a repeat is safe.

    Bodies that can be read only once are spared, since nothing can repeat them. Waiting takes no time, and each call
    has a retry budget of its own: the budget would rightly give up on a provider that fails so often.
    """

    def __init__(self, *, transport: HttpSend | None = None, guarded_transport: HttpSend | None = None) -> None:
        super().__init__(transport=transport, guarded_transport=guarded_transport)
        self._calls_count = 0
        self.faults_count = 0

    def build_send(self, manifest: Manifest, account_key: str, **arguments: Any) -> HttpSend:
        is_guarded = arguments.get("users_host") is not None
        transport = self._shared_guarded_transport() if is_guarded else self._shared_transport()

        async def send_attempt(request: httpx.Request) -> httpx.Response:
            intent = read_intent(request)
            if request.extensions[ATTEMPT] > 1 or not self._is_failing(intent):
                return await transport(request)
            if is_late(intent):
                await (await transport(request)).aclose()
            raise build_fault(intent)

        async def send(request: httpx.Request) -> httpx.Response:
            calm = Runtime(clock=ManualClock(), transport=send_attempt, guarded_transport=send_attempt)
            return await calm.build_send(manifest, account_key, **arguments)(request)

        return send

    def build_send_work(
        self, manifest: Manifest, account_key: str, *, classify_exception: ClassifyException
    ) -> SendWork:
        async def send_work(work: Work[ResultT]) -> ResultT:
            is_failing = self._is_failing(work.intent)

            async def run() -> ResultT:
                nonlocal is_failing
                if not is_failing:
                    return await work.run()
                is_failing = False
                if is_late(work.intent):
                    await work.run()
                raise build_fault(work.intent)

            calm = Runtime(clock=ManualClock())
            send = calm.build_send_work(manifest, account_key, classify_exception=classify_exception)
            return await send(Work(run=run, intent=work.intent))

        return send_work

    def _is_failing(self, intent: Intent) -> bool:
        """Counts a call, and says whether it is one that fails."""
        self._calls_count += 1
        is_failing = self._calls_count % FAILS_EVERY == 0 and intent.is_body_replayable
        self.faults_count += is_failing
        return is_failing


class PatientRuntime(Runtime):
    """One whose waits take no time, and which would not give up on a provider that fails a third of all requests."""

    def build_send(self, manifest: Manifest, account_key: str, **arguments: Any) -> HttpSend:
        transport = self._shared_transport()

        async def send(request: httpx.Request) -> httpx.Response:
            runtime = Runtime(clock=ManualClock(), transport=transport, policy=PATIENT, random=lambda: 0.5)
            return await runtime.build_send(manifest, account_key, **arguments)(request)

        return send


def is_late(intent: Intent) -> bool:
    """True for a call that fails after all was done."""
    return intent.repeat is Repeat.IDEMPOTENT


def build_fault(intent: Intent) -> ConnectorError:
    """What the caller sees of it."""
    words = "failed on purpose " + ("after all was done" if is_late(intent) else "before anything was done")
    return ConnectorError(ErrorKind.UNAVAILABLE, words, maybe_applied=is_late(intent))
