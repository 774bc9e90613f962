"""Passwords of links: hashed with scrypt, in threads of their own so that nobody else waits for them."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import secrets
import unicodedata
from concurrent.futures import ThreadPoolExecutor

COST, BLOCK_SIZE, PARALLELISM = 2**14, 8, 5  # 16 MiB; OWASP's password storage cheat sheet, scrypt
SALT_BYTES = 16
HASH_BYTES = 32
HASHES_PARALLEL_MAX = 2
SCHEME = "scrypt"

_threads = ThreadPoolExecutor(HASHES_PARALLEL_MAX, thread_name_prefix="passwords")


async def hash_password(password: str) -> str:
    """What is stored: scheme, cost, salt and hash."""
    salt = secrets.token_bytes(SALT_BYTES)
    derived = await _derive(password, salt, (COST, BLOCK_SIZE, PARALLELISM))
    return f"{SCHEME}${COST}${BLOCK_SIZE}${PARALLELISM}${_encode(salt)}${_encode(derived)}"


async def verify_password(password: str, stored: str) -> bool:
    """True if it is the password that `hash_password` was given, however its letters with accents are composed."""
    scheme, cost, block_size, parallelism, salt, expected = stored.split("$")
    if scheme != SCHEME:
        raise AssertionError("a stored password has an unknown form")
    derived = await _derive(password, base64.b64decode(salt), (int(cost), int(block_size), int(parallelism)))
    return hmac.compare_digest(derived, base64.b64decode(expected))


async def _derive(password: str, salt: bytes, costs: tuple[int, int, int]) -> bytes:
    text = unicodedata.normalize("NFC", password).encode("utf-8", "surrogatepass")
    cost, block_size, parallelism = costs

    def derive() -> bytes:
        return hashlib.scrypt(text, salt=salt, n=cost, r=block_size, p=parallelism, dklen=HASH_BYTES)

    return await asyncio.get_running_loop().run_in_executor(_threads, derive)


def _encode(data: bytes) -> str:
    return base64.b64encode(data).decode()
