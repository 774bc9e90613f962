"""A storage that people connect by consent: files in memory, people and tokens at a simulated provider."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import httpx
import msgspec

from connectors.core.call import INTENT, Intent, Repeat
from connectors.core.connector import Connector
from connectors.core.layers.classify import WHOLE_BODY_BYTES_MAX
from connectors.core.manifest import Capabilities, Manifest, OAuth2
from connectors.core.oauth_settings import OAuthClient
from connectors.core.resources import Identity, Quota
from connectors.core.service import AccountContext, Service
from connectors.core.stack import HttpSend
from simulators.core.world import SANDBOX_CLIENT
from tests.connectors.core.fakes import build_manifest
from tests.connectors.core.memory import MemoryConnector

SERVICE = "consenting"
CLIENT = OAuthClient(client_id=SANDBOX_CLIENT.client_id, client_secret=SANDBOX_CLIENT.client_secret)
BODY_BYTES_MAX = 64 * 1024


class ConsentingConnector(MemoryConnector):
    """Asks the provider who it is and how much room there is; everything else stays in memory."""

    def __init__(self, manifest: Manifest, send: HttpSend, url: str) -> None:
        super().__init__(manifest=manifest)
        self._send_http = send
        self._url = url

    async def get_identity(self) -> Identity:
        person = await self._ask("users/get_current_account")
        return Identity(person["account_id"], person["email"])

    async def get_quota(self) -> Quota:
        return Quota(None, (await self._ask("users/get_space_usage"))["used"], None)

    async def _ask(self, name: str) -> Any:
        extensions = {INTENT: Intent(operation=name, repeat=Repeat.SAFE), WHOLE_BODY_BYTES_MAX: BODY_BYTES_MAX}
        reply = await self._send_http(httpx.Request("POST", f"{self._url}/2/{name}", extensions=extensions))
        return msgspec.json.decode(reply.content)


def build_service(
    url: str, *, name: str = SERVICE, client: OAuthClient | None = CLIENT, pages_url: str | None = None
) -> Service:
    """The service at a simulator of Dropbox; `pages_url` is where browsers find it, if elsewhere."""
    manifest = msgspec.structs.replace(
        build_manifest(capabilities=Capabilities(get_quota=True)),
        service=name,
        title="Consenting store",
        allowed_hosts=(urlsplit(url).netloc,),
        auth=OAuth2(
            authorize_url=f"{pages_url or url}/oauth2/authorize",
            token_url=f"{url}/oauth2/token",
            revoke_url=f"{url}/2/auth/token/revoke",
            revoke_with="bearer",
            scopes=("account_info.read", "files.metadata.read"),
            authorize_params={"token_access_type": "offline"},
        ),
    )

    def build(context: AccountContext) -> Connector:
        send = context.runtime.build_send(manifest, context.account_key, tokens=context.tokens)
        return ConsentingConnector(manifest, send, url)

    return Service(manifest=manifest, build=build, client=client)
