"""Calls of an account that people connect by consent: signed by its tokens."""

from __future__ import annotations

import httpx

from connectors.core.layers.authorize import sign_with_bearer
from connectors.core.layers.classify import ClassifyReply
from connectors.core.manifest import ACCESS_TOKEN, Manifest
from connectors.core.service import AccountContext
from connectors.core.stack import HttpSend


def build_bearer_send(context: AccountContext, manifest: Manifest, classify_reply: ClassifyReply) -> HttpSend:
    """The account's send; where nobody renews its tokens, signed by the one that it has."""
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
