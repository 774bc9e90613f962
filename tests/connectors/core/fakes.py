"""What the engine's tests send with and send to."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import httpx

from connectors.core.call import INTENT, Intent, Repeat, Work
from connectors.core.errors import ConnectorError, ErrorKind
from connectors.core.layers.observe import Sent
from connectors.core.manifest import Capabilities, Keys, Limits, Manifest

READ = Intent(operation="read", repeat=Repeat.SAFE)
SET = Intent(operation="set", repeat=Repeat.IDEMPOTENT)
CREATE = Intent(operation="create", repeat=Repeat.UNSAFE)
UPLOAD_ONCE = Intent(operation="upload", repeat=Repeat.IDEMPOTENT, is_body_replayable=False)


class FakeSend:
    """Gives the steps in order: exceptions are raised, functions called with the request, other things returned."""

    def __init__(self, *steps: Any) -> None:
        self.steps = list(steps)
        self.requests: list[Any] = []

    async def __call__(self, request: Any) -> Any:
        self.requests.append(request)
        step = self.steps.pop(0)
        if isinstance(step, BaseException):
            raise step
        return step(request) if callable(step) else step


class RecordingObserver:
    """Keeps every event, and what was said of each operation."""

    def __init__(self) -> None:
        self.events: list[Sent] = []
        self.operations: list[RecordingWatch] = []

    def sent(self, event: Sent) -> None:
        self.events.append(event)

    def began(self, service: str, operation: str) -> RecordingWatch:
        watch = RecordingWatch(service, operation)
        self.operations.append(watch)
        return watch


@dataclass
class RecordingWatch:
    """What was said of one operation, in order."""

    service: str
    operation: str
    said: list[tuple[str, int] | str] = field(default_factory=list)

    def opened(self) -> None:
        self.said.append("opened")

    def ended(self, outcome: str, *, size_bytes: int = 0) -> None:
        self.said.append((outcome, size_bytes))


async def give_nothing() -> None:
    return None


def work(intent: Intent = READ, run: Callable[[], Awaitable[Any]] = give_nothing) -> Work[Any]:
    return Work(run=run, intent=intent)


def http_request(
    method: str = "GET", url: str = "https://api.example.com/files?secret=1", *, intent: Intent = READ, **arguments: Any
) -> httpx.Request:
    return httpx.Request(method, url, extensions={INTENT: intent}, **arguments)


def unavailable(*, maybe_applied: bool = False, retry_after_seconds: float | None = None) -> ConnectorError:
    return ConnectorError(ErrorKind.UNAVAILABLE, maybe_applied=maybe_applied, retry_after_seconds=retry_after_seconds)


def build_manifest(
    *, capabilities: Capabilities | None = None, limits: Limits | None = None, hosts: tuple[str, ...] = ("127.0.0.1",)
) -> Manifest:
    return Manifest(
        service="example",
        title="Example",
        category="file_store",
        auth=Keys(fields=()),
        capabilities=capabilities or Capabilities(),
        limits=limits or Limits(),
        allowed_hosts=hosts,
    )
