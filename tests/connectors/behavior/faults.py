"""A runtime whose calls fail on purpose, so that the whole suite shows which repeats are safe."""

from __future__ import annotations

from connectors.core.call import Repeat, ResultT, SendWork, Work
from connectors.core.clock import ManualClock
from connectors.core.errors import ConnectorError, ErrorKind
from connectors.core.manifest import Manifest
from connectors.core.stack import ClassifyException, Runtime

FAILS_EVERY = 3


class FailingRuntime(Runtime):
    """The first attempt of every third call fails: before it did anything, or after it did all where a repeat is safe.

    Bodies that can be read only once are spared, since nothing can repeat them. Waiting takes no time, and each call
    has a retry budget of its own: the budget would rightly give up on a provider that fails so often.
    """

    def __init__(self) -> None:
        super().__init__()
        self._calls_count = 0
        self.faults_count = 0

    def build_send_work(
        self, manifest: Manifest, account_key: str, *, classify_exception: ClassifyException
    ) -> SendWork:
        async def send_work(work: Work[ResultT]) -> ResultT:
            self._calls_count += 1
            is_failing = self._calls_count % FAILS_EVERY == 0 and work.intent.is_body_replayable

            async def run() -> ResultT:
                nonlocal is_failing
                if not is_failing:
                    return await work.run()
                is_failing = False
                self.faults_count += 1
                is_late = work.intent.repeat is Repeat.IDEMPOTENT
                if is_late:
                    await work.run()
                words = "failed on purpose " + ("after all was done" if is_late else "before anything was done")
                raise ConnectorError(ErrorKind.UNAVAILABLE, words, maybe_applied=is_late)

            calm = Runtime(clock=ManualClock())
            send = calm.build_send_work(manifest, account_key, classify_exception=classify_exception)
            return await send(Work(run=run, intent=work.intent))

        return send_work
