"""The methods of HTTP and WebDAV (RFC 4918), one function each: a path to a request, a reply to what it says."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from http import HTTPStatus
from typing import TypeVar

import httpx

from connectors.core.bytesource import ByteSource
from connectors.core.call import INTENT, Intent, Repeat, Send
from connectors.core.errors import ConnectorError, ErrorKind
from connectors.core.layers.classify import EXPECTED_STATUSES, READ_REPLY
from connectors.core.passthrough import is_below, pass_through
from connectors.core.paths import Parts, is_hidden
from connectors.core.raw import RawCall, RawReply
from connectors.core.transport import build_body
from connectors.webdav.addresses import Address, is_same
from connectors.webdav.errors import classify_redirect, is_folder_redirect, read_partial_failure, settle
from connectors.webdav.mapping import Entry, Mapper, read_time
from connectors.webdav.multistatus import MULTISTATUS_BYTES_MAX, Member, MultistatusReader

DOCUMENT_BYTES_MAX = 8 * 2**20  # of an answer about one resource
MEMBERS_MAX = 200_000  # of one folder, all in memory while they are put in order
DESTINATION = "destination"
REDIRECTS = frozenset({301, 302, 303, 307, 308})

FACTS = ("resourcetype", "getcontentlength", "getlastmodified", "creationdate", "getetag", "getcontenttype")
QUOTA = ("quota-used-bytes", "quota-available-bytes")
XML = {"Content-Type": 'application/xml; charset="utf-8"'}


ResultT = TypeVar("ResultT")


@dataclass(slots=True)
class Members:
    """A folder and what it holds. `as_of` is the server's own time."""

    folder: Entry
    entries: list[Entry] = field(default_factory=list)
    hidden: list[Entry] = field(default_factory=list)  # the connectors' own
    as_of: datetime | None = None


class Server:
    """One account's folder on a server. Errors are what the layers and `errors` make of bad replies."""

    def __init__(self, send: Send[httpx.Request, httpx.Response], address: Address, mapper: Mapper) -> None:
        self._send = send
        self.address = address
        self.mapper = mapper

    async def describe(self, parts: Parts, *, is_folder: bool | None, names: Sequence[str] | None = FACTS) -> Member:
        """PROPFIND of one resource, with these properties, or all that the server tells when `names` is None.

        `is_folder` chooses how it is asked for and promises nothing; None is for not knowing.
        """
        url, headers = self.address.url(parts, is_folder=bool(is_folder)), {"Depth": "0", **XML}
        expected = REDIRECTS if is_folder is None else frozenset()

        async def read(reply: httpx.Response) -> Member | None:
            if reply.status_code not in REDIRECTS:
                return await self._read_one(reply, parts)
            if not is_folder_redirect(reply):
                raise classify_redirect(reply)
            return None

        found = await self._ask("PROPFIND", url, Repeat.SAFE, headers, build_propfind(names), read, expected)
        return found or await self.describe(parts, is_folder=True, names=names)

    def pass_on(self, call: RawCall) -> AbstractAsyncContextManager[RawReply]:
        """A request of the caller's own, to this folder or below."""
        base = httpx.URL(self.address.base)
        for name, value in call.headers.items():
            if name.lower() == DESTINATION and not _leads_below(value, base):
                raise ConnectorError(ErrorKind.ADDRESS_REFUSED, f"the {DESTINATION} must be below {base}")
        return pass_through(self._send, call, base=base)

    async def look(self, parts: Parts, *, is_folder: bool | None) -> Entry:
        """What stands there. not_found for nothing."""
        member = await self.describe(parts, is_folder=is_folder)
        return self.mapper.read_entry(parts[-1] if parts else b"", member)

    async def find(self, parts: Parts) -> Entry | None:
        """What stands there, or None."""
        try:
            return await self.look(parts, is_folder=None)
        except ConnectorError as error:
            if error.kind is not ErrorKind.NOT_FOUND:
                raise
            return None

    async def list_members(self, parts: Parts) -> Members:
        """PROPFIND of a folder and its members, in no order. wrong_type for a file that answers as if it were one."""
        url, headers = self.address.url(parts, is_folder=True), {"Depth": "1", **XML}

        async def read(reply: httpx.Response) -> Members:
            return await self._read_folder(reply, parts)

        return await self._ask("PROPFIND", url, Repeat.SAFE, headers, build_propfind(FACTS), read)

    @asynccontextmanager
    async def open_file(self, parts: Parts, headers: Mapping[str, str]) -> AsyncIterator[httpx.Response]:
        """GET; the bytes as they are stored."""
        url, headers = self.address.url(parts, is_folder=False), {"Accept-Encoding": "identity", **headers}
        async with self._open("GET", url, Repeat.SAFE, headers) as reply:
            yield reply

    async def put(
        self, parts: Parts, source: ByteSource, repeat: Repeat, headers: Mapping[str, str] | None = None
    ) -> None:
        """PUT of a file; unsafe to repeat, or idempotent, as the headers make it."""
        url = self.address.url(parts, is_folder=False)
        async with self._open("PUT", url, repeat, headers or {}, source):
            pass

    async def make_folder(self, parts: Parts) -> None:
        """MKCOL."""
        async with self._open("MKCOL", self.address.url(parts, is_folder=True), Repeat.IDEMPOTENT, {}):
            pass

    async def delete(self, parts: Parts, *, is_folder: bool) -> None:
        """DELETE; of a folder with all it holds."""
        url = self.address.url(parts, is_folder=is_folder)

        async def read(reply: httpx.Response) -> None:
            await self._refuse_partial_failure(reply, parts)

        await self._ask("DELETE", url, Repeat.IDEMPOTENT, {}, None, read)

    async def copy(self, parts: Parts, target: Parts, *, is_folder: bool, repeat: Repeat, replaces: bool) -> None:
        """COPY; of a folder with all it holds."""
        await self._carry("COPY", parts, target, is_folder, repeat, replaces)

    async def move(self, parts: Parts, target: Parts, *, is_folder: bool, repeat: Repeat, replaces: bool) -> None:
        """MOVE."""
        await self._carry("MOVE", parts, target, is_folder, repeat, replaces)

    async def change_properties(self, parts: Parts, body: bytes) -> Member:
        """PROPPATCH; what it says of each property."""
        url = self.address.url(parts, is_folder=False)

        async def read(reply: httpx.Response) -> Member:
            return await self._read_one(reply, parts)

        return await self._ask("PROPPATCH", url, Repeat.IDEMPOTENT, XML, body, read)

    async def _carry(
        self, method: str, parts: Parts, target: Parts, is_folder: bool, repeat: Repeat, replaces: bool
    ) -> None:
        headers = {
            "Destination": str(self.address.url(target, is_folder=is_folder)),
            "Overwrite": "T" if replaces else "F",
        }
        if is_folder:
            headers["Depth"] = "infinity"
        url = self.address.url(parts, is_folder=is_folder)

        async def read(reply: httpx.Response) -> None:
            await self._refuse_partial_failure(reply, parts)

        await self._ask(method, url, repeat, headers, None, read)

    async def _ask(
        self,
        method: str,
        url: httpx.URL,
        repeat: Repeat,
        headers: Mapping[str, str],
        body: bytes | None,
        read: Callable[[httpx.Response], Awaitable[ResultT]],
        expected: AbstractSet[int] = frozenset(),
    ) -> ResultT:
        """What `read` makes of the reply; one that breaks off is like none."""
        results: list[ResultT] = []

        async def read_reply(reply: httpx.Response) -> None:
            results[:] = [await read(reply)]

        extensions = {READ_REPLY: read_reply, EXPECTED_STATUSES: expected}
        async with self._open(method, url, repeat, headers, body, extensions):
            return results[0]

    @asynccontextmanager
    async def _open(
        self,
        method: str,
        url: httpx.URL,
        repeat: Repeat,
        headers: Mapping[str, str],
        body: ByteSource | bytes | None = None,
        extensions: Mapping[str, object] | None = None,
    ) -> AsyncIterator[httpx.Response]:
        is_replayable = not isinstance(body, ByteSource) or body.is_replayable
        intent = Intent(operation=method.lower(), repeat=repeat, is_body_replayable=is_replayable)
        extensions = {**(extensions or {}), INTENT: intent}
        if isinstance(body, ByteSource):
            framing, stream = build_body(body)
            headers = {**headers, **framing}
            request = httpx.Request(method, url, headers=headers, stream=stream, extensions=extensions)
        else:
            request = httpx.Request(method, url, headers=headers, content=body, extensions=extensions)
        try:
            reply = await self._send(request)
        except ConnectorError as error:
            settle(error)
            raise
        try:
            yield reply
        finally:
            await reply.aclose()

    async def _read_folder(self, reply: httpx.Response, parts: Parts) -> Members:
        members, count = None, 0
        found: dict[bytes, Entry] = {}
        async for member, below in self._read_members(reply):
            count += 1
            if count > MEMBERS_MAX:
                raise ConnectorError(ErrorKind.UNSUPPORTED, f"the folder has more than {MEMBERS_MAX} members")
            if len(below) == len(parts) and is_same(below, parts):
                entry = self.mapper.read_entry(parts[-1] if parts else b"", member)
                members = members or Members(entry, as_of=read_time(reply.headers.get("date")))
            elif len(below) == len(parts) + 1 and is_same(below[:-1], parts) and b"/" not in below[-1]:
                found[below[-1]] = self.mapper.read_entry(below[-1], member)
        if members is None:
            raise self._misplaced(parts)
        if not members.folder.is_folder:
            raise ConnectorError(ErrorKind.WRONG_TYPE, "this is a file, not a folder")
        for name, entry in found.items():
            (members.hidden if is_hidden(name) else members.entries).append(entry)
        return members

    async def _read_one(self, reply: httpx.Response, parts: Parts) -> Member:
        told = [
            member async for member, below in self._read_members(reply, DOCUMENT_BYTES_MAX) if is_same(below, parts)
        ]
        if not told:
            raise self._misplaced(parts)
        if told[0].status in {HTTPStatus.NOT_FOUND, HTTPStatus.GONE}:
            raise ConnectorError(ErrorKind.NOT_FOUND, "there is nothing of that name")
        return told[0]

    async def _read_members(
        self, reply: httpx.Response, bytes_max: int = MULTISTATUS_BYTES_MAX
    ) -> AsyncIterator[tuple[Member, Parts]]:
        """What belongs to this account, with its path."""
        if reply.status_code != HTTPStatus.MULTI_STATUS:
            text = f"the server does not speak WebDAV here: it answered with status {reply.status_code}"
            raise ConnectorError(ErrorKind.UNEXPECTED, text)
        reader = MultistatusReader(bytes_max)
        async for chunk in reply.aiter_raw():
            for member in reader.feed(chunk):
                below = self.address.read_href(member.href)
                if below is not None:
                    yield member, below
        reader.close()

    async def _refuse_partial_failure(self, reply: httpx.Response, parts: Parts) -> None:
        if reply.status_code != HTTPStatus.MULTI_STATUS:
            return
        body = bytearray()
        async for chunk in reply.aiter_raw():
            body += chunk
            if len(body) > DOCUMENT_BYTES_MAX:
                break
        error, href = read_partial_failure(reply.request.method, bytes(body))
        if error is None:
            return
        if reply.request.method == "DELETE" and is_same(self.address.read_href(href) or (), parts):
            text = "all that the folder held was deleted, but others put something in it meanwhile"
            raise ConnectorError(ErrorKind.FOLDER_NOT_EMPTY, text)
        raise error

    def _misplaced(self, parts: Parts) -> ConnectorError:
        asked = self.address.url(parts, is_folder=False).path
        text = f"the server's answer speaks of other paths than {asked}; a proxy before it may change them"
        return ConnectorError(ErrorKind.UNEXPECTED, text)


def build_propfind(names: Sequence[str] | None) -> bytes:
    """The question for these of the standard's properties, or for all that a server cares to tell."""
    asked = "<allprop/>" if names is None else f"<prop>{''.join(f'<{name}/>' for name in names)}</prop>"
    return f'<?xml version="1.0" encoding="utf-8"?><propfind xmlns="DAV:">{asked}</propfind>'.encode()


def _leads_below(target: str, base: httpx.URL) -> bool:
    try:
        return is_below(base.join(target), base)
    except httpx.InvalidURL:
        return False
