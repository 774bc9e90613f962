"""What servers that speak WebDAV have in common for their users in tests."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

import httpx

from tests.servers.secrecy import mark
from tests.servers.tls import Certificate, build_trust

CALL_SECONDS_MAX = 30.0
USER = "someone"


class HttpAuth(StrEnum):
    """How a caller proves who it is."""

    BASIC = "basic"
    DIGEST = "digest"


@dataclass(frozen=True, slots=True, kw_only=True)
class WebDavServer:
    """A running server. `url` is the collection that it serves, with a slash at its end; `root` is the same on disk."""

    url: str
    root: Path
    auth: HttpAuth = HttpAuth.BASIC
    user: str = USER
    password: str = field(default_factory=lambda: mark(secrets.token_hex(16)))
    certificate: Certificate | None = None

    def client(self) -> httpx.Client:
        """An independent client, which signs in. Close it."""
        kind = httpx.DigestAuth if self.auth is HttpAuth.DIGEST else httpx.BasicAuth
        return httpx.Client(
            base_url=self.url,
            auth=kind(self.user, self.password),
            verify=build_trust(self.certificate),
            trust_env=False,
            timeout=CALL_SECONDS_MAX,
        )

    def ask(self) -> WebDavServer | None:
        """Itself once it lists its collection for us, None before."""
        try:
            with self.client() as client:
                reply = client.request("PROPFIND", "", headers={"Depth": "1"})
        except httpx.TransportError:
            return None
        return self if reply.status_code == httpx.codes.MULTI_STATUS else None
