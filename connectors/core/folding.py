"""How names are compared when people search: letters are the same in either case and however they are composed."""

from __future__ import annotations

import unicodedata


def fold(text: str) -> str:
    """The text such that two which people read as the same word are equal, and parts of words are found in it."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())
