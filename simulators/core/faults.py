"""What goes wrong on purpose: which requests, and how.

    rules   each says which requests it meets and how often; the first that applies wins
    chance  a seed decides which request of each `every` fails and in which way: the same seed, the same failures
    budget  so many requests of one caller in so much time, and the next ones are told how long to wait

The faults of the wire (an error instead of an answer, a slow one, half of one) are done by fault_layer.py for every
provider alike. The others need to know what an answer means: the layer leaves them in the request's state, and the
simulator asks `take_fault` where it could happen.
"""

from __future__ import annotations

import math
import random
import re
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from starlette.requests import Request

RULES_COUNT_MAX = 1000
CALLERS_COUNT_MAX = 10_000
FAULT_STATE = "simulated_fault"
STALE_SECONDS = 5.0
"""How long reads stay stale when the fault does not say it."""


class FaultKind(StrEnum):
    """The ways in which a provider lets its clients down."""

    RATE_LIMITED = "rate_limited"  # with the hint of `seconds`, without one when it is None
    UNAVAILABLE = "unavailable"  # `status` instead of an answer, nothing done
    LOST_ANSWER = "lost_answer"  # done, and then `status` instead of the answer
    SLOW = "slow"  # the answer comes `seconds` late, or as late as is usual when they are 0 or None
    CUT_BODY = "cut_body"  # done, but half of the answer's body, then the connection closes
    EXPIRED_TOKEN = "expired_token"  # noqa: S105 - the access token of this request ends now
    ROTATED_TOKEN = "rotated_token"  # noqa: S105 - the refresh token of this request is replaced by another
    CURSOR_RESET = "cursor_reset"  # the cursor of a change feed is no longer known
    STALE = "stale"  # reads do not see what was written in the last `seconds`; 0 and None as above
    REWRITTEN_BYTES = "rewritten_bytes"  # the bytes that are stored are not those that were sent
    TOO_MANY_WRITES = "too_many_writes"  # the provider's own refusal of writes that meet each other
    DUPLICATE_NAME = "duplicate_name"  # a second resource of the same name appears beside what is written


SAFE_KINDS = (FaultKind.RATE_LIMITED, FaultKind.UNAVAILABLE)
"""A client that repeats is always right after these: nothing was done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing that goes wrong."""

    kind: FaultKind
    seconds: float | None = None
    status: int = 503


@dataclass(slots=True, kw_only=True)
class Rule:
    """Which requests meet a fault: method and path fit (`path` is a regular expression that is found in it), the first
    `skip` of those go well, then each `every`th fails, `times` times in all (None: for ever).
    """

    fault: Fault
    method: str | None = None
    path: str = ""
    skip: int = 0
    every: int = 1
    times: int | None = None
    seen_count: int = 0
    done_count: int = 0

    def meets(self, method: str, path: str) -> bool:
        """Is it this request's turn? Counts it."""
        if self.method not in {None, method} or not re.search(self.path, path):
            return False
        if self.times is not None and self.done_count >= self.times:
            return False
        self.seen_count += 1
        turn = self.seen_count - self.skip
        if turn <= 0 or turn % self.every:
            return False
        self.done_count += 1
        return True


@dataclass(slots=True, kw_only=True)
class Chance:
    """Of each `every` requests that follow one another one fails, which and how is the seed's choice; a kind that is
    `spared` does not come where its expression is found in the path.
    """

    seed: int
    every: int = 3
    kinds: tuple[FaultKind, ...] = SAFE_KINDS
    seconds: float | None = 0
    path: str = ""
    spared: Mapping[FaultKind, str] = field(default_factory=dict)
    _random: random.Random = field(init=False)
    _turn: int = field(init=False, default=0)
    _unlucky: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)

    def choose(self, path: str) -> Fault | None:
        """The fault of this request, mostly none."""
        if not re.search(self.path, path):
            return None
        if self._turn == 0:
            self._unlucky = self._random.randrange(self.every)
        is_unlucky = self._turn == self._unlucky
        self._turn = (self._turn + 1) % self.every
        if not is_unlucky:
            return None
        status = self._random.choice((500, 502, 503))
        kinds = [kind for kind in self.kinds if kind not in self.spared or not re.search(self.spared[kind], path)]
        return Fault(kind=self._random.choice(kinds), seconds=self.seconds, status=status)


@dataclass(slots=True, kw_only=True)
class Budget:
    """What a provider bears from one caller: `requests_max` in any `seconds` to paths like `path`."""

    requests_max: int
    seconds: float
    path: str = ""
    _taken: dict[str, deque[datetime]] = field(init=False, default_factory=dict)

    def take(self, caller: str, path: str, now: datetime) -> float | None:
        """Takes one request from the budget; the seconds to wait if nothing is left of it."""
        if not re.search(self.path, path):
            return None
        if caller not in self._taken and len(self._taken) >= CALLERS_COUNT_MAX:
            del self._taken[next(iter(self._taken))]
        taken = self._taken.setdefault(caller, deque())
        while taken and (now - taken[0]).total_seconds() >= self.seconds:
            taken.popleft()
        if len(taken) >= self.requests_max:
            return self.seconds - (now - taken[0]).total_seconds()
        taken.append(now)
        return None


@dataclass(slots=True)
class Faults:
    """All that shall go wrong in a simulator; `counts` says what did."""

    rules: list[Rule] = field(default_factory=list)
    chance: Chance | None = None
    budget: Budget | None = None
    counts: dict[FaultKind, int] = field(default_factory=dict)

    def add(self, rule: Rule) -> None:
        """One more rule, after those that there are."""
        if len(self.rules) >= RULES_COUNT_MAX:
            raise ValueError(f"more than {RULES_COUNT_MAX} rules")
        self.rules.append(rule)

    def clear(self) -> None:
        """From now on all goes well."""
        self.rules.clear()
        self.chance = None
        self.budget = None

    def choose(self, method: str, path: str, *, caller: str = "", now: datetime | None = None) -> Fault | None:
        """What goes wrong with this request; without a time no budget is asked."""
        wait = self.budget.take(caller, path, now) if self.budget is not None and now is not None else None
        fault = None if wait is None else Fault(kind=FaultKind.RATE_LIMITED, seconds=math.ceil(wait))
        if fault is None:
            fault = next((rule.fault for rule in self.rules if rule.meets(method, path)), None)
        if fault is None and self.chance is not None:
            fault = self.chance.choose(path)
        if fault is not None:
            self.counts[fault.kind] = self.counts.get(fault.kind, 0) + 1
        return fault


def count_stale_seconds(fault: Fault) -> float:
    """How long ago something must have been written to be seen in spite of a stale read."""
    return fault.seconds or STALE_SECONDS


def take_fault(request: Request, kind: FaultKind) -> Fault | None:
    """The fault of this request if it is of this kind."""
    fault: Fault | None = request.scope.get(FAULT_STATE)
    return fault if fault is not None and fault.kind is kind else None
