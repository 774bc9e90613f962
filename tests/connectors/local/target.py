"""Folders of this machine, once as they are and once with every third call failing."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

from connectors.core.connector import Connector
from connectors.core.service import AccountContext, Options, Registry
from connectors.core.stack import Runtime
from connectors.local.service import build_service
from tests.connectors.behavior.faults import FailingRuntime
from tests.connectors.behavior.target import Target

SERVICE = build_service(Options())


def open_with(build_runtime: Callable[[], Runtime]) -> Callable[[Path], AbstractAsyncContextManager[Connector]]:
    """Opens an account on a new folder."""

    @asynccontextmanager
    async def open_account(place: Path) -> AsyncIterator[Connector]:
        folder = place / "root"
        folder.mkdir()
        roots = {"root": {"folder": str(folder), "applications": ["*"]}}
        registry = Registry([build_service(Options(settings={"local": {"roots": roots}}))])
        runtime = build_runtime()
        context = AccountContext(
            account_key="1", application_id="behavior", credentials={"root": "root"}, runtime=runtime
        )
        yield registry.open("local", context)
        await runtime.aclose()

    return open_account


TARGETS = (
    Target(name="local", manifest=SERVICE.manifest, open=open_with(Runtime)),
    Target(name="local+faults", manifest=SERVICE.manifest, open=open_with(FailingRuntime)),
)
