"""Moments as providers tell them: with a zone, which may lie at the very edge of the calendar."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from msgspec import Meta

Moment = Annotated[datetime, Meta(tz=True)]
"""In a payload: a time without a zone does not say when."""


def read_moment(told: datetime | None) -> datetime | None:
    """The moment in UTC; None for one that is outside the calendar there."""
    if told is None or told.tzinfo is UTC:
        return told
    try:
        return told.astimezone(UTC)
    except OverflowError:
        return None
