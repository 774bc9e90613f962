"""Which services there are: one line each. The only place that opens a provider's folder."""

from __future__ import annotations

from connectors.core.service import Options, Registry
from connectors.dropbox import service as dropbox
from connectors.gdrive import service as gdrive
from connectors.local import service as local
from connectors.s3 import service as s3
from connectors.webdav import service as webdav


def build_registry(options: Options) -> Registry:
    """All offered services, set up as the operator wants; ValueError says which setting is wrong."""
    return Registry(
        [
            local.build_service(options),
            s3.build_service(options),
            s3.build_compatible_service(options),
            webdav.build_service(options),
            dropbox.build_service(options),
            gdrive.build_service(options),
        ]
    )
