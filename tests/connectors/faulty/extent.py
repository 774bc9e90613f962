"""How much is tried: a sample with every run, or with FAULTS=all everything."""

from __future__ import annotations

import os
from collections.abc import Sequence
from itertools import product
from random import Random
from typing import TypeVar

FirstT = TypeVar("FirstT")
SecondT = TypeVar("SecondT")
ResultT = TypeVar("ResultT")

IS_ALL = os.environ.get("FAULTS") == "all"
SEED = 20260719


def by_extent(sample: ResultT, everything: ResultT) -> ResultT:
    """The one or the other."""
    return everything if IS_ALL else sample


def pair(
    first: Sequence[FirstT], second: Sequence[SecondT], *, is_all: bool, seed: str
) -> list[tuple[FirstT, SecondT]]:
    """All pairs; or as few as it takes for each of both to be there, whom with whom being decided by the seed."""
    if is_all or not first or not second:
        return list(product(first, second))
    shift = Random(f"{SEED} {seed}").randrange(len(second))
    count = max(len(first), len(second))
    return [(first[at % len(first)], second[(at + shift) % len(second)]) for at in range(count)]


def pytest_report_header() -> str:
    """Says at the start of a run how much of the faults it tries."""
    sample = "a sample of places for each fault, some servers only written to; FAULTS=all tries everything"
    return f"provider faults: {by_extent(sample, 'all')}"
