"""The service as the registry holds it, and what its accounts share: challenges and answers that are remembered."""

from __future__ import annotations

from http import HTTPStatus

import httpx

from connectors.core.call import INTENT, Intent, Repeat, Send
from connectors.core.challenges import ChallengeMemory, ChallengeTokens, Login
from connectors.core.connector import Connector
from connectors.core.layers.classify import EXPECTED_STATUSES
from connectors.core.service import AccountContext, Options, Service
from connectors.webdav.addresses import Address, read_address
from connectors.webdav.api import Server
from connectors.webdav.connector import Account, WebDavConnector
from connectors.webdav.errors import build_classifier
from connectors.webdav.listings import Listings
from connectors.webdav.manifest import MANIFEST
from connectors.webdav.mapping import Mapper
from connectors.webdav.traits import read_traits

ASKING_METHODS = ("PROPFIND", "UNLOCK")
"""What a stranger is sent to learn how to sign in: a look, and where everybody may look, a write that says nothing."""

_ANY_REFUSAL = frozenset(range(300, 500)) - {408, 425, 429}


def build_service(options: Options) -> Service:
    """The service; ValueError if the operator sets anything, since there is nothing to set."""
    if options.settings.get(MANIFEST.service):
        message = f"{MANIFEST.service} has no settings"
        raise ValueError(message)
    challenges, listings = ChallengeMemory(), Listings()

    def build(context: AccountContext) -> Connector:
        address = read_address(context.credentials.get("url", ""))
        traits = read_traits(context.learned)
        username = context.credentials.get("username", "")
        mapper = Mapper(address.name, has_exact_etags=traits.has_exact_etags, include_raw=context.include_raw)
        server = Server(_build_send(context, address, traits.locks_each_request, challenges), address, mapper)
        account = Account(key=context.account_key, username=username)
        return WebDavConnector(account=account, server=server, traits=traits, listings=listings)

    return Service(manifest=MANIFEST, build=build)


def _build_send(
    context: AccountContext, address: Address, locks_each_request: bool, challenges: ChallengeMemory
) -> Send[httpx.Request, httpx.Response]:
    """A send that signs in as the server asks, or as nobody without a user name."""
    classify_reply = build_classifier(locks_each_request=locks_each_request)
    runtime, key = context.runtime, context.account_key
    unsigned = runtime.build_send(
        MANIFEST,
        key,
        sign=lambda *_: None,
        classify_reply=classify_reply,
        extra_headers=context.extra_headers,
        users_host=address.host,
    )
    username = context.credentials.get("username", "")
    if not username:
        return unsigned
    known = challenges.find(key, address.base, Login(username, context.credentials.get("password", "")))
    tokens = ChallengeTokens(known, lambda: _ask(unsigned, address))
    return runtime.build_send(
        MANIFEST,
        key,
        tokens=tokens,
        sign=tokens.sign,
        classify_reply=tokens.listen(classify_reply),
        extra_headers=context.extra_headers,
        users_host=address.host,
    )


async def _ask(unsigned: Send[httpx.Request, httpx.Response], address: Address) -> httpx.Response:
    """The first refusal that a stranger gets, or the last answer."""
    url = address.url((), is_folder=True)
    for method in ASKING_METHODS:
        intent = Intent(operation=method.lower(), repeat=Repeat.SAFE)
        extensions = {INTENT: intent, EXPECTED_STATUSES: _ANY_REFUSAL}
        reply = await unsigned(httpx.Request(method, url, headers={"Depth": "0"}, extensions=extensions))
        if reply.status_code == HTTPStatus.UNAUTHORIZED:
            break
        await reply.aclose()
    return reply
