"""How much callers may ask of this process: token buckets by name, requests at once by account. Nothing waits here."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from operator import itemgetter
from time import monotonic

from app.core.settings import Settings

NAMES_MAX = 50_000
"""How many buckets are remembered. Full ones need not be; beyond that those nearest to full are forgotten."""
FORGOTTEN_SHARE = 10  # one tenth at a time
ROUNDING = 1e-3  # of a token; sums of times are not exact


class TokenBuckets:
    """One bucket a name: `burst` requests at once, refilled by `per_second`.

    A bucket is the time at which it will be full again: that says all, and a full one takes no memory.
    """

    def __init__(
        self,
        policy: str,
        *,
        per_second: float,
        burst: int,
        clock: Callable[[], float] = monotonic,
        names_max: int = NAMES_MAX,
    ) -> None:
        self.per_second = per_second
        self.policy = f'"{policy}";q={burst};w={math.ceil(burst / per_second)}'
        self._state = f'"{policy}";r='
        self._interval = 1 / per_second
        self._depth = (burst + ROUNDING) / per_second
        self._clock = clock
        self._names_max = names_max
        self._full_at: dict[str | int, float] = {}

    def take(self, name: str | int) -> tuple[int, str]:
        """Takes one token. Seconds to wait if there is none, else 0; and how full the bucket is, for a reply's head."""
        moment = self._clock()
        full_at = self._full_at.get(name, moment)
        full_at = (max(moment, full_at)) + self._interval
        empty_seconds = full_at - moment
        if empty_seconds > self._depth:
            full_seconds = math.ceil(empty_seconds - self._interval)
            return self._wait(empty_seconds), f"{self._state}0;t={full_seconds}"
        self._full_at[name] = full_at
        if len(self._full_at) > self._names_max:
            self._forget(moment)
        remaining = int((self._depth - empty_seconds) / self._interval)
        return 0, f"{self._state}{remaining};t={math.ceil(empty_seconds)}"

    def look(self, name: str | int) -> int:
        """Seconds until there is a token; 0 when there is one now. Takes nothing."""
        moment = self._clock()
        empty_seconds = max(self._full_at.get(name, moment), moment) + self._interval - moment
        return self._wait(empty_seconds) if empty_seconds > self._depth else 0

    def _wait(self, empty_seconds: float) -> int:
        return max(1, math.ceil(empty_seconds - self._depth))

    def _forget(self, moment: float) -> None:
        self._full_at = {name: full_at for name, full_at in self._full_at.items() if full_at > moment}
        if len(self._full_at) > self._names_max:
            kept_count = self._names_max - self._names_max // FORGOTTEN_SHARE
            kept = sorted(self._full_at.items(), key=itemgetter(1))[-kept_count:]
            self._full_at = dict(kept)


class ParallelCounts:
    """How many requests of each account run."""

    def __init__(self, *, parallel_max: int) -> None:
        self.parallel_max = parallel_max
        self._counts: dict[int, int] = {}

    def enter(self, account_id: int) -> bool:
        """Counts one more; False if there are too many, and then it is not counted."""
        count = self._counts.get(account_id, 0)
        if count >= self.parallel_max:
            return False
        self._counts[account_id] = count + 1
        return True

    def leave(self, account_ids: Iterable[int]) -> None:
        """Counts one less of each."""
        for account_id in account_ids:
            count = self._counts[account_id] - 1
            if count:
                self._counts[account_id] = count
            else:
                del self._counts[account_id]


class Slots:
    """How many of something run in this process."""

    def __init__(self, count_max: int) -> None:
        self.count_max = count_max
        self.count = 0

    def enter(self) -> bool:
        """Counts one more; False if there are too many, and then it is not counted."""
        if self.count >= self.count_max:
            return False
        self.count += 1
        return True

    def leave(self) -> None:
        """Counts one less."""
        self.count -= 1


class Known:
    """Names that were good; the ones not noted for longest are forgotten when there are too many."""

    def __init__(self, *, names_max: int = NAMES_MAX) -> None:
        self._names: dict[str, None] = {}
        self._names_max = names_max

    def __contains__(self, name: str) -> bool:
        return name in self._names

    def note(self, name: str) -> None:
        """Remembers a name."""
        self._names.pop(name, None)
        self._names[name] = None
        if len(self._names) > self._names_max:
            del self._names[next(iter(self._names))]


class IncomingLimits:
    """All limits on callers; None for what the operator switched off."""

    def __init__(self, settings: Settings) -> None:
        self.applications = _build(
            "application", settings.application_requests_per_second, settings.application_requests_burst
        )
        self.accounts = _build("account", settings.account_requests_per_second, settings.account_requests_burst)
        self.failures = _build("failures", settings.failed_logins_per_second, settings.failed_logins_burst)
        self.known_logins = Known()
        self.requests = Slots(settings.requests_parallel_max)
        self.streams = Slots(settings.streams_parallel_max)
        parallel_max = settings.account_requests_parallel_max
        self.parallel = ParallelCounts(parallel_max=parallel_max) if parallel_max else None


def _build(policy: str, per_second: float, burst: int) -> TokenBuckets | None:
    return TokenBuckets(policy, per_second=per_second, burst=burst) if per_second > 0 else None
