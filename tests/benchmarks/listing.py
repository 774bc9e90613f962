"""A listing of 1000 entries through the API against the same mapping by FastAPI's `response_model`."""

from __future__ import annotations

import gc
import json
import statistics
from collections.abc import Callable
from time import thread_time

import httpx
import msgspec
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from app.core.http.replies import ObjectList
from app.core.ids import IdCodec
from app.storage.presenting import Presenter
from app.storage.schemas import FileReply, FolderReply
from connectors.core.resources import Kind, RawId, Ref
from connectors.s3.documents import read_listing
from tests.benchmarks import reference
from tests.benchmarks.connector import MANIFEST, build_resource, decode_listing
from tests.benchmarks.load import Plan
from tests.benchmarks.measuring import Sample, Target, format_median, format_table, judge, list_ratios, measure_rounds
from tests.benchmarks.origin import Origin
from tests.benchmarks.pages import LISTING_ENTRIES_COUNT
from tests.benchmarks.run import Run
from tests.benchmarks.server import BenchServer, running_server

SLOWEST_RATIO_MAX = 3.0
ACCOUNT_ID = 1
ORIGIN_OF_CLIENT = "http://127.0.0.1:8000"


def measure_listing(run: Run) -> str:
    """The table of both servers, and where the time of one listing goes."""
    rows = []
    with run.running_server() as server, running_server(run.origin, kind="reference") as other:
        check_equal(server, other)
        for connections_count in run.connections:
            targets = {
                f"listing x{connections_count}, response_model": build_target(other, connections_count, run.seconds),
                f"listing x{connections_count}, server": build_target(server, connections_count, run.seconds),
            }
            theirs, ours = measure_rounds(targets, rounds_count=run.rounds_count, note=run.note).values()
            rows.append(_build_row(connections_count, theirs, ours))
    heads = (
        "connections",
        "response_model CPU ms",
        "server CPU ms",
        "times cheaper",
        "response_model req/s",
        "server req/s",
        "times as many",
        "server p50 / p99 ms",
        "p99/p50",
        f"<= {SLOWEST_RATIO_MAX:g} at x1",
    )
    run.note("listing, stage by stage")
    return f"{format_table(heads, rows)}\n\n{measure_stages(run.origin, repeats_count=2 if run.is_quick else 30)}"


def check_equal(server: BenchServer, other: BenchServer) -> None:
    """Both must say the same, else the comparison means nothing."""
    ours, theirs = (_fetch(each) for each in (server, other))
    if ours != theirs:
        different = [pair for pair in zip(ours["objects"], theirs["objects"], strict=False) if pair[0] != pair[1]]
        raise RuntimeError(f"the replies differ: {different[:1] or (ours, theirs)!r:.2000}")


def _fetch(server: BenchServer) -> dict[str, list[object]]:
    url = f"http://127.0.0.1:{server.port}{server.storage}/folders/root/contents"
    reply = httpx.get(url, headers=server.headers, trust_env=False, timeout=60)
    content: dict[str, list[object]] = json.loads(reply.text.replace(f":{server.port}", ""))
    if len(content.get("objects", ())) != LISTING_ENTRIES_COUNT:
        raise RuntimeError(f"not the listing: {reply.text[:1000]}")
    return content


def build_target(server: BenchServer, connections_count: int, seconds: float) -> Target:
    plan = Plan(
        ports=[server.port],
        method="GET",
        targets=[f"{server.storage}/folders/root/contents?page_size={LISTING_ENTRIES_COUNT}"],
        headers=server.headers,
        connections_count=connections_count,
        seconds=seconds,
    )
    return Target((server.process_id,), plan)


def _build_row(connections_count: int, theirs: list[Sample], ours: list[Sample]) -> list[str]:
    cpu_ours = [sample.cpu_microseconds_per_request / 1000 for sample in ours]
    cpu_theirs = [sample.cpu_microseconds_per_request / 1000 for sample in theirs]
    rate_ours, rate_theirs = [s.requests_per_second for s in ours], [s.requests_per_second for s in theirs]
    p50 = statistics.median(sample.result.median_seconds for sample in ours) * 1000
    p99 = statistics.median(sample.result.slowest_percent_seconds for sample in ours) * 1000
    ratios = [sample.result.slowest_percent_seconds / sample.result.median_seconds for sample in ours]
    return [
        str(connections_count),
        format_median(cpu_theirs),
        format_median(cpu_ours),
        format_median(list_ratios(cpu_theirs, cpu_ours), 1),
        format_median(rate_theirs, 0),
        format_median(rate_ours, 0),
        format_median(list_ratios(rate_ours, rate_theirs), 1),
        f"{p50:.1f} / {p99:.1f}",
        format_median(ratios, 1),
        judge(statistics.median(ratios), SLOWEST_RATIO_MAX) if connections_count == 1 else "",
    ]


def measure_stages(origin: Origin, *, repeats_count: int) -> str:
    """Microseconds of each stage on its own, in this process."""
    content = (origin.folder / "content" / "listings" / f"top-{LISTING_ENTRIES_COUNT}").read_bytes()
    ids = IdCodec(AESSIV.generate_key(512))
    entries = decode_listing(content).entries
    resources = [build_resource(entry) for entry in entries]
    refs: list[tuple[Kind, RawId]] = [
        (entry.kind, resource.raw_id) for entry, resource in zip(entries, resources, strict=True)
    ]

    def present() -> list[FileReply | FolderReply]:
        presenter = Presenter(
            ids=ids, account_id=ACCOUNT_ID, origin=ORIGIN_OF_CLIENT, root=MANIFEST.root, can_list_recursively=True
        )
        return presenter.build_all(resources)

    objects = present()
    page = ObjectList(api="storage", count=len(objects), page="1", next_page=None, objects=objects)
    mapper = reference.Mapper(ids=ids, account_id=ACCOUNT_ID, origin=ORIGIN_OF_CLIENT)
    models = mapper.build_list(content)

    def time_of(work: Callable[[], object]) -> float:
        return _time(work, repeats_count)

    ids_time = time_of(lambda: ids.encode_all(ACCOUNT_ID, refs))
    each_id_time = time_of(lambda: [ids.encode(ACCOUNT_ID, Ref(*ref)) for ref in refs])
    ours = {
        "decode upstream": time_of(lambda: decode_listing(content)),
        "resources": time_of(lambda: [build_resource(entry) for entry in entries]),
        "ids": ids_time,
        "reply structs": time_of(present) - ids_time,
        "encode": time_of(lambda: msgspec.json.encode(page)),
    }
    decode_time = time_of(lambda: reference.Listing.model_validate_json(content))
    theirs = {
        "decode upstream": decode_time,
        "resources": 0.0,
        "ids": each_id_time,
        "reply structs": time_of(lambda: mapper.build_list(content)) - decode_time - each_id_time,
        "encode": time_of(models.model_dump_json),
    }
    rows = [[stage, f"{ours[stage]:.0f}", f"{theirs[stage]:.0f}"] for stage in ours]
    rows.append(["whole", f"{sum(ours.values()):.0f}", f"{sum(theirs.values()):.0f}"])
    document = (origin.folder / "content" / "s3" / f"n{LISTING_ENTRIES_COUNT}" / "0").read_bytes()
    of_s3 = time_of(lambda: read_listing(document, is_plus_space=False))
    rows.append(["decode upstream, if it is S3's XML", f"{of_s3:.0f}", ""])
    return format_table(("stage (1000 entries)", "server µs", "Pydantic µs"), rows)


def _time(work: Callable[[], object], repeats_count: int) -> float:
    times = []
    gc.collect()
    for _ in range(repeats_count):
        started = thread_time()
        work()
        times.append(thread_time() - started)
    return statistics.median(times) * 1e6
