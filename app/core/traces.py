"""OpenTelemetry traces: a span for each request and task, each operation of a connector, each call to a provider.

Imported only when the operator switched traces on. Spans say routes, operations, outcomes and hosts: no paths, no
names of files, no queries, no headers. They are sent from a thread, and thrown away when they cannot be sent.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import Token
from importlib.metadata import version
from time import time_ns

import requests
from opentelemetry import context as contexts
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from app.core.aside import run_aside
from connectors.core.layers.observe import OK, Sent

EXPORT_SECONDS_MAX = 5.0
STOP_SECONDS_MAX = 3.0
"""How long the end of the process waits for spans to be sent."""

NANOSECONDS = 1_000_000_000
SERVER_ERROR = 500

_PROPAGATOR = TraceContextTextMapPropagator()


class Traces:
    """The spans of one process, on their way to one collector."""

    def __init__(self, endpoint: str) -> None:
        session = requests.Session()
        session.trust_env = False  # neither proxies nor passwords of the environment
        exporter = OTLPSpanExporter(endpoint=endpoint, timeout=EXPORT_SECONDS_MAX, session=session)
        # What OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES say comes before our own words.
        ours = Resource({"service.name": "kloudless", "service.version": version("kloudless-server")})
        self._provider = TracerProvider(resource=ours.merge(OTELResourceDetector().detect()), shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("kloudless")

    def begin_request(self, headers: Mapping[str, str], method: str, request_id: str) -> RequestSpan:
        """The span of a request, as a child of the one that the client's `traceparent` names."""
        carrier = {name: headers[name] for name in ("traceparent", "tracestate") if name in headers}
        context = _PROPAGATOR.extract(carrier, Context())
        attributes = {"http.request.method": method, "kloudless.request_id": request_id}
        return RequestSpan(self._tracer.start_span(method, context, SpanKind.SERVER, attributes), method)

    @contextmanager
    def task(self, kind: str, task_id: str) -> Iterator[None]:
        """A block in which a task is worked on: a trace of its own."""
        attributes = {"kloudless.task_id": task_id}
        span = self._tracer.start_span(f"task {kind}", Context(), SpanKind.CONSUMER, attributes)
        token = contexts.attach(trace.set_span_in_context(span))
        try:
            yield
        finally:
            contexts.detach(token)
            span.end()

    def begin_operation(self, service: str, operation: str) -> OperationSpan:
        """The span of an operation; calls that are made meanwhile are below it."""
        attributes = {"kloudless.provider": service, "kloudless.operation": operation}
        return OperationSpan(self._tracer.start_span(f"{service} {operation}", attributes=attributes))

    def note_call(self, event: Sent) -> None:
        """The span of a call that is over."""
        ended_at = time_ns()
        attributes: dict[str, str | int] = {
            "kloudless.provider": event.service,
            "kloudless.outcome": event.outcome,
            "kloudless.attempt": event.attempt,
        }
        if event.host is not None:
            attributes["server.address"] = event.host
        if event.status is not None:
            attributes["http.response.status_code"] = event.status
        span = self._tracer.start_span(
            event.operation,
            kind=SpanKind.CLIENT,
            attributes=attributes,
            start_time=ended_at - round(event.seconds * NANOSECONDS),
        )
        if event.outcome != OK:
            span.set_status(Status(StatusCode.ERROR, event.outcome))
        span.end(ended_at)

    def flush(self) -> None:
        """Sends what waits; blocks."""
        self._provider.force_flush()

    async def aclose(self) -> None:
        """Sends what waits, for a few seconds at most."""
        with suppress(TimeoutError):
            async with asyncio.timeout(STOP_SECONDS_MAX):
                await run_aside(self._provider.shutdown)


class RequestSpan:
    """The span of one request; current from its making to its end, which are in the same task."""

    def __init__(self, span: trace.Span, method: str) -> None:
        self._span = span
        self._method = method
        self._token = contexts.attach(trace.set_span_in_context(span, Context()))

    def end(self, route: str | None, status: int | None, *, error_code: str | None, service: str | None) -> None:
        """The reply is sent, or will never be."""
        contexts.detach(self._token)
        span = self._span
        if route is not None:
            span.update_name(f"{self._method} {route}")
            span.set_attribute("http.route", route)
        if status is not None:
            span.set_attribute("http.response.status_code", status)
        if error_code is not None:
            span.set_attribute("error.type", error_code)
        if service is not None:
            span.set_attribute("kloudless.provider", service)
        if status is None or status >= SERVER_ERROR:
            span.set_status(StatusCode.ERROR)
        span.end()


class OperationSpan:
    """The span of one operation; current until it ends, of a stream until it is open."""

    def __init__(self, span: trace.Span) -> None:
        self._span = span
        self._token: Token[Context] | None = contexts.attach(trace.set_span_in_context(span))

    def opened(self) -> None:
        self._leave()

    def ended(self, outcome: str, *, size_bytes: int = 0) -> None:
        self._leave()
        self._span.set_attribute("kloudless.outcome", outcome)
        if size_bytes:
            self._span.set_attribute("kloudless.size_bytes", size_bytes)
        if outcome != OK:
            self._span.set_status(Status(StatusCode.ERROR, outcome))
        self._span.end()

    def _leave(self) -> None:
        token, self._token = self._token, None
        if token is not None:
            contexts.detach(token)
