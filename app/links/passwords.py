"""Passwords of links: hashed with scrypt, in few threads of their own so that nobody else waits for them."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import secrets
import unicodedata
from concurrent.futures import ThreadPoolExecutor

from app.core.errors import ApiError, ErrorCode

COST, BLOCK_SIZE, PARALLELISM = 2**14, 8, 5  # 16 MiB; OWASP's password storage cheat sheet, scrypt
SALT_BYTES = 16
HASH_BYTES = 32
HASHES_PARALLEL_MAX = 2
HASHES_WAITING_MAX = 64
RETRY_AFTER_SECONDS = 2
SCHEME = "scrypt"


class _Hashers:
    """The threads, and how many hashes are under way or wait for one."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(HASHES_PARALLEL_MAX, thread_name_prefix="passwords")
        self._waiting_count = 0

    async def derive(self, password: str, salt: bytes, costs: tuple[int, int, int]) -> bytes:
        if self._waiting_count >= HASHES_WAITING_MAX:
            raise ApiError(
                ErrorCode.SERVICE_NOT_AVAILABLE,
                "Too many passwords are being checked right now; try again shortly.",
                headers={"Retry-After": str(RETRY_AFTER_SECONDS)},
            )
        text = unicodedata.normalize("NFC", password).encode("utf-8", "surrogatepass")
        cost, block_size, parallelism = costs

        def derive() -> bytes:
            return hashlib.scrypt(text, salt=salt, n=cost, r=block_size, p=parallelism, dklen=HASH_BYTES)

        self._waiting_count += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, derive)
        finally:
            self._waiting_count -= 1


_hashers = _Hashers()


async def hash_password(password: str) -> str:
    """What is stored: scheme, cost, salt and hash. ApiError 503 while too many wait."""
    salt = secrets.token_bytes(SALT_BYTES)
    derived = await _hashers.derive(password, salt, (COST, BLOCK_SIZE, PARALLELISM))
    return f"{SCHEME}${COST}${BLOCK_SIZE}${PARALLELISM}${_encode(salt)}${_encode(derived)}"


async def verify_password(password: str, stored: str) -> bool:
    """True if it is the password that `hash_password` was given, however its letters with accents are composed.

    ApiError 503 while too many wait.
    """
    scheme, cost, block_size, parallelism, salt, expected = stored.split("$")
    if scheme != SCHEME:
        raise AssertionError("a stored password has an unknown form")
    derived = await _hashers.derive(password, base64.b64decode(salt), (int(cost), int(block_size), int(parallelism)))
    return hmac.compare_digest(derived, base64.b64decode(expected))


def _encode(data: bytes) -> str:
    return base64.b64encode(data).decode()
