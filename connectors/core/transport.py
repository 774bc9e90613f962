"""The front door of the HTTP transports: settings in, a transport out; and how requests are built for it."""

from __future__ import annotations

from connectors.core.transports.body import build_body
from connectors.core.transports.httpx import HttpxTransport
from connectors.core.transports.pyreqwest import PyreqwestTransport
from connectors.core.transports.wire import Pin, Transport, TransportSettings, build_url

__all__ = ["Pin", "Transport", "TransportSettings", "build_body", "build_transport", "build_url"]


def build_transport(settings: TransportSettings, pin: Pin | None = None) -> Transport:
    """A transport of the kind set; with a `pin` it speaks to that host at that address only.

    - Belongs to the running event loop; ValueError for roots or a proxy that cannot be read.
    """
    if settings.kind == "httpx":
        return HttpxTransport(settings, pin)
    return PyreqwestTransport(settings, pin)
