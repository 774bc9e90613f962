"""What a lying proxy can say instead of a server's reply."""

from __future__ import annotations

import asyncio

from tests.servers.lying import Lie, Reply, write_head
from tests.servers.origin import Exchange

PAGE = b"<!DOCTYPE html><html><head><title>Welcome</title></head><body>Please sign in to this network.</body></html>"
NONSENSE = b'<?xml version="1.0"?><weather xmlns="urn:nobody"><sun>yes</sun></weather>'
BOMB = (
    b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "bbbbbbbbbb">'
    + b"".join(b'<!ENTITY b%d "%s">' % (n, b"&b%d;" % (n - 1) * 10 if n else b"&b;" * 10) for n in range(10))
    + b"]><a>&b9;</a>"
)
RETRY_AFTER_SECONDS = 2.0
RETRY_AFTER = (("Retry-After", f"{RETRY_AFTER_SECONDS:g}"),)
BAD_BYTES = b"\x15\x03\x01\x00\x02\x02\x50 no such thing\r\n\r\n"


def say(
    name: str, status: int, body: bytes = b"", *, headers: tuple[tuple[str, str], ...] = (), is_applied: bool = False
) -> Lie:
    """A whole reply of its own; to a question about the head, only that."""

    async def tell(exchange: Exchange, _: Reply | None) -> None:
        shown = b"" if exchange.seen.method == "HEAD" else body
        await exchange.send(write_head(status, [*headers, ("Content-Length", str(len(body)))]) + shown)

    return Lie(name, tell, is_applied)


def say_page(name: str, status: int, *, is_applied: bool = False) -> Lie:
    """A page for people."""
    return say(name, status, PAGE, headers=(("Content-Type", "text/html"),), is_applied=is_applied)


def say_xml(name: str, body: bytes, *, status: int = 200, is_applied: bool = False) -> Lie:
    """A document."""
    return say(name, status, body, headers=(("Content-Type", "application/xml"),), is_applied=is_applied)


def redirect(status: int, location: str) -> Lie:
    """Go there instead."""
    return say(f"redirect {status}", status, headers=(("Location", location),))


async def _drop(exchange: Exchange, _: Reply | None) -> None:
    exchange.writer.close()


async def _stay_silent(exchange: Exchange, _: Reply | None) -> None:
    await exchange.wait_until_left()


async def _cut(exchange: Exchange, reply: Reply | None) -> None:
    assert reply is not None
    whole = reply.write()
    size_bytes = len(whole) - len(reply.body) // 2 if reply.body else len(whole) // 2
    await exchange.send(whole[:size_bytes])
    exchange.writer.close()


async def _stall(exchange: Exchange, reply: Reply | None) -> None:
    assert reply is not None
    await exchange.send(write_head(reply.status, reply.headers) + reply.body[: len(reply.body) // 2])
    await exchange.wait_until_left()


async def _announce_less(exchange: Exchange, reply: Reply | None) -> None:
    """Half of the body belongs to the reply; the other half stands before the next reply on the connection."""
    assert reply is not None
    await exchange.send(_announce(reply, len(reply.body) // 2) if reply.body else reply.write())


async def _announce_more(exchange: Exchange, reply: Reply | None) -> None:
    assert reply is not None
    if exchange.seen.method == "HEAD":
        await exchange.send(reply.write())
        return
    await exchange.send(_announce(reply, len(reply.body) + 10))
    exchange.writer.close()


def _announce(reply: Reply, size_bytes: int) -> bytes:
    headers = [*reply.without("content-length", "transfer-encoding"), ("Content-Length", str(size_bytes))]
    return write_head(reply.status, headers) + reply.body


async def _talk_endlessly(exchange: Exchange, _: Reply | None) -> None:
    await exchange.send(b"HTTP/1.1 200 OK\r\n")
    while True:
        await exchange.send(b"X-More: and more\r\n" * 1000)
        await asyncio.sleep(0)


async def _speak_otherwise(exchange: Exchange, _: Reply | None) -> None:
    await exchange.send(BAD_BYTES)
    exchange.writer.close()


DROPPED = Lie("dropped", _drop)
LOST = Lie("lost", _drop, is_applied=True)
SILENT = Lie("silent", _stay_silent, is_silence=True)
SILENT_AFTER = Lie("silent after it was done", _stay_silent, is_applied=True, is_silence=True)
STALLED = Lie("stalled", _stall, is_applied=True)
CUT = Lie("cut", _cut, is_applied=True)
ANNOUNCED_LESS = Lie("announced less", _announce_less, is_applied=True)
ANNOUNCED_MORE = Lie("announced more", _announce_more, is_applied=True)
ENDLESS_HEAD = Lie("endless head", _talk_endlessly)
NOT_HTTP = Lie("not http", _speak_otherwise)

BROKEN = say("500", 500)
BROKEN_AFTER = say("500 after it was done", 500, is_applied=True)
UNAVAILABLE = say_page("503", 503)
UNAVAILABLE_A_WHILE = say("503 for a while", 503, headers=RETRY_AFTER)
GATEWAY_TIMED_OUT = say_page("504", 504)
BUSY = say("429", 429)
BUSY_A_WHILE = say("429 for a while", 429, headers=RETRY_AFTER)
FULL = say("507", 507)
FORBIDDEN = say_page("403", 403)
UNKNOWN = say("401", 401)
STRANGER = say("401 for everybody", 401, headers=(("WWW-Authenticate", 'Basic realm="nobody is let in"'),))

WELCOME = say_page("welcome page", 200)
WELCOME_AFTER = say_page("welcome page after it was done", 200, is_applied=True)
NOTHING = say("nothing", 200)
NO_CONTENT = say("no content", 204)
OTHER_XML = say_xml("other xml", NONSENSE)
ENTITY_BOMB = say_xml("entity bomb", BOMB)
