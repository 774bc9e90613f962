"""How many inputs are made up, and which: the same in every run of `make test`, many others in `make soak`.

FUZZ_FACTOR multiplies how many, FUZZ_SEED chooses which.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import TypeVar

from hypothesis import HealthCheck, seed, settings
from hypothesis import strategies as st

TestT = TypeVar("TestT", bound=Callable[..., object])

FACTOR = int(os.environ.get("FUZZ_FACTOR", "1"))
SEED = os.environ.get("FUZZ_SEED")
PIECE_BYTES_MAX = 12
CHANGES_MAX = 6


def build_fuzz_settings(examples_count: int, **given: object) -> settings:
    """Settings for so many examples of a short run."""
    values: dict[str, object] = {
        "max_examples": examples_count * FACTOR,
        "deadline": None,
        "database": None,
        "derandomize": SEED is None,
        "suppress_health_check": list(HealthCheck),
    }
    return settings(**(values | given))  # type: ignore[arg-type]  # its arguments have many types


def fuzz(examples_count: int) -> Callable[[TestT], TestT]:
    """Decorates a test with `given`."""

    def decorate(test: TestT) -> TestT:
        test = test if SEED is None else seed(int(SEED))(test)
        return build_fuzz_settings(examples_count)(test)

    return decorate


@st.composite
def spoiled(draw: st.DrawFn, samples: Sequence[bytes], pieces: Sequence[bytes]) -> bytes:
    """A sample with a few bytes changed, lost, doubled, or replaced by one of the pieces that are known for trouble."""
    data = draw(st.sampled_from(samples))
    for _ in range(draw(st.integers(0, CHANGES_MAX))):
        start = draw(st.integers(0, len(data)))
        end = min(len(data), start + draw(st.integers(0, PIECE_BYTES_MAX)))
        others = (st.sampled_from(pieces), st.binary(max_size=PIECE_BYTES_MAX), st.just(data[start:end] * 2))
        data = data[:start] + draw(st.one_of(others)) + data[end:]
    return data


@st.composite
def xml_elements(draw: st.DrawFn, name: str, names: Sequence[str], texts: Sequence[str], depth: int = 3) -> bytes:
    """A well-formed element with any of these names and texts in it."""
    children = draw(st.lists(st.sampled_from(names), max_size=6 if depth else 0))
    inside = [draw(xml_elements(child, names, texts, draw(st.integers(0, depth - 1)))) for child in children]
    text = draw(st.sampled_from(texts)).encode() if not children or draw(st.booleans()) else b""
    return b"<%b>%b%b</%b>" % (name.encode(), text, b"".join(inside), name.partition(" ")[0].encode())
