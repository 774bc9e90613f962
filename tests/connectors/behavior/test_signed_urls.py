from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from connectors.core.bytesource import BytesSource
from connectors.core.errors import ErrorKind
from connectors.core.resources import RawId, SignedUrl
from tests.connectors.behavior.space import Space, refused

SECONDS = 600
CLOCK_DIFFERENCE = timedelta(minutes=5)


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    """A stranger, who has nothing but the address."""
    async with httpx.AsyncClient(trust_env=False, follow_redirects=True, timeout=30) as client:
        yield client


async def use(client: httpx.AsyncClient, signed: SignedUrl, body: bytes | None = None) -> httpx.Response:
    return await client.request(signed.method, signed.url, headers=signed.headers, content=body)


@pytest.mark.needs("create_download_url")
@pytest.mark.parametrize("name", ["a.txt", "100% Gr\u00f6\u00dfe + \u65e5\u672c #?.txt", 'quo"ted;.txt'])
async def test_bytes_come_as_an_attachment_when_a_download_address_is_used(
    space: Space, client: httpx.AsyncClient, name: str
) -> None:
    file = await space.put(name, b"some bytes")
    signed = await space.connector.create_download_url(file.raw_id, seconds=SECONDS)
    reply = await use(client, signed)
    assert (reply.status_code, reply.content) == (200, b"some bytes")
    assert reply.headers["content-disposition"].startswith("attachment")
    assert signed.method == "GET"
    assert abs(signed.expires_at - datetime.now(UTC) - timedelta(seconds=SECONDS)) < CLOCK_DIFFERENCE


@pytest.mark.needs("create_download_url", "list_versions")
async def test_old_bytes_come_when_the_address_is_for_an_old_version(space: Space, client: httpx.AsyncClient) -> None:
    file = await space.put("a.txt", b"old")
    await space.connector.replace(file.raw_id, BytesSource(b"new"))
    oldest = (await space.connector.list_versions(file.raw_id)).versions[-1].raw_id
    signed = await space.connector.create_download_url(file.raw_id, seconds=SECONDS, version=oldest)
    assert (await use(client, signed)).content == b"old"


@pytest.mark.needs("create_download_url")
async def test_not_found_when_the_file_to_download_is_gone(space: Space) -> None:
    file = await space.put("a.txt")
    await space.connector.delete(file.ref)
    for raw_id in (file.raw_id, RawId("no such id")):
        with refused(ErrorKind.NOT_FOUND):
            await space.connector.create_download_url(raw_id, seconds=SECONDS)


@pytest.mark.needs("create_download_url")
async def test_refused_when_a_folder_is_to_be_downloaded(space: Space) -> None:
    folder = await space.make("a")
    with refused(ErrorKind.WRONG_TYPE, ErrorKind.NOT_FOUND):
        await space.connector.create_download_url(folder.raw_id, seconds=SECONDS)


@pytest.mark.needs("create_upload_url")
@pytest.mark.parametrize("name", ["a.txt", "100% Gr\u00f6\u00dfe + \u65e5\u672c #?.txt"])
async def test_body_is_stored_when_an_upload_address_is_used(
    space: Space, client: httpx.AsyncClient, name: str
) -> None:
    signed = await space.connector.create_upload_url(space.folder, name, seconds=SECONDS)
    await space.holds()
    assert (await use(client, signed, b"some bytes")).is_success
    await space.holds(name)
    files = [resource async for resource in space.walk()]
    assert await space.read(files[0].raw_id) == b"some bytes"


@pytest.mark.needs("create_upload_url", "names_unique")
async def test_file_is_replaced_when_an_upload_address_has_its_name(space: Space, client: httpx.AsyncClient) -> None:
    file = await space.put("a.txt", b"old")
    signed = await space.connector.create_upload_url(space.folder, "a.txt", seconds=SECONDS)
    assert await space.read(file.raw_id) == b"old"
    assert (await use(client, signed, b"new")).is_success
    await space.settled(lambda: space.read(file.raw_id), b"new")
    await space.holds("a.txt")


@pytest.mark.needs("create_upload_url")
async def test_not_found_when_the_folder_to_upload_to_is_gone(space: Space) -> None:
    gone = await space.make("gone")
    await space.connector.delete(gone.ref)
    with refused(ErrorKind.NOT_FOUND):
        await space.connector.create_upload_url(gone.raw_id, "a.txt", seconds=SECONDS)


@pytest.mark.needs("create_upload_url")
async def test_invalid_name_when_an_upload_address_is_asked_for_a_name_that_cannot_be(space: Space) -> None:
    for name in ("", "a/b", ".."):
        with refused(ErrorKind.INVALID_NAME):
            await space.connector.create_upload_url(space.folder, name, seconds=SECONDS)


@pytest.mark.needs("create_download_url")
async def test_refused_when_it_should_live_longer_than_it_can(space: Space) -> None:
    file = await space.put("a.txt")
    for seconds in (0, -1, space.target.limits.signed_url_seconds_max + 1):
        with refused(ErrorKind.UNSUPPORTED):
            await space.connector.create_download_url(file.raw_id, seconds=seconds)
    longest = space.target.limits.signed_url_seconds_max
    await space.connector.create_download_url(file.raw_id, seconds=longest)
