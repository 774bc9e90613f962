"""The order of the layers, in one place, and what they share between calls.

Outermost first, and why each stands where it stands:

    retry        around everything: a repeat is signed, limited and seen like a first attempt
    authorize    each attempt is signed afresh; the repeat after a renewed token is limited and seen too
    rate_limit   every real send takes its turn; waiting for it is not counted as the provider's slowness
    fence        asked last before a write leaves, after all waiting, whether it is still its sender's to make
    observe      sees every real send, by kind of error, because it stands outside of
    classify     bad replies and exceptions become ConnectorError; above it nobody knows statuses
    transport    HTTP, or whatever runs the work

Calls that are not HTTP pass the same layers except authorize: their sessions sign in when they open.
"""

from __future__ import annotations

import asyncio
import random
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

import httpx

from connectors.core.call import ResultT, Send, SendWork, Work
from connectors.core.clock import Clock, SystemClock
from connectors.core.errors import ConnectorError
from connectors.core.guard import AddressGuard
from connectors.core.guarded_transport import GuardedTransport
from connectors.core.layers.authorize import Sign, authorize
from connectors.core.layers.classify import ClassifyReply, classify
from connectors.core.layers.fence import fence_writes
from connectors.core.layers.observe import LogObserver, Observer, observe
from connectors.core.layers.rate_limit import RateLimiter, rate_limit
from connectors.core.layers.retry import RetryBudget, RetryPolicy, retry
from connectors.core.manifest import Manifest
from connectors.core.tokens import SingleFlightTokens, Token, TokenSource
from connectors.core.transport import TransportSettings, build_transport

__all__ = ["ClassifyException", "Runtime", "SingleFlightTokens", "Token", "TokenSource"]

ACCOUNTS_MAX = 10_000  # whose budgets are remembered; the longest unused idle one is forgotten first

HttpSend = Send[httpx.Request, httpx.Response]
ClassifyException = Callable[[Exception], ConnectorError | None]
"""A protocol's reading of what its library raised; None lets the exception through."""


class _AccountBudgets:
    """What all calls of one account at one service share."""

    def __init__(self, manifest: Manifest, clock: Clock) -> None:
        self.retry = RetryBudget(clock)
        self.limiter = RateLimiter(
            requests_per_second=manifest.limits.requests_per_second,
            requests_parallel_max=manifest.limits.requests_parallel_max,
            clock=clock,
        )


@dataclass(slots=True, kw_only=True)
class BudgetSummary:
    """How the budgets of one service's accounts stand, without saying whose they are."""

    accounts_count: int = 0
    running_count: int = 0  # calls that have a slot
    waiting_count: int = 0  # calls that wait for one
    free_count_min: int | None = None  # slots left to the account that has fewest
    paused_count: int = 0  # accounts that the provider told to wait
    wait_seconds_max: float = 0.0  # how long a call of some account would wait for rate or pause
    exhausted_count: int = 0  # accounts whose calls are not repeated, because most fail


class Runtime:
    """One per process: the transport and every account's budgets. Builds cheap sends for one account and request."""

    def __init__(
        self,
        *,
        clock: Clock | None = None,
        observer: Observer | None = None,
        transport: HttpSend | None = None,
        guarded_transport: HttpSend | None = None,
        policy: RetryPolicy = RetryPolicy(),  # noqa: B008 - frozen
        random: Callable[[], float] = random.random,
    ) -> None:
        self._clock = clock or SystemClock()
        self._observer = observer or LogObserver()
        self._transport = transport
        self._guarded_transport = guarded_transport
        self._policy = policy
        self._random = random
        self._accounts: OrderedDict[tuple[str, str], _AccountBudgets] = OrderedDict()

    @property
    def clock(self) -> Clock:
        """What tells the time to all calls."""
        return self._clock

    @property
    def observer(self) -> Observer:
        """Who is told about every send and operation."""
        return self._observer

    def read_budgets(self) -> dict[str, BudgetSummary]:
        """How the remembered accounts of each service stand now."""
        summaries: dict[str, BudgetSummary] = {}
        for (service, _), budgets in self._accounts.items():
            limiter, summary = budgets.limiter, summaries.setdefault(service, BudgetSummary())
            summary.accounts_count += 1
            summary.running_count += limiter.running_count
            summary.waiting_count += limiter.waiting_count
            least = summary.free_count_min
            summary.free_count_min = limiter.free_count if least is None else min(least, limiter.free_count)
            summary.paused_count += limiter.pause_seconds > 0
            summary.wait_seconds_max = max(summary.wait_seconds_max, limiter.wait_seconds)
            summary.exhausted_count += not budgets.retry.allows_repeat
        return summaries

    async def aclose(self) -> None:
        """Closes the transports."""
        transports = (self._transport, self._guarded_transport)
        self._transport = self._guarded_transport = None
        for transport in transports:
            close = getattr(transport, "aclose", None)
            if close is not None:
                await close()

    def build_send(
        self,
        manifest: Manifest,
        account_key: str,
        *,
        tokens: TokenSource | None = None,
        sign: Sign | None = None,
        classify_reply: ClassifyReply | None = None,
        extra_headers: Mapping[str, str] | None = None,
        users_host: str | tuple[str, ...] | None = None,
    ) -> HttpSend:
        """A send for HTTP.

        With `users_host`, a host (and port, if not the scheme's own) that the account's user named, every request goes
        through the address guard, and only that host is sent signatures; several, or "*.host", where a provider has
        more than one name.
        """
        budgets = self._budgets(manifest, account_key)
        transport = self._shared_transport() if users_host is None else self._shared_guarded_transport()
        send = classify(transport, clock=self._clock, classify_reply=classify_reply)
        send = observe(
            send,
            observer=self._observer,
            clock=self._clock,
            service=manifest.service,
            account_key=account_key,
            read_host=lambda request: request.url.host,
            read_status=lambda reply: reply.status_code,
        )
        send = rate_limit(fence_writes(send), limiter=budgets.limiter, hold=_hold_until_body_ends)
        hosts = (users_host,) if isinstance(users_host, str) else users_host or manifest.allowed_hosts
        send = authorize(send, allowed_hosts=hosts, tokens=tokens, sign=sign, extra_headers=extra_headers)
        return retry(send, policy=self._policy, budget=budgets.retry, clock=self._clock, random=self._random)

    def build_send_work(
        self, manifest: Manifest, account_key: str, *, classify_exception: ClassifyException
    ) -> SendWork:
        """A send for every other protocol. A call's slot is free again when its work has returned."""
        budgets = self._budgets(manifest, account_key)
        send = _classify_work(classify_exception)
        send = observe(
            send, observer=self._observer, clock=self._clock, service=manifest.service, account_key=account_key
        )
        send = rate_limit(fence_writes(send), limiter=budgets.limiter)
        send = retry(send, policy=self._policy, budget=budgets.retry, clock=self._clock, random=self._random)

        async def send_work(work: Work[ResultT]) -> ResultT:
            return cast("ResultT", await send(work))

        return send_work

    def _budgets(self, manifest: Manifest, account_key: str) -> _AccountBudgets:
        key = (manifest.service, account_key)
        budgets = self._accounts.get(key)
        if budgets is None:
            if len(self._accounts) >= ACCOUNTS_MAX:
                idle = (k for k, b in self._accounts.items() if b.limiter.is_idle)
                del self._accounts[next(idle, next(iter(self._accounts)))]
            budgets = self._accounts[key] = _AccountBudgets(manifest, self._clock)
        self._accounts.move_to_end(key)
        return budgets

    def _shared_transport(self) -> HttpSend:
        if self._transport is None:
            self._transport = build_transport(TransportSettings())
        return self._transport

    def _shared_guarded_transport(self) -> HttpSend:
        if self._guarded_transport is None:
            self._guarded_transport = GuardedTransport(AddressGuard(), TransportSettings())
        return self._guarded_transport


def _classify_work(classify_exception: ClassifyException) -> Send[Work[Any], Any]:
    async def run(work: Work[Any]) -> Any:
        try:
            return await work.run()
        except (ConnectorError, AssertionError):
            raise
        except Exception as error:
            classified = classify_exception(error)
            if classified is None:
                raise
            raise classified from error

    return run


class _HeldStream(httpx.AsyncByteStream):
    """A reply's body that gives its slot back when it ends, is closed, or is thrown away."""

    def __init__(self, stream: httpx.AsyncByteStream, release: Callable[[], None]) -> None:
        self._stream = stream
        self._release: Callable[[], None] | None = release
        self._loop = asyncio.get_running_loop()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for chunk in self._stream:
                yield chunk
        finally:
            self._let_go()

    async def aclose(self) -> None:
        try:
            await self._stream.aclose()
        finally:
            self._let_go()

    def __del__(self) -> None:
        release, self._release = self._release, None
        if release is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(release)  # the collector may run in any thread

    def _let_go(self) -> None:
        release, self._release = self._release, None
        if release is not None:
            release()


def _hold_until_body_ends(reply: httpx.Response, release: Callable[[], None]) -> httpx.Response:
    if reply.is_closed or not isinstance(reply.stream, httpx.AsyncByteStream):
        release()
    else:
        reply.stream = _HeldStream(reply.stream, release)
    return reply
