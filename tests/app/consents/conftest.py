"""A server whose people connect by consent at a simulated provider, on both databases."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from app.core.state import build_registry_from
from connectors.core.service import Registry
from simulators.core.faults import Fault, Rule
from simulators.core.grants import Grants
from simulators.core.users import User
from tests.app.connect.conftest import REDIRECT_URI, Browser
from tests.app.consenting import CLIENT, SERVICE, build_service
from tests.servers.api import Api, Caller, build_settings, running_api
from tests.servers.dropbox import Place, running_place
from tests.servers.loop import CALL_SECONDS_MAX
from tests.servers.postgres import create_database
from tests.servers.secrecy import mark

CLIENTLESS = "clientless"
LONELY = "lonely"  # where nobody gets an account


@dataclass(frozen=True)
class Person:
    """Somebody at a browser, who has an account at the provider and is sent there by the application."""

    browser: Browser
    place: Place
    number: int

    @property
    def grants(self) -> Grants:
        return self.place.world.grants

    def fail(self, path: str, fault: Fault, *, times: int | None = None) -> None:
        """Every request of this path meets the fault, or so many."""
        self.place.world.faults.add(Rule(fault=fault, path=path, times=times))

    @property
    def has_consented(self) -> bool:
        """The provider still knows of a consent to the operator's client."""
        return self.grants.has_grant(CLIENT.client_id, user_number=self.number)

    def open_consent(self, **params: str) -> str:
        """The address of the provider's page, where the application's link leads."""
        reply = self.browser.start(**{"scope": SERVICE, **params})
        assert reply.status_code == 303, reply.text
        reply = self.browser.client.get(reply.headers["location"])
        assert reply.status_code == 303, reply.text
        return str(reply.headers["location"])

    def answer(self, url: str, decision: str = "allow") -> str:
        """The address to which the provider sends people who have answered."""
        with httpx.Client(trust_env=False, timeout=CALL_SECONDS_MAX) as client:
            assert client.get(url).status_code == 200
            reply = client.post(url, data={"user": str(self.number), "decision": decision})
        assert reply.status_code == 302, reply.text
        return str(reply.headers["location"])

    def come_back(self, url: str) -> httpx.Response:
        """Follows the provider's redirect."""
        return self.browser.client.get(url)

    def connect(self, **params: str) -> httpx.Response:
        """From the first page to the result."""
        return self.come_back(self.answer(self.open_consent(**params)))

    def get_account(self) -> dict[str, object]:
        """Connects, and returns the account with its tokens, as the application sees it."""
        code = parse_qs(urlsplit(self.connect().headers["location"]).query)["code"][0]
        account_id = self.browser.exchange(code).json()["account_id"]
        return self.look(account_id)

    def look(self, account_id: object) -> dict[str, object]:
        """The account as the application sees it."""
        with self.browser.caller.client() as client:
            reply = client.get(f"/v1/accounts/{account_id}", params={"retrieve_tokens": "true"})
        assert reply.status_code == 200, reply.text
        account: dict[str, object] = reply.json()
        mark(str(account["token"]))
        return account

    def get_quota(self, account_id: object) -> httpx.Response:
        """A call that the provider has to answer."""
        with self.browser.caller.client() as client:
            return client.get(f"/v1/accounts/{account_id}/storage/quota")


@pytest.fixture(scope="session")
def place() -> Iterator[Place]:
    with running_place() as running:
        yield running


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def api(request: pytest.FixtureRequest, place: Place, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    given = {}
    if request.param == "postgresql":
        given["database_url"] = create_database(request.getfixturevalue("postgres_url"), f"t{secrets.token_hex(6)}")
    settings = build_settings(tmp_path_factory.mktemp("api"), **given)
    services = [
        build_service(place.url),
        build_service(place.url, name=LONELY),
        build_service(place.url, name=CLIENTLESS, client=None),
    ]
    with running_api(settings, registry=Registry([*build_registry_from(settings), *services])) as running:
        yield running


@pytest.fixture
def person(caller: Caller, place: Place) -> Iterator[Person]:
    """Somebody new at the provider, sent by an application with one redirect URI."""
    application = f"/v1/meta/applications/{caller.application_id}"
    with caller.api.client(caller.developer_header) as developer:
        assert developer.post(f"{application}/redirect_uris", json={"url": REDIRECT_URI}).status_code == 201
    number = len(list(place.world.users)) + 1
    place.world.users.add(User(number=number, email=f"person{number}@example.com", given_name="Some", surname="Body"))
    with caller.api.client({"Accept": "text/html"}) as client:
        yield Person(Browser(caller, client), place, number)
    place.world.faults.clear()
    place.world.grants.rotates_refresh_tokens = False
    place.world.grants.access_seconds = Grants(clock=place.world.clock).access_seconds
