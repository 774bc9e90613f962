"""`make bench`: measures, prints a table per benchmark and writes them to RESULTS.md beside this file."""

from __future__ import annotations

import argparse
import shlex
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.added import measure_added
from tests.benchmarks.against_rclone import measure_against_rclone
from tests.benchmarks.growing_data import measure_accounts, measure_files, measure_folders
from tests.benchmarks.growing_load import measure_connections, measure_workers
from tests.benchmarks.hashing import measure_hashing
from tests.benchmarks.leaving import measure_leaving
from tests.benchmarks.listing import measure_listing
from tests.benchmarks.measuring import describe_machine
from tests.benchmarks.origin import running_origin
from tests.benchmarks.pages import FOLDER_SIZES, QUICK_FOLDER_SIZES
from tests.benchmarks.run import Run
from tests.benchmarks.server import running_server
from tests.benchmarks.slow_readers import measure_slow_readers
from tests.benchmarks.small import measure_small
from tests.benchmarks.starting import measure_starting
from tests.benchmarks.streaming import measure_streaming
from tests.servers.nginx import find_nginx

RESULTS = Path(__file__).with_name("RESULTS.md")
ROUNDS_COUNT = 5


@dataclass(frozen=True, slots=True)
class Benchmark:
    """A part of the results that can be asked for by itself."""

    title: str
    measure: Callable[[Run], str]


BENCHMARKS = {
    "streaming": Benchmark(
        "Bytes through the server, upstream over TLS 1.3, against nginx as a proxy",
        measure_streaming,
    ),
    "listing": Benchmark(
        "A listing of 1000 entries, against FastAPI's response_model with Pydantic models in the same stack",
        measure_listing,
    ),
    "added": Benchmark(
        "What the API adds to a call of a storage, against the same request straight to the storage",
        measure_added,
    ),
    "small": Benchmark("Downloads of 16 KiB, upstream over TLS 1.3, against nginx as a proxy", measure_small),
    "rclone": Benchmark("Bytes through the server, against `rclone serve` of the same store", measure_against_rclone),
    "hashing": Benchmark("Checksums, which come on top of the bytes where they are asked for", measure_hashing),
    "slow-readers": Benchmark("Memory for readers that are slower than the storage", measure_slow_readers),
    "leaving": Benchmark("From the client's leaving to the end of the call to the storage", measure_leaving),
    "accounts": Benchmark("How cost grows: accounts", measure_accounts),
    "folders": Benchmark("How cost grows: entries of a folder, over S3", measure_folders),
    "files": Benchmark("How cost grows: bytes of a file", measure_files),
    "connections": Benchmark("How cost grows: connections", measure_connections),
    "workers": Benchmark("How cost grows: a second process", measure_workers),
    "starting": Benchmark("Start and rest", measure_starting),
}

INTRODUCTION = """# Benchmarks

Ratios, measured side by side: in each round one server after the other gets the same load, medians over the rounds are
shown with (lowest-highest). Only the CPU of the server under test counts (user and system time of the process and its
children). All of it shares one machine with its load and its origin, so rates are not to be compared between machines.
"""


def main(arguments: Sequence[str]) -> int:
    """Measures what is asked for."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="name", help=f"which ones, all by default: {', '.join(BENCHMARKS)}")
    parser.add_argument("--rounds", type=int, default=ROUNDS_COUNT, help="how often each is measured")
    parser.add_argument("--quick", action="store_true", help="little data and one round: shows only that it runs")
    parser.add_argument("--output", type=Path, default=RESULTS, help="the file to write")
    options = parser.parse_args(arguments)
    unknown = set(options.names) - set(BENCHMARKS)
    if unknown:
        parser.error(f"there is no benchmark {', '.join(sorted(unknown))}")
    rounds_count = 1 if options.quick else options.rounds
    command = shlex.join(["python", "-m", "tests.benchmarks", *_without_output(arguments)])
    sections = [
        INTRODUCTION,
        f"Command: `{command}`, rounds: {rounds_count}.",
        f"Machine: {describe_machine()}; {_read_nginx_version()}.",
    ]
    with ExitStack() as stack:
        origin = stack.enter_context(running_origin(QUICK_FOLDER_SIZES if options.quick else FOLDER_SIZES))
        shared = stack.enter_context(running_server(origin)) if options.quick else None
        run = Run(origin=origin, is_quick=options.quick, rounds_count=rounds_count, note=_note, shared_server=shared)
        for name in options.names or BENCHMARKS:
            benchmark = BENCHMARKS[name]
            table = benchmark.measure(run)
            sections.append(f"## {benchmark.title}\n\n{table}")
            sys.stdout.write(f"\n{benchmark.title}\n\n{table}\n")
            sys.stdout.flush()
    options.output.write_text("\n\n".join(section.strip() for section in sections) + "\n")
    return 0


def _without_output(arguments: Sequence[str]) -> list[str]:
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--output")
    return parser.parse_known_args(arguments)[1]


def _read_nginx_version() -> str:
    shown = subprocess.run([str(find_nginx()), "-v"], capture_output=True, text=True, check=True, timeout=10)
    return shown.stderr.partition(": ")[2].strip().removeprefix("nginx version: ")


def _note(text: str) -> None:
    sys.stderr.write(f"{text}\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
