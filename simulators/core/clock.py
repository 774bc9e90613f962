"""The time that a simulator lives in: the machine's, moved on by whoever wants something to expire."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

AHEAD_SECONDS_MAX = 100 * 366 * 86_400.0


@dataclass(slots=True)
class Clock:
    """Runs like the machine's clock, ahead of it by what was added so far."""

    ahead: timedelta = timedelta()

    def now(self) -> datetime:
        """The simulator's present moment, aware and UTC."""
        return datetime.now(UTC) + self.ahead

    def advance(self, seconds: float) -> None:
        """From now on it is that much later; a clock never goes back, and not further than a century."""
        if not 0 <= seconds <= AHEAD_SECONDS_MAX - self.ahead.total_seconds():
            raise ValueError("a clock never goes back, and not further than a century")
        self.ahead += timedelta(seconds=seconds)
