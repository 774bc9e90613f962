"""What developers are told when a provider fails: statuses, codes and plain words, through the whole API."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from connectors.core.clock import ManualClock
from connectors.core.connector import Connector
from connectors.core.guard import AddressGuard
from connectors.core.guarded_transport import GuardedTransport
from connectors.core.service import AccountContext, Options, Registry, Service
from connectors.core.stack import Runtime
from connectors.core.transport import TransportSettings
from connectors.registry import build_registry
from tests.app.drive import Drive, read_error, read_json, wait_until
from tests.connectors.faulty.operations import BEFORE, FILES, FOLDERS, NEW, OLD
from tests.connectors.faulty.subject import Place, Subject
from tests.servers import lies
from tests.servers.api import Api, build_settings, running_api
from tests.servers.loop import entered_beside
from tests.servers.lying import Lie, LyingProxy
from tests.servers.origin import Seen

LOOPBACK = "127.0.0.0/8"
IDLE_SECONDS = 2.0
HOUR = 3600.0

CODES = [
    (lies.BROKEN, 503, "service_not_available"),
    (lies.UNAVAILABLE, 503, "service_not_available"),
    (lies.DROPPED, 503, "service_not_available"),
    (lies.NOT_HTTP, 503, "service_not_available"),
    (lies.GATEWAY_TIMED_OUT, 504, "gateway_timeout"),
    (lies.SILENT, 504, "gateway_timeout"),
    (lies.BUSY, 429, "too_many_service_requests"),
    (lies.FULL, 507, "insufficient_storage"),
    (lies.FORBIDDEN, 403, "permission_denied"),
    (lies.STRANGER, 401, "service_unauthorized"),
    (lies.WELCOME, 502, "bad_gateway"),
    (lies.OTHER_XML, 502, "bad_gateway"),
    (lies.ENTITY_BOMB, 502, "bad_gateway"),
]


@dataclass(frozen=True)
class Scene:
    """An account, connected through the API, on a place whose server is behind a proxy that lies."""

    subject: Subject
    place: Place
    proxy: LyingProxy
    drive: Drive

    def lie(self, lie: Lie) -> None:
        """From now on nothing else is said."""
        self.proxy.begin(lambda _number, _seen: lie)

    def find(self, path: str) -> dict[str, Any]:
        """What stands at a path, asked while all is well."""
        return read_json(self.drive.client.get(self.drive.url("path"), params={"path": path}))

    def check_words(self, reply: httpx.Response) -> None:
        """The message is for people and holds no secret."""
        message: str = reply.json()["message"]
        assert " " in message
        for secret in (*self.subject.get_server()[1], "Traceback", "object at 0x"):
            assert secret not in reply.text


def build_quick_registry() -> Registry:
    """All services, with waits that take no time and a provider's silence that ends soon."""
    settings = TransportSettings(idle_timeout_seconds=IDLE_SECONDS)
    guarded = GuardedTransport(AddressGuard([LOOPBACK]), settings)

    def hurry(service: Service) -> Service:
        def build(context: AccountContext) -> Connector:
            runtime = Runtime(clock=ManualClock(), guarded_transport=guarded)
            return service.build(replace(context, runtime=runtime))

        return replace(service, build=build)

    return Registry([hurry(service) for service in build_registry(Options())])


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    folder: Path = tmp_path_factory.mktemp("faulty")
    settings = build_settings(folder, allowed_networks=[LOOPBACK])
    with running_api(settings, registry=build_quick_registry()) as running:
        yield running


@pytest.fixture
def scene(subject: Subject, api: Api) -> Iterator[Scene]:
    place = subject.make_place()
    place.fill(FILES, FOLDERS)
    with entered_beside(lambda: LyingProxy(*subject.address)) as proxy:
        body = {"service": subject.service, **place.build_credentials(proxy.origin)}
        caller = api.create_caller(lambda *_: body)
        with caller.client() as client:
            yield Scene(subject, place, proxy, Drive(caller, client))


@pytest.mark.parametrize(("lie", "status", "code"), CODES, ids=[lie.name for lie, *_ in CODES])
def test_listing_says_what_is_wrong_when_the_provider_fails(scene: Scene, lie: Lie, status: int, code: str) -> None:
    url = scene.drive.url("folders/root/contents")
    scene.lie(lie)
    reply = scene.drive.client.get(url)
    assert read_error(reply) == (status, code)
    scene.check_words(reply)
    scene.proxy.begin()
    assert read_json(scene.drive.client.get(url))["count"] == 3


@pytest.mark.parametrize(
    "lie", [lies.BROKEN, lies.DROPPED, lies.FULL, lies.WELCOME, lies.BUSY], ids=lambda lie: lie.name
)
def test_upload_says_what_is_wrong_and_stores_nothing_when_the_provider_fails(scene: Scene, lie: Lie) -> None:
    status, code = next((status, code) for each, status, code in CODES if each is lie)
    scene.lie(lie)
    reply = scene.drive.send_file("new.txt", NEW)
    assert read_error(reply) == (status, code)
    scene.check_words(reply)
    assert scene.place.look() == BEFORE
    scene.proxy.begin()
    assert scene.drive.upload("new.txt", NEW)["name"] == "new.txt"


def test_caller_is_told_when_to_come_back_when_the_provider_says_so(scene: Scene) -> None:
    for status in (429, 503):
        scene.lie(lies.say("later", status, headers=(("Retry-After", f"{HOUR:g}"),)))
        reply = scene.drive.client.get(scene.drive.url("folders/root/contents"))
        assert reply.status_code == status
        assert 0 < int(reply.headers["Retry-After"]) <= HOUR


def test_client_notices_when_the_provider_breaks_off_a_download(scene: Scene) -> None:
    file = scene.find("/old.txt")
    scene.proxy.begin(lambda _, seen: lies.CUT if seen.method == "GET" and "list-type" not in seen.target else None)
    with suppress(httpx.RemoteProtocolError):  # unless it broke off before there was anything to pass on
        assert read_error(scene.drive.client.get(f"{file['href']}/contents")) == (503, "service_not_available")
    scene.proxy.begin()
    assert scene.drive.client.get(f"{file['href']}/contents").content == OLD


def test_nothing_is_stored_when_the_client_leaves_in_the_middle_of_its_upload(scene: Scene) -> None:
    def leave() -> Iterator[bytes]:
        yield NEW
        raise ConnectionError

    with pytest.raises(ConnectionError):
        scene.drive.send_file("new.txt", leave())
    wait_until(lambda: not scene.place.list_leftovers())
    assert scene.place.look() == BEFORE


def test_old_bytes_stay_when_the_provider_fails_to_replace_them(scene: Scene) -> None:
    file = scene.find("/old.txt")

    def break_write(_: int, seen: Seen) -> Lie | None:
        return lies.BROKEN if seen.method == "PUT" else None

    scene.proxy.begin(break_write)
    reply = scene.drive.client.put(file["href"], content=NEW)
    assert read_error(reply) == (503, "service_not_available")
    assert scene.place.look() == BEFORE
    assert scene.drive.client.get(f"{file['href']}/contents").content == OLD


@pytest.mark.parametrize(
    "lie", [lies.DROPPED, lies.WELCOME, lies.FORBIDDEN, lies.STRANGER, lies.NOT_HTTP], ids=lambda lie: lie.name
)
def test_account_is_not_connected_and_the_message_says_why_when_the_provider_fails(scene: Scene, lie: Lie) -> None:
    scene.lie(lie)
    body = {"service": scene.subject.service, **scene.subject.make_place().build_credentials(scene.proxy.origin)}
    reply = scene.drive.client.post("/v1/accounts", json={"account": "another", **body})
    assert reply.status_code >= 400
    scene.check_words(reply)
    assert json.loads(scene.drive.client.get("/v1/accounts").text)["total"] == 1
