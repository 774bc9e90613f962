"""AES-SIV (RFC 5297) of many short texts at once, for pages of ids; the same bytes as the library makes one by one.

The library prepares its ciphers anew for every text, which costs ten times what the encryption itself does. Here each
step is done for all texts together: one call of the block cipher, one exclusive or over numbers as long as the page.
Longer texts are left to the library, because what is done here for each of their blocks costs more than it saves.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

from cryptography.hazmat.primitives.ciphers import Cipher, CipherContext
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import ECB
from cryptography.hazmat.primitives.cmac import CMAC

BLOCK_BYTES = 16
BLOCK_BITS = 8 * BLOCK_BYTES
BLOCKS_MAX = 4
COUNTER_MASK = int.from_bytes(b"\xff" * 8 + b"\x7f\xff\xff\xff" * 2, "big")
"""What of a synthetic vector begins to count (RFC 5297 2.5)."""


class BatchSiv:
    """Seals texts under one key and one associated string."""

    def __init__(self, key: bytes, associated: bytes) -> None:
        mac_key, count_key = key[: len(key) // 2], key[len(key) // 2 :]
        self._library, self._associated = AESSIV(key), [associated]
        self._mac = _build_block_cipher(mac_key)
        self._count = _build_block_cipher(count_key)
        digest = _double(_mac(mac_key, bytes(BLOCK_BYTES))) ^ _mac(mac_key, associated)
        whole_last = _double(int.from_bytes(self._mac.update(bytes(BLOCK_BYTES)), "big"))
        self._digest, self._whole_last, self._part_last = digest, whole_last, _double(whole_last)
        self._masks: dict[int, bytes] = {}

    def seal(self, plains: Sequence[bytes]) -> list[bytes]:
        """Vector and ciphertext of each text; none may be empty."""
        counts = [(len(plain) + BLOCK_BYTES - 1) // BLOCK_BYTES for plain in plains]
        if counts and min(counts) == max(counts) <= BLOCKS_MAX:
            return self._seal_alike(plains, counts[0])
        alike: dict[int, list[int]] = {}  # the places of texts with as many blocks
        for place, blocks_count in enumerate(counts):
            alike.setdefault(blocks_count, []).append(place)
        sealed = [b""] * len(plains)
        for blocks_count, places in alike.items():
            few = [plains[place] for place in places]
            if blocks_count <= BLOCKS_MAX:
                found = self._seal_alike(few, blocks_count)
            else:
                found = [self._library.encrypt(plain, self._associated) for plain in few]
            for place, one in zip(places, found, strict=True):
                sealed[place] = one
        return sealed

    def _seal_alike(self, plains: Sequence[bytes], blocks_count: int) -> list[bytes]:
        width, count = blocks_count * BLOCK_BYTES, len(plains)
        padded = b"".join([plain.ljust(width, b"\0") for plain in plains])
        lengths = [len(plain) for plain in plains]
        for length in set(lengths).difference(self._masks):
            self._masks[length] = self._build_mask(length, width)
        masked = _xor(padded, b"".join(map(self._masks.__getitem__, lengths)))
        columns = _read_columns(masked, blocks_count)
        vectors = self._mac.update(columns[0])
        for column in columns[1:]:
            vectors = self._mac.update(_xor(column, vectors))
        stream = self._build_stream(vectors, count, blocks_count)
        hidden = _xor(padded, stream)
        starts = range(0, len(hidden), width)
        return [
            vector + hidden[start : start + length]
            for vector, start, length in zip(_split(vectors), starts, lengths, strict=True)
        ]

    def _build_mask(self, length: int, width: int) -> bytes:
        """What a text of that length is combined with before it is authenticated (RFC 5297 2.4, RFC 4493 2.4)."""
        spare_bits = 8 * (width - length)
        mark = 0x80 << (spare_bits - 8) if spare_bits else 0
        if length < BLOCK_BYTES:
            mask = _double(self._digest) ^ mark ^ self._whole_last
        else:
            mask = (self._digest << spare_bits) ^ mark ^ (self._part_last if spare_bits else self._whole_last)
        return mask.to_bytes(width, "big")

    def _build_stream(self, vectors: bytes, count: int, blocks_count: int) -> bytes:
        """The bytes that hide the texts."""
        size = len(vectors)
        first = int.from_bytes(vectors, "big") & int.from_bytes(
            COUNTER_MASK.to_bytes(BLOCK_BYTES, "big") * count, "big"
        )
        step = int.from_bytes((1).to_bytes(BLOCK_BYTES, "big") * count, "big")
        blocks = [b""] * (count * blocks_count)
        for number in range(blocks_count):
            blocks[number::blocks_count] = _split(self._count.update((first + number * step).to_bytes(size, "big")))
        return b"".join(blocks)


def _build_block_cipher(key: bytes) -> CipherContext:
    return Cipher(AES(key), ECB()).encryptor()  # noqa: S305 - the blocks of another mode


def _mac(key: bytes, text: bytes) -> int:
    mac = CMAC(AES(key))
    mac.update(text)
    return int.from_bytes(mac.finalize(), "big")


def _double(value: int) -> int:
    """Times two in the field of 2^128 (RFC 5297 2.3)."""
    doubled = value << 1
    return doubled if doubled < 1 << BLOCK_BITS else doubled ^ (1 << BLOCK_BITS | 0x87)


def _xor(left: bytes, right: bytes) -> bytes:
    return (int.from_bytes(left, "big") ^ int.from_bytes(right, "big")).to_bytes(len(left), "big")


def _split(data: bytes) -> tuple[bytes, ...]:
    return struct.unpack(f"{BLOCK_BYTES}s" * (len(data) // BLOCK_BYTES), data)


def _read_columns(data: bytes, blocks_count: int) -> list[bytes]:
    """The first block of every text, then the second, and so on."""
    if blocks_count == 1:
        return [data]
    blocks = _split(data)
    return [b"".join(blocks[number::blocks_count]) for number in range(blocks_count)]
