"""The service as the registry holds it, what an operator can set, and what its accounts share."""

from __future__ import annotations

from connectors.core.bearer import build_bearer_send
from connectors.core.connector import Connector
from connectors.core.oauth_settings import read_oauth_settings
from connectors.core.service import AccountContext, Options, Service
from connectors.gdrive.api import Api
from connectors.gdrive.channels import read_notice
from connectors.gdrive.connector import GoogleDriveConnector
from connectors.gdrive.drive import Drive, Memory
from connectors.gdrive.errors import classify_reply
from connectors.gdrive.exports import Formats, read_formats
from connectors.gdrive.manifest import MANIFEST, ORIGIN

EXPORT_FORMATS = "export_formats"


def build_service(options: Options) -> Service:
    """The service; ValueError says which setting is wrong."""
    given = options.settings.get(MANIFEST.service, {})
    settings = read_oauth_settings(MANIFEST, given, others=(EXPORT_FORMATS,))
    formats, manifest, memory = _read_formats(settings.others.get(EXPORT_FORMATS, {})), settings.manifest, Memory()

    def build(context: AccountContext) -> Connector:
        send = build_bearer_send(context, manifest, classify_reply)
        drive = Drive(
            Api(send, settings.endpoint or ORIGIN, include_raw=context.include_raw),
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
