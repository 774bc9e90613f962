"""Bytes through the server and through `rclone serve`, both from the same S3 store."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx

from tests.benchmarks.load import Plan
from tests.benchmarks.measuring import (
    MIB,
    Target,
    format_median,
    format_table,
    list_ratios,
    measure_rounds,
)
from tests.benchmarks.pages import file_name
from tests.benchmarks.run import Run
from tests.benchmarks.server import BenchServer, running_server
from tests.benchmarks.streaming import METADATA_HEADER, Workload
from tests.servers.child import Plan as ChildPlan
from tests.servers.child import running_child
from tests.servers.ports import find_free_port
from tests.servers.rclone import find_rclone
from tests.servers.s3 import S3Server
from tests.servers.seaweedfs import running_seaweedfs

WORKLOADS = tuple(
    Workload(is_upload, connections_count, 64, requests_count)
    for is_upload in (False, True)
    for connections_count, requests_count in ((1, 4), (8, 1))
)
QUICK_WORKLOADS = tuple(Workload(is_upload, 1, 8, 1) for is_upload in (False, True))

STORED = "stored-{}.bin"
"""What uploads replace, each connection a file of its own: WebDAV locks one that is being written."""


def measure_against_rclone(run: Run) -> str:
    """A row for each load."""
    workloads = QUICK_WORKLOADS if run.is_quick else WORKLOADS
    rows = []
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="kloudless-bench-")))
        store = stack.enter_context(running_seaweedfs(folder))
        with store.client() as client:
            for size_mib in {workload.size_mib for workload in workloads}:
                client.upload_file(str(run.origin.file_path(size_mib)), store.bucket, file_name(size_mib))
            for number in range(max(workload.connections_count for workload in workloads)):
                client.put_object(Bucket=store.bucket, Key=STORED.format(number), Body=b"")
        rclone_id, rclone_port = stack.enter_context(_running_rclone(folder, store))
        server = stack.enter_context(running_server(run.origin, s3=store))
        for workload in workloads:
            plan = _plan_for_rclone(run, workload, rclone_port)
            ours_plan = _plan_for_server(plan, server, workload)
            targets = {
                f"{workload.name}, rclone": Target((rclone_id,), plan),
                f"{workload.name}, server": Target((server.process_id,), ours_plan),
            }
            measure_rounds(targets, rounds_count=1, note=lambda _: None)  # connections, caches, memory
            theirs, ours = measure_rounds(targets, rounds_count=run.rounds_count, note=run.note).values()
            cpu_theirs, cpu_ours = ([sample.cpu_seconds_per_gib for sample in samples] for samples in (theirs, ours))
            rate_theirs, rate_ours = ([sample.mib_per_second for sample in samples] for samples in (theirs, ours))
            rows.append(
                [
                    workload.name,
                    format_median(cpu_theirs),
                    format_median(cpu_ours),
                    format_median(list_ratios(cpu_ours, cpu_theirs)),
                    format_median(rate_theirs, 0),
                    format_median(rate_ours, 0),
                    format_median(list_ratios(rate_ours, rate_theirs)),
                ]
            )
    heads = ("load", "rclone CPU-s/GiB", "server CPU-s/GiB", "CPU ratio", "rclone MiB/s", "server MiB/s", "rate ratio")
    return f"{format_table(heads, rows)}\n\nThe store is SeaweedFS, without TLS; rclone serves WebDAV without a cache."


@contextmanager
def _running_rclone(folder: Path, store: S3Server) -> Iterator[tuple[int, int]]:
    """The process and the port of `rclone serve webdav` on the store's bucket."""
    ports: list[int] = []

    def plan() -> ChildPlan[int]:
        ports.append(find_free_port())
        return ChildPlan(
            command=[
                find_rclone(),
                *("serve", "webdav", f":s3:{store.bucket}", "--addr", f"127.0.0.1:{ports[-1]}"),
                *("--s3-provider", "SeaweedFS", "--s3-endpoint", store.url, "--s3-region", store.region),
                *("--s3-access-key-id", store.access_key_id, "--s3-secret-access-key", store.secret_access_key),
                *("--vfs-cache-mode", "off", "--s3-no-check-bucket"),
            ],
            ask=lambda: _ask(ports[-1]),
        )

    with running_child(folder, "rclone", plan) as child:
        yield child.process_id, child.server


def _ask(port: int) -> int | None:
    try:
        reply = httpx.get(f"http://127.0.0.1:{port}/", trust_env=False, timeout=60)
    except httpx.TransportError:
        return None
    return port if reply.status_code == httpx.codes.OK else None


def _plan_for_rclone(run: Run, workload: Workload, port: int) -> Plan:
    path = run.origin.file_path(workload.size_mib)
    return Plan(
        ports=[port],
        method="PUT" if workload.is_upload else "GET",
        targets=[f"/{STORED}" if workload.is_upload else f"/{path.name}"],
        number_last=workload.connections_count - 1,
        connections_count=workload.connections_count,
        requests_count=workload.requests_count,
        reply_bytes=None if workload.is_upload else workload.size_mib * MIB,
        upload_path=str(path) if workload.is_upload else None,
    )


def _plan_for_server(plan: Plan, server: BenchServer, workload: Workload) -> Plan:
    account_id = server.ready.s3_account_id
    if not workload.is_upload:
        name = file_name(workload.size_mib)
        targets = [server.build_target("file", f"/{name}", account_id=account_id, ending="/contents")]
        return replace(plan, ports=[server.port], targets=targets, headers=server.headers)
    metadata = {METADATA_HEADER: json.dumps({"name": STORED, "parent_id": "root"})}
    return replace(
        plan,
        ports=[server.port],
        method="POST",
        targets=[f"/v1/accounts/{account_id}/storage/files?overwrite=true"],
        headers={**server.headers, **metadata},
    )
