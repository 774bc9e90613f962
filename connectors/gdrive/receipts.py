"""What a part's receipt carries to the next part, and at last to the end, in whichever process that is.

A checksum of bytes that come in several requests is never finished before the last. The standard library cannot write
down one that is under way; rehashes can, in a form that only the same version of it is certain to understand. It is
made for Linux only; elsewhere there is no checksum.
"""

from __future__ import annotations

import asyncio
from importlib.metadata import version

import msgspec
from msgspec import Struct

from connectors.core.errors import ConnectorError, ErrorKind
from connectors.core.resources import Part

SLICE_BYTES = 2**18
"""Hashed at once. The library lets no other thread run meanwhile."""

try:
    from rehashes import PySha256
except ImportError:
    PySha256 = None
WRITER = "" if PySha256 is None else version("rehashes")


class Receipt(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """After some parts: `tail` are bytes of the last one that wait for the end, `checksum` the SHA-256 so far.

    That is None once another version of the library, or none, has been at work.
    """

    tail: bytes = b""
    checksum: bytes | None = None
    writer: str = ""

    async def go_on(self, data: bytes, *, tail: bytes) -> Receipt:
        """The receipt of one more part, hashed in a thread."""
        checksum = None if self.checksum is None else await asyncio.to_thread(_go_on, self.checksum, data)
        return Receipt(tail=tail, checksum=checksum, writer=self.writer)

    def write(self) -> str:
        return msgspec.json.encode(self).decode()

    def finish(self) -> str | None:
        """The SHA-256 of all bytes in hex; None if it got lost on the way."""
        return None if self.checksum is None else PySha256.deserialize(self.checksum).finalize()


def read_receipt(part: Part | None) -> Receipt:
    """What this part, or none yet, left for the next; invalid_parts if that cannot be read."""
    if part is None:
        return Receipt(checksum=PySha256 and PySha256().serialize(), writer=WRITER)
    try:
        receipt = msgspec.json.decode(part.receipt or "", type=Receipt)
        if PySha256 is None or receipt.writer != WRITER:
            return Receipt(tail=receipt.tail)
        PySha256.deserialize(receipt.checksum or b"")
    except ValueError as error:
        text = f"the receipt of part {part.number} cannot be read; begin the upload anew"
        raise ConnectorError(ErrorKind.INVALID_PARTS, text) from error
    return receipt


def _go_on(checksum: bytes, data: bytes) -> bytes:
    made = PySha256.deserialize(checksum)
    for start in range(0, len(data), SLICE_BYTES):
        made.update(data[start : start + SLICE_BYTES])
    written: bytes = made.serialize()
    return written
