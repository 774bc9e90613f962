"""HTTP to hosts that users name: every request goes to an address that the guard has checked."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, replace
from typing import cast

import httpx

from connectors.core.errors import ConnectorError, ErrorKind
from connectors.core.guard import AddressGuard, read_target
from connectors.core.transport import Pin, Transport, TransportSettings, build_transport

PIN_SECONDS_MAX = 60.0  # how long a checked address is used before its name is looked up again
PINS_MAX = 256
PIN_CONNECTIONS_MAX = 64


@dataclass(slots=True, eq=False)
class _Pinned:
    """The transport to one host at one address. Once retired it closes with its last reply."""

    transport: Transport
    address: str
    checked_at: float
    open_count: int = 0
    has_failed: bool = False
    is_retired: bool = False

    async def leave(self) -> None:
        self.open_count -= 1
        await self.close_if_done()

    async def close_if_done(self) -> None:
        if self.is_retired and not self.open_count:
            await self.transport.aclose()


class GuardedTransport:
    """A Transport for hosts that users name: each host is checked, and spoken to at a checked address only.

    - At most `pins_max` hosts are kept, the latest used; the others are closed when their last reply is.
    - A name is looked up again after PIN_SECONDS_MAX, and after a connection that failed, to try another address.
    - Never goes through a proxy, which would look the name up by itself.
    """

    def __init__(
        self,
        guard: AddressGuard,
        settings: TransportSettings,
        *,
        pins_max: int = PINS_MAX,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._guard = guard
        connections_max = min(settings.connections_max, PIN_CONNECTIONS_MAX)
        self._settings = replace(settings, proxy_url=None, connections_max=connections_max)
        self._pins_max = pins_max
        self._now = now
        self._pins: OrderedDict[str, _Pinned] = OrderedDict()

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        """Sends `request`; Transport's promises, and address_refused as the guard says."""
        host, _ = read_target(str(request.url))
        pinned = self._pins.get(host)
        retired: list[_Pinned] = []
        if pinned is None or pinned.has_failed or self._now() - pinned.checked_at > PIN_SECONDS_MAX:
            pinned, retired = self._renew(host, await self._guard.resolve(host))
        self._pins.move_to_end(host)
        pinned.open_count += 1
        try:
            for old in retired:
                await old.close_if_done()
            response = await pinned.transport(request)
        except BaseException as error:
            if isinstance(error, ConnectorError) and error.kind is ErrorKind.UNAVAILABLE and not error.maybe_applied:
                pinned.has_failed = True
            await pinned.leave()
            raise
        response.stream = _CountedStream(cast("httpx.AsyncByteStream", response.stream), pinned)
        return response

    async def aclose(self) -> None:
        """Closes idle connections; no request may follow."""
        while self._pins:
            _, pinned = self._pins.popitem()
            await pinned.transport.aclose()

    def _renew(self, host: str, addresses: Sequence[str]) -> tuple[_Pinned, list[_Pinned]]:
        """The host's pin, made anew if its address is no longer good; and those that had to go for it."""
        old, retired = self._pins.get(host), []
        others = [address for address in addresses if old is None or address != old.address]
        if old is not None and old.address in addresses and not (old.has_failed and others):
            old.checked_at, old.has_failed = self._now(), False
            return old, []
        if old is not None:
            retired.append(self._pins.pop(host))
        while len(self._pins) >= self._pins_max:
            retired.append(self._pins.popitem(last=False)[1])
        for pinned in retired:
            pinned.is_retired = True
        new = _Pinned(build_transport(self._settings, Pin(host, others[0])), others[0], self._now())
        self._pins[host] = new
        return new, retired


class _CountedStream(httpx.AsyncByteStream):
    """A reply's body that says when it is closed."""

    def __init__(self, stream: httpx.AsyncByteStream, pinned: _Pinned) -> None:
        self._stream = stream
        self._pinned: _Pinned | None = pinned

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in self._stream:
            yield chunk

    async def aclose(self) -> None:
        pinned, self._pinned = self._pinned, None
        if pinned is None:
            return
        try:
            await self._stream.aclose()
        finally:
            await pinned.leave()
