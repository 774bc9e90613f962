"""The default transport: pyreqwest, which moves bytes outside the interpreter's lock."""

from __future__ import annotations

import asyncio
import atexit
import functools
import time
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from datetime import timedelta
from typing import cast

import httpx
from pyreqwest.bytes import Bytes
from pyreqwest.client import Client, ClientBuilder
from pyreqwest.exceptions import PoolTimeoutError, PyreqwestError
from pyreqwest.http import HeaderMap, Url
from pyreqwest.proxy import ProxyBuilder
from pyreqwest.request import StreamRequest
from pyreqwest.response import Response

from connectors.core.errors import ConnectorError, ErrorKind
from connectors.core.idle import IdleWatch
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

REQUEST_SECONDS_MAX = 86_400.0
ABANDONED_FACTOR = 4
EXIT_SECONDS = 0.1
NOTHING_SENT = "client error (Connect)"  # the only cause that says so; class names do not


class PyreqwestTransport:
    """One pyreqwest client, with our own idea of time: silence is limited, duration is not.

    A call cancelled before the head of its reply goes on inside pyreqwest. We break its body off, and the kernel ends
    a connection that takes no bytes (`tcp_user_timeout`); what then still waits for a provider's answer ends with that
    answer, or after `REQUEST_SECONDS_MAX`. Such calls hold no slot of ours; with them there are at most
    `ABANDONED_FACTOR` times `connections_max` connections.
    """

    def __init__(self, settings: TransportSettings, pin: Pin | None) -> None:
        self._settings = settings
        self._pin = pin
        self._slots = asyncio.Semaphore(settings.connections_max)
        self._client: Client | None = _configure(settings, pin).build()
        _rest_at_exit()

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        """Sends `request`; the promises are Transport's."""
        url = read_wire_url(request.url, self._pin)
        content = await read_small_body(request)
        if self._slots.locked():
            await self._wait_for_slot()
        else:
            await self._slots.acquire()  # at once, without the cost of a timer
        try:
            return await self._send(request, url, content)
        except BaseException:
            self._slots.release()
            raise

    async def aclose(self) -> None:
        """Closes idle connections; no request may follow."""
        client, self._client = self._client, None  # idle connections go when nothing refers to the client
        if client is not None:
            await client.close()

    async def _wait_for_slot(self) -> None:
        try:
            async with asyncio.timeout(self._settings.pool_timeout_seconds):
                await self._slots.acquire()
        except TimeoutError:
            raise build_pool_error(self._settings) from None

    async def _send(self, request: httpx.Request, url: Url, content: bytes | None) -> httpx.Response:
        upload = None if content is not None else Upload(cast("httpx.AsyncByteStream", request.stream), wrap=_wrap)
        call = self._build_call(request, url, content, upload)
        watch = IdleWatch(self._settings.idle_timeout_seconds)
        try:
            with watch:
                if upload is not None:
                    upload.watch = watch
                response = await call.__aenter__()
        except BaseException as error:
            if upload is not None:
                await upload.stop()
            watch.close()
            with suppress(RuntimeError):  # there is no reply to close, unless it came in the moment of giving up
                await call.__aexit__(None, None, None)
            if isinstance(error, PyreqwestError | TimeoutError):
                raise _explain(error, upload, request.url.host, self._settings) from None  # its text holds the URL
            raise
        if upload is not None:
            upload.watch = None
        return httpx.Response(
            response.status,
            headers=_read_headers(response.headers),
            stream=_Reply(self._settings, request.url.host, call, response, upload, watch, self._slots.release),
            request=request,
            extensions={"http_version": b"HTTP/1.1"},
        )

    def _build_call(
        self, request: httpx.Request, url: Url, content: bytes | None, upload: Upload | None
    ) -> StreamRequest:
        if self._client is None:
            raise ConnectorError(ErrorKind.UNAVAILABLE, "the transport is closed")
        try:
            builder = self._client.request(request.method, url).headers(request.headers.multi_items())
        except ValueError as error:
            raise ConnectorError(ErrorKind.INVALID_NAME, "a header holds characters that cannot be sent") from error
        if upload is not None:
            builder = builder.body_stream(upload)
        elif content:
            builder = builder.body_bytes(content)
        return builder.timeout(timedelta(seconds=REQUEST_SECONDS_MAX)).streamed_read_buffer_limit(0).build_streamed()


def _wrap(piece: bytes | memoryview) -> bytes:
    """A view for the native thread, which would copy anything else."""
    return cast("bytes", Bytes(piece))


@functools.cache
def _rest_at_exit() -> None:
    """The native thread gives back what it held of Python's just after it has told its last answer. A process that ends
    in that very moment is aborted (seen in one of five), and its exit status lost.
    """
    atexit.register(time.sleep, EXIT_SECONDS)


class _Reply(httpx.AsyncByteStream):
    """A reply's body in the chunks it comes in; closing it ends the exchange, however far it got."""

    def __init__(
        self,
        settings: TransportSettings,
        host: str,
        call: StreamRequest,
        response: Response,
        upload: Upload | None,
        watch: IdleWatch,
        release: Callable[[], None],
    ) -> None:
        self._settings = settings
        self._host = host
        self._call = call
        self._response = response
        self._upload = upload
        self._watch = watch
        self._release = release
        self._is_open = True

    async def __aiter__(self) -> AsyncIterator[bytes]:
        reader = self._response.body_reader
        try:
            while True:
                with self._watch:
                    chunk = await reader.read_chunk()
                if chunk is None:
                    break
                yield chunk.to_bytes()
        except (PyreqwestError, TimeoutError) as error:
            raise _explain(error, self._upload, self._host, self._settings) from None  # its text holds the URL
        finally:
            await self.aclose()

    async def aclose(self) -> None:
        if not self._is_open:
            return
        self._is_open = False
        self._watch.close()
        try:
            if self._upload is not None:
                await self._upload.stop()
        finally:
            try:
                await self._call.__aexit__(None, None, None)
            finally:
                self._release()


def _configure(settings: TransportSettings, pin: Pin | None) -> ClientBuilder:
    builder = (
        ClientBuilder()
        .http1_only()
        .follow_redirects(enable=False)
        .referer(enable=False)
        .no_proxy()
        .gzip(enable=False)
        .brotli(enable=False)
        .zstd(enable=False)
        .deflate(enable=False)
        .user_agent(settings.user_agent)
        .connect_timeout(timedelta(seconds=settings.connect_timeout_seconds))
        .tcp_user_timeout(timedelta(seconds=settings.idle_timeout_seconds))
        .max_connections(settings.connections_max * ABANDONED_FACTOR)
        .pool_timeout(timedelta(seconds=settings.pool_timeout_seconds))
        .pool_idle_timeout(timedelta(seconds=IDLE_CONNECTION_SECONDS_MAX))
        .pool_max_idle_per_host(settings.connections_max)
    )
    if settings.ca_pem is not None:
        builder = builder.add_root_certificate_pem(settings.ca_pem)
    if settings.proxy_url is not None:
        builder = builder.proxy(ProxyBuilder.all(settings.proxy_url))
    if pin is not None:
        builder = builder.resolve(pin.host, pin.address, 0)  # port 0: the URL's
    return builder


def _read_headers(headers: HeaderMap) -> list[tuple[str, str]]:
    """One by one, because a value that is not ASCII raises; such a header is dropped."""
    pairs, items = [], iter(headers.items())
    for _ in range(len(headers)):
        try:
            pairs.append(next(items))
        except ValueError:
            continue
    return pairs


def _explain(error: Exception, upload: Upload | None, host: str, settings: TransportSettings) -> BaseException:
    if upload is not None and upload.failure is not None:
        return upload.failure
    details = getattr(error, "details", None) or {}
    causes = [cause["message"] for cause in details.get("causes") or ()]
    reason = causes[-1] if len(causes) > 1 else "no reason given"  # the first cause repeats the URL, secrets included
    if NOTHING_SENT in causes:
        return build_connect_error(host, reason)
    if isinstance(error, PoolTimeoutError):
        return build_pool_error(settings)
    if isinstance(error, TimeoutError):
        return build_idle_error(host, settings)
    return build_broken_error(host, reason)
