"""The service as the registry holds it, and what an operator can set."""

from __future__ import annotations

import httpx
import msgspec

from connectors.core.connector import Connector
from connectors.core.layers.authorize import sign_with_bearer
from connectors.core.service import AccountContext, Options, Service
from connectors.dropbox.api import Api
from connectors.dropbox.connector import ROOT_LEARNED, DropboxConnector, Surroundings
from connectors.dropbox.errors import classify_reply
from connectors.dropbox.manifest import API_HOST, CONTENT_HOST, MANIFEST
from connectors.dropbox.properties import TemplateMemory

SETTING = "endpoint"


def build_service(options: Options) -> Service:
    """The service; ValueError says which setting is wrong."""
    endpoint = _read_settings(options)
    templates = TemplateMemory()
    manifest = MANIFEST
    if endpoint is not None:
        manifest = msgspec.structs.replace(MANIFEST, allowed_hosts=(httpx.URL(endpoint).netloc.decode("ascii"),))

    def build(context: AccountContext) -> Connector:
        token = context.credentials.get("access_token")
        root_id = context.learned.get(ROOT_LEARNED)
        send = context.runtime.build_send(
            manifest,
            context.account_key,
            tokens=context.tokens,
            sign=lambda request, fresh: sign_with_bearer(request, fresh or token),
            classify_reply=classify_reply,
            extra_headers=context.extra_headers,
        )
        api = Api(
            send=send,
            api_url=endpoint or f"https://{API_HOST}",
            content_url=endpoint or f"https://{CONTENT_HOST}",
            root_id=root_id if isinstance(root_id, str) else None,
            include_raw=context.include_raw,
        )
        clock = context.runtime.clock
        return DropboxConnector(api, Surroundings(account_key=context.account_key, clock=clock, templates=templates))

    return Service(manifest=manifest, build=build)


def _read_settings(options: Options) -> str | None:
    """The address that the operator set instead of Dropbox's own hosts."""
    given = dict(options.settings.get(MANIFEST.service, {}))
    endpoint = given.pop(SETTING, None)
    if given:
        raise ValueError(f"{MANIFEST.service} has the setting {SETTING}, not {', '.join(sorted(map(str, given)))}")
    if endpoint is None:
        return None
    url = httpx.URL(endpoint) if isinstance(endpoint, str) else httpx.URL()
    if url.scheme not in {"http", "https"} or not url.host or url.userinfo or url.query or url.path not in {"", "/"}:
        raise ValueError(f"{MANIFEST.service}.{SETTING} is an address like http://127.0.0.1:8100")
    return str(url).rstrip("/")
