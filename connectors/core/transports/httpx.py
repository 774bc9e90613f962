"""The stock transport of httpx, for comparison and as a way out: slower over TLS, and blind to early replies."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from typing import cast

import httpx

from connectors.core.errors import ConnectorError, ErrorKind
from connectors.core.transports.body import Upload, read_small_body
from connectors.core.transports.wire import (
    IDLE_CONNECTION_SECONDS_MAX,
    Pin,
    TransportSettings,
    build_broken_error,
    build_connect_error,
    build_idle_error,
    build_pool_error,
    read_wire_url,
)


class HttpxTransport:
    """httpx's connection pool without httpx's client: no cookie jar, no redirects, no environment."""

    def __init__(self, settings: TransportSettings, pin: Pin | None) -> None:
        self._settings = settings
        self._pin = pin
        context = ssl.create_default_context()
        if settings.ca_pem is not None:
            context.load_verify_locations(cadata=settings.ca_pem.decode("ascii"))
        self._transport = httpx.AsyncHTTPTransport(
            verify=context,
            trust_env=False,
            http2=False,
            limits=httpx.Limits(max_connections=settings.connections_max, keepalive_expiry=IDLE_CONNECTION_SECONDS_MAX),
            proxy=settings.proxy_url,
        )

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        """Sends `request`; the promises are Transport's."""
        read_wire_url(request.url, self._pin)
        content = await read_small_body(request)
        upload = None if content is not None else Upload(cast("httpx.AsyncByteStream", request.stream))
        attempt = self._build_attempt(request, upload or httpx.ByteStream(content or b""))
        try:
            response = await self._transport.handle_async_request(attempt)
        except httpx.HTTPError as error:
            if upload is not None and upload.failure is not None:
                raise upload.failure from None
            raise _translate(error, request.url.host, self._settings) from error
        finally:
            if upload is not None:
                await upload.stop()
        return httpx.Response(
            response.status_code,
            headers=response.headers,
            stream=_Reply(self._settings, request.url.host, cast("httpx.AsyncByteStream", response.stream)),
            request=request,
            extensions={"http_version": b"HTTP/1.1"},
        )

    async def aclose(self) -> None:
        """Closes all connections; no request may follow."""
        await self._transport.aclose()

    def _build_attempt(self, request: httpx.Request, stream: httpx.AsyncByteStream) -> httpx.Request:
        """A copy, so that a later attempt finds the request as it was."""
        timeouts = httpx.Timeout(
            self._settings.idle_timeout_seconds,
            connect=self._settings.connect_timeout_seconds,
            pool=self._settings.pool_timeout_seconds,
        )
        extensions: dict[str, object] = {"timeout": timeouts.as_dict()}
        url = request.url
        if self._pin is not None:
            url = url.copy_with(host=self._pin.address)
            extensions["sni_hostname"] = self._pin.host
        headers = httpx.Headers(request.headers)
        headers.setdefault("Host", request.url.netloc.decode("ascii"))
        headers.setdefault("User-Agent", self._settings.user_agent)
        return httpx.Request(request.method, url, headers=headers, stream=stream, extensions=extensions)


class _Reply(httpx.AsyncByteStream):
    """A reply's body as it comes; closing it closes a connection that was not read to the end."""

    def __init__(self, settings: TransportSettings, host: str, stream: httpx.AsyncByteStream) -> None:
        self._settings = settings
        self._host = host
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for chunk in self._stream:
                yield chunk
        except httpx.HTTPError as error:
            raise _translate(error, self._host, self._settings) from error

    async def aclose(self) -> None:
        await self._stream.aclose()


def _translate(error: httpx.HTTPError, host: str, settings: TransportSettings) -> ConnectorError:
    if isinstance(error, httpx.PoolTimeout):
        return build_pool_error(settings)
    if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.ProxyError):
        return build_connect_error(host, str(error) or "timed out")
    if isinstance(error, httpx.LocalProtocolError):
        return ConnectorError(ErrorKind.INVALID_NAME, "a header holds characters that cannot be sent")
    if isinstance(error, httpx.TimeoutException):
        return build_idle_error(host, settings)
    return build_broken_error(host, str(error) or "no reason given")
