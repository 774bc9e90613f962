from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import httpx
import msgspec
import pytest

from connectors.core.bytesource import BytesSource
from connectors.core.connector import Connector
from connectors.core.errors import ErrorKind
from connectors.core.resources import File, OnConflict, RawId, Ref
from connectors.core.sharing import LinkChange, SharedLink
from connectors.dropbox.links import build_link, build_link_id
from connectors.dropbox.payloads import LinkInfo
from simulators.core.faults import FaultKind
from simulators.dropbox import sharing_links
from simulators.dropbox.sharing_links import AUDIENCES
from tests.connectors.behavior.space import refused
from tests.connectors.dropbox.conftest import Fail
from tests.servers.dropbox import Place

LATER = datetime(2100, 1, 1, tzinfo=UTC)


@pytest.fixture
async def file(connector: Connector) -> File:
    root = connector.manifest.root.raw_id
    return await connector.upload(root, "a.txt", BytesSource(b"bytes"), on_conflict=OnConflict.FAIL)


async def open_link(link: SharedLink, password: str | None = None) -> httpx.Response:
    """As anybody with a browser."""
    url = link.url.replace("dl=0", "dl=1")
    async with httpx.AsyncClient(trust_env=False) as browser:
        return await (browser.get(url) if password is None else browser.post(url, data={"password": password}))


async def test_address_gives_the_bytes_as_long_as_the_link_lets_it(connector: Connector, file: File) -> None:
    link = await connector.create_link(file.ref, LinkChange())
    assert (await open_link(link)).content == b"bytes"
    await connector.update_link(file.ref, link.raw_id, LinkChange(password="secret"))
    answers = [await open_link(link), await open_link(link, "wrong"), await open_link(link, "secret")]
    assert [answer.status_code for answer in answers] == [403, 403, 200]
    await connector.update_link(file.ref, link.raw_id, LinkChange(password=None, can_download=False))
    assert (await open_link(link)).status_code == 403
    await connector.delete_link(file.ref, link.raw_id)
    assert (await open_link(link)).status_code == 404


async def test_link_ends_at_the_second_when_time_is_told_more_finely(connector: Connector, file: File) -> None:
    wish = datetime(2100, 1, 1, 2, 0, 0, 999_999, tzinfo=timezone(timedelta(hours=2)))
    link = await connector.create_link(file.ref, LinkChange(expires_at=wish))
    assert link.expires_at == LATER


class TestPlan:
    WISHES = (
        LinkChange(password="secret"),
        LinkChange(expires_at=LATER),
        LinkChange(audience="members"),
        LinkChange(can_download=False),
    )

    @pytest.mark.parametrize("wish", WISHES)
    async def test_unsupported_in_words_and_nothing_made_when_the_plan_does_not_allow_it(
        self, place: Place, connector: Connector, file: File, wish: LinkChange
    ) -> None:
        place.state.settings.has_paid_plan = False
        with refused(ErrorKind.UNSUPPORTED) as caught:
            await connector.create_link(file.ref, wish)
        assert "plan" in caught.value.message
        assert place.state.shared_links == {}

    @pytest.mark.parametrize("wish", WISHES)
    async def test_unsupported_in_words_and_nothing_changed_when_the_link_is_there(
        self, place: Place, connector: Connector, file: File, wish: LinkChange
    ) -> None:
        place.state.settings.has_paid_plan = False
        link = await connector.create_link(file.ref, LinkChange())
        place.listening.called.clear()
        with refused(ErrorKind.UNSUPPORTED) as caught:
            await connector.update_link(file.ref, link.raw_id, wish)
        assert "plan" in caught.value.message
        assert "sharing/modify_shared_link_settings" not in place.listening.called
        with refused(ErrorKind.UNSUPPORTED):
            await connector.create_link(file.ref, wish)
        assert await connector.list_links(file.ref) == [link]

    async def test_unsupported_when_there_is_no_team_to_make_it_for(self, connector: Connector, file: File) -> None:
        with refused(ErrorKind.UNSUPPORTED):
            await connector.create_link(file.ref, LinkChange(audience="domain"))
        link = await connector.create_link(file.ref, LinkChange())
        with refused(ErrorKind.UNSUPPORTED):
            await connector.update_link(file.ref, link.raw_id, LinkChange(audience="domain"))

    async def test_team_can_have_it_when_there_is_one(self, team: Connector) -> None:
        (home,) = (await team.list_folder(team.manifest.root.raw_id)).resources
        folder = await team.create_folder(home.raw_id, "folder")
        link = await team.create_link(folder.ref, LinkChange(audience="domain"))
        assert link.audience == "domain"
        assert (await open_link(link)).status_code == 403


async def test_role_stays_as_it_was_made(connector: Connector, file: File) -> None:
    link = await connector.create_link(file.ref, LinkChange(role="writer"))
    for call in (
        connector.update_link(file.ref, link.raw_id, LinkChange(role="reader")),
        connector.create_link(file.ref, LinkChange(role="reader")),
    ):
        with refused(ErrorKind.UNSUPPORTED) as caught:
            await call
        assert "new one" in caught.value.message
    assert await connector.list_links(file.ref) == [link]


async def test_link_is_ended_again_when_it_is_not_what_was_wished(
    place: Place, connector: Connector, file: File, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sharing_links, "_apply", lambda *_, **__: None)  # as a team's policy may have it
    with refused(ErrorKind.UNSUPPORTED) as caught:
        await connector.create_link(file.ref, LinkChange(password="secret"))
    assert "a password" in caught.value.message
    assert place.state.shared_links == {}


@pytest.mark.parametrize("kind", [FaultKind.LOST_ANSWER, FaultKind.CUT_BODY])
@pytest.mark.parametrize("route", ["create_shared_link", "modify_shared_link", "revoke_shared_link"])
async def test_it_is_done_once_when_an_answer_is_lost(
    place: Place, connector: Connector, file: File, fail: Fail, kind: FaultKind, route: str
) -> None:
    fail(kind, route)
    link = await connector.create_link(file.ref, LinkChange())
    changed = await connector.update_link(file.ref, link.raw_id, LinkChange(can_download=False))
    assert (changed.can_download, len(place.state.shared_links)) == (False, 1)
    await connector.delete_link(file.ref, link.raw_id)
    assert place.state.shared_links == {}


@pytest.mark.parametrize("audience", sorted(AUDIENCES))
@pytest.mark.parametrize(
    ("visibility", "expected"),
    [
        ("public", ("anyone", False)),
        ("password", ("anyone", True)),
        ("team_only", ("domain", False)),
        ("team_and_password", ("domain", True)),
        ("shared_folder_only", ("members", False)),
        ("no_one", ("members", False)),
        ("only_you", ("members", False)),
        ("of_the_future", ("members", False)),
    ],
)
def test_link_says_who_can_open_it_in_whichever_words_dropbox_has(
    visibility: str, expected: tuple[str, bool], audience: str
) -> None:
    told = {"resolved_visibility": {".tag": visibility}}
    assert show(told) == expected
    effective = {"public": "anyone", "password": "anyone", "team": "domain"}.get(audience, "members")
    assert show({**told, "effective_audience": {".tag": audience}})[0] == effective


def show(permissions: dict[str, Any]) -> tuple[str, bool]:
    body = {"url": "https://www.dropbox.com/s/a/b", "link_permissions": permissions}
    link = build_link(Ref("file", RawId("id:a")), msgspec.convert(body, LinkInfo))
    return link.audience, link.has_password


def test_id_stays_when_name_and_key_in_the_address_change() -> None:
    ids = {
        build_link_id(f"https://www.dropbox.com/{path}")
        for path in ("scl/fi/abc/a.txt?rlkey=x&dl=0", "scl/fi/abc/b.txt?rlkey=y&st=z&dl=0")
    }
    assert len(ids) == 1
    others = ("scl/fi/abd/a.txt", "scl/fo/abc/a", "s/abc/a.txt", "sh/abc/d", "", "s")
    assert len(ids | {build_link_id(f"https://www.dropbox.com/{path}") for path in others}) == 1 + len(others)
