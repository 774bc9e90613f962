"""How an application shows its own key and secret."""

from __future__ import annotations

import base64
import binascii

from starlette.requests import Request


def read_basic(request: Request) -> tuple[str, str] | None:
    """Key and secret of an Authorization header of the kind Basic; None if there is no such header."""
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        key, _, secret = base64.b64decode(value, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return key, secret
