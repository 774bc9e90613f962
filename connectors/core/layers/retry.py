"""Repeats calls that failed for a while, if repeating is safe, waits are short and the account's budget allows it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from connectors.core.call import Intent, Repeat, ReplyT, RequestT, Send, read_intent
from connectors.core.clock import Clock
from connectors.core.errors import ConnectorError, ErrorKind

ATTEMPT = "kloudless.attempt"
"""Where a request's extensions say which attempt it is, from 1."""

IS_DONE = "kloudless.is_done"
"""Where a request's extensions may have a function that looks whether an attempt in doubt has done what was asked, for
calls that should not be done twice though nothing refuses it. It is asked before each repeat; if all is done the call
ends with already_exists and is_replay, and as one in doubt if that cannot be found out.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """How often and how long. Times include what the attempts themselves take."""

    attempts_max: int = 4
    backoff_seconds_first: float = 0.5  # the first wait is random between 0 and this; it doubles from there
    backoff_seconds_max: float = 8.0
    retry_after_seconds_max: float = 30.0  # a provider that asks for more gets no repeat from this call
    total_seconds_max: float = 120.0  # no attempt begins later than this after the first


class RetryBudget:
    """Stops repeats to a provider that mostly fails, so that an outage does not multiply traffic (as gRPC throttles).

    A temporary failure without a hint costs one token; successes and time earn a little. Repeats are allowed while more
    than half are left.
    """

    TOKENS_MAX = 20.0
    TOKENS_PER_SUCCESS = 0.1
    TOKENS_PER_SECOND = 0.1  # so that an account with little traffic also recovers

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._tokens = self.TOKENS_MAX
        self._counted_at = clock.monotonic()

    @property
    def allows_repeat(self) -> bool:
        self._add(0.0)
        return self._tokens > self.TOKENS_MAX / 2

    def succeeded(self) -> None:
        self._add(self.TOKENS_PER_SUCCESS)

    def failed(self) -> None:
        self._add(-1.0)

    def _add(self, tokens: float) -> None:
        now = self._clock.monotonic()
        earned = self._tokens + (now - self._counted_at) * self.TOKENS_PER_SECOND
        self._tokens = max(0.0, min(earned, self.TOKENS_MAX) + tokens)
        self._counted_at = now


def retry(
    send: Send[RequestT, ReplyT],
    *,
    policy: RetryPolicy,
    budget: RetryBudget,
    clock: Clock,
    random: Callable[[], float],
) -> Send[RequestT, ReplyT]:
    """Repeats temporary failures; the last one is marked persistent. An error after an attempt that may have worked is
    marked is_replay.
    """

    async def send_until_answered(request: RequestT) -> ReplyT:
        intent = read_intent(request)  # decides before the first attempt whether there can be a second
        started_at = clock.monotonic()
        attempt, is_doubtful = 1, False
        while True:
            request.extensions[ATTEMPT] = attempt
            try:
                reply = await send(request)
            except ConnectorError as error:
                if error.is_temporary and error.retry_after_seconds is None:
                    budget.failed()  # waiting as long as one was told to multiplies nothing
                error.is_replay = is_doubtful
                wait_seconds = _wait_before_repeat(error, intent, attempt, policy, random)
                is_too_late = clock.monotonic() - started_at + (wait_seconds or 0) > policy.total_seconds_max
                is_doubtful = is_doubtful or (error.maybe_applied and intent.repeat is not Repeat.SAFE)
                if wait_seconds is None or is_too_late or not budget.allows_repeat:
                    error.maybe_applied = is_doubtful  # a refusal now does not undo an earlier attempt
                    if error.final_kind is not None:
                        raise error.restated(error.final_kind) from error
                    error.is_persistent = error.is_persistent or error.is_temporary
                    raise
                await clock.sleep(wait_seconds)
                if is_doubtful and IS_DONE in request.extensions:
                    await _refuse_done(error, request.extensions[IS_DONE])
                    if clock.monotonic() - started_at > policy.total_seconds_max:
                        error.maybe_applied = error.is_persistent = True
                        raise
                attempt += 1
            else:
                budget.succeeded()
                return reply

    return send_until_answered


def can_repeat(error: ConnectorError, intent: Intent) -> bool:
    """True when sending once more cannot do harm: nothing happened, or happening twice is the same."""
    if not error.is_temporary or not intent.is_body_replayable:
        return False
    return not error.maybe_applied or intent.repeat is not Repeat.UNSAFE


async def _refuse_done(error: ConnectorError, is_done: Callable[[], Awaitable[bool]]) -> None:
    try:
        done = await is_done()
    except ConnectorError:
        error.maybe_applied = error.is_persistent = True
        raise error from None
    if done:
        refusal = error.restated(ErrorKind.ALREADY_EXISTS, "an attempt whose answer got lost has done this")
        refusal.is_replay = True
        raise refusal from error


def _wait_before_repeat(
    error: ConnectorError, intent: Intent, attempt: int, policy: RetryPolicy, random: Callable[[], float]
) -> float | None:
    if attempt >= policy.attempts_max or not can_repeat(error, intent):
        return None
    if error.retry_after_seconds is not None:
        return error.retry_after_seconds if error.retry_after_seconds <= policy.retry_after_seconds_max else None
    ceiling: float = min(policy.backoff_seconds_max, policy.backoff_seconds_first * 2 ** (attempt - 1))
    return random() * ceiling
