"""Keeps an account's calls inside its provider's rate and parallelism, with bounded waits."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import suppress

from connectors.core.call import ReplyT, RequestT, Send
from connectors.core.clock import Clock
from connectors.core.errors import ConnectorError, ErrorKind

WAIT_SECONDS_MAX = 30.0  # for a free slot and the rate together
QUEUE_CALLS_MAX = 256
PAUSE_SECONDS_MAX = 300.0  # however long a provider asks for, one call may try again after this
BURST_SECONDS = 1.0  # unused rate can be saved up for this long


class RateLimiter:
    """One account's budget at one service: so many calls per second, so many at once."""

    def __init__(self, *, requests_per_second: float | None, requests_parallel_max: int, clock: Clock) -> None:
        self._interval_seconds = 1 / requests_per_second if requests_per_second else 0.0
        self._burst_seconds = max(0.0, BURST_SECONDS - self._interval_seconds)
        self._parallel_max = requests_parallel_max
        self._clock = clock
        self._running_count = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._next_at = 0.0  # when the rate, without a burst, allows the next call
        self._paused_until = 0.0

    @property
    def is_idle(self) -> bool:
        """True when forgetting this limiter would forget nothing that matters."""
        return self._running_count == 0 and self._paused_until <= self._clock.monotonic()

    @property
    def running_count(self) -> int:
        """Calls that have a slot, be they on their way or waiting for the rate."""
        return self._running_count

    @property
    def waiting_count(self) -> int:
        """Calls that wait for a slot."""
        return len(self._waiting)

    @property
    def free_count(self) -> int:
        """Slots that are left."""
        return max(0, self._parallel_max - self._running_count)

    @property
    def pause_seconds(self) -> float:
        """How long the provider wants no call at all."""
        return max(0.0, self._paused_until - self._clock.monotonic())

    @property
    def wait_seconds(self) -> float:
        """How long a call with a slot would now wait for the rate, or for the end of a pause."""
        return max(0.0, self._next_at - self._burst_seconds - self._clock.monotonic(), self.pause_seconds)

    async def acquire(self) -> None:
        """Returns when the call may start; the caller must release. rate_limited when the wait would be too long."""
        deadline = self._clock.monotonic() + WAIT_SECONDS_MAX
        self._refuse_after(self._clock.monotonic() + self.pause_seconds, deadline)
        await self._take_slot(deadline)
        try:
            await self._take_turn(deadline)
        except BaseException:
            self.release()
            raise

    def release(self) -> None:
        """Gives the slot to whoever has waited longest."""
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(None)  # the slot changes hands, the count stays
                return
        self._running_count -= 1

    def pause(self, seconds: float) -> None:
        """Starts no call of this account for that long."""
        until = self._clock.monotonic() + min(seconds, PAUSE_SECONDS_MAX)
        self._paused_until = max(self._paused_until, until)
        self._next_at = max(self._next_at, self._paused_until + self._burst_seconds)  # no burst after a pause

    async def _take_slot(self, deadline: float) -> None:
        if self._running_count < self._parallel_max:
            self._running_count += 1
            return
        if len(self._waiting) >= QUEUE_CALLS_MAX:
            raise self._refusal(None)
        slot: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(slot)
        alarm = asyncio.ensure_future(self._clock.sleep(deadline - self._clock.monotonic()))
        try:
            await asyncio.wait((slot, alarm), return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            if slot.done():
                self.release()
            raise
        finally:
            has_slot = slot.done()
            slot.cancel()
            alarm.cancel()
            with suppress(ValueError):
                self._waiting.remove(slot)
        if not has_slot:
            raise self._refusal(None)

    async def _take_turn(self, deadline: float) -> None:
        now = self._clock.monotonic()
        starts_at = max(now, self._next_at - self._burst_seconds, self._paused_until)
        self._refuse_after(starts_at, deadline)
        self._next_at = max(self._next_at, now) + self._interval_seconds
        while (wait_seconds := max(starts_at, self._paused_until) - self._clock.monotonic()) > 0:
            self._refuse_after(self._paused_until, deadline)  # a pause may have begun while this call waited
            await self._clock.sleep(wait_seconds)

    def _refuse_after(self, starts_at: float, deadline: float) -> None:
        if starts_at > deadline:
            raise self._refusal(starts_at - self._clock.monotonic())

    def _refusal(self, retry_after_seconds: float | None) -> ConnectorError:
        error = ConnectorError(
            ErrorKind.RATE_LIMITED,
            "this account has too many calls under way; try again later",
            retry_after_seconds=WAIT_SECONDS_MAX if retry_after_seconds is None else retry_after_seconds,
        )
        error.is_persistent = True  # it has waited already: repeating here would be a second, unbounded queue
        return error


def rate_limit(
    send: Send[RequestT, ReplyT],
    *,
    limiter: RateLimiter,
    hold: Callable[[ReplyT, Callable[[], None]], ReplyT] | None = None,
) -> Send[RequestT, ReplyT]:
    """Sends within the limiter, and keeps the slot until the reply is there, or with `hold` until its body has ended.

    A rate_limited answer with a hint pauses the whole account.
    """

    async def send_in_turn(request: RequestT) -> ReplyT:
        await limiter.acquire()
        try:
            reply = await send(request)
            if hold is not None:
                return hold(reply, limiter.release)
        except BaseException as error:
            limiter.release()
            if isinstance(error, ConnectorError) and error.kind is ErrorKind.RATE_LIMITED and error.retry_after_seconds:
                limiter.pause(error.retry_after_seconds)
            raise
        limiter.release()
        return reply

    return send_in_turn
