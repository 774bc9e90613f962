"""Accounts that transfers go between, one class a kind of storage: filled and looked at without the server, which gets
to those on other servers only by a bad road.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, Protocol
from urllib.parse import urlsplit

from tests.servers.s3 import S3Server
from tests.servers.seaweedfs import SHARED_SEAWEEDFS
from tests.servers.toxic import ToxicProxy, running_toxic_proxy
from tests.servers.toxics import Direction, Latency, LimitData, ResetPeer, Toxic
from tests.servers.webdav import WebDavServer
from tests.servers.wsgidav import SHARED_WSGIDAV

HIDDEN = ".kloudless-"
UNFINISHED = ".kloudless-parts-"
LATER_SECONDS = 5.0
"""How much later a file seems to be replaced: some storages tell times by the second."""

FAULTS: tuple[tuple[Toxic, Direction, float], ...] = (
    (Latency(0.02, jitter_seconds=0.02), Direction.DOWNSTREAM, 0.3),
    (LimitData(300), Direction.DOWNSTREAM, 0.05),
    (LimitData(3_000_000), Direction.DOWNSTREAM, 0.2),
    (LimitData(2_000), Direction.UPSTREAM, 0.05),
    (LimitData(5_000_000), Direction.UPSTREAM, 0.2),
    (ResetPeer(0.2), Direction.DOWNSTREAM, 0.1),
)
"""What connections on a bad road suffer, and how many of them. The limits cut heads, small files and parts."""


class Roads:
    """The ways to the servers that places are on."""

    def __init__(self, proxies: Mapping[str, ToxicProxy]) -> None:
        self._proxies = proxies

    def lead(self, url: str) -> str:
        """The same URL by the road to its server."""
        parts = urlsplit(url)
        return parts._replace(netloc=f"127.0.0.1:{self._proxies[parts.netloc].port}").geturl()

    @contextmanager
    def bad(self) -> Iterator[None]:
        """Until the block ends, connections suffer."""
        added = [
            (proxy, proxy.add(toxic, way, toxicity=share))
            for proxy in self._proxies.values()
            for toxic, way, share in FAULTS
        ]
        try:
            yield
        finally:
            for proxy, fault in added:
                proxy.remove(fault)


@contextmanager
def open_roads(seed: int) -> Iterator[Roads]:
    """Roads to both servers, good ones at first; all chance on them comes from the seed."""
    with ExitStack() as stack:
        proxies = {}
        for url in (SHARED_SEAWEEDFS.get().url, SHARED_WSGIDAV.get().url):
            address = urlsplit(url)
            proxy = running_toxic_proxy(address.hostname or "", address.port or 0, random=Random(seed))
            proxies[address.netloc] = stack.enter_context(proxy)
        yield Roads(proxies)


class Place(Protocol):
    """An account's storage and how to connect it."""

    @property
    def name(self) -> str:
        """Tells it from all others."""
        ...

    @property
    def connectors(self) -> dict[str, Any]:
        """What KLOUDLESS_CONNECTORS must say."""
        ...

    @property
    def credentials(self) -> dict[str, str]:
        """What `POST /v1/accounts` needs besides the account's name."""
        ...

    def put(self, files: Mapping[str, bytes]) -> None:
        """Stores files by path; the same path again replaces the file."""
        ...

    def read(self) -> dict[str, bytes]:
        """Every file that anybody can see."""
        ...

    def list_stamps(self) -> dict[str, object]:
        """By file, what changes when it is written again, even with the same bytes."""
        ...

    def list_unfinished(self) -> list[str]:
        """Uploads that were begun and neither finished nor aborted."""
        ...


@dataclass(frozen=True)
class Folder:
    """What a place on this machine's disk holds."""

    path: Path

    def put(self, files: Mapping[str, bytes]) -> None:
        """Each appears whole."""
        for name, data in files.items():
            place = self.path / name
            place.parent.mkdir(parents=True, exist_ok=True)
            new = place.with_name(f".new-{place.name}")
            new.write_bytes(data)
            if place.exists():
                times = new.stat()
                os.utime(new, (times.st_atime + LATER_SECONDS, times.st_mtime + LATER_SECONDS))
            new.replace(place)

    def read(self) -> dict[str, bytes]:
        """By path."""
        return {name: path.read_bytes() for name, path in self._list().items()}

    def list_stamps(self) -> dict[str, object]:
        """By path."""
        found = {name: path.stat() for name, path in self._list().items()}
        return {name: (status.st_ino, status.st_mtime_ns) for name, status in found.items()}

    def _list(self) -> dict[str, Path]:
        return {
            str(path.relative_to(self.path)): path
            for path in self.path.rglob("*")
            if path.is_file() and not path.name.startswith(HIDDEN)
        }


@dataclass(frozen=True)
class LocalPlace(Folder):
    """A folder of this machine."""

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def connectors(self) -> dict[str, Any]:
        root = {"folder": str(self.path), "applications": ["*"]}
        return {"local": {"roots": {self.name: root}, "allow_api_accounts": True}}

    @property
    def credentials(self) -> dict[str, str]:
        return {"service": "local", "token": self.name}

    def list_unfinished(self) -> list[str]:
        return [path.name for path in self.path.rglob(f"{UNFINISHED}*")]  # others are swept when they are a minute old


@dataclass(frozen=True)
class WebDavPlace(Folder):
    """A folder of a WebDAV server, which has no uploads in parts."""

    server: WebDavServer
    roads: Roads

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def connectors(self) -> dict[str, Any]:
        return {}

    @property
    def credentials(self) -> dict[str, str]:
        url = self.roads.lead(f"{self.server.url}{self.name}/")
        return {"service": "webdav", "url": url, "username": self.server.user, "password": self.server.password}

    def list_unfinished(self) -> list[str]:
        return []


@dataclass(frozen=True)
class S3Place:
    """A folder of a bucket."""

    server: S3Server
    name: str
    roads: Roads

    @property
    def connectors(self) -> dict[str, Any]:
        return {}

    @property
    def credentials(self) -> dict[str, str]:
        return {
            "service": "s3_compatible",
            "endpoint": self.roads.lead(self.server.url),
            "access_key_id": self.server.access_key_id,
            "secret_access_key": self.server.secret_access_key,
            "bucket": self.server.bucket,
            "prefix": self.name,
        }

    def put(self, files: Mapping[str, bytes]) -> None:
        with self.server.client() as client:
            for path, data in files.items():
                client.put_object(Bucket=self.server.bucket, Key=f"{self.name}/{path}", Body=data)

    def read(self) -> dict[str, bytes]:
        with self.server.client() as client:
            return {
                path: client.get_object(Bucket=self.server.bucket, Key=found["Key"])["Body"].read()
                for path, found in self._list(client).items()
            }

    def list_stamps(self) -> dict[str, object]:
        with self.server.client() as client:
            return {path: (found["ETag"], found["LastModified"]) for path, found in self._list(client).items()}

    def list_unfinished(self) -> list[str]:
        with self.server.client() as client:
            reply = client.list_multipart_uploads(Bucket=self.server.bucket, Prefix=f"{self.name}/")
        return [upload["Key"] for upload in reply.get("Uploads", ())]

    def _list(self, client: Any) -> dict[str, Any]:
        start = f"{self.name}/"
        pages = client.get_paginator("list_objects_v2").paginate(Bucket=self.server.bucket, Prefix=start)
        found = {each["Key"].removeprefix(start): each for page in pages for each in page.get("Contents", ())}
        return {path: each for path, each in found.items() if path and not path.endswith("/")}  # the rest are markers


def build_local(folder: Path, name: str, _roads: Roads) -> Place:
    """A new folder below `folder`."""
    (folder / name).mkdir()
    return LocalPlace(folder / name)


def build_webdav(_folder: Path, name: str, roads: Roads) -> Place:
    """A new folder of the server that this test process shares."""
    server = SHARED_WSGIDAV.get()
    (server.root / name).mkdir()
    return WebDavPlace(server.root / name, server, roads)


def build_s3(_folder: Path, name: str, roads: Roads) -> Place:
    """A new folder of the bucket that this test process shares."""
    return S3Place(SHARED_SEAWEEDFS.get(), name, roads)


BUILDERS: dict[str, Callable[[Path, str, Roads], Place]] = {
    "local": build_local,
    "s3": build_s3,
    "webdav": build_webdav,
}


def merge_connectors(places: Iterable[Place]) -> dict[str, Any]:
    """One setting for all of them."""
    merged: dict[str, Any] = {}
    for place in places:
        for service, given in place.connectors.items():
            mine = merged.setdefault(service, {})
            for name, value in given.items():
                if isinstance(value, dict):
                    mine.setdefault(name, {}).update(value)
                else:
                    mine[name] = value
    return merged
