"""How a call is made: its address, the region that it is signed for, its answer read in time."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import quote, unquote

import httpx

from connectors.core.bytesource import ByteSource
from connectors.core.call import INTENT, Intent, Repeat
from connectors.core.errors import ConnectorError, ErrorKind
from connectors.core.layers.classify import WHOLE_BODY_BYTES_MAX
from connectors.core.passthrough import has_dots, pass_through
from connectors.core.raw import RawCall, RawReply
from connectors.core.stack import HttpSend
from connectors.core.transport import build_body, build_url
from connectors.s3.account import DEFAULT_REGION, Account
from connectors.s3.errors import REGION as REGION_FOUND
from connectors.s3.keys import Place
from connectors.s3.signing import IS_SIGNED, REGION

DOCUMENT_BYTES_MAX = 16 * 2**20  # a thousand of the longest keys, percent-encoded, are 4 MiB
BUCKETS_REMEMBERED_MAX = 10_000
COPY_SOURCE = "x-amz-copy-source"

Query = Iterable[tuple[str, str | None]]
"""Names and values, in the order in which they are sent; a value of None leaves out the "="."""


class Regions:
    """Where buckets are, as far as stores have said; shared by all accounts of the process."""

    def __init__(self) -> None:
        self._regions: OrderedDict[tuple[str, str], str] = OrderedDict()

    def find(self, endpoint: str, bucket: str) -> str | None:
        return self._regions.get((endpoint, bucket))

    def learn(self, endpoint: str, bucket: str, region: str) -> None:
        self._regions[endpoint, bucket] = region
        self._regions.move_to_end((endpoint, bucket))
        if len(self._regions) > BUCKETS_REMEMBERED_MAX:
            self._regions.popitem(last=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call to the store, before it has an address and a signature."""

    operation: str
    repeat: Repeat
    method: str
    place: Place
    query: Query = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | ByteSource = b""

    @property
    def intent(self) -> Intent:
        is_replayable = isinstance(self.body, bytes) or self.body.is_replayable
        return Intent(operation=self.operation, repeat=self.repeat, is_body_replayable=is_replayable)


class Client:
    """Sends calls of one account."""

    def __init__(self, account: Account, send: HttpSend, regions: Regions) -> None:
        self._account = account
        self._send = send
        self._regions = regions

    def find_region(self, bucket: str) -> str:
        """The region that calls to a bucket are signed for."""
        known = self._regions.find(self._account.endpoint.name, bucket) if bucket else None
        return known or self._account.region or DEFAULT_REGION

    def learn_region(self, bucket: str, region: str) -> None:
        self._regions.learn(self._account.endpoint.name, bucket, region)

    def build_url(self, place: Place, query: Query = ()) -> httpx.URL:
        """The address of a place; invalid_name for a key that no URL can hold."""
        base, path = self._account.endpoint.build_base(self.find_region(place.bucket), place.bucket)
        if place.key:
            path = f"{path}/{place.key}" if path else place.key
        url = build_url(base, path)
        text = "&".join(_quote(name) if value is None else f"{_quote(name)}={_quote(value)}" for name, value in query)
        return httpx.URL(f"{url}?{text}") if text else url

    async def ask(self, call: Call) -> httpx.Response:
        """The whole answer."""
        reply = await self._send_to_region(call, {WHOLE_BODY_BYTES_MAX: DOCUMENT_BYTES_MAX})
        await reply.aclose()
        return reply

    @asynccontextmanager
    async def stream(self, call: Call) -> AsyncIterator[httpx.Response]:
        """The answer at its head; leaving the context ends it, however much was read."""
        reply = await self._send_to_region(call, {})
        try:
            yield reply
        finally:
            await reply.aclose()

    def pass_on(self, call: RawCall) -> AbstractAsyncContextManager[RawReply]:
        """A request of the caller's own, to the account's bucket and folder or, if it shows all, to the store."""
        account, bucket = self._account, self._account.bucket or ""
        source = next((value for name, value in call.headers.items() if name.lower() == COPY_SOURCE), "")
        is_inside = unquote(source).lstrip("/").startswith(f"{bucket}/{account.prefix}") and not has_dots(source)
        if bucket and source and not is_inside:
            raise ConnectorError(ErrorKind.ADDRESS_REFUSED, f"{COPY_SOURCE} must be in {account.place_name}")
        base = self.build_url(Place(bucket, account.prefix))
        return pass_through(self._send, call, base=base, extensions={REGION: self.find_region(bucket)})

    async def ask_signed(self, url: str) -> httpx.Response:
        """The whole answer to whoever has an address that is signed."""
        intent = Intent(operation="use_signed_url", repeat=Repeat.SAFE)
        extensions = {WHOLE_BODY_BYTES_MAX: DOCUMENT_BYTES_MAX, INTENT: intent, IS_SIGNED: True}
        return await self._send(httpx.Request("GET", url, extensions=extensions))

    async def _send_to_region(self, call: Call, extensions: Mapping[str, object]) -> httpx.Response:
        """Asks again, signed for the right region, when the answer is that the bucket is in another one."""
        region = self.find_region(call.place.bucket)
        try:
            return await self._send(self._build(call, region, extensions))
        except ConnectorError as error:
            found = error.context.get(REGION_FOUND)
            if found is None or found == region or not call.intent.is_body_replayable:
                raise
            self.learn_region(call.place.bucket, found)
            return await self._send(self._build(call, found, extensions))

    def _build(self, call: Call, region: str, extensions: Mapping[str, object]) -> httpx.Request:
        url = self.build_url(call.place, call.query)
        headers = dict(call.headers)
        extensions = {**extensions, INTENT: call.intent, REGION: region}
        if isinstance(call.body, bytes):
            return httpx.Request(call.method, url, headers=headers, content=call.body, extensions=extensions)
        framing, stream = build_body(call.body)
        return httpx.Request(call.method, url, headers={**headers, **framing}, stream=stream, extensions=extensions)


def _quote(text: str) -> str:
    return quote(text, safe="-_.~")
