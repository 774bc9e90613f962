"""How cost grows with who asks: more connections, a second server process."""

from __future__ import annotations

import statistics
from contextlib import ExitStack
from dataclasses import replace

from tests.benchmarks.load import Plan
from tests.benchmarks.measuring import (
    Target,
    format_median,
    format_table,
    judge,
    list_ratios,
    measure,
    measure_rounds,
    read_memory_mib,
    read_peak_memory_mib,
    start_peak_memory,
)
from tests.benchmarks.pages import ONE_ENTRY
from tests.benchmarks.run import Run
from tests.benchmarks.server import BenchServer, running_server, storage_of
from tests.servers.postgres import create_database, running_postgres

CONNECTIONS = (1, 10, 100, 1000)
QUICK_CONNECTIONS = (1, 20)
ACCOUNTS_COUNT = 100
WORKERS_RATIO_MAX = 1.1
WORKERS_CONNECTIONS = 16


def measure_connections(run: Run) -> str:
    """The same request over ever more connections, for many accounts, since each has a limit of its own."""
    rows = []
    with run.running_server() if run.is_quick else running_server(run.origin, accounts_count=ACCOUNTS_COUNT) as server:
        first, last = server.ready.crowd_ids
        targets = [f"{storage_of('{}')}/folders/root/contents?page_size=1"]
        plan = replace(_build_plan(run, server), targets=targets, number_first=first, number_last=last)
        measure(Target((server.process_id,), plan))  # caches
        for connections_count in QUICK_CONNECTIONS if run.is_quick else CONNECTIONS:
            target = Target((server.process_id,), replace(plan, connections_count=connections_count))
            before = read_memory_mib(server.process_id)
            start_peak_memory(server.process_id)
            samples = measure_rounds(
                {f"listing of one entry x{connections_count}": target}, rounds_count=run.rounds_count, note=run.note
            ).popitem()[1]
            grown = read_peak_memory_mib(server.process_id) - before
            rows.append(
                [
                    str(connections_count),
                    format_median([sample.cpu_microseconds_per_request for sample in samples], 0),
                    format_median([sample.requests_per_second for sample in samples], 0),
                    format_median([sample.result.median_seconds * 1000 for sample in samples], 1),
                    format_median([sample.result.slowest_percent_seconds * 1000 for sample in samples], 1),
                    f"{grown:.0f}",
                ]
            )
    heads = ("connections", "CPU µs", "req/s", "p50 ms", "p99 ms", "MiB more")
    return f"{format_table(heads, rows)}\n\nA listing of one entry; no request may fail."


def measure_workers(run: Run) -> str:
    """One process and two on one PostgreSQL, under the same load."""
    with ExitStack() as stack:
        postgres = stack.enter_context(running_postgres())
        url = create_database(postgres, "bench")
        first = stack.enter_context(running_server(run.origin, database_url=url))
        second = stack.enter_context(running_server(run.origin, database_url=url, api_key=first.ready.api_key))
        plan = replace(_build_plan(run, first), connections_count=WORKERS_CONNECTIONS)
        both = replace(plan, ports=[first.port, second.port])
        targets = {
            "one process": Target((first.process_id,), plan),
            "two processes": Target((first.process_id, second.process_id), both),
        }
        measure_rounds(targets, rounds_count=1, note=lambda _: None)
        one, two = measure_rounds(targets, rounds_count=run.rounds_count, note=run.note).values()
    alone = [sample.cpu_microseconds_per_request for sample in one]
    together = [sample.cpu_microseconds_per_request for sample in two]
    ratios = list_ratios(together, alone)
    rates = [[sample.requests_per_second for sample in samples] for samples in (one, two)]
    row = [
        format_median(alone, 0),
        format_median(together, 0),
        format_median(ratios),
        judge(statistics.median(ratios), WORKERS_RATIO_MAX),
        *(format_median(rate, 0) for rate in rates),
    ]
    heads = ("one: CPU µs", "two: CPU µs", "ratio", f"<= {WORKERS_RATIO_MAX}", "one: req/s", "two: req/s")
    return f"{format_table(heads, [row])}\n\nMetadata of one file over {WORKERS_CONNECTIONS} connections."


def _build_plan(run: Run, server: BenchServer) -> Plan:
    return Plan(
        ports=[server.port],
        method="GET",
        targets=[server.build_target("file", ONE_ENTRY)],
        headers=server.headers,
        seconds=run.seconds,
    )
