"""Addresses that developers register, checked and written one way: trusted hosts, redirect URIs."""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated

import httpx
from pydantic import AfterValidator, Field

HOST_CHARACTERS_MAX = 255
URI_CHARACTERS_MAX = 2000
PORT_MAX = 65535
OUT_OF_BAND = "urn:ietf:wg:oauth:2.0:oob"
"""In place of a redirect URI: the result stays in the window that we show (contract 2.1)."""

DEFAULT_PORTS = {"http": 80, "https": 443}
SCHEMES_REFUSED = frozenset(
    {"about", "blob", "data", "file", "filesystem", "ftp", "javascript", "mailto", "urn", "vbscript", "view-source"}
)
"""What a browser would run, show or mail instead of opening an application."""

_LABEL = r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?"
_HOST_NAME = re.compile(rf"{_LABEL}(\.{_LABEL})*")
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*", re.IGNORECASE)
_URI = re.compile(r"[\w.~:/?#\[\]@!$&'()*+,;=%-]+", re.ASCII)  # what RFC 3986 allows


def reduce_host(text: str) -> str:
    """`host` or `host:port` as a page's origin has it, from that or from a whole origin; ValueError says what is wrong.

    Ports that go without saying are dropped, letters are small, names of other scripts are in their ASCII form.
    """
    scheme, separator, _ = text.partition("://")
    scheme = scheme.lower() if separator else ""
    if scheme not in {"", *DEFAULT_PORTS}:
        raise ValueError("must be a host such as example.com or localhost:8000, or an origin with http or https")
    try:
        url = httpx.URL(text if scheme else f"https://{text}")
    except httpx.InvalidURL:
        raise ValueError("is not a host") from None
    if url.userinfo or url.path != "/" or url.query or url.fragment or "#" in text or "?" in text:
        raise ValueError("must be a host and perhaps a port, nothing before and nothing behind")
    host = _check_host(url)
    ports = {DEFAULT_PORTS[scheme]} if scheme else {*DEFAULT_PORTS.values()}
    reduced = host if url.port is None or url.port in ports else f"{host}:{url.port}"
    if len(reduced) > HOST_CHARACTERS_MAX:
        raise ValueError(f"is longer than {HOST_CHARACTERS_MAX} characters")
    return reduced


def _check_host(url: httpx.URL) -> str:
    host = url.raw_host.decode("ascii")
    if url.port is not None and not 1 <= url.port <= PORT_MAX:
        raise ValueError(f"has a port that is not between 1 and {PORT_MAX}")
    if ":" in host:
        return f"[{ipaddress.IPv6Address(host)}]"
    if not _HOST_NAME.fullmatch(host):
        raise ValueError("is not a host; each one is listed by its full name")
    return host


def check_redirect_uri(text: str) -> str:
    """The URI, if people may be sent there: https, http on their own machine, an app's own scheme; ValueError if not.

    It is kept as it was written, because it is compared whole.
    """
    if text == OUT_OF_BAND:
        return text
    scheme, separator, rest = text.partition(":")
    scheme = scheme.lower()
    if not _URI.fullmatch(text) or not separator or not rest.strip("/") or not _SCHEME.fullmatch(scheme):
        raise ValueError("must be an absolute URI in ASCII; write other characters percent-encoded")
    if "#" in text:
        raise ValueError("must have no fragment")
    if scheme in DEFAULT_PORTS:
        _check_web_address(text, scheme)
    elif scheme in SCHEMES_REFUSED:
        raise ValueError(f"must be https, http on the own machine, an app's own scheme, or {OUT_OF_BAND}")
    return text


def _check_web_address(text: str, scheme: str) -> None:
    try:
        url = httpx.URL(text)
    except httpx.InvalidURL:
        raise ValueError("is not an address") from None
    if url.userinfo or not url.host:
        raise ValueError("must have a host, and no user before it")
    host = _check_host(url)
    if scheme == "http" and not _is_loopback(host):
        raise ValueError("must begin with https://; http is for this machine only: localhost, 127.0.0.1, [::1]")


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


TrustedHost = Annotated[str, Field(min_length=1, max_length=URI_CHARACTERS_MAX), AfterValidator(reduce_host)]
RegisteredUri = Annotated[str, Field(min_length=1, max_length=URI_CHARACTERS_MAX), AfterValidator(check_redirect_uri)]
