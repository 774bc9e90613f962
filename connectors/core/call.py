"""One call to a provider, whatever the protocol: what it is for, and whether it may be repeated."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Generic, Protocol, TypeVar

ResultT = TypeVar("ResultT")
RequestT = TypeVar("RequestT", bound="Outgoing")
ReplyT = TypeVar("ReplyT")

Send = Callable[[RequestT], Awaitable[ReplyT]]
"""A request in, a reply out or ConnectorError. A layer takes a Send and returns a Send; it is a plain function."""

INTENT = "kloudless.intent"


class Repeat(StrEnum):
    """What a second attempt would do after a failure that leaves the first in doubt."""

    SAFE = "safe"  # reads
    IDEMPOTENT = "idempotent"  # the same end; the second answer may be not_found or already_exists
    UNSAFE = "unsafe"  # create, copy, append: never again once it may have happened


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """What a call is for; travels in the request's `extensions`."""

    operation: str  # the interface's method, or the provider's endpoint
    repeat: Repeat
    is_body_replayable: bool = True  # decided before the first attempt, from the byte source


class Outgoing(Protocol):
    """What the layers need of a request; httpx.Request and Work both have it."""

    @property
    def extensions(self) -> MutableMapping[str, Any]: ...


def read_intent(request: Outgoing) -> Intent:
    """What this request is for; a request without an intent is a programming error."""
    intent = request.extensions.get(INTENT)
    if not isinstance(intent, Intent):
        raise AssertionError("a request was sent without an intent")  # noqa: TRY004 - not a caller's type error
    return intent


@dataclass(slots=True)
class Work(Generic[ResultT]):
    """A call that is not HTTP: something to await. Made with an intent, sent through the same layers."""

    run: Callable[[], Awaitable[ResultT]]
    intent: Intent
    extensions: MutableMapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.extensions[INTENT] = self.intent


class SendWork(Protocol):
    """Send for Work: the reply has the type that the work gives."""

    async def __call__(self, work: Work[ResultT]) -> ResultT: ...
