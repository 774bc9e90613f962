"""Bytes on their way out, compared with what the provider says of them before the last of them is given away."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from typing import Protocol

from connectors.core.errors import ConnectorError, ErrorKind


class Checksum(Protocol):
    """What is made of bytes that pass by, in a thread."""

    async def update(self, data: bytes) -> None: ...

    def is_right(self) -> bool:
        """True if all bytes together are those that the provider tells of."""
        ...


async def give_checked(
    chunks: AsyncIterator[bytes], *, length_bytes: int, checksum: Checksum | None = None
) -> AsyncGenerator[bytes, None]:
    """The bytes that were promised; the last of them only once it is certain that they are the right ones.

    unavailable for fewer, more or others; a reader who has seen the end has what the provider has.
    """
    seen_bytes, last = 0, b""
    async for chunk in chunks:
        if last:
            yield last
        last, seen_bytes = chunk, seen_bytes + len(chunk)
        if checksum is not None:
            await checksum.update(chunk)
    if seen_bytes != length_bytes:
        raise ConnectorError(ErrorKind.UNAVAILABLE, f"{seen_bytes} bytes came instead of {length_bytes}")
    if checksum is not None and not checksum.is_right():
        raise ConnectorError(ErrorKind.UNAVAILABLE, "other bytes came than the file has; read it again")
    if last:
        yield last
