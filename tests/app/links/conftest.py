"""Links to a fresh file, for the application that makes them and for a visitor who has nothing but the address."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

import httpx
import pytest
from sqlalchemy import select, update

from app.models import Link
from tests.app.drive import Drive, read_json
from tests.app.sharing import SharingDrive
from tests.servers.api import Caller

CONTENT = b"0123456789"
PAGE = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
PASSWORD = "pass-w\N{LATIN SMALL LETTER O WITH DIAERESIS}rd & more"
WRONG = "This is not the password."


@dataclass(frozen=True)
class Page:
    """What a visitor's browser would read from a page."""

    text: str
    words: list[str] = field(default_factory=list)
    tags: list[tuple[str, dict[str, str | None]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        parser = _Reader(self.words, self.tags)
        parser.feed(self.text)
        parser.close()

    def find(self, tag: str) -> dict[str, str | None]:
        """The attributes of the only tag of that name."""
        (found,) = (attributes for name, attributes in self.tags if name == tag)
        return found

    def has(self, tag: str) -> bool:
        return any(name == tag for name, _ in self.tags)


class _Reader(HTMLParser):
    def __init__(self, words: list[str], tags: list[tuple[str, dict[str, str | None]]]) -> None:
        super().__init__()
        self._words, self._tags = words, tags

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self._tags.append((tag, dict(attributes)))

    def handle_data(self, data: str) -> None:
        self._words += [data.strip()] if data.strip() else []


@dataclass(frozen=True)
class Links:
    """The links of one account and a file to link to."""

    drive: Drive
    file: dict[str, Any]

    @property
    def url(self) -> str:
        return self.drive.url("links")

    def create(self, **body: object) -> dict[str, Any]:
        """A new link to the file, unless another is given."""
        created = self.drive.client.post(self.url, json={"file_id": self.file["id"], **body})
        return read_json(created, status=201)

    def change(self, link: dict[str, Any], **body: object) -> dict[str, Any]:
        return read_json(self.drive.client.patch(link["href"], json=body))

    def list_ids(self, **params: str) -> list[str]:
        return [link["id"] for link in read_json(self.drive.client.get(self.url, params=params))["objects"]]

    def get_row(self, link: dict[str, Any]) -> Link:
        """The row behind a link."""

        async def load() -> Link | None:
            async with self.drive.caller.api.state.db.reading() as session:
                return await session.scalar(select(Link).where(Link.id == link["id"]))

        row = self.drive.caller.api.run(load())
        assert row is not None
        return row

    def set_row(self, link: dict[str, Any], **values: object) -> None:
        """Changes the row, as time or another process would have."""

        async def change() -> None:
            async with self.drive.caller.api.state.db.writing() as session:
                await session.execute(update(Link).where(Link.id == link["id"]).values(**values))

        self.drive.caller.api.run(change())


@pytest.fixture
def links(caller: Caller, client: httpx.Client) -> Links:
    """At a storage that knows files by their path."""
    drive = Drive(caller, client)
    return Links(drive, drive.upload("a file.txt", CONTENT))


@pytest.fixture
def signing(sharing: SharingDrive) -> Links:
    """At a storage that can sign addresses."""
    return Links(sharing, sharing.upload("a file.txt", CONTENT))


@pytest.fixture
def visitor(caller: Caller) -> Iterator[httpx.Client]:
    """Somebody without credentials, who keeps cookies and does not follow redirects by himself."""
    with caller.api.client() as client:
        yield client


@pytest.fixture
def browser(caller: Caller) -> Iterator[httpx.Client]:
    """A visitor who wants to see pages."""
    with caller.api.client(PAGE) as client:
        yield client
