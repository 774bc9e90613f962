"""GET requests to addresses that users name: guarded at every hop, redirects followed by hand, nothing kept."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from http import HTTPStatus
from urllib.parse import urljoin

import httpx

from app.core.errors import ApiError, ErrorCode
from app.core.state import State
from connectors.core.call import INTENT, Intent, Repeat
from connectors.core.errors import ConnectorError, ErrorKind
from connectors.core.guard import read_target
from connectors.core.layers.classify import EXPECTED_STATUSES
from connectors.core.manifest import Capabilities, Keys, Limits, Manifest

REDIRECTS_MAX = 5
URL_CHARACTERS_MAX = 16_384

MANIFEST = Manifest(
    service="url",
    title="The URL's server",
    category="file_store",
    auth=Keys(fields=()),
    capabilities=Capabilities(),
    limits=Limits(requests_parallel_max=16),
)
"""An address is not a storage, but its calls pass the same layers: they are repeated, limited, watched."""

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_RANGE_ANSWERS = frozenset({206, 412, 416})
_TEMPORARY = frozenset({408, 425, 429})
_READ_HERE = tuple(status for status in range(300, 500) if status not in _TEMPORARY)  # others the layers repeat
_INTENT = Intent(operation="fetch", repeat=Repeat.SAFE)


def check_url(url: str) -> str:
    """The URL without its fragment; ApiError 400 for one that no request can be made of."""
    if len(url) > URL_CHARACTERS_MAX:
        raise ApiError(ErrorCode.INVALID_PARAMETERS, f"url is longer than {URL_CHARACTERS_MAX} characters.")
    bare = url.partition("#")[0]
    try:
        read_target(bare)
    except ConnectorError as error:
        raise ApiError(ErrorCode.INVALID_PARAMETERS, f"url cannot be fetched: {error.message}.") from error
    return bare


class UrlClient:
    """Fetches for one application. Errors name the host, never the rest of the address: queries hold secrets."""

    def __init__(self, state: State, application_id: str) -> None:
        self._state = state
        self._application_id = application_id

    @asynccontextmanager
    async def get(self, url: str, headers: Mapping[str, str]) -> AsyncIterator[httpx.Response]:
        """A good reply, or what a range was answered with. ApiError says what the server answered instead."""
        for _ in range(REDIRECTS_MAX + 1):
            host, port = read_target(url)
            reply = await self._send(url, headers, host, port)
            try:
                if reply.status_code not in _REDIRECTS:
                    _check(reply, host, has_range="Range" in headers)
                    yield reply
                    return
                url = _read_location(reply, url, host)
            finally:
                await reply.aclose()
        raise ApiError(ErrorCode.REQUEST_FAILED, f"The URL's server redirected more than {REDIRECTS_MAX} times.")

    async def _send(self, url: str, headers: Mapping[str, str], host: str, port: int) -> httpx.Response:
        send = self._state.runtime.build_send(MANIFEST, f"{self._application_id}:{host}", users_host=f"{host}:{port}")
        request = httpx.Request(
            "GET",
            url,
            headers={"Accept-Encoding": "identity", "User-Agent": "kloudless-server", **headers},
            extensions={INTENT: _INTENT, EXPECTED_STATUSES: _READ_HERE},
        )
        try:
            return await send(request)
        except ConnectorError as error:
            raise error.restated(message=_explain(error, host)) from error


def _check(reply: httpx.Response, host: str, *, has_range: bool) -> None:
    if reply.status_code != HTTPStatus.OK and not (has_range and reply.status_code in _RANGE_ANSWERS):
        raise ApiError(ErrorCode.REQUEST_FAILED, f"{host} answered with status {reply.status_code}.")
    encoding = reply.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in {"", "identity"}:
        raise ApiError(ErrorCode.REQUEST_FAILED, f"{host} sent it compressed although it was asked not to.")


def _read_location(reply: httpx.Response, url: str, host: str) -> str:
    location = str(reply.headers.get("location", ""))
    if not location:
        raise ApiError(ErrorCode.REQUEST_FAILED, f"{host} redirected without saying where to.")
    target = urljoin(url, location).partition("#")[0]
    if len(target) > URL_CHARACTERS_MAX:
        raise ApiError(ErrorCode.REQUEST_FAILED, f"{host} redirected to an address that is too long.")
    return target


def _explain(error: ConnectorError, host: str) -> str:
    if error.status is not None:
        return f"{host} answered with status {error.status}."
    if error.kind is ErrorKind.ADDRESS_REFUSED:
        return f"The URL was not fetched: {error.message}."
    return f"{host} could not be asked: {error.message}."
