"""Folders of this machine: as they are, with every third call failing, and with all that the engine can do instead."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import msgspec

from connectors.core.connector import Connector
from connectors.core.layers.delegate import DelegatingConnector
from connectors.core.manifest import Capabilities, Manifest
from connectors.core.service import AccountContext, Options, Registry, Service
from connectors.core.stack import Runtime
from connectors.local.service import build_service
from tests.connectors.behavior.faults import FailingRuntime
from tests.connectors.behavior.target import Target

SERVICE = build_service(Options())


def hide_simulated(manifest: Manifest) -> Manifest:
    """The manifest without what the engine can do in a connector's place."""
    hidden = msgspec.structs.replace(
        manifest.capabilities,
        copy=False,
        copy_folder=False,
        delete_recursive=False,
        get_by_path=False,
        list_recursive=False,
        search=False,
    )
    return msgspec.structs.replace(manifest, capabilities=hidden)


class PlainConnector(DelegatingConnector):
    """Does only what the engine cannot."""

    def __init__(self, inner: Connector) -> None:
        super().__init__(inner)
        self.__dict__["manifest"] = hide_simulated(inner.manifest)

    @property
    def capabilities(self) -> Capabilities:
        return self.manifest.capabilities


def build_plain(service: Service) -> Service:
    """The service with plain connectors."""
    manifest = hide_simulated(service.manifest)
    return Service(manifest=manifest, build=lambda context: PlainConnector(service.build(context)))


def open_with(
    build_runtime: Callable[[], Runtime], *, is_plain: bool = False
) -> Callable[[Path], AbstractAsyncContextManager[Connector]]:
    """Opens an account on a new folder."""

    @asynccontextmanager
    async def open_account(place: Path) -> AsyncIterator[Connector]:
        folder = place / "root"
        folder.mkdir()
        roots = {"root": {"folder": str(folder), "applications": ["*"]}}
        service = build_service(Options(settings={"local": {"roots": roots}}))
        registry = Registry([build_plain(service) if is_plain else service])
        runtime = build_runtime()
        context = AccountContext(
            account_key="1", application_id="behavior", credentials={"root": "root"}, runtime=runtime
        )
        yield registry.open("local", context)
        await runtime.aclose()

    return open_account


TARGETS = (
    Target(name="local", manifest=SERVICE.manifest, open=open_with(Runtime)),
    Target(name="local+faults", manifest=SERVICE.manifest, open=open_with(FailingRuntime), is_repeat=True),
    Target(name="local+engine", manifest=hide_simulated(SERVICE.manifest), open=open_with(Runtime, is_plain=True)),
)
