"""The service as the registry holds it, and what an operator can set."""

from __future__ import annotations

from connectors.core.bearer import build_bearer_send
from connectors.core.connector import Connector
from connectors.core.oauth_settings import read_oauth_settings
from connectors.core.service import AccountContext, Options, Service
from connectors.dropbox.api import Api
from connectors.dropbox.connector import ROOT_LEARNED, DropboxConnector, Surroundings
from connectors.dropbox.errors import classify_reply
from connectors.dropbox.manifest import API_HOST, CONTENT_HOST, MANIFEST
from connectors.dropbox.notices import read_notice
from connectors.dropbox.properties import TemplateMemory


def build_service(options: Options) -> Service:
    """The service; ValueError says which setting is wrong."""
    settings = read_oauth_settings(MANIFEST, options.settings.get(MANIFEST.service, {}))
    manifest, endpoint, templates = settings.manifest, settings.endpoint, TemplateMemory()

    def build(context: AccountContext) -> Connector:
        root_id = context.learned.get(ROOT_LEARNED)
        api = Api(
            send=build_bearer_send(context, manifest, classify_reply),
            api_url=endpoint or f"https://{API_HOST}",
            content_url=endpoint or f"https://{CONTENT_HOST}",
            root_id=root_id if isinstance(root_id, str) else None,
            include_raw=context.include_raw,
        )
        clock = context.runtime.clock
        return DropboxConnector(api, Surroundings(account_key=context.account_key, clock=clock, templates=templates))

    return Service(manifest=manifest, build=build, client=settings.client, read_notice=read_notice)
