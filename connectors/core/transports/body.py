"""Request bodies: from a byte source to the HTTP client, with a hand on them until the last byte."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import cast

import httpx

from connectors.core.bytesource import CHUNK_BYTES, ByteSource
from connectors.core.idle import IdleWatch

SMALL_BODY_BYTES_MAX = 64 * 1024  # fits the socket's buffer, so sending it never takes long


def build_body(source: ByteSource) -> tuple[dict[str, str], httpx.AsyncByteStream]:
    """Headers and `stream` for an httpx.Request that sends `source`; each attempt to send the request opens it anew."""
    if source.size_bytes is None:
        return {"Transfer-Encoding": "chunked"}, _SourceStream(source)
    return {"Content-Length": str(source.size_bytes)}, _SourceStream(source)


class _SourceStream(httpx.AsyncByteStream):
    """A byte source as httpx knows bodies.

    The chunk that completes the declared size is held back until the source has ended: HTTP clients stop asking at
    Content-Length, and a source that runs over would be stored cut instead of failing.
    """

    def __init__(self, source: ByteSource) -> None:
        self._source = source

    async def __aiter__(self) -> AsyncIterator[bytes]:
        chunks = self._source.open()
        sent_bytes, last = 0, b""
        try:
            async for chunk in chunks:
                sent_bytes += len(chunk)
                if sent_bytes != self._source.size_bytes:
                    yield chunk
                elif chunk:
                    last = chunk
            if last:
                yield last
        finally:
            await _close(chunks)


async def read_small_body(request: httpx.Request) -> bytes | None:
    """The body if it is short and in memory, or empty; None for one to be sent as an Upload."""
    if isinstance(request.stream, httpx.ByteStream):
        content = b"".join(request.stream)  # also that of a copy, which does not say what it holds
        return content if len(content) <= SMALL_BODY_BYTES_MAX else None
    if request.headers.get("content-length") != "0":
        return None
    async for _ in cast("httpx.AsyncByteStream", request.stream):
        pass  # HTTP clients never ask for an empty body, but its source may have something to say
    return b""


class Upload(httpx.AsyncByteStream):
    """The body of one attempt, in pieces of at most CHUNK_BYTES.

    - `wrap` gives each piece the type that the HTTP client takes without a copy.
    - `watch`, once set, runs while the provider takes a piece and rests while we wait for the source.
    - `failure` is what the source raised.
    """

    def __init__(self, stream: httpx.AsyncByteStream, *, wrap: Callable[[bytes | memoryview], bytes] = bytes) -> None:
        self._chunks = aiter(stream)
        self._wrap = wrap
        self._rest = memoryview(b"")  # of a chunk that is larger than a piece
        self._puller: asyncio.Task[object] | None = None
        self._is_stopped = False
        self.watch: IdleWatch | None = None
        self.failure: BaseException | None = None

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        if self._is_stopped:
            raise _StoppedError
        if self._rest:
            return self._take_piece()
        if self.watch is not None:
            self.watch.rest()
        self._puller = asyncio.current_task()
        try:
            chunk = await anext(self._chunks)
        except StopAsyncIteration:
            raise
        except BaseException as error:
            if self._is_stopped:
                raise _StoppedError from None
            self.failure = error
            raise
        finally:
            self._puller = None
            if self.watch is not None:
                self.watch.move()
        if len(chunk) <= CHUNK_BYTES:
            return self._wrap(chunk)
        self._rest = memoryview(chunk)
        return self._take_piece()

    async def stop(self) -> None:
        """Ends the source, wherever it is. A body that was not complete breaks off, and its connection with it."""
        self._is_stopped = True
        if self._puller is not None:  # the HTTP client's own task, which outlives the request
            puller = self._puller
            puller.cancel()
            await asyncio.wait([puller])
        await _close(self._chunks)

    def _take_piece(self) -> bytes:
        if self.watch is not None:
            self.watch.move()
        piece, self._rest = self._rest[:CHUNK_BYTES], self._rest[CHUNK_BYTES:]
        return self._wrap(piece)


class _StoppedError(Exception):
    """The request is over, and with it the sending of its body."""


async def _close(chunks: AsyncIterator[bytes]) -> None:
    close = getattr(chunks, "aclose", None)  # generators have it, iterators in general do not
    if close is not None:
        await close()
