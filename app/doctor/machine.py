"""Checks of the machine and of the way to it: disk, port, names, public origins."""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
from pathlib import Path

import httpx
from sqlalchemy.engine import make_url

from app.core.aside import run_aside
from app.core.errors import ErrorCode
from app.core.settings import Settings
from app.doctor.finding import Finding, fail, skip, warn, well
from app.health import ask
from app.server import StartError, open_socket

GIB = 2**30
FREE_BYTES_ENOUGH = GIB
FREE_BYTES_NEEDED = GIB // 10
CALL_SECONDS_MAX = 5.0


async def check_disk(settings: Settings) -> Finding:
    """Room where the database and temporary files are."""
    folders = {"data": settings.data_dir.absolute(), "temporary files": Path(tempfile.gettempdir())}
    free = {what: await run_aside(_measure_free, folder) for what, folder in folders.items()}
    folder = settings.data_dir
    if folder.exists() and not os.access(folder, os.W_OK | os.X_OK):
        return fail(
            f"{folder.absolute()} cannot be written by this user", "Run as the server's user, or set its owner."
        )
    return judge_room(free)


def judge_room(free_bytes: dict[str, int]) -> Finding:
    """Whether there is enough for everything."""
    words = ", ".join(f"{count / GIB:.1f} GiB free for {what}" for what, count in free_bytes.items())
    if min(free_bytes.values()) < FREE_BYTES_NEEDED:
        return fail(words, "Free some space before anything else: what cannot be stored fails.")
    if min(free_bytes.values()) < FREE_BYTES_ENOUGH:
        return warn(words, "Free some space, or move KLOUDLESS_DATA_DIR or TMPDIR to a larger disk.")
    return well(words)


def _measure_free(folder: Path) -> int:
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free


async def check_port(settings: Settings) -> Finding:
    """Whether the port is free for a server, or one serves there."""
    answer = await run_aside(ask, settings.host, settings.port)
    if answer.is_well:
        return well(answer.text)
    try:
        open_socket(settings).close()
    except StartError as error:
        return fail(str(error), f"{answer.text} End what is there, or choose another port.")
    return well(f"{settings.host}:{settings.port} is free; no server runs here")


async def check_public_origins(settings: Settings) -> Finding:
    """Whether requests reach a server of ours through every public origin, and are accepted."""
    if not settings.public_origins:
        return skip("none is set")
    async with _client() as client:
        for origin in settings.public_origins:
            try:
                reply = await client.get(f"{origin}/v1/accounts")
            except httpx.HTTPError as error:
                return warn(
                    f"{origin} does not answer: {error}",
                    "Does a server run, does the proxy lead to it, does the name lead to the proxy?",
                )
            code = _read_field(reply, "error_code")
            if code == ErrorCode.BAD_REQUEST.code:
                return fail(
                    f"{origin} is refused: {_read_field(reply, 'message')}",
                    "The proxy must send X-Forwarded-Host and -Proto (or the Host as it came), and be trusted.",
                )
            if code != ErrorCode.AUTHENTICATION_REQUIRED.code:
                return warn(f"{origin} is answered by something else", "Does the proxy lead to this server?")
    return well(f"{', '.join(settings.public_origins)} answers")


async def check_traces(settings: Settings) -> Finding:
    """Whether a collector listens where traces are sent."""
    if settings.traces_endpoint is None:
        return skip("none are made")
    try:
        async with _client() as client:
            reply = await client.post(settings.traces_endpoint, headers={"Content-Type": "application/x-protobuf"})
    except httpx.HTTPError as error:
        return warn(
            f"{settings.traces_endpoint} does not answer: {error}", "Traces are lost meanwhile; does the collector run?"
        )
    if reply.status_code == httpx.codes.NOT_FOUND:
        return warn(f"{settings.traces_endpoint} is answered with 404", "The path of most collectors is /v1/traces.")
    return well(f"{settings.traces_endpoint} answers")


async def check_names(settings: Settings) -> Finding:
    """Whether the names in the settings can be looked up."""
    urls = [
        settings.database_url_text,
        settings.database_read_url.get_secret_value() if settings.database_read_url else "",
        settings.provider_proxy_url.get_secret_value() if settings.provider_proxy_url else "",
        settings.traces_endpoint or "",
        *settings.public_origins,
    ]
    hosts = sorted({host for url in urls if url and (host := make_url(url).host)})
    if not hosts:
        return skip("the settings name no other machine")
    for host in hosts:
        try:
            await run_aside(socket.getaddrinfo, host.strip("[]"), None)
        except (OSError, UnicodeError) as error:
            return fail(f"{host} cannot be looked up: {error}", "Correct the name, or the machine's DNS.")
    return well(", ".join(hosts))


def _client() -> httpx.AsyncClient:
    return httpx.AsyncClient(timeout=CALL_SECONDS_MAX, trust_env=False)


def _read_field(reply: httpx.Response, name: str) -> object:
    try:
        body = reply.json()
    except ValueError:
        return None
    return body.get(name) if isinstance(body, dict) else None
