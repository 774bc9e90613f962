"""CPU, rates and ratios of processes under test, compared round by round."""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from tests.benchmarks.load import Plan, Result

LOAD_SECONDS_MAX = 300.0
MIB = 2**20
GIB = 2**30
CLOCK_TICK_SECONDS = 1 / os.sysconf("SC_CLK_TCK")
PRESETS = ("SSL_CERT_FILE", "SSL_CERT_DIR", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "PYTHONHASHSEED")
MALLOC = {"MALLOC_MMAP_THRESHOLD_": str(32 * 2**20), "MALLOC_TRIM_THRESHOLD_": str(128 * 2**20)}
"""As the image and the unit file set them."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One run of one load: what the server under test spent, and what came through."""

    cpu_seconds: float
    result: Result

    @property
    def cpu_seconds_per_gib(self) -> float:
        return self.cpu_seconds / self.result.body_bytes * GIB

    @property
    def mib_per_second(self) -> float:
        return self.result.body_bytes / MIB / self.result.seconds

    @property
    def cpu_microseconds_per_request(self) -> float:
        return self.cpu_seconds / self.result.requests_count * 1e6

    @property
    def requests_per_second(self) -> float:
        return self.result.requests_count / self.result.seconds


@dataclass(frozen=True, slots=True)
class Target:
    """A server under test: its process, and what to ask of it."""

    process_ids: tuple[int, ...]
    plan: Plan


def build_environment(**given: str) -> dict[str, str]:
    """The environment of child processes: nothing that changes whom they trust or which way they go."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name.upper() not in PRESETS and not name.upper().startswith("KLOUDLESS_")
    }
    return {**kept, **given}


def measure(target: Target) -> Sample:
    """Runs the plan in a process of its own; only the server's CPU counts."""
    before = read_cpu_seconds(*target.process_ids)
    done = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.load"],
        input=json.dumps(asdict(target.plan)),
        cwd=Path(__file__).parents[2],
        env=build_environment(),
        capture_output=True,
        text=True,
        timeout=LOAD_SECONDS_MAX,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"the load failed: {done.stderr.strip()[-2000:]}")
    spent = read_cpu_seconds(*target.process_ids) - before
    return Sample(max(spent, CLOCK_TICK_SECONDS), Result(**json.loads(done.stdout)))


def measure_rounds(
    targets: Mapping[str, Target], *, rounds_count: int, note: Callable[[str], None]
) -> dict[str, list[Sample]]:
    """Measures all targets once a round, one after the other, so that what else the machine does hits all alike."""
    samples: dict[str, list[Sample]] = {name: [] for name in targets}
    for number in range(1, rounds_count + 1):
        for name, target in targets.items():
            note(f"round {number}/{rounds_count}: {name}")
            samples[name].append(measure(target))
    return samples


def read_cpu_seconds(*process_ids: int) -> float:
    """User and system time of processes and their children, in steps of the kernel's clock tick."""
    processes = [psutil.Process(process_id) for process_id in process_ids]
    children = [child for process in processes for child in process.children(recursive=True)]
    times = [process.cpu_times() for process in (*processes, *children)]
    return sum(time.user + time.system for time in times)


def read_memory_mib(process_id: int) -> float:
    """What a process holds in memory now."""
    return float(psutil.Process(process_id).memory_info().rss) / MIB


def start_peak_memory(process_id: int) -> None:
    """Forgets how much memory the process once held."""
    Path(f"/proc/{process_id}/clear_refs").write_text("5")


def read_peak_memory_mib(process_id: int) -> float:
    """The most that it has held since."""
    for line in Path(f"/proc/{process_id}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError("this kernel does not tell how much memory a process has held")


def format_median(values: Iterable[float], digits: int = 2) -> str:
    """The median, and from where to where the values went."""
    numbers = list(values)
    middle = f"{statistics.median(numbers):.{digits}f}"
    if len(numbers) == 1:
        return middle
    return f"{middle} ({min(numbers):.{digits}f}-{max(numbers):.{digits}f})"


def list_ratios(ours: Sequence[float], theirs: Sequence[float]) -> list[float]:
    """Ours to theirs, round by round."""
    return [one / other for one, other in zip(ours, theirs, strict=True)]


def judge(value: float, limit: float) -> str:
    """Whether a target holds."""
    return "yes" if value <= limit else "no"


def format_table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table that reads well as text and as Markdown."""
    lines = [list(heads), *map(list, rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(heads))]
    text = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |" for line in lines
    ]
    text.insert(1, "| " + " | ".join("-" * width for width in widths) + " |")
    return "\n".join(text)


def describe_machine() -> str:
    """The machine as far as it matters to numbers: processor, cores, memory, versions."""
    model = platform.machine()
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = f"{line.partition(':')[2].strip()} ({platform.machine()})"
            break
    memory_gib = psutil.virtual_memory().total / GIB
    return f"{model}, {psutil.cpu_count()} cores, {memory_gib:.0f} GiB memory, Python {platform.python_version()}"
