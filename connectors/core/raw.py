"""Requests and replies in a provider's own terms. Values only."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass

from connectors.core.bytesource import ByteSource


@dataclass(frozen=True, slots=True)
class RawCall:
    """A request in the provider's own terms; `uri` is a path or a whole address."""

    method: str
    uri: str
    headers: Mapping[str, str]
    source: ByteSource | None = None


@dataclass(frozen=True, slots=True)
class RawReply:
    """The provider's answer, whatever it is; header names in lower case."""

    status: int
    headers: Mapping[str, str]
    chunks: AsyncIterator[bytes]
