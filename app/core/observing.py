"""What this process notes about calls to storages: a line in the log, a count for the request, metrics, traces."""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING

from app.core.journal import CountingObserver
from app.core.metrics import Metrics, read_direction
from connectors.core.layers.observe import Sent, Watch

if TYPE_CHECKING:
    from app.core.traces import Traces


class ProcessObserver(CountingObserver):
    """Tells everything that is interested; without traces nothing is done for them."""

    def __init__(self, metrics: Metrics, traces: Traces | None) -> None:
        super().__init__()
        self._metrics = metrics
        self._traces = traces

    def sent(self, event: Sent) -> None:
        super().sent(event)
        self._metrics.note_call(event)
        if self._traces is not None:
            self._traces.note_call(event)

    def began(self, service: str, operation: str) -> Watch:
        span = None if self._traces is None else self._traces.begin_operation(service, operation)
        return _CountedOperation(self._metrics, service, operation, span)


class _CountedOperation:
    """An operation under way."""

    __slots__ = ("_is_stream", "_metrics", "_operation", "_service", "_span", "_started")

    def __init__(self, metrics: Metrics, service: str, operation: str, span: Watch | None) -> None:
        self._metrics = metrics
        self._service = service
        self._operation = operation
        self._span = span
        self._started = perf_counter()
        self._is_stream = bool(read_direction(operation))
        if self._is_stream:
            metrics.note_stream(service, operation, 1)

    def opened(self) -> None:
        if self._span is not None:
            self._span.opened()

    def ended(self, outcome: str, *, size_bytes: int = 0) -> None:
        seconds = perf_counter() - self._started
        self._metrics.note_operation(self._service, self._operation, outcome, seconds=seconds, size_bytes=size_bytes)
        if self._is_stream:
            self._metrics.note_stream(self._service, self._operation, -1)
        if self._span is not None:
            self._span.ended(outcome, size_bytes=size_bytes)
