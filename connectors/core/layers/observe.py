"""Tells an observer about every real send: what for, how it ended, how long it took; never paths, queries, headers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

import msgspec
import structlog
from msgspec import Struct

from connectors.core.call import ReplyT, RequestT, Send, read_intent
from connectors.core.clock import Clock
from connectors.core.errors import ConnectorError
from connectors.core.layers.retry import ATTEMPT


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


class Observer(Protocol):
    """Is told about every send; must be quick and must not raise. Metrics plug in here."""

    def sent(self, event: Sent) -> None: ...


class LogObserver:
    """Writes one debug line per send."""

    def __init__(self) -> None:
        self._log = structlog.get_logger("connectors.send")

    def sent(self, event: Sent) -> None:
        self._log.debug("provider_call", **msgspec.structs.asdict(event))


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
        outcome, status = "raised", None
        try:
            reply = await send(request)
            outcome, status = "ok", read_status(reply)
        except ConnectorError as error:
            outcome, status = error.kind.value, error.status
            raise
        except asyncio.CancelledError:
            outcome = "cancelled"
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
                )
            )

    return send_seen
