from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from connectors.core.errors import ConnectorError, ErrorKind
from connectors.core.resources import RawId, Ref, Resource
from connectors.core.sharing import Audience, LinkChange, SharedLink
from tests.connectors.behavior.space import Space, refused

pytestmark = pytest.mark.needs("list_links")

LATER = datetime.now(UTC).replace(microsecond=0) + timedelta(days=2)


@pytest.fixture(params=["file", "folder"])
async def shared(request: pytest.FixtureRequest, space: Space) -> Resource:
    """What links are made to, beside something that nobody shares."""
    await space.put("other.txt")
    return await space.put("a.txt") if request.param == "file" else await space.make("a")


async def test_there_is_none_when_none_was_made(space: Space, shared: Resource) -> None:
    assert await space.connector.list_links(shared.ref) == []


@pytest.mark.needs("create_link")
async def test_link_is_listed_at_its_thing_only_when_it_was_made(space: Space, shared: Resource) -> None:
    link = await space.connector.create_link(shared.ref, LinkChange())
    assert (link.ref, link.audience, link.role) == (shared.ref, "anyone", "reader")
    assert (link.has_password, link.expires_at, link.can_download) == (False, None, True)
    assert link.url.startswith(("https://", "http://127.0.0.1"))
    assert await space.connector.list_links(shared.ref) == [link]
    inner = await space.make("inner", parent=shared.raw_id) if shared.ref.kind == "folder" else None
    for other in [*[one async for one in space.walk() if one.raw_id != shared.raw_id], *([inner] if inner else [])]:
        assert await space.connector.list_links(other.ref) == []


@pytest.mark.needs("create_link")
async def test_there_is_one_of_a_kind_when_it_is_made_twice(space: Space, shared: Resource) -> None:
    first = await space.connector.create_link(shared.ref, LinkChange(audience="anyone", role="reader"))
    second = await space.connector.create_link(shared.ref, LinkChange(audience="anyone", role="reader"))
    assert second == first
    assert await space.connector.list_links(shared.ref) == [first]


@pytest.mark.needs("create_link")
async def test_address_stays_when_the_thing_is_renamed(space: Space, shared: Resource) -> None:
    link = await space.connector.create_link(shared.ref, LinkChange())
    renamed = await space.connector.update(shared.ref, name="renamed")
    assert await space.connector.list_links(renamed.ref) == [msgspec.structs.replace(link, ref=renamed.ref)]


@pytest.mark.needs("create_link")
@pytest.mark.parametrize("audience", ["domain", "members"])
async def test_audience_is_as_wished_or_refused_and_nothing_made(
    space: Space, shared: Resource, audience: Audience
) -> None:
    try:
        link = await space.connector.create_link(shared.ref, LinkChange(audience=audience))
    except ConnectorError as error:
        assert error.kind is ErrorKind.UNSUPPORTED  # noqa: PT017 - where there is no such audience
        assert await space.connector.list_links(shared.ref) == []
    else:
        assert link.audience == audience
        assert await space.connector.list_links(shared.ref) == [link]


@pytest.mark.needs("create_link", "link_password", "link_expiry")
async def test_password_and_end_come_change_and_go(space: Space, shared: Resource) -> None:
    wish = LinkChange(password="first secret", expires_at=LATER)
    made = await space.connector.create_link(shared.ref, wish)
    assert (made.has_password, made.expires_at) == (True, LATER)
    later = LATER + timedelta(days=1)
    for change, has_password, expires_at in [
        (LinkChange(password="second secret"), True, LATER),
        (LinkChange(expires_at=later), True, later),
        (LinkChange(password=None), False, later),
        (LinkChange(expires_at=None), False, None),
        (LinkChange(password=None, expires_at=None), False, None),
    ]:
        changed = await space.connector.update_link(shared.ref, made.raw_id, change)
        assert (changed.has_password, changed.expires_at) == (has_password, expires_at)
        assert (changed.raw_id, changed.url) == (made.raw_id, made.url)
        assert await space.connector.list_links(shared.ref) == [changed]


@pytest.mark.needs("create_link", "link_password")
async def test_link_that_is_there_is_made_as_wished_when_it_is_made_again(space: Space, shared: Resource) -> None:
    first = await space.connector.create_link(shared.ref, LinkChange())
    second = await space.connector.create_link(shared.ref, LinkChange(password="secret"))
    links = await space.connector.list_links(shared.ref)
    assert second.has_password
    assert second in links
    assert len({link.url for link in links}) == len(links)
    assert first.url in {link.url for link in links}


@pytest.mark.needs("create_link", "link_writer")
async def test_one_can_write_through_it_when_that_was_wished(space: Space, shared: Resource) -> None:
    try:
        link = await space.connector.create_link(shared.ref, LinkChange(role="writer"))
    except ConnectorError as error:
        assert error.kind is ErrorKind.UNSUPPORTED  # noqa: PT017 - not of every kind of file
        assert await space.connector.list_links(shared.ref) == []
    else:
        assert link.role == "writer"
        assert await space.connector.list_links(shared.ref) == [link]


@pytest.mark.needs("create_link", "link_without_download")
async def test_bytes_are_withheld_and_given_again(space: Space, shared: Resource) -> None:
    try:
        made = await space.connector.create_link(shared.ref, LinkChange(can_download=False))
    except ConnectorError as error:
        assert (error.kind, shared.ref.kind) == (ErrorKind.UNSUPPORTED, "folder")  # noqa: PT017 - of files only
        assert await space.connector.list_links(shared.ref) == []
        return
    assert not made.can_download
    changed = await space.connector.update_link(shared.ref, made.raw_id, LinkChange(can_download=True))
    assert changed == msgspec.structs.replace(made, can_download=True)


@pytest.mark.needs("create_link")
async def test_nothing_changes_when_nothing_is_to_change(space: Space, shared: Resource) -> None:
    link = await space.connector.create_link(shared.ref, LinkChange())
    assert await space.connector.update_link(shared.ref, link.raw_id, LinkChange()) == link
    same = LinkChange(audience=link.audience, role=link.role, password=None, expires_at=None, can_download=True)
    assert await space.connector.update_link(shared.ref, link.raw_id, same) == link


@pytest.mark.needs("create_link")
async def test_it_is_gone_when_it_was_ended(space: Space, shared: Resource) -> None:
    link = await space.connector.create_link(shared.ref, LinkChange())
    await space.connector.delete_link(shared.ref, link.raw_id)
    assert await space.connector.list_links(shared.ref) == []
    await refuse_link(space, shared.ref, link)
    again = await space.connector.create_link(shared.ref, LinkChange())
    assert await space.connector.list_links(shared.ref) == [again]


@pytest.mark.needs("create_link")
async def test_not_found_when_link_is_another_things_or_nobodys(space: Space, shared: Resource) -> None:
    link = await space.connector.create_link(shared.ref, LinkChange())
    other = await space.put("b.txt")
    await refuse_link(space, other.ref, link)
    for raw_id in ("", "no such link", "../x", "\0"):
        await refuse_link(space, shared.ref, msgspec.structs.replace(link, raw_id=raw_id))
    assert await space.connector.list_links(shared.ref) == [link]


async def test_not_found_when_the_thing_is_gone(space: Space, shared: Resource) -> None:
    await space.connector.delete(shared.ref, is_recursive=True)
    for ref in (shared.ref, Ref("file", RawId("no such id"))):
        with refused(ErrorKind.NOT_FOUND):
            await space.connector.list_links(ref)
        if space.target.capabilities.create_link:
            with refused(ErrorKind.NOT_FOUND):
                await space.connector.create_link(ref, LinkChange())


async def test_root_has_none(space: Space) -> None:
    root = space.connector.manifest.root
    assert await space.connector.list_links(root) == []
    if space.target.capabilities.create_link:
        with refused(ErrorKind.UNSUPPORTED, ErrorKind.PERMISSION_DENIED):
            await space.connector.create_link(root, LinkChange())
        await refuse_link(space, root, SharedLink(raw_id="none", ref=root, url=""))


async def refuse_link(space: Space, ref: Ref, link: SharedLink) -> None:
    """Neither changed nor ended."""
    with refused(ErrorKind.NOT_FOUND):
        await space.connector.update_link(ref, link.raw_id, LinkChange(role=link.role))
    with refused(ErrorKind.NOT_FOUND):
        await space.connector.delete_link(ref, link.raw_id)
