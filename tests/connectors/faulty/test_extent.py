from __future__ import annotations

from itertools import product

import pytest

from tests.connectors.faulty.extent import pair


def test_everything_is_paired_with_everything_when_all_is_tried() -> None:
    assert pair("abc", "12", is_all=True, seed="x") == list(product("abc", "12"))


@pytest.mark.parametrize(("first", "second"), [("abc", "12345"), ("abcd", "12"), ("a", "1"), ("ab", "12")])
def test_each_is_there_and_as_few_pairs_as_that_takes_when_a_sample_is_tried(first: str, second: str) -> None:
    pairs = pair(first, second, is_all=False, seed="x")
    assert ({one for one, _ in pairs}, {other for _, other in pairs}) == (set(first), set(second))
    assert len(pairs) == len(set(pairs)) == max(len(first), len(second))


def test_seed_decides_who_is_paired_with_whom() -> None:
    samples = [pair("abc", "12345", is_all=False, seed=str(seed % 20)) for seed in range(40)]
    assert samples[:20] == samples[20:]
    assert len({tuple(sample) for sample in samples}) > 1


def test_nothing_is_paired_when_there_is_nothing() -> None:
    assert pair("abc", "", is_all=False, seed="x") == []
