"""What can go wrong on a connection's way: the eight faults of a toxic proxy, each for one direction of the bytes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from random import Random
from typing import ClassVar, Protocol

BANDWIDTH_STEP_SECONDS = 0.05


class Direction(StrEnum):
    """Which way bytes go."""

    UPSTREAM = "upstream"
    """From the client to the server."""
    DOWNSTREAM = "downstream"
    """From the server to the client."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Some bytes on their way, and when the proxy got them, by the event loop's clock."""

    data: bytes
    arrived_at: float


class Leg(Protocol):
    """One direction of one connection."""

    random: Random

    def close(self) -> None:
        """Ends the connection for both sides, in the ordinary way."""

    def reset(self) -> None:
        """Ends the connection: whom the bytes were for sees a reset, the other side an ordinary end."""


class Hit:
    """A toxic at work on a leg."""

    def __init__(self, toxic: Toxic, leg: Leg) -> None:
        self.toxic = toxic
        self.leg = leg
        self.bytes_count = 0  # what it dealt with, if it counts
        self.free_at = 0.0  # until when the line is busy, if it is narrow
        self.removed = asyncio.Event()

    async def pause(self, seconds: float | None) -> None:
        """Waits so long, None being for ever; less if the toxic is removed meanwhile."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.removed.wait()


class Toxic:
    """A fault; this one does no harm. It sees each piece in order, and one piece at a time."""

    closes_door: ClassVar[bool] = False
    """Nobody can connect while it is there."""

    async def treat(self, piece: Piece, hit: Hit) -> AsyncGenerator[Piece, None]:  # noqa: ARG002 - the harmless form
        """What becomes of a piece, and when."""
        yield piece

    async def hold_end(self, hit: Hit) -> None:
        """Returns when the end of the bytes may be passed on."""

    async def watch(self, hit: Hit) -> None:
        """Runs beside the bytes from the moment that the toxic hits the leg."""

    def leave(self, hit: Hit) -> None:
        """The toxic was removed; the connection lives on."""


@dataclass(frozen=True, slots=True)
class Latency(Toxic):
    """Everything arrives later, by `seconds` give or take up to `jitter_seconds`; as much as before is on its way."""

    seconds: float
    jitter_seconds: float = 0.0

    async def treat(self, piece: Piece, hit: Hit) -> AsyncGenerator[Piece, None]:
        delay = self.seconds + hit.leg.random.uniform(-self.jitter_seconds, self.jitter_seconds)
        await hit.pause(piece.arrived_at + delay - asyncio.get_running_loop().time())
        yield piece


@dataclass(frozen=True, slots=True)
class Down(Toxic):
    """There is no server: connections are refused, open ones end."""

    closes_door: ClassVar[bool] = True

    async def watch(self, hit: Hit) -> None:
        hit.leg.close()


@dataclass(frozen=True, slots=True)
class Bandwidth(Toxic):
    """No more than this much arrives in a second."""

    bytes_per_second: int

    async def treat(self, piece: Piece, hit: Hit) -> AsyncGenerator[Piece, None]:
        clock = asyncio.get_running_loop().time
        step_bytes = max(1, int(self.bytes_per_second * BANDWIDTH_STEP_SECONDS))
        for start in range(0, len(piece.data), step_bytes):
            part = piece.data[start : start + step_bytes]
            yield Piece(part, piece.arrived_at)
            now = clock()
            begun_at = max(hit.free_at or now, now - BANDWIDTH_STEP_SECONDS)  # makes up for pauses that took too long
            hit.free_at = begun_at + len(part) / self.bytes_per_second
            await hit.pause(hit.free_at - now)


@dataclass(frozen=True, slots=True)
class SlowClose(Toxic):
    """The end of the bytes arrives later than the last of them."""

    seconds: float

    async def hold_end(self, hit: Hit) -> None:
        await hit.pause(self.seconds)


@dataclass(frozen=True, slots=True)
class Timeout(Toxic):
    """Nothing arrives, and after `seconds` the connection ends; with None it stays open.

    When the toxic is removed, a connection that lost bytes ends: nobody could make sense of the rest.
    """

    seconds: float | None

    async def treat(self, piece: Piece, hit: Hit) -> AsyncGenerator[Piece, None]:
        if hit.removed.is_set():
            yield piece
        else:
            hit.bytes_count += len(piece.data)

    async def hold_end(self, hit: Hit) -> None:
        await hit.pause(None)

    async def watch(self, hit: Hit) -> None:
        await hit.pause(self.seconds)
        if not hit.removed.is_set():
            hit.leg.close()

    def leave(self, hit: Hit) -> None:
        if hit.bytes_count:
            hit.leg.close()


@dataclass(frozen=True, slots=True)
class ResetPeer(Toxic):
    """After `seconds` whom the bytes are for sees the connection reset."""

    seconds: float = 0.0

    async def watch(self, hit: Hit) -> None:
        await hit.pause(self.seconds)
        if not hit.removed.is_set():
            hit.leg.reset()


@dataclass(frozen=True, slots=True)
class Slicer(Toxic):
    """Everything arrives in small slices, of `average_bytes` give or take up to `variation_bytes`, with pauses."""

    average_bytes: int
    variation_bytes: int = 0
    pause_seconds: float = 0.0

    async def treat(self, piece: Piece, hit: Hit) -> AsyncGenerator[Piece, None]:
        start = 0
        while start < len(piece.data):
            variation = hit.leg.random.randint(-self.variation_bytes, self.variation_bytes)
            end = start + max(1, self.average_bytes + variation)
            yield Piece(piece.data[start:end], piece.arrived_at)
            await hit.pause(self.pause_seconds)
            start = end


@dataclass(frozen=True, slots=True)
class LimitData(Toxic):
    """The connection ends as soon as this much has arrived since the toxic hit it."""

    bytes_max: int

    async def treat(self, piece: Piece, hit: Hit) -> AsyncGenerator[Piece, None]:
        data = piece.data[: self.bytes_max - hit.bytes_count]
        hit.bytes_count += len(data)
        if data:
            yield Piece(data, piece.arrived_at)
        if hit.bytes_count >= self.bytes_max and not hit.removed.is_set():
            hit.leg.close()
            await hit.pause(None)
