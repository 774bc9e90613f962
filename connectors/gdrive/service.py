"""The service as the registry holds it, what an operator can set, and what its accounts share."""

from __future__ import annotations

from urllib.parse import urlsplit

import msgspec

from connectors.core.bearer import build_bearer_send
from connectors.core.connector import Connector
from connectors.core.oauth_settings import read_oauth_settings, read_origin
from connectors.core.service import AccountContext, Options, Service
from connectors.gdrive.api import Api
from connectors.gdrive.channels import read_notice
from connectors.gdrive.connector import GoogleDriveConnector
from connectors.gdrive.drive import Drive, Memory
from connectors.gdrive.errors import classify_reply
from connectors.gdrive.exports import Formats, read_formats
from connectors.gdrive.manifest import MANIFEST, ORIGIN

ENDPOINT, EXPORT_FORMATS = "endpoint", "export_formats"


def build_service(options: Options) -> Service:
    """The service; ValueError says which setting is wrong."""
    settings = read_oauth_settings(MANIFEST, options.settings.get(MANIFEST.service, {}))
    others = dict(settings.others)
    origin = read_origin(MANIFEST, ENDPOINT, others.pop(ENDPOINT, ORIGIN), like=ORIGIN)
    formats = _read_formats(others.pop(EXPORT_FORMATS, {}))
    if others:
        raise ValueError(f"{MANIFEST.service} has no setting {', '.join(sorted(others))}")
    memory = Memory()
    manifest = settings.manifest
    if origin != ORIGIN:
        manifest = msgspec.structs.replace(manifest, allowed_hosts=(urlsplit(origin).netloc,))

    def build(context: AccountContext) -> Connector:
        drive = Drive(
            Api(build_bearer_send(context, manifest, classify_reply), origin, include_raw=context.include_raw),
            memory.find(context.account_key),
            formats,
            context.runtime.clock,
            manifest.allowed_hosts,
        )
        return GoogleDriveConnector(drive)

    return Service(manifest=manifest, build=build, client=settings.client, read_notice=read_notice)


def _read_formats(setting: object) -> Formats:
    try:
        return read_formats(setting)
    except ValueError as error:
        raise ValueError(f"{MANIFEST.service}.{EXPORT_FORMATS}: {error}") from None
