"""What a check is and what it finds. A check looks and changes nothing; what it says holds no secret."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal

from msgspec import Struct

from app.core.settings import Settings

Status = Literal["ok", "warning", "failed", "skipped"]


class Finding(Struct, frozen=True, kw_only=True):
    """How one thing is, and what to do if it is not well."""

    name: str = ""  # the check's, put in by whoever runs it
    status: Status
    text: str
    advice: str = ""


class TimedFinding(Finding, frozen=True, kw_only=True):
    """How long each step took, for scripts; for people it stands in the text."""

    seconds: dict[str, float]


def well(text: str) -> Finding:
    """Nothing to do."""
    return Finding(status="ok", text=text)


def warn(text: str, advice: str) -> Finding:
    """Works, but will not always, or is not safe."""
    return Finding(status="warning", text=text, advice=advice)


def fail(text: str, advice: str) -> Finding:
    """Does not work."""
    return Finding(status="failed", text=text, advice=advice)


def skip(text: str) -> Finding:
    """There is nothing to look at."""
    return Finding(status="skipped", text=text)


@dataclass(frozen=True, slots=True)
class Check:
    """One thing to look at; left out when one that it needs did not go well."""

    name: str
    run: Callable[[Settings], Awaitable[Finding]]
    needs: tuple[str, ...] = ()
