"""Says in every error which connector, operation, account and reference it is about; lets no foreign exception out."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from types import TracebackType

from connectors.core.connector import Connector
from connectors.core.errors import ConnectorError, ErrorKind
from connectors.core.layers.delegate import DelegatingConnector, ResultT, StreamT


class ContextConnector(DelegatingConnector):
    """Only ConnectorError leaves, with context. Cancellation and programming errors (assertions) pass as they are."""

    def __init__(self, inner: Connector, *, account_key: str) -> None:
        super().__init__(inner)
        self._account_key = account_key

    async def _run(self, operation: str, reference: str, call: Awaitable[ResultT]) -> ResultT:
        with _Explained(self.manifest.service, operation, self._account_key, reference):
            return await call

    def _open(
        self, operation: str, reference: str, stream: AbstractAsyncContextManager[StreamT]
    ) -> AbstractAsyncContextManager[StreamT]:
        return _ExplainedStream(stream, _Explained(self.manifest.service, operation, self._account_key, reference))


class _Explained:
    """A block whose errors get context; may be entered again."""

    def __init__(self, service: str, operation: str, account_key: str, reference: str) -> None:
        self._context = {"connector": service, "operation": operation, "account": account_key, "reference": reference}

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if isinstance(error, ConnectorError):
            error.context = {**self._context, **error.context}
        elif isinstance(error, Exception) and not isinstance(error, AssertionError | StopAsyncIteration):
            unexpected = ConnectorError(ErrorKind.UNEXPECTED, "the connector failed in a way it does not explain")
            unexpected.context = dict(self._context)
            raise unexpected from error


class _ExplainedStream(AbstractAsyncContextManager[StreamT]):
    """Explains what goes wrong at opening, reading and closing; what the reader's own code raises passes untouched."""

    def __init__(self, stream: AbstractAsyncContextManager[StreamT], explained: _Explained) -> None:
        self._stream: AbstractAsyncContextManager[StreamT] = stream
        self._explained = explained

    async def __aenter__(self) -> StreamT:
        with self._explained:
            opened = await self._stream.__aenter__()
        return replace(opened, chunks=ExplainedChunks(opened.chunks, self._explained))

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool | None:
        try:
            return await self._stream.__aexit__(kind, error, traceback)
        except Exception as closing:
            if closing is error:
                raise
            with self._explained:
                raise


class ExplainedChunks(AsyncIterator[bytes]):
    """The bytes of a stream; `seen_bytes` is how many have come."""

    def __init__(self, chunks: AsyncIterator[bytes], explained: _Explained) -> None:
        self._chunks = chunks
        self._explained = explained
        self.seen_bytes = 0

    async def __anext__(self) -> bytes:
        with self._explained:
            chunk = await self._chunks.__anext__()
        self.seen_bytes += len(chunk)
        return chunk
