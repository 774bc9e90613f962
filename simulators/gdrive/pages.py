"""Long lists in pages: the first request fixes what is in the list, a token says where the next page begins."""

from __future__ import annotations

import secrets
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime, timedelta

from simulators.core.clock import Clock
from simulators.gdrive.errors import DriveError

LISTS_COUNT_MAX = 1000
TOKEN_HOURS = 6


@dataclass(frozen=True, slots=True)
class _Kept:
    question: tuple[str, ...]
    keys: list[str]
    expires_at: datetime


class Pages:
    """Lists that somebody is in the middle of; each for hours, the oldest gone where there are too many."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._kept: OrderedDict[str, _Kept] = OrderedDict()

    def start(self, question: tuple[str, ...], keys: list[str], size: int) -> tuple[list[str], str | None]:
        """The first page of a list, and the token of the next one if there is one."""
        return keys[:size], self._keep(question, keys[size:]) if len(keys) > size else None

    def resume(self, question: tuple[str, ...], token: str, size: int) -> tuple[list[str], str | None]:
        """A further page; refuses a token that is unknown, too old, or was given for another question."""
        kept = self._kept.get(token)
        if kept is None or kept.question != question or kept.expires_at < self._clock.now():
            raise DriveError.invalid("pageToken")
        return self.start(question, kept.keys, size)

    def _keep(self, question: tuple[str, ...], keys: list[str]) -> str:
        token = "~!!~" + secrets.token_urlsafe(24)
        self._kept[token] = _Kept(question, keys, self._clock.now() + timedelta(hours=TOKEN_HOURS))
        while len(self._kept) > LISTS_COUNT_MAX:
            self._kept.popitem(last=False)
        return token
