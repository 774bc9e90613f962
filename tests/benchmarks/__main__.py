"""`make bench`: measures, prints a table per row and writes them to RESULTS.md beside this file."""

from __future__ import annotations

import argparse
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.benchmarks.listing import measure_listing
from tests.benchmarks.measuring import describe_machine
from tests.benchmarks.origin import running_origin
from tests.benchmarks.streaming import QUICK_WORKLOADS, WORKLOADS, measure_streaming
from tests.servers.nginx import find_nginx

RESULTS = Path(__file__).with_name("RESULTS.md")
ROUNDS_COUNT = 5
LISTING_SECONDS = 2.0
QUICK_LISTING_SECONDS = 0.3

TITLES = {
    "streaming": "Bytes through the server, upstream over TLS 1.3, against nginx as a proxy",
    "listing": "A listing of 1000 entries, against FastAPI's response_model with Pydantic models in the same stack",
}

INTRODUCTION = """# Benchmarks

Ratios, measured side by side: in each round one server after the other gets the same load, medians over the rounds are
shown with (lowest-highest). Only the CPU of the server under test counts (user and system time of the process and its
children). All of it shares one machine with its load and its origin, so rates are not to be compared between machines.
"""


def main(arguments: Sequence[str]) -> int:
    """Measures what is asked for."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS_COUNT, help="how often each is measured")
    parser.add_argument("--quick", action="store_true", help="little data and one round: shows only that it runs")
    parser.add_argument("--only", choices=tuple(TITLES), help="one of the benchmarks")
    parser.add_argument("--output", type=Path, default=RESULTS, help="the file to write")
    options = parser.parse_args(arguments)
    chosen = [options.only] if options.only else list(TITLES)
    rounds_count = 1 if options.quick else options.rounds
    workloads = QUICK_WORKLOADS if options.quick else WORKLOADS
    command = shlex.join(["python", "-m", "tests.benchmarks", *_without_output(arguments)])
    sections = [
        INTRODUCTION,
        f"Command: `{command}`, rounds: {rounds_count}.",
        f"Machine: {describe_machine()}; {_read_nginx_version()}.",
    ]
    sizes_mib = {workload.size_mib for workload in workloads} if "streaming" in chosen else set()
    with running_origin(sizes_mib) as origin:
        for name in chosen:
            if name == "streaming":
                table = measure_streaming(origin, workloads, rounds_count=rounds_count, note=_note)
            else:
                seconds = QUICK_LISTING_SECONDS if options.quick else LISTING_SECONDS
                table = measure_listing(origin, seconds=seconds, rounds_count=rounds_count, note=_note)
            sections.append(f"## {TITLES[name]}\n\n{table}")
            sys.stdout.write(f"\n{TITLES[name]}\n\n{table}\n")
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
