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
WORKERS_EXPLANATION = """Metadata of one file. Half the connections are what each of two processes has.

How to read it: the last row is the machine's own price of a second process. Those two have a database each and nothing
in common but the machine. With them both cores are always taken, by two servers, the load and the origin; what
runs is put off its core and loses its caches to the others more often, which the kernel counts as time of
the process. perf counted 5.9 context switches a request in one process, 7.3 in each of two that share nothing, and 7.9
in each of two on one database; page faults and migrations are next to none. Only what the row above costs beyond the
last one is the price of sharing a database."""


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
    """One process and two on one PostgreSQL, under the same load; and two that have nothing in common."""
    with ExitStack() as stack:
        postgres = stack.enter_context(running_postgres())
        url = create_database(postgres, "bench")
        with running_server(run.origin, database_url=url) as seed:
            api_key = seed.ready.api_key
        other_url = create_database(postgres, "other", template="bench")
        first, second, stranger = (
            stack.enter_context(running_server(run.origin, database_url=each, api_key=api_key))
            for each in (url, url, other_url)
        )
        plan = replace(_build_plan(run, first), connections_count=WORKERS_CONNECTIONS)
        targets = {
            "one process": Target((first.process_id,), plan),
            "one process, half the connections": Target(
                (first.process_id,), replace(plan, connections_count=WORKERS_CONNECTIONS // 2)
            ),
            "two processes": _build_pair(plan, first, second),
            "two processes that share nothing": _build_pair(plan, first, stranger),
        }
        measure_rounds(targets, rounds_count=1, note=lambda _: None)
        samples = measure_rounds(targets, rounds_count=run.rounds_count, note=run.note)
    costs = [[sample.cpu_microseconds_per_request for sample in each] for each in samples.values()]
    one, _, two, strangers = costs
    rows = [
        [
            name,
            format_median(cost, 0),
            format_median(list_ratios(cost, one)),
            judge(statistics.median(list_ratios(cost, one)), WORKERS_RATIO_MAX) if cost is two else "",
            format_median([sample.requests_per_second for sample in each], 0),
        ]
        for (name, each), cost in zip(samples.items(), costs, strict=True)
    ]
    heads = (f"over {WORKERS_CONNECTIONS} connections", "CPU µs", "to one", f"<= {WORKERS_RATIO_MAX}", "req/s")
    shared = f"Two on one database cost {format_median(list_ratios(two, strangers))} of two that share nothing."
    return f"{format_table(heads, rows)}\n\n{shared} {WORKERS_EXPLANATION}"


def _build_pair(plan: Plan, one: BenchServer, other: BenchServer) -> Target:
    return Target((one.process_id, other.process_id), replace(plan, ports=[one.port, other.port]))


def _build_plan(run: Run, server: BenchServer) -> Plan:
    return Plan(
        ports=[server.port],
        method="GET",
        targets=[server.build_target("file", ONE_ENTRY)],
        headers=server.headers,
        seconds=run.seconds,
    )
