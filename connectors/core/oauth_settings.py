"""What an operator sets for a service with OAuth: the client that is registered there, and other addresses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import msgspec

from connectors.core.manifest import Manifest, OAuth2

ENDPOINT = "endpoint"
ADDRESSES = ("authorize_url", "token_url", "revoke_url")
CLIENT_ID, CLIENT_SECRET = "client_id", "client_secret"
SETTINGS = (CLIENT_ID, CLIENT_SECRET, *ADDRESSES)


@dataclass(frozen=True, slots=True, kw_only=True)
class OAuthClient:
    """An application as the provider knows it. The secret is empty for a client that has none."""

    client_id: str
    client_secret: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class OAuthSettings:
    """The manifest with the operator's addresses, and the operator's client if there is one.

    `endpoint` is one address that stands for all the provider's hosts, as a simulator has; `others` are settings of the
    service's own.
    """

    manifest: Manifest
    client: OAuthClient | None
    endpoint: str | None
    others: Mapping[str, Any]


def read_oauth_settings(
    manifest: Manifest, settings: Mapping[str, Any], *, others: tuple[str, ...] = ()
) -> OAuthSettings:
    """What the operator set, the names of `others` among it; ValueError says which setting is wrong."""
    if not isinstance(manifest.auth, OAuth2):
        raise AssertionError("only services with OAuth have a client")  # noqa: TRY004 - a programming error
    given = {name: _read_text(manifest, name, settings[name]) for name in SETTINGS if name in settings}
    if CLIENT_SECRET in given and CLIENT_ID not in given:
        raise ValueError(f"{manifest.service}.{CLIENT_ID} is missing, although there is a {CLIENT_SECRET}")
    addresses = {name: _check_address(manifest, name, given[name]) for name in ADDRESSES if name in given}
    auth = msgspec.structs.replace(manifest.auth, **addresses)
    client = None
    if CLIENT_ID in given:
        client = OAuthClient(client_id=given[CLIENT_ID], client_secret=given.get(CLIENT_SECRET, ""))
    unknown = settings.keys() - {*SETTINGS, ENDPOINT, *others}
    if unknown:
        raise ValueError(f"{manifest.service} has no setting {', '.join(sorted(unknown))}")
    endpoint = _read_endpoint(manifest, settings[ENDPOINT]) if ENDPOINT in settings else None
    hosts = manifest.allowed_hosts if endpoint is None else (urlsplit(endpoint).netloc,)
    return OAuthSettings(
        manifest=msgspec.structs.replace(manifest, auth=auth, allowed_hosts=hosts),
        client=client,
        endpoint=endpoint,
        others={name: settings[name] for name in others if name in settings},
    )


def _read_endpoint(manifest: Manifest, value: object) -> str:
    parts = urlsplit(value) if isinstance(value, str) else None
    if parts is None or parts.scheme not in {"http", "https"} or not parts.hostname or parts.path.strip("/"):
        raise ValueError(f"{manifest.service}.{ENDPOINT} must look like https://{manifest.allowed_hosts[0]}")
    return f"{parts.scheme}://{parts.netloc}"


def _read_text(manifest: Manifest, name: str, value: object) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError(f"{manifest.service}.{name} is a text that is not empty")
    return value


def _check_address(manifest: Manifest, name: str, value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
        raise ValueError(f"{manifest.service}.{name} must look like https://example.com/path")
    return value
