"""Our imitation of Dropbox on a socket, its answers judged, and clients for each of its users."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import dropbox
import httpx
import requests
from requests.adapters import HTTPAdapter

from simulators.core.grants import Grant
from simulators.core.samples import SampleFile
from simulators.core.users import User
from simulators.core.world import SANDBOX_CLIENT, World, build_world
from simulators.dropbox.app import build_dropbox
from simulators.dropbox.scopes import DEFAULT_SCOPES
from simulators.dropbox.state import State
from tests.servers.asgi import serving
from tests.servers.dropbox_judging import Listening, Schemas, Sdk
from tests.servers.tls import Certificate

SPECS = os.environ.get("PROVIDER_SPECS_DIR") or None
"""A folder with published descriptions of providers: `dropbox/types.schema.json` is held against the answers, too."""


class Rerouting(HTTPAdapter):
    """Takes what is meant for Dropbox's hosts to the simulator, with the host that was meant."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self._url = url

    def send(self, request: requests.PreparedRequest, *arguments: Any, **options: Any) -> requests.Response:
        parts = urlsplit(str(request.url))
        request.headers["Host"] = parts.netloc
        request.url = f"{self._url}{parts.path}" + (f"?{parts.query}" if parts.query else "")
        return super().send(request, *arguments, **options)


@dataclass
class Place:
    """One simulator of its own."""

    world: World
    state: State
    listening: Listening
    url: str = ""
    certificate: Certificate | None = None
    stack: ExitStack = field(default_factory=ExitStack)

    def get_user(self, number: int) -> User:
        return self.world.users.get(number)

    def issue(self, number: int, *scopes: str) -> tuple[str, str]:
        """An access token and a refresh token of that user."""
        allowed = frozenset(scopes) or DEFAULT_SCOPES
        grant = Grant(client_id=SANDBOX_CLIENT.client_id, user_number=number, scopes=allowed)
        tokens = self.world.grants.issue(grant)
        return tokens.access_token, tokens.refresh_token or ""

    def build_session(self) -> requests.Session:
        session = self.stack.enter_context(requests.Session())
        session.trust_env = False
        if self.certificate is not None:
            session.verify = str(self.certificate.authority_path)
        session.mount("https://", Rerouting(self.url))
        return session

    def build_sdk(self, number: int, *scopes: str, **options: Any) -> dropbox.Dropbox:
        """The official client, signed in as that user."""
        access_token, _ = self.issue(number, *scopes)
        return dropbox.Dropbox(access_token, session=self.build_session(), **options)

    def build_client(self, number: int, *scopes: str) -> httpx.Client:
        """A plain client, signed in as that user."""
        headers = {"Authorization": f"Bearer {self.issue(number, *scopes)[0]}"}
        client = httpx.Client(base_url=self.url, headers=headers, trust_env=False, timeout=60)
        return self.stack.enter_context(client)


@contextmanager
def running_place(
    certificate: Certificate | None = None, *, samples: list[SampleFile] | None = None
) -> Iterator[Place]:
    """A simulator without any files but these; afterwards every answer that it gave has been found right."""
    world = build_world()
    app = build_dropbox(world, samples=samples or [])
    listening = Listening(app, build_judges())
    with serving(listening, certificate=certificate) as url, ExitStack() as stack:
        yield Place(world, app.state.dropbox, listening, url, certificate, stack)
    assert listening.problems == [], listening.problems


def build_judges() -> list[Any]:
    """What the SDK carries, always; what is published elsewhere, if it is at hand."""
    return [Sdk(), *([Schemas(Path(SPECS) / "dropbox")] if SPECS else [])]
