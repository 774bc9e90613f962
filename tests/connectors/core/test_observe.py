"""Observation: one event for each real send, and nothing in it that is secret."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from structlog.testing import capture_logs

from connectors.core.clock import ManualClock
from connectors.core.errors import ConnectorError, ErrorKind
from connectors.core.layers.observe import LogObserver, Sent, observe
from connectors.core.layers.retry import ATTEMPT
from tests.connectors.core.fakes import FakeSend, RecordingObserver, http_request, work


@pytest.mark.parametrize(
    ("step", "outcome", "status"),
    [
        ("answer", "ok", None),
        (ConnectorError(ErrorKind.NOT_FOUND, status=404), "not_found", 404),
        (asyncio.CancelledError(), "cancelled", None),
        (RuntimeError("bug"), "raised", None),
    ],
)
async def test_one_event_tells_how_a_send_ended(step: Any, outcome: str, status: int | None) -> None:
    clock, observer = ManualClock(), RecordingObserver()

    def run(_: Any) -> Any:
        clock.advance(1.5)
        if isinstance(step, BaseException):
            raise step
        return step

    request = work()
    request.extensions[ATTEMPT] = 2
    send = observe(FakeSend(run), observer=observer, clock=clock, service="example", account_key="7")
    await asyncio.gather(send(request), return_exceptions=True)
    assert observer.events == [
        Sent(
            service="example",
            operation="read",
            account_key="7",
            attempt=2,
            outcome=outcome,
            seconds=1.5,
            status=status,
        )
    ]


@pytest.fixture
def _every_line() -> Iterator[None]:
    """Lets lines through that the tests of other folders have switched off."""
    configured = structlog.get_config()
    structlog.reset_defaults()
    yield
    structlog.configure(**configured)


@pytest.mark.usefixtures("_every_line")
async def test_log_line_has_the_host_and_neither_path_query_nor_headers() -> None:
    send = observe(
        FakeSend("answer"),
        observer=LogObserver(),
        clock=ManualClock(),
        service="example",
        account_key="7",
        read_host=lambda request: request.url.host,
        read_status=lambda _: 200,
    )
    with capture_logs() as lines:
        await send(http_request(headers={"Authorization": "Bearer hidden"}))
    assert [(line["event"], line["log_level"], line["host"], line["status"]) for line in lines] == [
        ("provider_call", "debug", "api.example.com", 200)
    ]
    assert not any(word in str(lines) for word in ("secret", "hidden", "/files"))
