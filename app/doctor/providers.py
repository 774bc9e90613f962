"""Calls the storages of connected accounts and says how long each step of the way takes, or which one fails."""

from __future__ import annotations

import asyncio
import errno
import os
import ssl
import time
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import httpx
from msgspec import structs

from app.accounts import service as accounts
from app.accounts.callers import build_connector
from app.accounts.rows import AccountRow
from app.core.errors import ApiError
from app.core.keys import KeysError
from app.core.settings import Settings
from app.core.state import State, build_runtime, build_state
from app.doctor.finding import Finding, TimedFinding, fail, skip
from connectors.core.connector import Connector
from connectors.core.errors import ConnectorError, ErrorKind
from connectors.core.guard import AddressGuard, resolve_by_system
from connectors.core.layers.observe import LogObserver
from connectors.core.layers.retry import RetryPolicy
from connectors.core.stack import Runtime

NAME = "providers"
ACCOUNTS_MAX = 10_000
"""How many accounts are looked at."""

VISITS_MAX = 100
"""How many storages are called, unless all accounts are asked for."""

PARALLEL_MAX = 4
VISIT_SECONDS_MAX = 15.0
STEP_SECONDS_MAX = 5.0
ALL_SECONDS_MAX = 600.0
SLOW_SECONDS = 2.0
ADDRESSES_MAX = 3
ONCE = RetryPolicy(attempts_max=1)

DEFAULT_PORTS = {"http": 80, "https": 443}
ADVICE = {
    ErrorKind.GRANT_REVOKED: "Its credentials are refused: connect the account again.",
    ErrorKind.PERMISSION_DENIED: "Its credentials lack a right there; the connector's README says which are needed.",
    ErrorKind.NOT_FOUND: "What it was connected to is not there any more: connect the account again.",
    ErrorKind.ADDRESS_REFUSED: "If the storage is your own, add its network to KLOUDLESS_ALLOWED_NETWORKS.",
    ErrorKind.RATE_LIMITED: "It works, but the storage asks for fewer calls; give it time.",
    ErrorKind.UNAVAILABLE: "Is the storage itself well, and does a firewall or proxy stand in the way?",
    ErrorKind.TIMED_OUT: "The storage is too slow to answer; is it well, and is the way to it?",
}
OTHER_ADVICE = "What it answers makes no sense to the connector: is it still the storage that it was?"


class Origin(NamedTuple):
    """Where an account's first request goes; `is_users` when a person named the host."""

    scheme: str
    host: str
    port: int
    is_users: bool

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(slots=True)
class _Steps:
    """How long each step took."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def timed(self, name: str) -> Iterator[None]:
        started = time.perf_counter()
        yield
        self.seconds[name] = time.perf_counter() - started

    def __str__(self) -> str:
        return ", ".join(f"{name} {seconds * 1000:.1f} ms" for name, seconds in self.seconds.items())


class _StepError(Exception):
    """A step failed: what to say, and what to do."""

    def __init__(self, text: str, advice: str) -> None:
        super().__init__(text)
        self.text = text
        self.advice = advice


async def examine_providers(settings: Settings, *, has_all_accounts: bool = False) -> AsyncIterator[Finding]:
    """One finding for a storage: of one account for each service and host, or of all accounts. Changes nothing."""
    state = build_state(settings)
    runtime = build_runtime(settings, LogObserver(), policy=ONCE)
    try:
        rows = [
            row
            for row in await accounts.list_accounts(state, application_id=None, limit=ACCOUNTS_MAX)
            if row.is_active and row.is_enabled
        ]
        chosen = [(row, await find_origin(state, row)) for row in rows]
        if not has_all_accounts:
            chosen = list(_choose(chosen))
        if not chosen:
            yield structs.replace(skip("no account is connected"), name=NAME)
        visitor = _Visitor(settings, replace(state, runtime=runtime))
        called = chosen if has_all_accounts else chosen[:VISITS_MAX]
        async for finding in visitor.visit_all(called):
            yield finding
        if len(called) < len(chosen):
            left = skip(f"{len(chosen) - len(called)} more were left out; --all calls every one")
            yield structs.replace(left, name=NAME)
    finally:
        await runtime.aclose()
        await state.aclose()


def _choose(chosen: Iterable[tuple[AccountRow, Origin | None]]) -> Iterator[tuple[AccountRow, Origin | None]]:
    """The first account of each service and host."""
    seen: set[tuple[str, str]] = set()
    for row, origin in chosen:
        key = (row.service, str(origin))
        if key not in seen:
            seen.add(key)
            yield row, origin


async def find_origin(state: State, row: AccountRow) -> Origin | None:
    """Where the account's calls would go, found by letting it make one that goes nowhere; None if not over HTTP."""
    found: list[Origin] = []

    def note(request: httpx.Request, *, is_users: bool) -> ConnectorError:
        port = request.url.port or DEFAULT_PORTS.get(request.url.scheme, 0)
        found.append(Origin(request.url.scheme, request.url.host, port, is_users))
        return ConnectorError(ErrorKind.UNSUPPORTED, "this call goes nowhere")

    async def go_nowhere(request: httpx.Request) -> httpx.Response:
        raise note(request, is_users=False)

    async def go_nowhere_guarded(request: httpx.Request) -> httpx.Response:
        raise note(request, is_users=True)

    runtime = Runtime(observer=LogObserver(), transport=go_nowhere, guarded_transport=go_nowhere_guarded, policy=ONCE)
    with suppress(ConnectorError, ApiError, KeysError, TimeoutError):  # it is said when the account is called
        async with asyncio.timeout(STEP_SECONDS_MAX):
            await build_connector(replace(state, runtime=runtime), row).get_identity()
    return found[0] if found else None


class _Visitor:
    """Calls storages, a few at a time, within the time for all."""

    def __init__(self, settings: Settings, state: State) -> None:
        self._state = state
        self._guard = AddressGuard(settings.allowed_networks)
        self._has_proxy = settings.provider_proxy_url is not None
        self._context = ssl.create_default_context()
        if settings.provider_ca_file is not None:
            self._context.load_verify_locations(cadata=settings.provider_ca_file.read_bytes().decode("ascii"))
        self._slots = asyncio.Semaphore(PARALLEL_MAX)

    async def visit_all(self, chosen: list[tuple[AccountRow, Origin | None]]) -> AsyncIterator[Finding]:
        """A finding for each, in order."""
        ends_at = time.monotonic() + ALL_SECONDS_MAX
        tasks = [asyncio.create_task(self._visit(row, origin, ends_at)) for row, origin in chosen]
        try:
            for (row, _), task in zip(chosen, tasks, strict=True):
                yield structs.replace(await task, name=row.service)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _visit(self, row: AccountRow, origin: Origin | None, ends_at: float) -> Finding:
        place = f"account {row.id}" if origin is None else f"account {row.id} at {origin}"
        async with self._slots:
            if time.monotonic() > ends_at:
                return skip(f"{place}: {ALL_SECONDS_MAX:g} s are over")
            steps = _Steps()
            try:
                async with asyncio.timeout(VISIT_SECONDS_MAX):
                    await self._take(row, origin, steps)
            except TimeoutError:
                return fail(
                    _say(place, f"no answer within {VISIT_SECONDS_MAX:g} s", steps), ADVICE[ErrorKind.TIMED_OUT]
                )
            except _StepError as error:
                return fail(_say(place, error.text, steps), error.advice)
            except (ConnectorError, ApiError, KeysError, OSError) as error:
                return _explain(place, error, steps)
            except Exception as error:  # noqa: BLE001 - one account's fault keeps no other from being called
                # The text of an error that nobody expected may hold anything, secrets too.
                return fail(_say(place, type(error).__name__, steps), OTHER_ADVICE)
        return _judge(place, steps)

    async def _take(self, row: AccountRow, origin: Origin | None, steps: _Steps) -> None:
        connector = build_connector(self._state, row)
        if origin is not None and (origin.is_users or not self._has_proxy):
            await self._reach(origin, steps)
        await _call(connector, steps)

    async def _reach(self, origin: Origin, steps: _Steps) -> None:
        """Goes the way to a storage by itself, step by step."""
        with steps.timed("name"):
            addresses = await self._resolve(origin)
        with steps.timed("connection"):
            writer = await _connect(addresses[:ADDRESSES_MAX], origin.port)
        try:
            if origin.scheme == "https":
                with steps.timed("TLS"):
                    await self._encrypt(writer, origin.host)
        finally:
            writer.close()

    async def _resolve(self, origin: Origin) -> list[str]:
        if origin.is_users:
            return await self._guard.resolve(origin.host)
        try:
            async with asyncio.timeout(STEP_SECONDS_MAX):
                return await resolve_by_system(origin.host)
        except (OSError, UnicodeError) as error:  # TimeoutError is an OSError
            raise _StepError("the name cannot be looked up", "Is the machine's DNS well?") from error

    async def _encrypt(self, writer: asyncio.StreamWriter, host: str) -> None:
        try:
            async with asyncio.timeout(STEP_SECONDS_MAX):
                await writer.start_tls(self._context, server_hostname=host)
        except ssl.SSLCertVerificationError as error:
            raise _StepError(
                f"its certificate is not trusted ({error.verify_message})",
                "If the authority is your own, name its root certificate in KLOUDLESS_PROVIDER_CA_FILE.",
            ) from error
        except (OSError, ssl.SSLError) as error:
            text = "no agreement on encryption; does it speak TLS on this port?"
            raise _StepError(text, "Correct the address, https or http, and the port.") from error


async def _connect(addresses: list[str], port: int) -> asyncio.StreamWriter:
    failure: OSError = OSError(errno.EADDRNOTAVAIL, "no address")
    for address in addresses:
        try:
            async with asyncio.timeout(STEP_SECONDS_MAX):
                _, writer = await asyncio.open_connection(address, port)
        except OSError as error:  # TimeoutError is one
            failure = error
        else:
            return writer
    # What asyncio says itself only repeats the address.
    reason = "no answer in time" if isinstance(failure, TimeoutError) else os.strerror(failure.errno or 0).lower()
    raise _StepError(f"it cannot be reached ({reason})", ADVICE[ErrorKind.UNAVAILABLE]) from failure


async def _call(connector: Connector, steps: _Steps) -> None:
    """One cheap call that only works with good credentials, on a connection of its own."""
    with steps.timed("call"):
        await connector.get_identity()


def _explain(place: str, error: Exception, steps: _Steps) -> Finding:
    if not isinstance(error, ConnectorError):
        return fail(_say(place, str(error), steps), OTHER_ADVICE)
    finding = fail(_say(place, error.message, steps), ADVICE.get(error.kind, OTHER_ADVICE))
    return structs.replace(finding, status="warning") if error.kind is ErrorKind.RATE_LIMITED else finding


def _judge(place: str, steps: _Steps) -> Finding:
    """How it is when everything worked."""
    text = f"{place}: {steps}"
    if sum(steps.seconds.values()) > SLOW_SECONDS:
        advice = "It works, but slowly; every request for it waits as long."
        return TimedFinding(status="warning", text=text, advice=advice, seconds=steps.seconds)
    return TimedFinding(status="ok", text=text, seconds=steps.seconds)


def _say(place: str, reason: str, steps: _Steps) -> str:
    return f"{place}: {reason}" + (f" (before that: {steps})" if steps.seconds else "")
