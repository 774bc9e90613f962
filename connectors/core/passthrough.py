"""Requests of the caller's own to the provider: signed like ours, to the account's own hosts only, reply untouched."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from urllib.parse import unquote

import httpx

from connectors.core.call import INTENT, Intent, Repeat, Send
from connectors.core.errors import ConnectorError, ErrorKind
from connectors.core.layers.authorize import CREDENTIAL_HEADERS, FRAMING_HEADERS
from connectors.core.layers.classify import EXPECTED_STATUSES
from connectors.core.raw import RawCall, RawReply
from connectors.core.transport import build_body

_METHOD = re.compile(r"[A-Z][A-Z-]{0,31}")
_SEPARATOR = re.compile(r"[/\\]")
_BLANK = "".join(map(chr, range(33)))
DECODINGS_MAX = 4
METHODS_REFUSED = frozenset({"CONNECT", "TRACE"})
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "PROPFIND"})
PASSED_STATUSES = frozenset(range(300, 600)) - {401}
"""Every answer is the caller's, except that the credentials are not good (any more), which the engine takes care of."""

HEADERS_KEPT_BACK = frozenset(
    {"connection", "keep-alive", "proxy-authenticate", "set-cookie", "te", "trailer", "upgrade"}
)


@asynccontextmanager
async def pass_through(
    send: Send[httpx.Request, httpx.Response],
    call: RawCall,
    *,
    base: httpx.URL,
    extensions: Mapping[str, object] | None = None,
) -> AsyncIterator[RawReply]:
    """Sends `call` and gives the reply, whatever its status; leaving the block closes it.

    - `base` is the account's own place: a path is taken from the root of its host, and must be there or below, as must
      a whole address; address_refused for any other.
    - Headers that carry credentials or belong to a connection pass in neither direction. No redirect is followed.
    """
    if not _METHOD.fullmatch(call.method) or call.method in METHODS_REFUSED:
        raise ConnectorError(ErrorKind.INVALID_NAME, f"{call.method[:32]!r} is no method that can be passed on")
    url = _build_url(call.uri, base)
    headers, stream = build_body(call.source) if call.source is not None else ({}, httpx.ByteStream(b""))
    request = httpx.Request(
        call.method,
        url,
        headers={**_filter(call.headers.items(), CREDENTIAL_HEADERS | FRAMING_HEADERS), **headers},
        stream=stream,
        extensions={
            **(extensions or {}),
            INTENT: Intent(
                operation="call_raw",
                repeat=Repeat.SAFE if call.method in SAFE_METHODS else Repeat.UNSAFE,
                is_body_replayable=call.source is None or call.source.is_replayable,
            ),
            EXPECTED_STATUSES: PASSED_STATUSES,
        },
    )
    reply = await send(request)
    try:
        kept = _filter(reply.headers.multi_items(), HEADERS_KEPT_BACK | CREDENTIAL_HEADERS | {"transfer-encoding"})
        yield RawReply(reply.status_code, kept, reply.aiter_raw())
    finally:
        await reply.aclose()


def is_below(url: httpx.URL, base: httpx.URL) -> bool:
    """True for an address on the same host and port, and at the path of `base` or below, however it is spelled."""
    is_same_host = (url.scheme, url.netloc.lower()) == (base.scheme, base.netloc.lower())
    path, root = url.raw_path.partition(b"?")[0], base.raw_path.partition(b"?")[0].rstrip(b"/")
    is_inside = path == root or path.startswith(root + b"/")
    return is_same_host and not url.userinfo and is_inside and not has_dots(path.decode("ascii"))


def has_dots(path: str) -> bool:
    """True when some server may take a part of the path for the folder itself or the one above it: one that decodes it
    more than once, or cuts off what it has no use for.
    """
    decoded = path
    for _ in range(DECODINGS_MAX):
        decoded = unquote(decoded)
    parts = (part.partition(";")[0].strip(_BLANK) for part in _SEPARATOR.split(decoded))
    return any(part in {".", ".."} for part in parts)


def _build_url(uri: str, base: httpx.URL) -> httpx.URL:
    text = f"{base.scheme}://{base.netloc.decode('ascii')}{uri}" if uri.startswith("/") else uri
    try:
        url = httpx.URL(text)
    except (httpx.InvalidURL, ValueError) as error:
        raise ConnectorError(ErrorKind.INVALID_NAME, "the URI is malformed") from error
    if not is_below(url, base):
        raise ConnectorError(ErrorKind.ADDRESS_REFUSED, f"requests are passed on to {base} and what is below it only")
    return url


def _filter(items: Iterable[tuple[str, str]], refused: frozenset[str]) -> dict[str, str]:
    return {name.lower(): value for name, value in items if name.lower() not in refused}
