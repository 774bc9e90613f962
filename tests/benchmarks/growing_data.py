"""How cost grows with what there is: accounts, entries of a folder, bytes of a file. Best not at all."""

from __future__ import annotations

import httpx

from tests.benchmarks.load import Plan
from tests.benchmarks.measuring import (
    MIB,
    Target,
    format_median,
    format_table,
    measure,
    measure_rounds,
    read_memory_mib,
    read_peak_memory_mib,
    start_peak_memory,
)
from tests.benchmarks.pages import FOLDER_SIZES, LISTING_ENTRIES_COUNT, ONE_ENTRY, QUICK_FOLDER_SIZES, file_name
from tests.benchmarks.run import Run
from tests.benchmarks.server import BenchServer, running_server, storage_of
from tests.benchmarks.streaming import Workload, plan_for_server

ACCOUNTS = (10, 100_000)
QUICK_ACCOUNTS = (10, 200)
SIZES_MIB = (1, 64, 1024, 16 * 1024)
QUICK_SIZES_MIB = (1, 16)
PAGES_MAX = 200
LIST_PAGE = 10
ACCOUNTS_EXPLANATION = """What an account is, is remembered for 5 seconds, since other processes may change it: in turn,
few accounts come from memory, each of many is read from the database. Timed alone, such a reading takes 60 µs: 31 are
the query in the database's thread and the way there and back, which a session would go several times, 12 the row, 17
the task that others may share. In a server the way costs most: two threads that wake each other up, on two cores.
Without it, asked in the event loop itself, a reading adds 85 µs to a request; but a slow disk would hold up all others.
"""


def measure_accounts(run: Run) -> str:
    """The same requests with few accounts and with many: of one account, of all in turn, and the list of them."""
    small, large = QUICK_ACCOUNTS if run.is_quick else ACCOUNTS
    with (
        run.running_server() if run.is_quick else running_server(run.origin, accounts_count=small) as few,
        running_server(run.origin, accounts_count=large) as many,
    ):
        rows = []
        for name, build in (
            ("metadata of one file, always the same account", _build_same_plan),
            ("a listing of one entry, all accounts in turn", _build_crowd_plan),
            (f"list of accounts, {LIST_PAGE} a page", _build_list_plan),
        ):
            targets = {
                f"{count} accounts: {name}": Target((server.process_id,), build(run, server))
                for count, server in ((small, few), (large, many))
            }
            measure_rounds(targets, rounds_count=1, note=lambda _: None)  # connections, caches, memory
            samples = measure_rounds(targets, rounds_count=run.rounds_count, note=run.note).values()
            costs = [[sample.cpu_microseconds_per_request for sample in one] for one in samples]
            ratios = [more / less for less, more in zip(*costs, strict=True)]
            rows.append([name, *(format_median(cost, 0) for cost in costs), format_median(ratios)])
        memory = [read_memory_mib(server.process_id) for server in (few, many)]
        rows.append(["memory afterwards, MiB", *(f"{value:.0f}" for value in memory), f"{memory[1] / memory[0]:.2f}"])
    heads = ("CPU µs a request", f"{small} accounts", f"{large} accounts", "ratio")
    return f"{format_table(heads, rows)}\n\n{ACCOUNTS_EXPLANATION}"


def _build_same_plan(run: Run, server: BenchServer) -> Plan:
    return _build_plan(run, server, [server.build_target("file", ONE_ENTRY)])


def _build_crowd_plan(run: Run, server: BenchServer) -> Plan:
    first, last = server.ready.crowd_ids
    target = f"{storage_of('{}')}/folders/root/contents?page_size=1"
    return _build_plan(run, server, [target], numbers=(first, last))


def _build_list_plan(run: Run, server: BenchServer) -> Plan:
    return _build_plan(run, server, [f"/v1/accounts?page_size={LIST_PAGE}"])


def _build_plan(run: Run, server: BenchServer, targets: list[str], *, numbers: tuple[int, int] = (0, 0)) -> Plan:
    return Plan(
        ports=[server.port],
        method="GET",
        targets=targets,
        headers=server.headers,
        seconds=run.seconds,
        number_first=numbers[0],
        number_last=numbers[1],
    )


def measure_folders(run: Run) -> str:
    """All pages of small and of very large folders of S3."""
    sizes = QUICK_FOLDER_SIZES if run.is_quick else FOLDER_SIZES
    rows = []
    with run.running_server() as server:
        targets = {}
        for size in sizes:
            pages = _find_pages(server, size)
            plan = _build_plan(run, server, pages)
            targets[f"folder of {size}, {len(pages)} pages"] = Target((server.process_id,), plan)
        measure_rounds(targets, rounds_count=1, note=lambda _: None)
        for size, samples in zip(
            sizes, measure_rounds(targets, rounds_count=run.rounds_count, note=run.note).values(), strict=True
        ):
            costs = [sample.cpu_microseconds_per_request / 1000 for sample in samples]
            each = min(size, LISTING_ENTRIES_COUNT)
            per_entry = [cost * 1000 / each for cost in costs]
            slowest = [sample.result.median_seconds * 1000 for sample in samples]
            memory = read_memory_mib(server.process_id)
            row = [f"{size}", f"{each}", format_median(costs), format_median(per_entry, 1), format_median(slowest, 1)]
            rows.append([*row, f"{memory:.0f}"])
    heads = ("entries", "of them on a page", "CPU ms a page", "CPU µs an entry", "median ms a page", "memory MiB")
    return format_table(heads, rows)


def _find_pages(server: BenchServer, size: int) -> list[str]:
    """The addresses of all pages, as a client finds them."""
    target = server.build_target(
        "folder",
        f"/n{size}/",
        account_id=server.ready.s3_account_id,
        ending=f"/contents?page_size={LISTING_ENTRIES_COUNT}",
    )
    pages, seen = [target], 0
    with httpx.Client(
        base_url=f"http://127.0.0.1:{server.port}", headers=server.headers, trust_env=False, timeout=60
    ) as client:
        for _ in range(PAGES_MAX):
            reply = client.get(pages[-1]).raise_for_status().json()
            seen += reply["count"]
            if reply["next_page"] is None:
                break
            pages.append(f"{target}&page={reply['next_page']}")
    if seen != size:
        raise RuntimeError(f"{seen} entries were listed instead of {size}")
    return pages


def measure_files(run: Run) -> str:
    """Files from small to very large, down and up: the most memory that the server held."""
    rows = []
    with run.running_server() as server:
        for size_mib in QUICK_SIZES_MIB if run.is_quick else SIZES_MIB:
            row = [f"{size_mib}"]
            for is_upload in (False, True):
                workload = Workload(is_upload, 1, size_mib, 1)
                run.note(workload.name)
                run.origin.add_file(file_name(size_mib), size_mib * MIB)
                start_peak_memory(server.process_id)
                sample = measure(Target((server.process_id,), plan_for_server(run.origin, server, workload)))
                peak = read_peak_memory_mib(server.process_id)
                row += [f"{peak:.0f}", f"{sample.cpu_seconds_per_gib:.2f}"]
            rows.append(row)
    heads = ("MiB", "download: MiB held", "CPU-s/GiB", "upload: MiB held", "CPU-s/GiB")
    return format_table(heads, rows)
