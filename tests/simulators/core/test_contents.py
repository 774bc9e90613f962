"""Bytes of simulated files while they are written."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

from simulators.core.contents import Contents

PIECE_BYTES = 1000
PIECES_COUNT = 3000


def test_all_pieces_are_there_when_threads_write_them_at_once() -> None:
    with closing(Contents()) as contents:
        draft = contents.begin()

        def write(number: int) -> None:
            draft.write(bytes([number % 251]) * PIECE_BYTES, at=number * PIECE_BYTES)
            draft.rest()

        with ThreadPoolExecutor(8) as threads:
            list(threads.map(write, range(PIECES_COUNT)))
        expected = b"".join(bytes([number % 251]) * PIECE_BYTES for number in range(PIECES_COUNT))
        assert draft.finish().read() == expected
