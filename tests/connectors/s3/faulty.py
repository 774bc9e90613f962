"""A store whose connection and answers go wrong."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from connectors.core.resources import RawId, Ref
from connectors.core.service import Options
from connectors.s3.keys import is_hidden
from connectors.s3.manifest import COMPATIBLE_MANIFEST
from connectors.s3.service import build_compatible_service
from tests.connectors.behavior.targets import find_target
from tests.connectors.faulty.subject import FOLDER, Place, Subject, Tree, digest
from tests.servers.origin import Seen
from tests.servers.s3 import S3Server
from tests.servers.seaweedfs import SHARED_SEAWEEDFS


@cache
def get_client() -> Any:
    """One for the process, since making one takes long."""
    return SHARED_SEAWEEDFS.get().client().__enter__()


@dataclass(slots=True)
class S3Place(Place):
    """A prefix of the common bucket."""

    server: S3Server = field(default_factory=SHARED_SEAWEEDFS.get)
    prefix: str = field(default_factory=lambda: f"faulty-{secrets.token_hex(6)}/")

    def build_credentials(self, origin: str) -> dict[str, str]:
        return {
            "endpoint": origin,
            "access_key_id": self.server.access_key_id,
            "secret_access_key": self.server.secret_access_key,
            "bucket": self.server.bucket,
            "prefix": self.prefix,
        }

    def fill(self, files: Mapping[str, bytes], folders: tuple[str, ...]) -> None:
        for path, data in {**files, **{f"{folder}/": b"" for folder in folders}}.items():
            get_client().put_object(Bucket=self.server.bucket, Key=self.prefix + path, Body=data)

    def look(self) -> Tree:
        tree: dict[str, str | None] = {}
        for key in self._list_keys():
            path = key.removeprefix(self.prefix)
            if is_hidden(path) or not path:
                continue
            for end in (place for place, character in enumerate(path) if character == "/"):
                tree[path[:end]] = FOLDER
            if not path.endswith("/"):
                tree[path] = digest(get_client().get_object(Bucket=self.server.bucket, Key=key)["Body"].read())
        return tree

    def list_leftovers(self) -> list[str]:
        found = get_client().list_multipart_uploads(Bucket=self.server.bucket, Prefix=self.prefix)
        return [upload["Key"] for upload in found.get("Uploads", ())]

    def ref(self, path: str, *, is_folder: bool = False) -> Ref:
        return Ref("folder", RawId(f"/{path}/")) if is_folder else Ref("file", RawId(f"/{path}"))

    def _list_keys(self) -> Iterator[str]:
        paginator = get_client().get_paginator("list_objects_v2")
        for page in paginator.paginate(Bucket=self.server.bucket, Prefix=self.prefix):
            yield from (found["Key"] for found in page.get("Contents", ()))


def get_server() -> tuple[str, tuple[str, ...]]:
    """Its origin and secrets."""
    server = SHARED_SEAWEEDFS.get()
    return server.url, (server.secret_access_key, "AWS4-HMAC-SHA256")


def begins_parts(seen: Seen) -> bool:
    """A second one would begin another upload; who does not learn its id cannot give it up."""
    return seen.method == "POST" and seen.target.partition("?")[2].split("=")[0] == "uploads"


SUBJECTS = (
    Subject(
        name="seaweedfs",
        service=COMPATIBLE_MANIFEST.service,
        offers=find_target("seaweedfs").capabilities,
        build_service=lambda: build_compatible_service(Options()),
        get_server=get_server,
        make_place=S3Place,
        keeps_bodies=True,
        is_unsafe=begins_parts,
        is_unfindable=begins_parts,
        reads_reply=lambda seen: seen.method != "DELETE",
    ),
)
