from __future__ import annotations

import asyncio
import hashlib
import hmac
from collections.abc import AsyncIterator
from typing import Literal
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest

from connectors.core.bytesource import BytesSource
from connectors.core.connector import Connector
from connectors.core.errors import ErrorKind
from connectors.core.resources import OnConflict
from connectors.core.service import Options
from connectors.core.sharing import Hints, Notice
from connectors.dropbox.notices import CHALLENGE_CHARACTERS_MAX
from connectors.dropbox.service import build_service
from simulators.core.world import SANDBOX_CLIENT
from tests.connectors.behavior.space import refused
from tests.servers.dropbox import Place
from tests.servers.scripted import Reply, ScriptedServer, Seen

SECRET = SANDBOX_CLIENT.client_secret
BODY = b'{"list_folder": {"accounts": ["dbid:a", "dbid:b", "dbid:a"]}, "delta": {"users": [1, 2]}}'


def read(notice: Notice, secret: str = SECRET) -> Hints:
    service = build_service(Options())
    assert service.read_notice is not None
    return service.read_notice(notice, secret)


def build_post(body: bytes = BODY, signature: str | None = None) -> Notice:
    good = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    return Notice(method="POST", query={}, headers={"x-dropbox-signature": signature or good}, body=body)


def build_get(**query: str) -> Notice:
    return Notice(method="GET", query=query, headers={}, body=b"")


@pytest.fixture
async def address() -> AsyncIterator[ScriptedServer]:
    """An application's address, which answers as the notices want it."""

    def answer(seen: Seen) -> Reply:
        hints = read(as_notice(seen))
        return Reply(body=hints.reply.encode(), headers={"Content-Type": "text/plain"})

    async with ScriptedServer(answer) as server:
        yield server


def as_notice(seen: Seen) -> Notice:
    method: Literal["GET", "POST"] = "GET" if seen.method == "GET" else "POST"
    query = dict(parse_qsl(urlsplit(seen.target).query))
    return Notice(method=method, query=query, headers=seen.headers, body=seen.body)


async def test_accounts_are_those_of_identities_when_something_changed(
    place: Place, connector: Connector, address: ScriptedServer
) -> None:
    async with httpx.AsyncClient(base_url=place.url, trust_env=False) as control:
        body = {"client_id": SANDBOX_CLIENT.client_id, "url": address.url}
        (await control.post("/simulator/webhook", json=body)).raise_for_status()
    root = connector.manifest.root.raw_id
    await connector.upload(root, "a.txt", BytesSource(b"x"), on_conflict=OnConflict.FAIL)
    while len(address.seen) < 2:  # noqa: ASYNC110 - the server has no event for it
        await asyncio.sleep(0.01)
    hints = read(as_notice(address.seen[-1]))
    assert hints == Hints(account_keys=((await connector.get_identity()).key,))


def test_each_account_is_told_once_and_challenges_are_given_back() -> None:
    assert read(build_post()).account_keys == ("dbid:a", "dbid:b")
    assert read(build_post(b'{"of_the_future": true}')) == Hints()
    assert read(build_get(challenge="a<b>&c")) == Hints(reply="a<b>&c")


@pytest.mark.parametrize(
    "notice",
    [
        build_post(signature="0" * 64),
        build_post(signature=hmac.new(b"other", BODY, hashlib.sha256).hexdigest()),
        build_post(signature="\u00e9\udcff"),
        Notice(method="POST", query={}, headers={}, body=BODY),
        Notice(method="POST", query={}, headers=build_post(b"other").headers, body=BODY),
        build_get(),
        build_get(challenge=""),
        build_get(challenge="x" * (CHALLENGE_CHARACTERS_MAX + 1)),
    ],
)
def test_permission_denied_when_nothing_is_proven(notice: Notice) -> None:
    with refused(ErrorKind.PERMISSION_DENIED):
        read(notice)


def test_permission_denied_when_there_is_no_secret_to_prove_it_with() -> None:
    unsigned = hmac.new(b"", BODY, hashlib.sha256).hexdigest()
    with refused(ErrorKind.PERMISSION_DENIED):
        read(build_post(signature=unsigned), secret="")


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"list_folder": 5}', b"\xff"])
def test_unexpected_when_what_was_signed_is_no_notice(body: bytes) -> None:
    with refused(ErrorKind.UNEXPECTED):
        read(build_post(body))
