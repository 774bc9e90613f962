"""Sources are held to what they declare, and say so when they fail."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from connectors.core.bytesource import BytesSource, CheckedSource, StreamSource
from connectors.core.errors import ConnectorError, ErrorKind
from tests.connectors.behavior.space import FailingSource, StalledSource, stream


async def read(source: CheckedSource) -> bytes:
    return b"".join([chunk async for chunk in source.open()])


async def test_bytes_come_through_as_often_as_the_source_allows() -> None:
    source = CheckedSource(BytesSource(b"bytes"))
    assert (source.size_bytes, source.is_replayable) == (5, True)
    assert [await read(source), await read(source)] == [b"bytes", b"bytes"]
    assert source.seen_bytes == 5
    once = CheckedSource(StreamSource(stream([b"a", b"b"])))
    assert (once.size_bytes, once.is_replayable, await read(once)) == (None, False, b"ab")


@pytest.mark.parametrize(
    "source",
    [
        FailingSource([b"x"] * 3, size_bytes=4),
        FailingSource([b"x"] * 3, size_bytes=2),
        FailingSource([], size_bytes=1),
        FailingSource([b"x"], size_bytes=0),
        FailingSource([b"x"], size_bytes=None, fails=True),
    ],
    ids=["short", "long", "empty", "should be empty", "breaks"],
)
async def test_source_failed_whatever_goes_wrong_with_it(source: FailingSource) -> None:
    with pytest.raises(ConnectorError) as caught:
        await read(CheckedSource(source))
    assert caught.value.kind is ErrorKind.SOURCE_FAILED


async def test_own_words_stay_when_the_source_has_some() -> None:
    async def refuse() -> AsyncIterator[bytes]:
        yield b"a"
        raise ConnectorError(ErrorKind.TOO_LARGE, "too much")

    with pytest.raises(ConnectorError) as caught:
        await read(CheckedSource(StreamSource(refuse())))
    assert (caught.value.kind, caught.value.message) == (ErrorKind.TOO_LARGE, "too much")


async def test_source_is_closed_when_its_reader_leaves() -> None:
    stalled = StalledSource(b"x")
    chunks = CheckedSource(stalled).open()
    assert await anext(chunks) == b"x"
    await chunks.aclose()  # type: ignore[attr-defined]  # it is a generator
    assert stalled.is_closed
