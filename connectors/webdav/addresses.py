"""Addresses: what a person typed, where a path is on the server, which path an href of the server's means."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote, unquote_to_bytes

import httpx

from connectors.core.errors import ConnectorError, ErrorKind
from connectors.core.folding import fold
from connectors.core.guard import PORT_MAX
from connectors.core.paths import Parts, show

SAFE = "-_.~"  # besides letters and digits, all that is not percent-encoded
_NO_NAMES = frozenset({b"", b"."})


@dataclass(frozen=True, slots=True)
class Address:
    """The folder on a server that an account is. `base` has no slash at its end."""

    base: str
    host: str  # with its port, where that is not the scheme's own
    parts: Parts  # of the base, on the server

    @property
    def name(self) -> str:
        """What people call the folder: its own name, or the server's."""
        return show(self.parts[-1]) if self.parts else self.host

    def url(self, parts: Parts, *, is_folder: bool) -> httpx.URL:
        """Where a path is; folders have a slash at the end, since some servers redirect otherwise."""
        path = "".join(f"/{quote(name, safe=SAFE)}" for name in parts)
        return httpx.URL(self.base + path + ("/" if is_folder else ""))

    def read_href(self, href: str) -> Parts | None:
        """The path that an href means, whatever its spelling; None for one outside of this account.

        Servers behind proxies name hosts that nobody else knows: only the path counts, and no request goes there.
        """
        scheme, _, rest = href.strip().partition("://")
        path = f"/{rest.partition('/')[2]}" if rest and scheme.isalnum() else href.strip()
        names = [unquote_to_bytes(name) for name in path.split("/")]
        parts = tuple(name for name in names if name not in _NO_NAMES)
        if b".." in parts or not is_same(parts[: len(self.parts)], self.parts):
            return None
        return parts[len(self.parts) :]


def read_address(text: str) -> Address:
    """The address that a person typed; invalid_name says what is wrong with it."""
    text = text.strip()
    try:
        url = httpx.URL(text)
    except (httpx.InvalidURL, UnicodeError) as error:
        raise _refuse(f"the address is malformed: {error}") from error
    if url.scheme not in {"http", "https"} or not url.host:
        raise _refuse("the address must begin with https:// or http:// and name a server")
    if url.port is not None and not 0 < url.port <= PORT_MAX:
        raise _refuse(f"the port must be between 1 and {PORT_MAX}")
    if url.userinfo:
        raise _refuse("the user name and the password belong into their own fields, not into the address")
    if url.query or url.fragment:
        raise _refuse('the address must not have "?" or "#" in it; copy the part before')
    raw_path = url.raw_path.decode("ascii")
    parts = tuple(unquote_to_bytes(name) for name in raw_path.split("/") if name)
    if b"." in parts or b".." in parts or any(b"\0" in name for name in parts):
        raise _refuse("the address has a name in it that no folder can have")
    host = url.raw_host.decode("ascii")
    origin = f"{url.scheme}://{url.netloc.decode('ascii')}"
    base = origin + "".join(f"/{quote(name, safe=SAFE)}" for name in parts)
    return Address(base, host if url.port is None else f"{host}:{url.port}", parts)


def is_same(parts: Parts, others: Parts) -> bool:
    """True for spellings of one path that some servers do not tell apart."""
    return parts == others or [_fold_name(name) for name in parts] == [_fold_name(name) for name in others]


def _fold_name(name: bytes) -> object:
    try:
        return fold(name.decode())
    except UnicodeDecodeError:
        return name


def _refuse(message: str) -> ConnectorError:
    return ConnectorError(ErrorKind.INVALID_NAME, message)
