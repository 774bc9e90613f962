"""What every transport is told, promises and checks, whichever HTTP client is below it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, Protocol
from urllib.parse import quote

import httpx
from pyreqwest.http import Url

from connectors.core.errors import ConnectorError, ErrorKind

IDLE_CONNECTION_SECONDS_MAX = 30.0  # servers drop kept-alive connections after about a minute; be first


@dataclass(frozen=True, slots=True, kw_only=True)
class TransportSettings:
    """What the operator sets. `idle_timeout_seconds` is the longest silence of a provider: before a reply's head,
    between two reads of its body, and while it takes a piece of ours. No setting limits how long a transfer lasts.
    """

    kind: Literal["pyreqwest", "httpx"] = "pyreqwest"
    connect_timeout_seconds: float = 10.0  # name, TCP and TLS together
    pool_timeout_seconds: float = 30.0
    idle_timeout_seconds: float = 60.0
    connections_max: int = 256
    ca_pem: bytes | None = None  # trusted besides the system's roots
    proxy_url: str | None = field(default=None, repr=False)  # may hold a password; the environment is never asked
    user_agent: str = "kloudless-server"


@dataclass(frozen=True, slots=True)
class Pin:
    """The one host a transport may speak to, and the one address it does so at."""

    host: str
    address: str


class Transport(Protocol):
    """Sends one request over HTTP/1.1 and returns the reply at its head.

    - No cookies, redirects, decompression, repeats, nor proxies from the environment.
    - The URL on the wire is the URL built, else invalid_name and nothing is sent.
    - `unavailable` without `maybe_applied` when nothing can have been sent, with it when that is not certain;
      `timed_out` after `idle_timeout_seconds` of silence. What the source of the body raises comes out as it is.
    - A reply in the middle of an upload is a reply. The caller closes replies; that ends what is still under way.
    """

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        """Sends `request`."""
        ...

    async def aclose(self) -> None:
        """Closes idle connections; no request may follow."""
        ...


def build_url(base: str, path: str) -> httpx.URL:
    """`base`, a slash, and `path` with everything but letters, digits and `-_.~/` percent-encoded.

    - invalid_name for a segment `.` or `..`: URLs treat them as directions, so they cannot name anything.
    """
    if any(segment in {".", ".."} for segment in path.split("/")):
        raise ConnectorError(ErrorKind.INVALID_NAME, "a path with a segment '.' or '..' cannot be sent in a URL")
    return httpx.URL(f"{base}/{quote(path, safe='-_.~/')}")


def read_wire_url(url: httpx.URL, pin: Pin | None) -> Url:
    """The URL as it will be on the wire; invalid_name if that is not exactly the one built."""
    if pin is not None and url.raw_host.decode("ascii") != pin.host:
        raise ConnectorError(ErrorKind.ADDRESS_REFUSED, f"{url.host} was not checked; only {pin.host} was")
    built, netloc = url.raw_path.decode("ascii"), url.netloc.decode("ascii")
    try:
        wire = Url(f"{url.scheme}://{netloc}{built}")
    except ValueError as error:
        raise ConnectorError(ErrorKind.INVALID_NAME, "the URL is malformed") from error
    sent = wire.path if wire.query_string is None else f"{wire.path}?{wire.query_string}"
    if url.scheme not in {"http", "https"} or url.userinfo:
        raise ConnectorError(ErrorKind.INVALID_NAME, "only http and https URLs without a user name are sent")
    if wire.authority != netloc or sent != built:
        raise ConnectorError(ErrorKind.INVALID_NAME, "the URL would be changed on its way, so it is not sent")
    return wire


def build_connect_error(host: str, reason: str) -> ConnectorError:
    """Nothing was sent: no name, no connection, or no trust; says which, and what may help."""
    lowered = reason.lower()
    for words, explained in _CONNECT_REASONS:
        if any(word in lowered for word in words):
            return ConnectorError(ErrorKind.UNAVAILABLE, explained.format(host=host, reason=reason))
    return ConnectorError(ErrorKind.UNAVAILABLE, f"no connection to {host}: {reason}")


_CONNECT_REASONS: tuple[tuple[tuple[str, ...], str], ...] = (
    (("lookup", "name or service", "no address", "name resolution"), "the host name {host} could not be looked up"),
    (("refused", "all connection attempts"), "{host} refuses connections on this port"),
    (("corrupt message", "wrong_version", "wrong version"), "TLS: {host} does not speak TLS on this port ({reason})"),
    (("certificate",), "TLS: the certificate of {host} is not trusted ({reason})"),
    (("handshake", "ssl", "tls"), "TLS: {host} could not agree on encryption ({reason})"),
    (("unreachable", "no route"), "{host} cannot be reached from this network"),
    (("timed out", "timeout", "elapsed"), "{host} did not accept a connection in time"),
)


def build_pool_error(settings: TransportSettings) -> ConnectorError:
    """Nothing was sent: every connection was busy."""
    busy = f"all {settings.connections_max} connections were busy for {settings.pool_timeout_seconds:g} s"
    return ConnectorError(ErrorKind.UNAVAILABLE, busy)


def build_broken_error(host: str, reason: str) -> ConnectorError:
    """The connection ended before the reply did."""
    return ConnectorError(ErrorKind.UNAVAILABLE, f"the connection to {host} failed: {reason}", maybe_applied=True)


def build_idle_error(host: str, settings: TransportSettings) -> ConnectorError:
    """The provider was silent for too long."""
    silence = f"{host} was silent for {settings.idle_timeout_seconds:g} s"
    return ConnectorError(ErrorKind.TIMED_OUT, silence, maybe_applied=True)
