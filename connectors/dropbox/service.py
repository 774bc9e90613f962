"""The service as the registry holds it, and what an operator can set."""

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
from connectors.dropbox.api import Api
from connectors.dropbox.connector import ROOT_LEARNED, DropboxConnector, Surroundings
from connectors.dropbox.errors import classify_reply
from connectors.dropbox.manifest import API_HOST, CONTENT_HOST, MANIFEST
from connectors.dropbox.notices import read_notice
from connectors.dropbox.properties import TemplateMemory

ENDPOINT = "endpoint"


def build_service(options: Options) -> Service:
    """The service; ValueError says which setting is wrong."""
    settings = read_oauth_settings(MANIFEST, options.settings.get(MANIFEST.service, {}))
    others = dict(settings.others)
    endpoint = _read_endpoint(others.pop(ENDPOINT)) if ENDPOINT in others else None
    if others:
        raise ValueError(f"{MANIFEST.service} has no setting {', '.join(sorted(others))}")
    manifest, templates = settings.manifest, TemplateMemory()
    if endpoint is not None:
        manifest = msgspec.structs.replace(manifest, allowed_hosts=(urlsplit(endpoint).netloc,))

    def build(context: AccountContext) -> Connector:
        root_id = context.learned.get(ROOT_LEARNED)
        api = Api(
            send=_build_send(context, manifest),
            api_url=endpoint or f"https://{API_HOST}",
            content_url=endpoint or f"https://{CONTENT_HOST}",
            root_id=root_id if isinstance(root_id, str) else None,
            include_raw=context.include_raw,
        )
        clock = context.runtime.clock
        return DropboxConnector(api, Surroundings(account_key=context.account_key, clock=clock, templates=templates))

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


def _read_endpoint(setting: object) -> str:
    """One address that stands for all of Dropbox's hosts, as a simulator has."""
    parts = urlsplit(setting) if isinstance(setting, str) else None
    if parts is None or parts.scheme not in {"http", "https"} or not parts.hostname or parts.path.strip("/"):
        raise ValueError(f"{MANIFEST.service}.{ENDPOINT} must look like https://{API_HOST}")
    return f"{parts.scheme}://{parts.netloc}"
