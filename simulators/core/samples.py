"""The files that a new user of a simulator finds: decided by a seed, the same every time."""

from __future__ import annotations

import io
import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from PIL import Image

WORDS = (
    "river", "lantern", "harvest", "copper", "window", "garden", "signal", "winter", "bridge", "letter", "market",
    "orchard", "pepper", "silver", "thunder", "velvet", "whisper", "anchor", "basket", "candle", "ember", "feather",
)  # fmt: skip
FIRST_DAY = datetime(2024, 1, 8, 9, 0, tzinfo=UTC)
PICTURE_SIZE = (640, 480)


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleFile:
    """One file: where it lies (folder names, then its own), what is in it, when it was written."""

    path: tuple[str, ...]
    data: bytes
    media_type: str
    modified_at: datetime


def build_samples(seed: int = 1, *, many_count: int = 0) -> list[SampleFile]:
    """Documents, tables, pictures, names with spaces and accents; `many_count` more in the folder "Many"."""
    chance = random.Random(seed)
    plans = [
        (("Welcome.txt",), "text/plain"),
        (("Documents", "Plan 2024.txt"), "text/plain"),
        (("Documents", "Budget.csv"), "text/csv"),
        (("Documents", "Letters", "Übergabe an Müller.txt"), "text/plain"),
        (("Documents", "Letters", "To the landlord.md"), "text/markdown"),
        (("Documents", "Letters", "Drafts", "empty.txt"), ""),
        (("Pictures", "Harbour.png"), "image/png"),
        (("Pictures", "Holiday", "Beach + sun.jpg"), "image/jpeg"),
        (("Pictures", "Holiday", "日の出.png"), "image/png"),
        (("Projects", "Site", "index.html"), "text/html"),
        (("Projects", "Site", "data.json"), "application/json"),
        *((("Many", f"Note {number:05}.txt"), "text/plain") for number in range(1, many_count + 1)),
    ]
    files = []
    for path, media_type in plans:
        modified_at = FIRST_DAY + timedelta(minutes=chance.randrange(500_000))
        data = _invent(media_type, chance)
        files.append(SampleFile(path=path, data=data, media_type=media_type or "text/plain", modified_at=modified_at))
    return files


def _invent(media_type: str, chance: random.Random) -> bytes:
    if media_type.startswith("image/"):
        return _paint(media_type, chance)
    words = [" ".join(chance.choices(WORDS, k=8)) for _ in range(chance.randrange(2, 12))]
    if media_type == "text/csv":
        return "\r\n".join(["what,amount", *(f"{line},{chance.randrange(1000)}" for line in words)]).encode()
    if media_type == "application/json":
        return ("[" + ", ".join(f'"{line}"' for line in words) + "]\n").encode()
    if media_type == "text/html":
        return f"<!doctype html><title>{words[0]}</title><p>{'<p>'.join(words)}".encode()
    return "".join(f"{line.capitalize()}.\n" for line in words).encode() if media_type else b""


def _paint(media_type: str, chance: random.Random) -> bytes:
    picture = Image.new("RGB", PICTURE_SIZE)
    for _ in range(12):
        left, top = chance.randrange(PICTURE_SIZE[0]), chance.randrange(PICTURE_SIZE[1])
        colour = tuple(chance.randrange(256) for _ in range(3))
        picture.paste(colour, (left, top, left + chance.randrange(20, 300), top + chance.randrange(20, 200)))
    target = io.BytesIO()
    picture.save(target, format="PNG" if media_type == "image/png" else "JPEG")
    return target.getvalue()
