"""Reading a file's bytes: those of one version from beginning to end, or a failure; whole, or just a part."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus

import httpx

from connectors.core.errors import ConnectorError, ErrorKind
from connectors.core.paths import Parts, show
from connectors.core.resources import ByteRange, Download
from connectors.webdav.api import Server
from connectors.webdav.mapping import Entry, read_etag, read_media_type, read_size, read_time
from connectors.webdav.traits import Traits

_CONTENT_RANGE = re.compile(r"bytes ([0-9]{1,19})-([0-9]{1,19})/([0-9]{1,19}|\*)")


@dataclass(frozen=True, slots=True)
class _Facts:
    """What a reply gives: the whole size, the part of it, and how much of the reply is to be left out for that."""

    size_bytes: int | None
    part: tuple[int, int] | None = None
    skipped_bytes: int = 0
    is_cut: bool = False  # the part was asked for, and the reply is the whole

    @property
    def length_bytes(self) -> int | None:
        return self.size_bytes if self.part is None else self.part[1] + 1 - self.part[0]


@dataclass(frozen=True, slots=True)
class Downloader:
    """Opens files of one account."""

    server: Server
    traits: Traits

    @asynccontextmanager
    async def open(self, file: Parts, byte_range: ByteRange | None, if_match: str | None) -> AsyncIterator[Download]:
        """The file at its head. Servers that change files in place are asked at the end whether it is still the same.

        With an etag to compare, the reply itself proves that it is the right file, and nothing is asked before.
        """
        async with AsyncExitStack() as stack:
            try:
                reply, facts = await self._open(stack, file, byte_range, if_match)
            except ConnectorError as error:
                await self._explain(error, file, byte_range)
                raise
            chunks = self._check(file, reply, facts)
            await stack.enter_async_context(aclosing(chunks))
            yield Download(
                chunks,
                facts.size_bytes,
                content_range=facts.part,
                media_type=read_media_type(reply.headers.get("content-type")),
                etag=self.server.mapper.show_etag(reply.headers.get("etag")),
                modified_at=read_time(reply.headers.get("last-modified")),
                name=show(file[-1]),
            )

    async def _open(
        self, stack: AsyncExitStack, file: Parts, byte_range: ByteRange | None, if_match: str | None
    ) -> tuple[httpx.Response, _Facts]:
        there = None
        if if_match is None:
            there = await self._look(file)
            if byte_range is not None and there.size_bytes is not None:
                byte_range = ByteRange(*_resolve(byte_range, there.size_bytes))
        headers = {} if byte_range is None else {"Range": byte_range.header}
        reply = await stack.enter_async_context(self.server.open_file(file, headers))
        if if_match is not None and read_etag(reply.headers.get("etag")) != if_match:
            raise ConnectorError(ErrorKind.PRECONDITION_FAILED, "the file has changed since")
        return reply, _read_facts(reply, there, byte_range)

    async def _look(self, file: Parts) -> Entry:
        """What is there now; wrong_type for a folder, which some servers show as a page of HTML."""
        there = await self.server.look(file, is_folder=False)
        if there.is_folder:
            raise ConnectorError(ErrorKind.WRONG_TYPE, "this is a folder, not a file")
        return there

    async def _check(self, file: Parts, reply: httpx.Response, facts: _Facts) -> AsyncGenerator[bytes, None]:
        """The bytes that were promised, exactly; the last of them only once it is certain that they belong together."""
        seen_bytes, last = 0, b""
        async for chunk in _skip(reply, facts.skipped_bytes):
            if last:
                yield last
            last, seen_bytes = chunk, seen_bytes + len(chunk)
            too_many = 0 if facts.length_bytes is None else seen_bytes - facts.length_bytes
            if too_many > 0 and not facts.is_cut:
                raise ConnectorError(ErrorKind.UNAVAILABLE, "more bytes came than the file has")
            if too_many >= 0 and facts.is_cut:
                last, seen_bytes = chunk[: len(chunk) - too_many], seen_bytes - too_many
                break
        if facts.length_bytes is not None and seen_bytes != facts.length_bytes:
            text = f"only {seen_bytes} of {facts.length_bytes} bytes came"
            raise ConnectorError(ErrorKind.UNAVAILABLE, text)
        if not self.traits.is_put_atomic:
            await self._refuse_change(file, reply)
        if last:
            yield last

    async def _refuse_change(self, file: Parts, reply: httpx.Response) -> None:
        try:
            is_same = _is_same(reply, await self._look(file))
        except ConnectorError as error:
            if error.kind not in {ErrorKind.NOT_FOUND, ErrorKind.WRONG_TYPE}:
                raise
            is_same = False
        if not is_same:
            raise ConnectorError(ErrorKind.UNAVAILABLE, "the file changed while it was read")

    async def _explain(self, error: ConnectorError, file: Parts, byte_range: ByteRange | None) -> None:
        """Completes a refusal by looking at what is there now, which may be a reason of its own."""
        if error.kind is ErrorKind.PRECONDITION_FAILED:
            await self._look(file)
        elif error.kind is ErrorKind.RANGE_INVALID and error.size_bytes is None and byte_range is not None:
            error.size_bytes = (await self._look(file)).size_bytes


async def _skip(reply: httpx.Response, skipped_bytes: int) -> AsyncIterator[bytes]:
    """The reply's bytes but for the first."""
    left = skipped_bytes
    async for chunk in reply.aiter_raw():
        if left >= len(chunk):
            left -= len(chunk)
            continue
        yield chunk[left:]
        left = 0


def _read_facts(reply: httpx.Response, there: Entry | None, byte_range: ByteRange | None) -> _Facts:
    """What the reply's head says, held against what was told of the file before."""
    size_bytes, part = read_size(reply.headers.get("content-length")), None
    if reply.status_code == HTTPStatus.PARTIAL_CONTENT and byte_range is not None:
        size_bytes, part = _read_content_range(reply, byte_range)
    if there is not None and there.size_bytes is not None and _is_same(reply, there):
        if size_bytes is not None and size_bytes != there.size_bytes:
            text = f"the server gives {size_bytes} bytes of a file that it says has {there.size_bytes}"
            raise ConnectorError(ErrorKind.UNAVAILABLE, text)
        size_bytes = there.size_bytes
    if part is not None or byte_range is None:
        return _Facts(size_bytes, part)
    if size_bytes is None:
        raise ConnectorError(ErrorKind.UNSUPPORTED, "the server gives no parts of this file, nor says its size")
    part = _resolve(byte_range, size_bytes)  # it ignores ranges: what comes before is read over
    return _Facts(size_bytes, part, skipped_bytes=part[0], is_cut=True)


def _is_same(reply: httpx.Response, there: Entry) -> bool:
    """True when nothing says that the reply is of another version than was described."""
    etags = [read_etag(reply.headers.get("etag")), read_etag(there.etag)]
    modified_at = read_time(reply.headers.get("last-modified"))
    if None not in etags and etags[0] != etags[1]:
        return False
    return modified_at is None or there.modified_at is None or modified_at == there.modified_at


def _resolve(byte_range: ByteRange, size_bytes: int) -> tuple[int, int]:
    part = byte_range.resolve(size_bytes)
    if part is None:
        text = f"the range touches none of the file's {size_bytes} bytes"
        raise ConnectorError(ErrorKind.RANGE_INVALID, text, size_bytes=size_bytes)
    return part


def _read_content_range(reply: httpx.Response, byte_range: ByteRange) -> tuple[int | None, tuple[int, int]]:
    """The whole size and the part that a reply says it is; range_invalid for an empty part, unexpected for another."""
    found = _CONTENT_RANGE.fullmatch(reply.headers.get("content-range", "").strip())
    if found is None:
        raise ConnectorError(ErrorKind.UNEXPECTED, "the server gave a part of the file without saying which")
    part, size_bytes = (int(found[1]), int(found[2])), read_size(found[3])
    if part[1] < part[0]:
        text = "the range touches none of the file's bytes"
        raise ConnectorError(ErrorKind.RANGE_INVALID, text, size_bytes=size_bytes)
    is_asked = part[0] == byte_range.start if size_bytes is None else part == byte_range.resolve(size_bytes)
    if not is_asked:
        raise ConnectorError(ErrorKind.UNEXPECTED, "the server gave another part of the file than was asked for")
    return size_bytes, part
