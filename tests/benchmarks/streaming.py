"""Bytes through the server over TLS against nginx as a proxy to the same origin."""

from __future__ import annotations

import json
import statistics
from dataclasses import dataclass, replace

from tests.benchmarks.load import Plan
from tests.benchmarks.load import run as send_load
from tests.benchmarks.measuring import (
    MIB,
    Sample,
    Target,
    format_median,
    format_table,
    judge,
    list_ratios,
    measure_rounds,
)
from tests.benchmarks.origin import Origin
from tests.benchmarks.pages import file_name
from tests.benchmarks.run import Run
from tests.benchmarks.server import BenchServer

CPU_RATIO_MAX = 1.2
EXPLANATION = """Why uploads miss their target: a profile of the process (perf) shows half of their CPU in the
kernel, sockets and the hand-over between Python's thread and that of the HTTP client, a quarter in copies of
the bytes, a tenth in the interpreter, the rest in encryption. Bytes are copied out of the socket, into the
client and into its TLS, while nginx encrypts out of the buffer that it read into. Pieces have 250 KiB, so that
a GiB is some 4,200 of them; larger ones would have to be put together first, which is one more copy."""
METADATA_HEADER = "X-Kloudless-Metadata"


@dataclass(frozen=True, slots=True)
class Workload:
    """How a file goes how often over how many connections."""

    is_upload: bool
    connections_count: int
    size_mib: int
    requests_count: int  # on each connection

    @property
    def name(self) -> str:
        way = "upload" if self.is_upload else "download"
        return f"{way} x{self.connections_count}, {self.size_mib} MiB"


WORKLOADS = tuple(
    Workload(is_upload, connections_count, size_mib, requests_count)
    for is_upload in (False, True)
    for connections_count, size_mib, requests_count in ((1, 256, 4), (8, 64, 2))
)
QUICK_WORKLOADS = tuple(
    Workload(is_upload, connections_count, 8, 1) for is_upload in (False, True) for connections_count in (1, 4)
)


def measure_streaming(run: Run) -> str:
    """The table, and how near the sink is to be the limit."""
    origin, note, rounds_count = run.origin, run.note, run.rounds_count
    workloads = QUICK_WORKLOADS if run.is_quick else WORKLOADS
    rows = []
    with run.running_server() as server:
        for workload in workloads:
            targets = {
                f"{workload.name}, nginx": Target((origin.proxy_process_id,), plan_for_nginx(origin, workload)),
                f"{workload.name}, server": Target((server.process_id,), plan_for_server(origin, server, workload)),
            }
            measure_rounds(targets, rounds_count=1, note=lambda _: None)  # connections, caches, memory
            theirs, ours = measure_rounds(targets, rounds_count=rounds_count, note=note).values()
            rows.append(_build_row(workload, theirs, ours))
    heads = (
        "load",
        "nginx CPU-s/GiB",
        "server CPU-s/GiB",
        "CPU ratio",
        f"<= {CPU_RATIO_MAX}",
        "nginx MiB/s",
        "server MiB/s",
        "rate ratio",
    )
    sink = _measure_sink(origin, workloads[-1])
    sink_line = f"The upload sink alone, without TLS and proxy: {sink:.0f} MiB/s."
    return f"{format_table(heads, rows)}\n\n{sink_line}\n\n{EXPLANATION}"


def _build_row(workload: Workload, theirs: list[Sample], ours: list[Sample]) -> list[str]:
    cpu_ours, cpu_theirs = [s.cpu_seconds_per_gib for s in ours], [s.cpu_seconds_per_gib for s in theirs]
    rate_ours, rate_theirs = [s.mib_per_second for s in ours], [s.mib_per_second for s in theirs]
    ratios = list_ratios(cpu_ours, cpu_theirs)
    return [
        workload.name,
        format_median(cpu_theirs),
        format_median(cpu_ours),
        format_median(ratios),
        judge(statistics.median(ratios), CPU_RATIO_MAX),
        format_median(rate_theirs, 0),
        format_median(rate_ours, 0),
        format_median(list_ratios(rate_ours, rate_theirs)),
    ]


def plan_for_nginx(origin: Origin, workload: Workload) -> Plan:
    """The load on the proxy that we are compared with."""
    name = file_name(workload.size_mib)
    path = origin.file_path(workload.size_mib)
    method, target = ("PUT", f"/uploads/{name}") if workload.is_upload else ("GET", f"/files/{name}")
    return Plan(
        ports=[origin.proxy_port],
        method=method,
        targets=[target],
        connections_count=workload.connections_count,
        requests_count=workload.requests_count,
        reply_bytes=None if workload.is_upload else workload.size_mib * MIB,
        upload_path=str(path) if workload.is_upload else None,
    )


def plan_for_server(origin: Origin, server: BenchServer, workload: Workload) -> Plan:
    """The same load on our server."""
    name = file_name(workload.size_mib)
    method, target = "GET", server.build_target("file", name, ending="/contents")
    headers = server.headers
    if workload.is_upload:
        method, target = "POST", f"{server.storage}/files?overwrite=true"
        headers = {**headers, METADATA_HEADER: json.dumps({"name": name, "parent_id": "root"})}
    plan = plan_for_nginx(origin, workload)
    return replace(plan, ports=[server.port], method=method, targets=[target], headers=headers)


def _measure_sink(origin: Origin, workload: Workload) -> float:
    result = send_load(replace(plan_for_nginx(origin, workload), ports=[origin.sink_port]))
    return result.body_bytes / MIB / result.seconds
