from __future__ import annotations

import base64
import zlib

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.core.errors import ConnectorError, ErrorKind
from connectors.core.frames import (
    CURSOR_CHARACTERS_MAX,
    DEPTH_MAX,
    Frame,
    build_scope,
    count_characters,
    read_cursor,
    write_cursor,
)
from connectors.core.resources import RawId
from tests.fuzzing import fuzz

SCOPE = build_scope("list", "top")
TEXTS = st.text(st.characters(), max_size=40)  # also halves of surrogate pairs
FRAMES = st.lists(
    st.builds(
        Frame,
        folder=TEXTS.map(RawId),
        cursor=st.none() | TEXTS,
        is_read=st.booleans(),
        pending=st.lists(TEXTS.map(RawId), max_size=5),
    ),
    min_size=1,
    max_size=8,
)


def forge(plain: bytes) -> str:
    """A cursor of the right scope that holds anything."""
    return base64.urlsafe_b64encode(b"\x01" + SCOPE + plain).decode()


def refused(cursor: str) -> ErrorKind:
    with pytest.raises(ConnectorError) as caught:
        read_cursor(SCOPE, cursor)
    return caught.value.kind


@fuzz(100)
@given(frames=FRAMES)
def test_place_is_the_same_when_its_cursor_is_read(frames: list[Frame]) -> None:
    cursor = write_cursor(SCOPE, frames)
    assert read_cursor(SCOPE, cursor) == frames
    assert count_characters(frames) == len(cursor)


@fuzz(100)
@given(parts=st.lists(TEXTS, max_size=3), others=st.lists(TEXTS, max_size=3))
def test_scopes_are_equal_only_when_all_parts_are(parts: list[str], others: list[str]) -> None:
    assert (build_scope(*parts) == build_scope(*others)) == (parts == others)


def test_cursor_is_invalid_when_it_is_of_another_scope() -> None:
    assert refused(write_cursor(build_scope("list", "other"), [Frame(RawId("a"))])) is ErrorKind.CURSOR_INVALID


@fuzz(100)
@given(text=st.text(max_size=200))
def test_cursor_is_invalid_when_it_was_made_up(text: str) -> None:
    assert refused(text) is ErrorKind.CURSOR_INVALID


@fuzz(100)
@given(place=st.integers(0, 10**6), change=st.integers(1, 255))
def test_cursor_names_a_place_or_is_invalid_when_a_byte_is_changed(place: int, change: int) -> None:
    cursor = write_cursor(SCOPE, [Frame(RawId("a"), "1", is_read=True, pending=[RawId("b"), RawId("c")])])
    data = bytearray(base64.urlsafe_b64decode(cursor))
    data[place % len(data)] ^= change
    try:
        frames = read_cursor(SCOPE, base64.urlsafe_b64encode(data).decode())
    except ConnectorError as error:
        assert error.kind is ErrorKind.CURSOR_INVALID  # noqa: PT017 - either is right
    else:
        assert all(isinstance(frame, Frame) for frame in frames)


@pytest.mark.parametrize(
    "plain",
    [
        b"",
        zlib.compress(b""),
        zlib.compress(msgspec.msgpack.encode([])),
        zlib.compress(msgspec.msgpack.encode([["text", None, True, []]])),
        zlib.compress(msgspec.msgpack.encode([[b"\xff", None, True, []]])),
        zlib.compress(msgspec.msgpack.encode([[b"a", None, True]])),
        zlib.compress(msgspec.msgpack.encode([[b"a", None, True, []]])) + b"more",
        zlib.compress(msgspec.msgpack.encode([[b"a", None, True, []]]))[:-1],
        zlib.compress(msgspec.msgpack.encode([[b"a", None, True, []]] * (DEPTH_MAX + 3))),
        zlib.compress(b"\0" * 10**7),
    ],
    ids=["empty", "nothing", "no frame", "text", "no text", "short", "longer", "cut", "too deep", "bomb"],
)
def test_cursor_is_invalid_when_it_holds_something_else(plain: bytes) -> None:
    assert len(forge(plain)) <= CURSOR_CHARACTERS_MAX
    assert refused(forge(plain)) is ErrorKind.CURSOR_INVALID


def test_cursor_is_invalid_when_it_is_longer_than_any() -> None:
    frames = [Frame(RawId("a"), pending=[RawId("\0".join(map(str, range(9000))))])]
    plain = msgspec.msgpack.encode([[b"a", None, False, [frames[0].pending[0].encode()]]])
    assert refused(forge(zlib.compress(plain))) is ErrorKind.CURSOR_INVALID


@pytest.mark.parametrize(
    "frames",
    [
        [Frame(RawId("a"), pending=[RawId("".join(map(str, range(9000))))])],
        [Frame(RawId("a"), pending=[RawId("a" * 2**20)])],
    ],
    ids=["as text", "as what it stands for"],
)
def test_unsupported_when_a_place_is_too_long_to_say(frames: list[Frame]) -> None:
    with pytest.raises(ConnectorError) as caught:
        write_cursor(SCOPE, frames)
    assert caught.value.kind is ErrorKind.UNSUPPORTED
    assert count_characters(frames) > CURSOR_CHARACTERS_MAX
