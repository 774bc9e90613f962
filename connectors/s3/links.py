"""Addresses that work without credentials for a while.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-presigned-url.html
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Literal
from urllib.parse import quote

from connectors.core.errors import ConnectorError, ErrorKind
from connectors.core.resources import OnConflict, SignedUrl
from connectors.s3.client import Query
from connectors.s3.keys import Place
from connectors.s3.signing import sign_url
from connectors.s3.storage import Storage
from connectors.s3.versions import explain
from connectors.s3.writing import build_headers, choose


async def create_download_url(storage: Storage, raw_id: str, *, seconds: int, version_id: str | None) -> SignedUrl:
    """An address that gives the file as an attachment of its name."""
    place, _ = await storage.get_file(raw_id)
    if not place.can_be_sent:
        raise ConnectorError(ErrorKind.UNSUPPORTED, "a segment of its key is '.' or '..', which no URL can hold")
    query: list[tuple[str, str | None]] = [("response-content-disposition", build_disposition(place.name))]
    if version_id is not None:
        try:
            await storage.api.head_object(place, version_id=version_id)
        except ConnectorError as error:
            raise explain(error) from error
        query.append(("versionId", version_id))
    return sign_place(storage, "GET", place, query, seconds, {})


async def create_upload_url(storage: Storage, folder: Place, name: str, *, seconds: int) -> SignedUrl:
    """An address that stores a file; a folder of that name is in the way."""
    target = await choose(storage, folder, name, OnConflict.REPLACE)
    return sign_place(storage, "PUT", target.place, (), seconds, build_headers(name))


def build_disposition(name: str) -> str:
    """Says that a file of this name is to be saved: in ASCII for old readers, and as it is (RFC 6266)."""
    plain = "".join(character if character.isascii() and character.isprintable() else "_" for character in name)
    plain = plain.replace("\\", "_").replace('"', "_")
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"


def sign_place(
    storage: Storage,
    method: Literal["GET", "PUT"],
    place: Place,
    query: Query,
    seconds: int,
    headers: dict[str, str],
) -> SignedUrl:
    """The address of a place, signed with what the query and the headers say."""
    client = storage.api.client
    url = sign_url(
        storage.account,
        method,
        client.build_url(place, query),
        region=client.find_region(place.bucket),
        seconds=seconds,
        headers=headers,
    )
    expires_at = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=seconds)
    return SignedUrl(url=url, expires_at=expires_at, method=method, headers=headers)
