"""Small downloads: how many a second, and what each costs, against nginx as a proxy to the same origin."""

from __future__ import annotations

from dataclasses import replace

from tests.benchmarks.load import Plan
from tests.benchmarks.measuring import Target, format_median, format_table, list_ratios, measure_rounds
from tests.benchmarks.run import Run

SIZE_KIB = 16
NAME = f"{SIZE_KIB}-kib.bin"
EXPLANATION = """What is small costs as much as a call without bytes: a profile (perf) shows two thirds of the CPU
in the interpreter, in no step more than a few hundredths: the protocol, the edge, limits, sealed credentials,
the layers around a connector, the log, the metrics. nginx knows no accounts, tokens or ids, and passes on."""


def measure_small(run: Run) -> str:
    """A row for each number of connections."""
    run.origin.add_file(NAME, SIZE_KIB * 1024)
    rows = []
    with run.running_server() as server:
        for connections_count in run.connections:
            nginx = Plan(
                ports=[run.origin.proxy_port],
                method="GET",
                targets=[f"/files/{NAME}"],
                connections_count=connections_count,
                seconds=run.seconds,
                reply_bytes=SIZE_KIB * 1024,
            )
            target = server.build_target("file", NAME, ending="/contents")
            ours_plan = replace(nginx, ports=[server.port], targets=[target], headers=server.headers)
            targets = {
                f"{SIZE_KIB} KiB x{connections_count}, nginx": Target((run.origin.proxy_process_id,), nginx),
                f"{SIZE_KIB} KiB x{connections_count}, server": Target((server.process_id,), ours_plan),
            }
            measure_rounds(targets, rounds_count=1, note=lambda _: None)  # connections, caches, memory
            theirs, ours = measure_rounds(targets, rounds_count=run.rounds_count, note=run.note).values()
            cpu_theirs = [sample.cpu_microseconds_per_request for sample in theirs]
            cpu_ours = [sample.cpu_microseconds_per_request for sample in ours]
            rate_theirs = [sample.requests_per_second for sample in theirs]
            rate_ours = [sample.requests_per_second for sample in ours]
            rows.append(
                [
                    str(connections_count),
                    format_median(cpu_theirs, 0),
                    format_median(cpu_ours, 0),
                    format_median(list_ratios(cpu_ours, cpu_theirs), 1),
                    format_median(rate_theirs, 0),
                    format_median(rate_ours, 0),
                    format_median(list_ratios(rate_ours, rate_theirs)),
                ]
            )
    heads = ("connections", "nginx CPU µs", "server CPU µs", "CPU ratio", "nginx req/s", "server req/s", "rate ratio")
    return f"{format_table(heads, rows)}\n\n{EXPLANATION}"
