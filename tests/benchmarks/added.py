"""What the API adds to a call of a storage: CPU of the server, less that of asking the storage without it."""

from __future__ import annotations

import statistics
from dataclasses import dataclass

from tests.benchmarks.load import Plan
from tests.benchmarks.measuring import Target, format_median, format_table, judge, measure
from tests.benchmarks.pages import BUCKET, LISTING_ENTRIES_COUNT, ONE_ENTRY
from tests.benchmarks.run import Run
from tests.benchmarks.server import BenchServer
from tests.benchmarks.straight import Question, measure_straight

EXPLANATION = """Straight: the product's HTTP client over the same TLS asks, reads the whole reply and drops it.

Why a listing misses its target: the stages above say where its time goes. A profile of the process (perf) shows three
fifths of a listing's CPU inside the interpreter, a sixth in decoding and encoding JSON, a tenth in the kernel's
sockets, and a fiftieth in the cipher, since a page's ids are made together. Every object has some twenty fields and
holds its id three times, so that a page is a thousand times some thirty values to make and to forget, and almost a
megabyte to send. Reading the storage's JSON and writing ours cost about a millisecond alone. For S3 the XML comes on
top: lxml takes a good millisecond to parse it and another to give its texts away. What would help is remembering ids,
or whole pages, between requests, and that helps only those who list one folder again and again.

Why metadata of one file misses its target: two thirds of its CPU are the interpreter's, in no step more than a
fiftieth: uvicorn, the edge, routes, limits, sealed credentials, the layers around a connector, the log, the metrics.
"""

PAGE = f"?page_size={LISTING_ENTRIES_COUNT}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A request of the API and the one that it makes of the storage."""

    name: str
    target: str
    path: str
    added_microseconds_max: int


def measure_added(run: Run) -> str:
    """A row for each call and number of connections."""
    with run.running_server() as server:
        rows = [_measure(run, server, call, count) for call in _list_calls(server) for count in run.connections]
    heads = ("call", "connections", "straight CPU µs", "server CPU µs", "added µs", "target µs", "met", "server req/s")
    return f"{format_table(heads, rows)}\n\n{EXPLANATION}"


def _list_calls(server: BenchServer) -> list[Call]:
    s3_folder = f"n{LISTING_ENTRIES_COUNT}/"
    return [
        Call(
            name=f"listing of {LISTING_ENTRIES_COUNT}, JSON",
            target=server.build_target("folder", "top", ending=f"/contents{PAGE}"),
            path=f"/listings/top-{LISTING_ENTRIES_COUNT}",
            added_microseconds_max=2500,
        ),
        Call(
            name=f"listing of {LISTING_ENTRIES_COUNT}, S3",
            target=server.build_target(
                "folder", f"/{s3_folder}", account_id=server.ready.s3_account_id, ending=f"/contents{PAGE}"
            ),
            path=f"/{BUCKET}?list-type=2&encoding-type=url&max-keys=1000&prefix={s3_folder[:-1]}%2F&delimiter=%2F",
            added_microseconds_max=5000,
        ),
        Call(
            name="metadata of one file",
            target=server.build_target("file", ONE_ENTRY),
            path=f"/entries/{ONE_ENTRY}",
            added_microseconds_max=500,
        ),
    ]


def _measure(run: Run, server: BenchServer, call: Call, connections_count: int) -> list[str]:
    plan = Plan(
        ports=[server.port],
        method="GET",
        targets=[call.target],
        headers=server.headers,
        connections_count=connections_count,
        seconds=run.seconds,
    )
    target = Target((server.process_id,), plan)
    question = Question(f"{run.origin.url}{call.path}", str(run.origin.ca_path), connections_count, run.seconds)
    through, straight, rates = [], [], []
    measure(target)  # connections, caches, memory
    for number in range(1, run.rounds_count + 1):
        run.note(f"round {number}/{run.rounds_count}: {call.name} x{connections_count}")
        straight.append(measure_straight(question))
        sample = measure(target)
        through.append(sample.cpu_microseconds_per_request)
        rates.append(sample.requests_per_second)
    added = [with_it - without for with_it, without in zip(through, straight, strict=True)]
    return [
        call.name,
        str(connections_count),
        format_median(straight, 0),
        format_median(through, 0),
        format_median(added, 0),
        str(call.added_microseconds_max),
        judge(statistics.median(added), call.added_microseconds_max),
        format_median(rates, 0),
    ]
