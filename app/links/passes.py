"""What a browser keeps once it knew a link's password: sealed, short-lived, good for that link and password only."""

from __future__ import annotations

from datetime import datetime, timedelta

from app.core.keys import KeyRing, KeysError
from app.models import Link

PASS_SECONDS = 3600
PASS_CHARACTERS_MAX = 200
COOKIE_NAME = "kloudless_link"

_TIME_BYTES = 8


def build_pass(keys: KeyRing, link: Link, *, now: datetime) -> str:
    """The cookie's value for somebody who has just shown the password."""
    ends_at = int((now + timedelta(seconds=PASS_SECONDS)).timestamp())
    return keys.seal(ends_at.to_bytes(_TIME_BYTES, "big"), purpose=_purpose(link))


def is_pass_good(keys: KeyRing, link: Link, value: str | None, *, now: datetime) -> bool:
    """True until it ends, or the link's password is changed, or the key that sealed it is forgotten."""
    if not value or len(value) > PASS_CHARACTERS_MAX:
        return False
    try:
        plain = keys.open(value, purpose=_purpose(link))
    except KeysError:
        return False
    return now.timestamp() < int.from_bytes(plain, "big")


def _purpose(link: Link) -> str:
    return f"link_pass:{link.id}:{link.password_hash}"
