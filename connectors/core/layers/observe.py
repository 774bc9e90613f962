"""Tells an observer about every real send: what for, how it ended, how long it took; never paths, queries, headers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextvars import ContextVar
from typing import Protocol

import msgspec
import structlog
from msgspec import Struct

from connectors.core.call import ReplyT, RequestT, Send, read_intent
from connectors.core.clock import Clock
from connectors.core.errors import ConnectorError
from connectors.core.layers.retry import ATTEMPT

OK, CANCELLED, RAISED = "ok", "cancelled", "raised"

OPERATION: ContextVar[str] = ContextVar("operation", default="")
"""The interface's operation that is being done here; empty outside of one."""


class Sent(Struct, frozen=True, kw_only=True, gc=False):
    """One real send. `outcome` is "ok", an error's kind, "cancelled", or "raised" for anything else."""

    service: str
    operation: str
    account_key: str
    attempt: int
    outcome: str
    seconds: float
    status: int | None = None
    host: str | None = None
    called_for: str = ""  # the interface's operation; `operation` may be the provider's own word


class Watch(Protocol):
    """Is told how one operation goes on; as quick and as quiet as an Observer."""

    def opened(self) -> None:
        """A stream is open: what follows is reading it, maybe in another task."""
        ...

    def ended(self, outcome: str, *, size_bytes: int = 0) -> None:
        """It is over, and so many bytes of files came or were stored. Called once."""
        ...


class Observer(Protocol):
    """Is told about every send and every operation; must be quick and must not raise. Metrics and traces plug in."""

    def sent(self, event: Sent) -> None:
        """A send is over."""
        ...

    def began(self, service: str, operation: str) -> Watch:
        """An operation of the interface begins, in the task in which its sends will be."""
        ...


class Unwatched:
    """A Watch for those whom operations do not interest."""

    def opened(self) -> None:
        """Nothing."""

    def ended(self, outcome: str, *, size_bytes: int = 0) -> None:
        """Nothing."""


class LogObserver:
    """Writes one debug line per send."""

    def __init__(self) -> None:
        self._log = structlog.get_logger("connectors.send")

    def sent(self, event: Sent) -> None:
        self._log.debug("provider_call", **msgspec.structs.asdict(event))

    def began(self, service: str, operation: str) -> Watch:  # noqa: ARG002 - sends say enough for a log
        return Unwatched()


def read_outcome(error: BaseException | None) -> str:
    """The word for how something ended."""
    if error is None:
        return OK
    if isinstance(error, ConnectorError):
        return error.kind.value
    return CANCELLED if isinstance(error, asyncio.CancelledError | GeneratorExit) else RAISED


def observe(
    send: Send[RequestT, ReplyT],
    *,
    observer: Observer,
    clock: Clock,
    service: str,
    account_key: str,
    read_host: Callable[[RequestT], str | None] = lambda _: None,
    read_status: Callable[[ReplyT], int | None] = lambda _: None,
) -> Send[RequestT, ReplyT]:
    """Reports each send once, when its answer's head is there or it failed; changes nothing."""

    async def send_seen(request: RequestT) -> ReplyT:
        started_at = clock.monotonic()
        outcome, status = RAISED, None
        try:
            reply = await send(request)
            outcome, status = OK, read_status(reply)
        except BaseException as error:
            outcome = read_outcome(error)
            status = error.status if isinstance(error, ConnectorError) else None
            raise
        else:
            return reply
        finally:
            observer.sent(
                Sent(
                    service=service,
                    operation=read_intent(request).operation,
                    account_key=account_key,
                    attempt=request.extensions.get(ATTEMPT, 1),
                    outcome=outcome,
                    seconds=clock.monotonic() - started_at,
                    status=status,
                    host=read_host(request),
                    called_for=OPERATION.get(),
                )
            )

    return send_seen
