"""What lets others in: links as whoever has them sees them, pictures, and channels on which Drive calls."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from PIL import Image

from connectors.core.clock import ManualClock
from connectors.core.errors import ErrorKind
from connectors.core.resources import File, PermissionChange
from connectors.core.sharing import Hints, LinkChange, Notice, Thumbnail
from connectors.gdrive.api import Api
from connectors.gdrive.channels import read_notice
from connectors.gdrive.drive import Drive, Known
from connectors.gdrive.manifest import MANIFEST, ORIGIN
from connectors.gdrive.thumbnails import get_thumbnail
from simulators.core.faults import FaultKind
from simulators.core.users import User
from tests.connectors.behavior.space import refused
from tests.connectors.gdrive.conftest import ROOT, Account, Open
from tests.servers.gdrive import Place

SECRET = "the channel's token"
WATCH, STOP = "/drive/v3/changes/watch", "/drive/v3/channels/stop"


def open_link(url: str) -> int:
    """What a browser gets that nobody signed in."""
    return httpx.get(url, trust_env=False).status_code


def download(account: Account, file: File) -> int:
    """The same with the bytes behind it."""
    return open_link(f"{account.place.url}/uc?id={file.raw_id}&export=download")


class TestLinks:
    async def test_everybody_sees_the_file_until_the_link_is_ended(self, account: Account) -> None:
        file = await account.put("a.txt")
        link = await account.connector.create_link(file.ref, LinkChange())
        assert (open_link(link.url), download(account, file)) == (200, 200)
        await account.connector.delete_link(file.ref, link.raw_id)
        assert (open_link(link.url), download(account, file)) == (401, 401)

    async def test_bytes_are_kept_back_from_readers_when_that_was_wished(self, account: Account) -> None:
        file = await account.put("a.txt")
        link = await account.connector.create_link(file.ref, LinkChange(can_download=False))
        assert (open_link(link.url), download(account, file)) == (200, 401)
        with refused(ErrorKind.UNSUPPORTED):
            await account.connector.update_link(file.ref, link.raw_id, LinkChange(role="writer"))
        await account.connector.update_link(file.ref, link.raw_id, LinkChange(can_download=True))
        assert download(account, file) == 200

    async def test_nothing_is_kept_back_when_no_link_could_be_made(self, account: Account) -> None:
        file = await account.put("a.txt")
        account.fail(FaultKind.UNAVAILABLE, "/permissions$", method="POST", times=100)
        with refused(ErrorKind.UNAVAILABLE):
            await account.connector.create_link(file.ref, LinkChange(can_download=False))
        assert not account.place.drive.store.get(file.raw_id).needs_writer_to_copy

    async def test_address_stays_when_the_audience_changes(self, account: Account) -> None:
        file = await account.put("a.txt")
        link = await account.connector.create_link(file.ref, LinkChange(role="writer"))
        changed = await account.connector.update_link(file.ref, link.raw_id, LinkChange(audience="domain"))
        assert (changed.audience, changed.role, changed.url) == ("domain", "writer", link.url)
        assert await account.connector.list_links(file.ref) == [changed]
        assert open_link(link.url) == 401

    async def test_link_is_not_one_of_what_lies_in_the_folder(self, account: Account) -> None:
        folder = await account.connector.create_folder(ROOT, "folder")
        inner = await account.connector.create_folder(folder.raw_id, "inner")
        await account.connector.create_link(folder.ref, LinkChange())
        assert await account.connector.list_links(inner.ref) == []
        assert open_link(f"{account.place.url}/file/d/{inner.raw_id}/view") == 200

    async def test_unsupported_when_the_account_has_no_organisation(self, place: Place, open_as: Open) -> None:
        place.world.users.add(User(number=9, email="dora@gmail.com", given_name="Dora", surname="Sample"))
        account = open_as(9)
        file = await account.put("a.txt")
        with refused(ErrorKind.UNSUPPORTED):
            await account.connector.create_link(file.ref, LinkChange(audience="domain"))

    async def test_permission_denied_when_the_account_may_only_read(self, account: Account, open_as: Open) -> None:
        file = await account.put("a.txt")
        wish = PermissionChange(role="reader", email="ben@example.com")
        await account.connector.set_permissions(file.ref, [wish], is_replacing=False)
        with refused(ErrorKind.PERMISSION_DENIED):
            await open_as(2).connector.create_link(file.ref, LinkChange())


class TestThumbnails:
    @pytest.mark.parametrize(
        ("link", "asked"),
        [
            ("https://lh3.googleusercontent.com/drive-storage/abc=s220", ["=s64"]),
            ("https://lh3.googleusercontent.com/no-size", ["no-size"]),
            ("https://anybody.googleusercontent.com/abc=s220", []),
            ("https://lh3.googleusercontent.com.example.com/abc=s220", []),
            ("https://example.com/lh3.googleusercontent.com=s220", []),
        ],
    )
    async def test_token_goes_to_googles_own_pictures_only(self, link: str, asked: list[str]) -> None:
        requests: list[httpx.Request] = []

        async def send(request: httpx.Request) -> httpx.Response:
            requests.append(request)
            if len(requests) == 1:
                file = {"id": "1", "mimeType": "image/png", "thumbnailLink": link}
                return httpx.Response(200, json=file, request=request)
            return httpx.Response(200, content=b"png", headers={"content-type": "image/png"}, request=request)

        drive = Drive(Api(send, ORIGIN), Known(), {}, ManualClock(), MANIFEST.allowed_hosts)
        found = await get_thumbnail(drive, "1", 64)
        assert found == (Thumbnail(b"png", "image/png") if asked else None)
        assert [request.url.path[-len(end) :] for request, end in zip(requests[1:], asked, strict=True)] == asked

    @pytest.mark.parametrize("status", [401, 403, 404])
    async def test_none_when_it_is_not_given(self, account: Account, status: int) -> None:
        drawn = io.BytesIO()
        Image.new("RGB", (30, 20), "green").save(drawn, "PNG")
        picture = await account.put("a.png", drawn.getvalue())
        account.fail(FaultKind.UNAVAILABLE, "^/thumbnails/", status=status)
        assert await account.connector.get_thumbnail(picture.raw_id, size_px=64, image_format="png") is None
        assert await account.connector.get_thumbnail(picture.raw_id, size_px=64, image_format="png") is not None


class TestChannels:
    async def test_another_takes_its_place_and_it_is_closed_when_its_answer_was_lost(self, account: Account) -> None:
        account.fail(FaultKind.LOST_ANSWER, "/changes/watch$")
        subscription = await account.connector.subscribe(url="https://example.com/", secret=SECRET, seconds=60)
        await account.connector.unsubscribe(subscription)
        requests = account.place.listening.requests
        asked = [(path, status) for _, path, status in requests[1:]]
        assert asked == [(WATCH, 503), (WATCH, 400), (WATCH, 200), (STOP, 204), (STOP, 204)]

    async def test_renewed_one_is_returned_when_the_old_one_cannot_be_closed(self, account: Account) -> None:
        wish = {"url": "https://example.com/", "secret": SECRET}
        old = await account.connector.subscribe(**wish, seconds=60)
        account.fail(FaultKind.UNAVAILABLE, STOP, times=100)
        new = await account.connector.renew_subscription(old, **wish, seconds=3600)
        assert (old.expires_at, new.expires_at) == tuple(sorted(filter(None, (old.expires_at, new.expires_at))))

    async def test_it_lasts_a_week_at_most(self, account: Account) -> None:
        before = datetime.now(UTC)
        subscription = await account.connector.subscribe(url="https://example.com/", secret=SECRET, seconds=10**7)
        assert subscription.expires_at is not None
        assert timedelta(days=6) < subscription.expires_at - before < timedelta(days=7, minutes=10)

    async def test_address_refused_when_it_is_not_https(self, account: Account) -> None:
        with refused(ErrorKind.ADDRESS_REFUSED):
            await account.connector.subscribe(url="http://example.com/", secret=SECRET, seconds=60)

    @pytest.mark.parametrize(("state", "ids"), [("sync", ()), ("change", ("1",)), ("", ("1",))])
    def test_first_message_tells_of_no_change(self, state: str, ids: tuple[str, ...]) -> None:
        headers = {"x-goog-channel-id": "1", "x-goog-channel-token": SECRET, "x-goog-resource-state": state}
        notice = Notice(method="POST", query={}, headers=headers, body=b"")
        assert read_notice(notice, SECRET) == Hints(subscription_ids=ids)

    @pytest.mark.parametrize(
        ("token", "secret"), [("", ""), ("", SECRET), (SECRET, ""), ("\xe9", SECRET), (SECRET[:-1], SECRET)]
    )
    def test_message_is_refused_when_its_token_is_another(self, token: str, secret: str) -> None:
        notice = Notice(
            method="POST", query={}, headers={"x-goog-channel-id": "1", "x-goog-channel-token": token}, body=b""
        )
        with refused(ErrorKind.PERMISSION_DENIED):
            read_notice(notice, secret)
