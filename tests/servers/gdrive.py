"""Our imitation of Google Drive on a socket, its answers judged, and clients for each of its users."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from google.oauth2.credentials import Credentials
from googleapiclient.discovery import build_from_document

from simulators.core.grants import Grant
from simulators.core.users import User
from simulators.core.world import SANDBOX_CLIENT, World, build_world
from simulators.gdrive.app import build_gdrive
from simulators.gdrive.discovery import load_document, localize
from simulators.gdrive.drive import Drive
from simulators.gdrive.seeding import add_sample
from tests.servers.asgi import serving
from tests.servers.gdrive_judging import Judge, Listening
from tests.servers.loop import run_beside
from tests.servers.tls import Certificate

DOCUMENT = load_document()
DIRECTORY_DOCUMENT = load_document("admin.directory_v1")
SPECS = os.environ.get("PROVIDER_SPECS_DIR") or None
"""A folder with published descriptions of providers: `google/drive.v3.json` is held against the answers, too."""


@dataclass
class Place:
    """One simulator of its own."""

    world: World
    drive: Drive
    listening: Listening
    url: str = ""

    def get_user(self, number: int) -> User:
        return self.world.users.get(number)

    def issue(self, number: int, *scopes: str, client_id: str = SANDBOX_CLIENT.client_id) -> tuple[str, str]:
        """An access token and a refresh token of that user."""
        grant = Grant(client_id=client_id, user_number=number, scopes=frozenset(scopes or {"drive"}))
        tokens = self.world.grants.issue(grant)
        return tokens.access_token, tokens.refresh_token or ""

    def build_credentials(self, number: int, *scopes: str) -> Credentials:
        access_token, refresh_token = self.issue(number, *scopes)
        return Credentials(  # type: ignore[no-untyped-call]  # its constructor has no types
            token=access_token,
            refresh_token=refresh_token,
            token_uri=f"{self.url}/token",
            client_id=SANDBOX_CLIENT.client_id,
            client_secret=SANDBOX_CLIENT.client_secret,
        )

    def build_service(self, number: int, *scopes: str) -> Any:
        """The official client, signed in as that user."""
        document = localize(deepcopy(DOCUMENT), self.url)  # it changes what it is given
        return build_from_document(document, credentials=self.build_credentials(number, *scopes))

    def build_directory(self, number: int) -> Any:
        """The official client of the Directory API, signed in as that user."""
        document = localize(deepcopy(DIRECTORY_DOCUMENT), self.url)
        scopes = ("admin.directory.user.readonly", "admin.directory.group.readonly")
        return build_from_document(document, credentials=self.build_credentials(number, *scopes))

    def store(self, number: int, name: str, data: bytes, mime_type: str = "text/plain") -> str:
        """A file in the root of that user's Drive, put there without the API; its id."""
        user, now = self.get_user(number), self.world.clock.now()
        return add_sample(self.drive, user, self.drive.store.get_root(user), name, mime_type, now, data=data).id

    def empty(self, number: int) -> None:
        """Deletes all that is in that user's Drive, so that nobody has to look through it again."""
        store = self.drive.store

        async def delete() -> None:
            for file in store.list_children(store.get_root(self.get_user(number)).id):
                store.delete(file)

        run_beside(delete())

    @contextmanager
    def client(self, number: int, *scopes: str) -> Iterator[httpx.Client]:
        """A plain client, signed in as that user."""
        headers = {"Authorization": f"Bearer {self.issue(number, *scopes)[0]}"}
        with httpx.Client(base_url=self.url, headers=headers, trust_env=False, timeout=30) as client:
            yield client


@contextmanager
def running_place(certificate: Certificate | None = None) -> Iterator[Place]:
    """A simulator without any files; afterwards every answer that it gave has been found right."""
    world = build_world()
    app = build_gdrive(world, samples=[])
    listening = Listening(app, build_judges())
    with serving(listening, certificate=certificate) as url:
        yield Place(world, app.state.drive, listening, url)
    assert listening.problems == []


def build_judges() -> list[Judge]:
    """What the client carries, always; what is published elsewhere, if it is at hand."""
    judges = [Judge("client", DOCUMENT), Judge("directory", DIRECTORY_DOCUMENT)]
    if SPECS:
        judges.append(Judge("specs", json.loads((Path(SPECS) / "google" / "drive.v3.json").read_text())))
    return judges
