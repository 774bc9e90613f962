from __future__ import annotations

import string
import unicodedata

import pytest

from connectors.core.errors import ConnectorError, ErrorKind
from connectors.core.manifest import Limits
from connectors.core.resources import OnConflict
from tests.connectors.behavior.space import Space, refused

NAMES = {
    "control characters": "".join(map(chr, [*range(1, 0x20), 0x7F])),
    "dot": ".",
    "dot dot": "..",
    "punctuation": string.punctuation,
    "punctuation but the slash": string.punctuation.replace("/", ""),
    "leading space": " leading space",
    "leading tilde": "~leading tilde",
    "leading CR": "\rleading CR",
    "leading LF": "\nleading LF",
    "leading HT": "\tleading HT",
    "leading VT": "\vleading VT",
    "leading dot": ".leading dot",
    "trailing space": "trailing space ",
    "trailing CR": "trailing CR\r",
    "trailing LF": "trailing LF\n",
    "trailing HT": "trailing HT\t",
    "trailing VT": "trailing VT\v",
    "trailing dot": "trailing dot.",
    "invalid unicode": "invalid \udcfe unicode",
    "URL encoding": "test%46.txt",
    "plus and question": "a+b?c=d&e#f;g.txt",
    "backslash": "a\\b.txt",
    "three dots": "...",
    "NUL": "a\0b",
    "slash": "a/b",
    "empty": "",
    "emoji": "family 👨‍👩‍👧‍👦 flag 🏳️‍🌈.txt",
    "right to left": "שלום עולם.txt",
    "CJK": "日本語のファイル名.txt",
    "combining": "e\u0301\u0308 .txt",
    "zero width": "a\u200bb\ufeffc.txt",
    "device name": "CON",
    "long": "x" * 255,
    "long in bytes": "é" * 127 + "x",
    "too long": "x" * 256,
    "too long in bytes": "é" * 128,
}


def is_storable(name: str, limits: Limits) -> bool:
    """What the declared limits say about a name."""
    try:
        size_bytes = len(name.encode())
    except UnicodeEncodeError:
        return False
    is_short = limits.name_bytes_max is None or size_bytes <= limits.name_bytes_max
    is_short = is_short and (limits.name_characters_max is None or len(name) <= limits.name_characters_max)
    is_allowed = name not in {"", *limits.names_forbidden}
    return is_short and is_allowed and not set(name) & set(limits.name_characters_forbidden)


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
async def test_name_lives_a_whole_life_when_it_can_be_stored(space: Space, name: str) -> None:
    if not is_storable(name, space.target.limits):
        for call in (
            space.make(name),
            space.put(name),
            space.connector.update((await space.put("a.txt")).ref, name=name),
            space.connector.copy((await space.put("b.txt")).ref, parent=space.folder, name=name),
        ):
            with refused(ErrorKind.INVALID_NAME):
                await call
        await space.holds("a.txt", "b.txt")
        return
    folder = await space.make(name)
    file = await space.put(name, b"bytes", parent=folder.raw_id)
    assert (folder.name, file.name) == (name, name)
    await space.holds(name)
    await space.holds(name, folder=folder.raw_id)
    assert (await space.connector.get(folder.ref)).ref == folder.ref
    assert await space.read(file.raw_id) == b"bytes"
    moved = await space.connector.update(file.ref, name="plain", parent=space.folder)
    back = await space.connector.update(moved.ref, name=name, parent=folder.raw_id)
    assert back.name == name
    assert await space.read(back.raw_id) == b"bytes"
    await space.connector.delete(back.ref)
    await space.connector.delete(folder.ref)
    await space.holds()


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("case.txt", "CASE.txt"),
        ("straße", "STRASSE"),
        (unicodedata.normalize("NFC", "é"), unicodedata.normalize("NFD", "é")),
        ("a", "a "),
        ("a", "a."),
    ],
    ids=["case", "sharp s", "composition", "trailing space", "trailing dot"],
)
async def test_no_bytes_are_lost_when_names_look_alike(space: Space, first: str, second: str) -> None:
    one = await space.put(first, b"first")
    try:
        two = await space.put(second, b"second", on_conflict=OnConflict.FAIL)
    except ConnectorError as error:
        assert error.kind is ErrorKind.ALREADY_EXISTS  # noqa: PT017 - both outcomes are right, neither loses bytes
        await space.holds(one.name)
    else:
        assert await space.read(two.raw_id) == b"second"
        await space.holds(one.name, two.name)
    assert await space.read(one.raw_id) == b"first"


@pytest.mark.needs("names_unique")
@pytest.mark.parametrize("name", ["x" * 255, "é" * 125 + ".txt", "x." + "y" * 253, ".hidden", "no ending."])
async def test_free_name_is_storable_when_the_taken_one_is_odd(space: Space, name: str) -> None:
    if not is_storable(name, space.target.limits):
        with refused(ErrorKind.INVALID_NAME):
            await space.put(name)
        return
    files = [await space.put(name, on_conflict=OnConflict.RENAME) for _ in range(3)]
    names = {file.name for file in files}
    assert len(names) == 3
    assert all(is_storable(each, space.target.limits) for each in names)
    await space.holds(*names)
