"""What one run of the benchmarks is given: the origin, how often and how long to measure."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tests.benchmarks.origin import Origin
from tests.benchmarks.server import BenchServer, running_server


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Settings of a run. A quick one moves little and measures once: it shows only that all works."""

    origin: Origin
    is_quick: bool
    rounds_count: int
    note: Callable[[str], None]
    shared_server: BenchServer | None = None  # of a quick run

    @contextmanager
    def running_server(self) -> Iterator[BenchServer]:
        """A new server until the block ends; in a quick run always the same one."""
        if self.shared_server is not None:
            yield self.shared_server
            return
        with running_server(self.origin) as server:
            yield server

    @property
    def connections(self) -> tuple[int, ...]:
        """Over how many connections most loads go."""
        return (1,) if self.is_quick else (1, 16)

    @property
    def seconds(self) -> float:
        """How long a load goes on that is not limited by a count."""
        return 0.1 if self.is_quick else 1.5
