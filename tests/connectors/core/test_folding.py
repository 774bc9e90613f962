from __future__ import annotations

import pytest

from connectors.core.folding import fold


@pytest.mark.parametrize(
    ("name", "query"),
    [
        ("Report.PDF", "rePORt.pdf"),
        ("Größe", "GRÖSSE"),
        ("Gro\u0308ße", "größe"),
        ("ÅNGSTRÖM", "a\u030angstro\u0308m"),
        ("ΣΊΣΥΦΟΣ", "σίσυφος"),
        ("\u1fb3\u0301", "\u1fb4"),
        ("日本語", "日本語"),
    ],
)
def test_texts_are_equal_when_people_read_the_same(name: str, query: str) -> None:
    assert fold(name) == fold(query)


@pytest.mark.parametrize(("name", "query"), [("résumé", "resume"), ("a b", "ab"), ("1", "\uff11"), ("\u0131", "i")])
def test_texts_differ_when_people_read_something_else(name: str, query: str) -> None:
    assert fold(name) != fold(query)
