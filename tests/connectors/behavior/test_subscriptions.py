"""A listener of the case's own, which the provider has to call."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlsplit

import msgspec
import pytest

from connectors.core.errors import ErrorKind
from connectors.core.sharing import Hints, Notice, Subscription
from tests.connectors.behavior.space import Space, refused
from tests.servers.origin import Exchange, Origin

pytestmark = pytest.mark.needs("subscribe")

NOTICE_SECONDS_MAX = 30.0
QUIET_SECONDS = 0.3
SECRET = "a secret of this subscription"
HOUR_SECONDS = 3600


@dataclass(frozen=True, slots=True)
class Listener:
    """Where the provider's calls come in."""

    space: Space
    origin: Origin
    notices: asyncio.Queue[Notice]

    @property
    def url(self) -> str:
        return self.origin.url("/notices")

    async def subscribe(self, *, secret: str = SECRET, seconds: int = HOUR_SECONDS) -> Subscription:
        return await self.space.connector.subscribe(url=self.url, secret=secret, seconds=seconds)

    def read(self, notice: Notice, secret: str = SECRET) -> Hints:
        """What the service makes of a call."""
        assert self.space.target.read_notice is not None
        return self.space.target.read_notice(notice, secret)

    async def wait_for(self, subscription: Subscription) -> Notice:
        """The next call that tells of a change to this subscription."""
        async with asyncio.timeout(NOTICE_SECONDS_MAX):
            while True:
                notice = await self.notices.get()
                if subscription.raw_id in self.read(notice).subscription_ids:
                    return notice

    async def list_told(self) -> set[str]:
        """The subscriptions that were told of something by the calls that have come."""
        await asyncio.sleep(QUIET_SECONDS)
        told: set[str] = set()
        while not self.notices.empty():
            told.update(self.read(self.notices.get_nowait()).subscription_ids)
        return told


@pytest.fixture
async def listener(space: Space) -> AsyncIterator[Listener]:
    notices: asyncio.Queue[Notice] = asyncio.Queue()

    async def take(exchange: Exchange) -> None:
        body, seen = await exchange.read_body(), exchange.seen
        headers = {name.lower(): value for name, value in seen.headers}
        query = dict(parse_qsl(urlsplit(seen.target).query))
        notices.put_nowait(Notice(method="POST", query=query, headers=headers, body=body))
        await exchange.reply(200)

    async with Origin() as origin:
        origin.on("/notices", take)
        yield Listener(space, origin, notices)


async def test_provider_calls_when_something_changes(space: Space, listener: Listener) -> None:
    subscription = await listener.subscribe()
    try:
        for change in ("made", "replaced"):
            await space.put(f"{change}.txt")
            assert (await listener.wait_for(subscription)).method == "POST"
    finally:
        await space.connector.unsubscribe(subscription)


async def test_notice_is_refused_when_it_was_forged(space: Space, listener: Listener) -> None:
    subscription = await listener.subscribe()
    try:
        await space.put("a.txt")
        notice = await listener.wait_for(subscription)
    finally:
        await space.connector.unsubscribe(subscription)
    signed = [name for name, value in notice.headers.items() if value == SECRET]
    bare = {name: value for name, value in notice.headers.items() if name not in signed}
    forged = msgspec.structs.replace(notice, headers=bare | dict.fromkeys(signed, SECRET[:-1] + "x"), body=b"x")
    for call, secret in (
        (notice, "another secret"),
        (notice, ""),
        (forged, SECRET),
        (msgspec.structs.replace(notice, headers={}), SECRET),
    ):
        with refused(ErrorKind.PERMISSION_DENIED):
            listener.read(call, secret)


async def test_it_ends_no_later_than_was_wished(listener: Listener) -> None:
    subscription = await listener.subscribe(seconds=60)
    await listener.space.connector.unsubscribe(subscription)
    if subscription.expires_at is not None:
        longer = await listener.subscribe(seconds=HOUR_SECONDS)
        await listener.space.connector.unsubscribe(longer)
        assert longer.expires_at is not None
        assert longer.expires_at > subscription.expires_at


async def test_it_goes_on_and_the_old_one_is_over_when_renewed(space: Space, listener: Listener) -> None:
    old = await listener.subscribe()
    new = await space.connector.renew_subscription(old, url=listener.url, secret=SECRET, seconds=HOUR_SECONDS)
    try:
        await space.put("a.txt")
        await listener.wait_for(new)
        assert await listener.list_told() <= {new.raw_id}
    finally:
        await space.connector.unsubscribe(new)


async def test_nothing_comes_any_more_when_it_was_ended(space: Space, listener: Listener) -> None:
    ended, other = await listener.subscribe(), await listener.subscribe()
    try:
        for _ in range(2):  # safe to repeat
            await space.connector.unsubscribe(ended)
        await space.put("a.txt")
        await listener.wait_for(other)
        assert ended.raw_id not in await listener.list_told()
    finally:
        await space.connector.unsubscribe(other)
