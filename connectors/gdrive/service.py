"""The service as the registry holds it, what an operator can set, and what its accounts share."""

from __future__ import annotations

from urllib.parse import urlsplit

import httpx
import msgspec

from connectors.core.connector import Connector
from connectors.core.layers.authorize import sign_with_bearer
from connectors.core.manifest import ACCESS_TOKEN, Manifest
from connectors.core.oauth_settings import read_oauth_settings
from connectors.core.service import AccountContext, Options, Service
from connectors.core.stack import HttpSend
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
    origin, formats = _read_origin(others.pop(ENDPOINT, ORIGIN)), _read_formats(others.pop(EXPORT_FORMATS, {}))
    if others:
        raise ValueError(f"{MANIFEST.service} has no setting {', '.join(sorted(others))}")
    memory = Memory()
    manifest = settings.manifest
    if origin != ORIGIN:
        manifest = msgspec.structs.replace(manifest, allowed_hosts=(urlsplit(origin).netloc,))

    def build(context: AccountContext) -> Connector:
        drive = Drive(
            Api(_build_send(context, manifest), origin, include_raw=context.include_raw),
            memory.find(context.account_key),
            formats,
            context.runtime.clock,
            manifest.allowed_hosts,
        )
        return GoogleDriveConnector(drive)

    return Service(manifest=manifest, build=build, client=settings.client, read_notice=read_notice)


def _build_send(context: AccountContext, manifest: Manifest) -> HttpSend:
    """Calls of this account, signed by its tokens; or, where nobody renews them, by the one that it has."""
    access_token = context.credentials.get(ACCESS_TOKEN)

    def sign(request: httpx.Request, token: str | None) -> None:
        sign_with_bearer(request, token or access_token)

    return context.runtime.build_send(
        manifest,
        context.account_key,
        tokens=context.tokens,
        sign=sign,
        classify_reply=classify_reply,
        extra_headers=context.extra_headers,
    )


def _read_origin(setting: object) -> str:
    parts = urlsplit(setting) if isinstance(setting, str) else None
    if parts is None or parts.scheme not in {"http", "https"} or not parts.hostname or parts.path.strip("/"):
        raise ValueError(f"{MANIFEST.service}.{ENDPOINT} must look like {ORIGIN}")
    return f"{parts.scheme}://{parts.netloc}"


def _read_formats(setting: object) -> Formats:
    try:
        return read_formats(setting)
    except ValueError as error:
        raise ValueError(f"{MANIFEST.service}.{EXPORT_FORMATS}: {error}") from None
