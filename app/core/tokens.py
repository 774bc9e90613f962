"""Tokens and keys that we hand out: random, long, and stored only as their SHA-256."""

from __future__ import annotations

import hashlib
import secrets

TOKEN_BYTES = 32


def generate_token() -> str:
    """A new random token of 256 bits, URL-safe. None begins with a dash, which a command would take for an option."""
    while (token := secrets.token_urlsafe(TOKEN_BYTES)).startswith("-"):
        pass
    return token


def hash_token(token: str) -> str:
    """What is stored and looked up instead of the token; hex. Equality is the database's index look-up on the hash."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
