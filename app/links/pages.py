"""The pages that people see behind a link: small, without scripts, and nothing in them comes from elsewhere."""

from __future__ import annotations

import unicodedata
from datetime import UTC
from pathlib import Path, PurePosixPath

from starlette.responses import Response

from app.core.errors import ApiError, ErrorCode
from app.core.http.pages import Pages
from app.links.schemas import PASSWORD_CHARACTERS_MAX
from connectors.core.resources import File

ENDING_CHARACTERS_MAX = 5
NAME_CHARACTERS_SHOWN_MAX = 300
UNIT = 1000
UNITS = ("kB", "MB", "GB", "TB", "PB", "EB")
_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})  # control, format (also directions), halves, separators of lines
_JOINERS = "\N{ZERO WIDTH JOINER}\N{ZERO WIDTH NON-JOINER}"  # format too, but emoji and some scripts need them

_pages = Pages(Path(__file__).with_name("templates"), titles={ErrorCode.FORBIDDEN: "This link does not open"})


def build_file_page(file: File, *, download_path: str) -> Response:
    """What the file is called, how large it is, and a button that downloads it."""
    modified = None if file.modified_at is None else file.modified_at.astimezone(UTC)
    return _pages.build(
        "file.html",
        name=show_name(file.name),
        ending=_show_ending(file.name),
        bytes=file.size_bytes,
        size=None if file.size_bytes is None else show_size(file.size_bytes),
        modified=None if modified is None else f"{modified.day} {modified:%B %Y, %H:%M} UTC",
        modified_iso=None if modified is None else modified.isoformat(timespec="seconds"),
        download_path=download_path,
    )


def build_password_page(*, path: str, problem: str | None = None, status: int = 200) -> Response:
    """A form for the link's password; `problem` says what was wrong with the last one."""
    return _pages.build(
        "password.html", status=status, path=path, problem=problem, characters_max=PASSWORD_CHARACTERS_MAX
    )


def build_starting_page(*, download_path: str) -> Response:
    """Says that the download is starting, and starts it.

    A redirect from the form would do where the bytes come from here; one that leads on to a storage, the form's own
    security policy forbids.
    """
    return _pages.build("starting.html", download_path=download_path)


def build_refusal_page(error: ApiError) -> Response:
    """Why there is nothing to see."""
    return _pages.build_refusal(error)


def show_name(name: str) -> str:
    """The name without what would break a line or turn letters around, and so show another ending than there is."""
    shown = "".join(c if c in _JOINERS or unicodedata.category(c) not in _HIDDEN else _REPLACEMENT for c in name)
    if len(shown) <= NAME_CHARACTERS_SHOWN_MAX:
        return shown
    half = NAME_CHARACTERS_SHOWN_MAX // 2
    return f"{shown[:half]}\N{HORIZONTAL ELLIPSIS}{shown[-half:]}"


def show_size(size_bytes: int) -> str:
    """A size as people say it, in steps of a thousand."""
    if size_bytes < UNIT:
        return f"{size_bytes} byte{'' if size_bytes == 1 else 's'}"
    power = 0
    while power < len(UNITS) - 1 and round(size_bytes / UNIT ** (power + 1), 1) >= UNIT:
        power += 1
    return f"{size_bytes / UNIT ** (power + 1):.1f} {UNITS[power]}".replace(".0 ", " ")


def _show_ending(name: str) -> str:
    ending = PurePosixPath(show_name(name)).suffix[1:]
    return ending.upper() if len(ending) <= ENDING_CHARACTERS_MAX and ending.isalnum() else ""
