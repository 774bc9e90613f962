"""An application that sends somebody to connect an account, and the browser in which that happens."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from tests.app.links.conftest import Page
from tests.servers.api import Caller

REDIRECT_URI = "https://app.example.com/back?from=here"
OUT_OF_BAND = "urn:ietf:wg:oauth:2.0:oob"
ORIGIN = "https://page.example.com"


@dataclass(frozen=True)
class Browser:
    """Somebody without credentials, who keeps cookies, sees pages, and follows redirects one by one."""

    caller: Caller
    client: httpx.Client

    def start(self, **params: str) -> httpx.Response:
        """Opens the first page as the application wants it."""
        given = {"client_id": self.caller.application_id, "response_type": "code", "redirect_uri": REDIRECT_URI}
        return self.client.get("/v1/oauth", params={**given, **params})

    def open_form(self, **params: str) -> str:
        """The path of the form of the one service that is asked for."""
        reply = self.start(**{"scope": "sharing", **params})
        assert reply.status_code == 303, reply.text
        return reply.headers["location"]

    def submit(self, path: str, **values: str) -> httpx.Response:
        """Fills in the form and sends it."""
        return self.client.post(path, data={"store": f"store-{secrets.token_hex(4)}", **values})

    def connect(self, **params: str) -> httpx.Response:
        """From the first page to the result."""
        return self.submit(self.open_form(**params))

    def exchange(self, made: str, /, **fields: str) -> httpx.Response:
        """Asks for the token as the application's server does."""
        given = {
            "grant_type": "authorization_code",
            "code": made,
            "redirect_uri": REDIRECT_URI,
            "client_id": self.caller.application_id,
            "client_secret": self.caller.api_key,
        }
        return self.client.post("/v1/oauth/token", data={**given, **fields})


def read_query(reply: httpx.Response) -> dict[str, str]:
    """What a redirect brings in its query."""
    assert reply.status_code == 303, reply.text
    return {name: values[0] for name, values in parse_qs(urlsplit(reply.headers["location"]).query).items()}


def read_fragment(reply: httpx.Response) -> dict[str, str]:
    """What a redirect brings in its fragment."""
    assert reply.status_code == 303, reply.text
    return {name: values[0] for name, values in parse_qs(urlsplit(reply.headers["location"]).fragment).items()}


def read_message(reply: httpx.Response) -> dict[str, object]:
    """The message that a page would send to its opener."""
    (attributes,) = [found for tag, found in Page(reply.text).tags if tag == "p" and found.get("id") == "message"]
    message = attributes["data-message"]
    assert message is not None
    assert message.startswith("kloudless:")
    assert attributes["data-origin"] == ORIGIN
    value: dict[str, object] = json.loads(message.removeprefix("kloudless:"))
    return value


@pytest.fixture
def browser(caller: Caller) -> Iterator[Browser]:
    """For an application with one redirect URI and one trusted domain, which may have tokens in fragments."""
    application = f"/v1/meta/applications/{caller.application_id}"
    with caller.api.client(caller.developer_header) as developer:
        assert developer.post(f"{application}/redirect_uris", json={"url": REDIRECT_URI}).status_code == 201
        assert developer.post(f"{application}/trusted_domains", json={"domain": ORIGIN}).status_code == 201
        assert developer.patch(application, json={"implicit_grant_enabled": True}).status_code == 200
    with caller.api.client({"Accept": "text/html"}) as client:
        yield Browser(caller, client)
