"""Tells an observer about every operation that the provider is asked for: its begin, its end, the bytes it moved."""

from __future__ import annotations

from collections.abc import Awaitable
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import Self

from connectors.core.bytesource import ByteSource
from connectors.core.connector import Connector
from connectors.core.layers.context import ExplainedChunks
from connectors.core.layers.delegate import DelegatingConnector, ResultT, StreamT
from connectors.core.layers.observe import OPERATION, Observer, Watch, read_outcome
from connectors.core.resources import File, OnConflict, Part, RawId, UploadSession


class WatchedConnector(DelegatingConnector):
    """Changes nothing. Bytes are counted once, at the end; those to store when they are stored."""

    def __init__(self, inner: Connector, *, observer: Observer) -> None:
        super().__init__(inner)
        self._observer = observer

    async def _run(self, operation: str, reference: str, call: Awaitable[ResultT]) -> ResultT:  # noqa: ARG002 - names of files are nobody's affair
        with _Watched(self._observer, self.manifest.service, operation):
            return await call

    def _open(
        self,
        operation: str,
        reference: str,  # noqa: ARG002 - as above
        stream: AbstractAsyncContextManager[StreamT],
    ) -> AbstractAsyncContextManager[StreamT]:
        return _WatchedStream(stream, _Watched(self._observer, self.manifest.service, operation))

    async def upload(self, parent: RawId, name: str, source: ByteSource, *, on_conflict: OnConflict) -> File:
        with _Watched(self._observer, self.manifest.service, "upload") as watched:
            file = await self._inner.upload(parent, name, source, on_conflict=on_conflict)
            watched.size_bytes = _measure(source, file)
            return file

    async def replace(self, file: RawId, source: ByteSource) -> File:
        with _Watched(self._observer, self.manifest.service, "replace") as watched:
            replaced = await self._inner.replace(file, source)
            watched.size_bytes = _measure(source, replaced)
            return replaced

    async def put_part(
        self, session: UploadSession, number: int, source: ByteSource, *, previous: Part | None = None
    ) -> Part:
        with _Watched(self._observer, self.manifest.service, "put_part") as watched:
            part = await self._inner.put_part(session, number, source, previous=previous)
            watched.size_bytes = _measure(source, part)
            return part


class _Watched:
    """A block in which an operation is done; for a stream, its two ends."""

    def __init__(self, observer: Observer, service: str, operation: str) -> None:
        self._observer = observer
        self._service = service
        self._operation = operation
        self._watch: Watch | None = None
        self.size_bytes = 0

    def __enter__(self) -> Self:
        self.begin()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.leave()
        self.end(error)

    def begin(self) -> None:
        """From here on, sends of this task are for the operation."""
        self._watch = self._observer.began(self._service, self._operation)
        self._token = OPERATION.set(self._operation)

    def leave(self) -> None:
        """Sends of this task are for whatever they were for before."""
        OPERATION.reset(self._token)

    def opened(self) -> None:
        """The stream is there; what follows may happen in another task."""
        self.leave()
        if self._watch is not None:
            self._watch.opened()

    def end(self, error: BaseException | None) -> None:
        """It is over; said once."""
        watch, self._watch = self._watch, None
        if watch is not None:
            watch.ended(read_outcome(error), size_bytes=self.size_bytes)


class _WatchedStream(AbstractAsyncContextManager[StreamT]):
    def __init__(self, stream: AbstractAsyncContextManager[StreamT], watched: _Watched) -> None:
        self._stream: AbstractAsyncContextManager[StreamT] = stream
        self._watched = watched
        self._opened: StreamT | None = None

    async def __aenter__(self) -> StreamT:
        self._watched.begin()
        try:
            self._opened = opened = await self._stream.__aenter__()
        except BaseException as error:
            self._watched.leave()
            self._watched.end(error)
            raise
        self._watched.opened()
        return opened

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool | None:
        ended = error
        try:
            return await self._stream.__aexit__(kind, error, traceback)
        except BaseException as closing:
            ended = closing
            raise
        finally:
            if self._opened is not None and isinstance(self._opened.chunks, ExplainedChunks):
                self._watched.size_bytes = self._opened.chunks.seen_bytes
            self._watched.end(ended)


def _measure(source: ByteSource, stored: File | Part) -> int:
    size_bytes = source.size_bytes if source.size_bytes is not None else stored.size_bytes
    return size_bytes or 0
