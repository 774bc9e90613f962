"""What this process counts for its operators. Labels are bounded and hold neither names, ids nor secrets.

Counting costs a dictionary look-up and a few additions; a stream is counted once, at its end.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from typing import Literal, NamedTuple

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics
from prometheus_client.process_collector import ProcessCollector

from connectors.core.connector import Connector
from connectors.core.errors import ErrorKind
from connectors.core.layers.observe import CANCELLED, OK, RAISED, Sent
from connectors.core.stack import BudgetSummary

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
"""The bounds of the histograms."""

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
OPERATIONS = frozenset(
    name for name, _ in inspect.getmembers(Connector, inspect.isfunction) if not name.startswith("_")
)
OUTCOMES = frozenset({OK, CANCELLED, RAISED, *(kind.value for kind in ErrorKind)})
DOWNLOADS = frozenset({"open_download", "open_version", "open_export"})
UPLOADS = frozenset({"upload", "replace", "put_part"})
OTHER = "other"
NONE = "none"


class Metric(NamedTuple):
    """One family of series, as scraped."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    labels: tuple[str, ...]
    text: str


REQUESTS = Metric(
    "kloudless_requests_total",
    "counter",
    ("method", "route", "status"),
    "Requests that are over, by route template and class of status; `none` where no route fits or no reply began.",
)
REQUEST_SECONDS = Metric(
    "kloudless_request_seconds",
    "histogram",
    ("method", "route"),
    "Time from a request's head to its reply's last byte.",
)
REQUESTS_RUNNING = Metric("kloudless_requests_running", "gauge", (), "Requests being served now.")
RECEIVED_BYTES = Metric(
    "kloudless_request_body_bytes_total", "counter", ("method", "route"), "Bytes of requests' bodies that came in."
)
SENT_BYTES = Metric(
    "kloudless_reply_body_bytes_total", "counter", ("method", "route"), "Bytes of replies' bodies that went out."
)
OPERATIONS_ENDED = Metric(
    "kloudless_operations_total",
    "counter",
    ("provider", "operation", "outcome"),
    "Operations of connectors that are over, after all waiting and repeating; `outcome` is `ok` or the kind of error.",
)
OPERATION_SECONDS = Metric(
    "kloudless_operation_seconds",
    "histogram",
    ("provider", "operation"),
    "Time that an operation took, waiting and repeating included; of a download until its stream was closed.",
)
PROVIDER_CALLS = Metric(
    "kloudless_provider_calls_total",
    "counter",
    ("provider", "operation", "outcome"),
    "Calls that went out to a provider, every attempt by itself, by the operation that they were for.",
)
PROVIDER_CALL_SECONDS = Metric(
    "kloudless_provider_call_seconds",
    "histogram",
    ("provider", "operation"),
    "Time until a call was answered (the head of the answer) or failed.",
)
READ_BYTES = Metric(
    "kloudless_provider_read_bytes_total", "counter", ("provider",), "Bytes of files that were read from a provider."
)
STORED_BYTES = Metric(
    "kloudless_provider_stored_bytes_total",
    "counter",
    ("provider",),
    "Bytes of files, and of parts, that a provider stored.",
)
STREAMS_RUNNING = Metric(
    "kloudless_streams_running",
    "gauge",
    ("provider", "direction"),
    "File bodies on their way now: `download` from a provider, `upload` to it; those of tasks, too.",
)
TASKS_OPEN = Metric(
    "kloudless_tasks",
    "gauge",
    ("kind", "state"),
    "Tasks in the database that wait or run, of all servers together; counted up to 10,000.",
)
TASKS_LATE = Metric(
    "kloudless_tasks_late_seconds", "gauge", (), "For how long the task that waits longest could have been claimed."
)
TASKS_ENDED = Metric(
    "kloudless_tasks_ended_total", "counter", ("kind", "state"), "Tasks that this server brought to an end."
)
DATABASE_UP = Metric(
    "kloudless_database_up", "gauge", (), "1 when the database answered while this was collected, else 0."
)
BUDGET_ACCOUNTS = Metric(
    "kloudless_rate_accounts", "gauge", ("provider",), "Accounts whose rate budgets this server remembers."
)
BUDGET_RUNNING = Metric(
    "kloudless_rate_calls_running", "gauge", ("provider",), "Calls that have a slot of their account's budget."
)
BUDGET_WAITING = Metric(
    "kloudless_rate_calls_waiting", "gauge", ("provider",), "Calls that wait for a slot of their account's budget."
)
BUDGET_FREE = Metric(
    "kloudless_rate_slots_free_min", "gauge", ("provider",), "Slots left to the account that has fewest."
)
BUDGET_WAIT_SECONDS = Metric(
    "kloudless_rate_wait_seconds_max",
    "gauge",
    ("provider",),
    "How long a call of the worst account would now wait for its rate, or for a pause that the provider asked for.",
)
BUDGET_PAUSED = Metric(
    "kloudless_rate_accounts_paused", "gauge", ("provider",), "Accounts that the provider told to wait."
)
BUDGET_EXHAUSTED = Metric(
    "kloudless_retry_accounts_exhausted",
    "gauge",
    ("provider",),
    "Accounts whose failed calls are not repeated for now, because most of them failed.",
)
BUILD = Metric("kloudless_build_info", "gauge", ("version",), "Always 1; the label says which version runs.")

METRICS = tuple(value for value in list(globals().values()) if isinstance(value, Metric))


@dataclass(frozen=True, slots=True)
class TaskDepths:
    """How many tasks wait and run, by kind and state; `late_seconds` of the one that waits longest."""

    counts: Mapping[tuple[str, str], int]
    late_seconds: float


class _RouteSeries:
    """The series of one method and route, looked up once."""

    __slots__ = ("_counter", "_method", "_route", "by_status", "received", "seconds", "sent")

    def __init__(self, metrics: Metrics, method: str, route: str) -> None:
        self._counter, self._method, self._route = metrics.requests, method, route
        self.by_status: dict[int | None, Counter] = {}
        self.seconds = metrics.request_seconds.labels(method, route)
        self.received = metrics.received_bytes.labels(method, route)
        self.sent = metrics.sent_bytes.labels(method, route)

    def find_count(self, status: int | None) -> Counter:
        """The counter for a status; each of the few that a route answers with is remembered."""
        found = self.by_status.get(status)
        if found is None:
            name = NONE if status is None else f"{status // 100}xx"
            found = self.by_status[status] = self._counter.labels(self._method, self._route, name)
        return found


class Metrics:
    """The counts of one process, in a registry of its own. To be used on the event loop only."""

    def __init__(self, services: Iterable[str]) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # a switch without types
        self.registry = registry = CollectorRegistry()
        self._services = frozenset(services)
        self._routes: dict[tuple[str, str | None], _RouteSeries] = {}
        self._operations: dict[tuple[str, str, str], tuple[Counter, Histogram]] = {}
        self._calls: dict[tuple[str, str, str], tuple[Counter, Histogram]] = {}
        self.requests = _counter(REQUESTS, registry)
        self.request_seconds = _histogram(REQUEST_SECONDS, registry)
        self.running = _gauge(REQUESTS_RUNNING, registry)
        self.received_bytes = _counter(RECEIVED_BYTES, registry)
        self.sent_bytes = _counter(SENT_BYTES, registry)
        self._operation_counts = _counter(OPERATIONS_ENDED, registry)
        self._operation_seconds = _histogram(OPERATION_SECONDS, registry)
        self._call_counts = _counter(PROVIDER_CALLS, registry)
        self._call_seconds = _histogram(PROVIDER_CALL_SECONDS, registry)
        self._read_bytes = _counter(READ_BYTES, registry)
        self._stored_bytes = _counter(STORED_BYTES, registry)
        self._streams = _gauge(STREAMS_RUNNING, registry)
        self._tasks_ended = _counter(TASKS_ENDED, registry)
        self._tasks, self._tasks_late = _gauge(TASKS_OPEN, registry), _gauge(TASKS_LATE, registry)
        self._database_up = _gauge(DATABASE_UP, registry)
        self._budgets = {
            name: _gauge(metric, registry)
            for name, metric in {
                "accounts_count": BUDGET_ACCOUNTS,
                "running_count": BUDGET_RUNNING,
                "waiting_count": BUDGET_WAITING,
                "free_count_min": BUDGET_FREE,
                "wait_seconds_max": BUDGET_WAIT_SECONDS,
                "paused_count": BUDGET_PAUSED,
                "exhausted_count": BUDGET_EXHAUSTED,
            }.items()
        }
        _gauge(BUILD, registry).labels(version("kloudless-server")).set(1)
        ProcessCollector(registry=registry)

    def note_request(
        self,
        method: str,
        route: str | None,
        status: int | None,
        *,
        seconds: float,
        received_bytes: int,
        sent_bytes: int,
    ) -> None:
        """A request is over."""
        series = self._routes.get((method, route))
        if series is None:
            series = self._find_route(method, route)
        series.find_count(status).inc()
        series.seconds.observe(seconds)
        if received_bytes:
            series.received.inc(received_bytes)
        if sent_bytes:
            series.sent.inc(sent_bytes)

    def _find_route(self, method: str, route: str | None) -> _RouteSeries:
        key = (method if method in METHODS else OTHER, route)  # only the first is up to the client
        if key not in self._routes:
            self._routes[key] = _RouteSeries(self, key[0], route or NONE)
        return self._routes[key]

    def note_call(self, event: Sent) -> None:
        """A call to a provider was answered, or failed."""
        key = (event.service, event.called_for, event.outcome)
        series = self._calls.get(key)
        if series is None:
            labels = self._bound(*key)
            series = self._calls[key] = (self._call_counts.labels(*labels), self._call_seconds.labels(*labels[:2]))
        series[0].inc()
        series[1].observe(event.seconds)

    def note_stream(self, service: str, operation: str, change: int) -> None:
        """A file's body is on its way, or no more (-1)."""
        self._streams.labels(*self._bound(service)[:1], read_direction(operation)).inc(change)

    def note_operation(
        self, service: str, operation: str, outcome: str, *, seconds: float, size_bytes: int = 0
    ) -> None:
        """An operation of a connector is over."""
        key = (service, operation, outcome)
        series = self._operations.get(key)
        if series is None:
            labels = self._bound(*key)
            series = (self._operation_counts.labels(*labels), self._operation_seconds.labels(*labels[:2]))
            self._operations[key] = series
        series[0].inc()
        series[1].observe(seconds)
        if size_bytes:
            moved = self._stored_bytes if operation in UPLOADS else self._read_bytes
            moved.labels(*self._bound(service)[:1]).inc(size_bytes)

    def note_task(self, kind: str, state: str) -> None:
        """A task is over."""
        self._tasks_ended.labels(kind, state).inc()

    def show_tasks(self, depths: TaskDepths | None) -> None:
        """What the database says now of tasks; None when it says nothing."""
        self._database_up.set(depths is not None)
        self._tasks.clear()
        self._tasks_late.set(math.nan if depths is None else depths.late_seconds)
        for (kind, state), count in (depths.counts if depths is not None else {}).items():
            self._tasks.labels(kind, state).set(count)

    def show_budgets(self, summaries: Mapping[str, BudgetSummary]) -> None:
        """How the budgets of accounts stand now, by service."""
        for name, gauge in self._budgets.items():
            gauge.clear()
            for service, summary in summaries.items():
                gauge.labels(*self._bound(service)[:1]).set(getattr(summary, name))

    def _bound(self, service: str, operation: str = "", outcome: str = OK) -> tuple[str, str, str]:
        """Labels that can only take so many values, whoever made them up."""
        return (
            service if service in self._services else OTHER,
            operation if operation in OPERATIONS else (OTHER if operation else NONE),
            outcome if outcome in OUTCOMES else OTHER,
        )


def read_direction(operation: str) -> str:
    """Which way the bytes of an operation go; empty for operations without."""
    return "upload" if operation in UPLOADS else "download" if operation in DOWNLOADS else ""


def _counter(metric: Metric, registry: CollectorRegistry) -> Counter:
    return Counter(metric.name, metric.text, metric.labels, registry=registry)


def _gauge(metric: Metric, registry: CollectorRegistry) -> Gauge:
    return Gauge(metric.name, metric.text, metric.labels, registry=registry)


def _histogram(metric: Metric, registry: CollectorRegistry) -> Histogram:
    return Histogram(metric.name, metric.text, metric.labels, registry=registry, buckets=SECONDS)
