"""What one run of the benchmarks is given: the origin, how often and how long to measure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tests.benchmarks.origin import Origin


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Settings of a run. A quick one moves little and measures once: it shows only that all works."""

    origin: Origin
    is_quick: bool
    rounds_count: int
    note: Callable[[str], None]

    @property
    def seconds(self) -> float:
        """How long a load goes on that is not limited by a count."""
        return 0.2 if self.is_quick else 2.0
