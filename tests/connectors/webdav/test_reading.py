"""Pages of folders and trees: from what is kept, and just as well without it."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from connectors.core.connector import Connector
from connectors.core.errors import ConnectorError, ErrorKind
from connectors.core.paging import walk
from connectors.core.resources import RawId
from connectors.core.service import Options, Registry
from connectors.webdav import reading
from connectors.webdav.service import build_service
from tests.connectors.behavior.space import refused
from tests.connectors.webdav.conftest import Open
from tests.connectors.webdav.fake import Fake
from tests.servers.scripted import Reply

ROOT = RawId("/")


@pytest.fixture
def tree(fake: Fake) -> list[str]:
    """The paths of a tree, in the order of their names."""
    fake.folders |= {"a", "a/inner", "a b", "empty", "z"}
    fake.files |= dict.fromkeys(("a.txt", "a/1", "a/inner/deep", "a/z", "a b/2", "m", "z/last"), b"x")
    order = ["a", "a/1", "a/inner", "a/inner/deep", "a/z", "a b", "a b/2", "a.txt", "empty", "m", "z", "z/last"]
    return [f"/{path}" for path in order]


async def test_server_is_asked_once_when_a_folder_is_read_in_pages(connector: Connector, fake: Fake) -> None:
    fake.files |= {f"{number:02}": b"x" for number in range(10)}
    pages = walk(lambda cursor: connector.list_folder(ROOT, cursor=cursor, limit=3))
    assert [resource.name async for resource in pages] == [f"{number:02}" for number in range(10)]
    assert fake.count("PROPFIND") == 1


async def test_listing_goes_on_when_the_process_is_another(open_fake: Open, fake: Fake) -> None:
    fake.files |= {f"{number:02}": b"x" for number in range(10)}
    names, cursor = [], None
    for number in range(4):
        connector = open_fake(in_registry=Registry([build_service(Options())]))
        page = await connector.list_folder(ROOT, cursor=cursor, limit=3)
        names += [resource.name for resource in page.resources]
        cursor = page.next_cursor
        fake.files[f"{number:02} new"] = b"came after its turn"
    assert names == [f"{number:02}" for number in range(9)] + ["09"]
    assert (cursor, fake.count("PROPFIND")) == (None, 4)


async def test_names_come_in_order_when_the_server_tells_them_in_none(connector: Connector, fake: Fake) -> None:
    fake.files |= dict.fromkeys(("é", "b", "A", "a", "Z", "10", "9"), b"x")
    page = await connector.list_folder(ROOT)
    assert [resource.name for resource in page.resources] == ["10", "9", "A", "Z", "a", "b", "é"]


@pytest.mark.parametrize("limit", [1, 2, 3, 100])
@pytest.mark.parametrize("is_fresh", [False, True])
async def test_tree_comes_in_order_of_its_paths_when_pages_are_of_any_size(
    open_fake: Open, tree: list[str], limit: int, is_fresh: bool
) -> None:
    kept = Registry([build_service(Options())])
    paths: list[str | None] = []
    cursor: str | None = None
    while True:
        connector = open_fake(in_registry=Registry([build_service(Options())]) if is_fresh else kept)
        page = await connector.list_recursive(ROOT, cursor=cursor, limit=limit)
        paths += [resource.path for resource in page.resources]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert paths == tree


async def test_each_folder_is_asked_about_once_when_answers_are_kept(
    connector: Connector, fake: Fake, tree: list[str]
) -> None:
    pages = walk(lambda cursor: connector.list_recursive(ROOT, cursor=cursor, limit=1))
    assert len([resource async for resource in pages]) == len(tree)
    assert fake.count("PROPFIND") == len(fake.folders)


async def test_page_is_partial_and_goes_on_when_it_asks_too_often(
    connector: Connector, fake: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "TREE_FOLDERS_MAX", 3)
    fake.folders |= {"deep" + "/deep" * depth for depth in range(20)}
    first = await connector.list_recursive(ROOT)
    assert (first.is_partial, len(first.resources), first.next_cursor is None) == (True, 3, False)
    pages = walk(lambda cursor: connector.list_recursive(ROOT, cursor=cursor))
    assert len([resource async for resource in pages]) == 20


async def test_every_page_moves_on_when_only_empty_rests_are_left(
    open_fake: Open, fake: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake.folders |= {"deep" + "/deep" * depth for depth in range(20)}
    everything = await open_fake().list_recursive(ROOT, limit=20)
    monkeypatch.setattr(reading, "TREE_FOLDERS_MAX", 1)
    cursors = [everything.next_cursor]
    while cursors[-1] is not None:
        fresh = open_fake(in_registry=Registry([build_service(Options())]))
        page = await fresh.list_recursive(ROOT, cursor=cursors[-1])
        assert page.resources == []
        cursors.append(page.next_cursor)
    assert len(cursors) == len(set(cursors)) > 10


@pytest.mark.parametrize("answer", [Reply(404), Reply(403)])
async def test_folder_below_holds_nothing_when_it_may_not_be_read(
    connector: Connector, fake: Fake, tree: list[str], answer: Reply
) -> None:
    fake.answers["PROPFIND"] = [None, answer]
    page = await connector.list_recursive(ROOT)
    assert [resource.path for resource in page.resources] == [path for path in tree if not path.startswith("/a/")]


async def test_listing_fails_when_the_folder_itself_may_not_be_read(connector: Connector, fake: Fake) -> None:
    fake.answers["PROPFIND"] = [Reply(403)]
    with refused(ErrorKind.PERMISSION_DENIED):
        await connector.list_recursive(ROOT)


async def test_broken_answer_is_asked_for_again(connector: Connector, fake: Fake) -> None:
    fake.files["a"] = b"x"
    broken = b'<D:multistatus xmlns:D="DAV:"><D:response><D:href>/dav/</D:href></D:response></D:multistatus>Oh no'
    fake.answers["PROPFIND"] = [Reply(207, broken)]
    assert [resource.name for resource in (await connector.list_folder(ROOT)).resources] == ["a"]
    assert fake.count("PROPFIND") == 2


async def test_listing_fails_when_the_answer_speaks_of_other_paths(connector: Connector, fake: Fake) -> None:
    other = b'<D:multistatus xmlns:D="DAV:"><D:response><D:href>/a</D:href></D:response></D:multistatus>'
    fake.answers["PROPFIND"] = [Reply(207, other)]
    with pytest.raises(ConnectorError) as caught:
        await connector.list_folder(ROOT)
    assert caught.value.kind is ErrorKind.UNEXPECTED
    assert "proxy" in caught.value.message


class TestHidden:
    @pytest.fixture(autouse=True)
    def leftovers(self, fake: Fake) -> None:
        fake.files |= {".kloudless-old": b"x", ".kloudless-young": b"x", ".KLOUDLESS-case": b"x", "a": b"x"}
        fake.folders.add(".kloudless-folder")
        fake.modified |= {
            ".kloudless-old": "Tue, 24 Nov 2026 17:59:59 GMT",
            ".kloudless-folder": "Monday, 23-Nov-26 17:59:59 GMT",
            ".kloudless-young": "Wed, 25 Nov 2026 17:59:00 GMT",
            "a": "Tue, 24 Nov 2020 17:59:59 GMT",
        }

    async def test_leftovers_are_not_shown_and_old_ones_are_removed(self, connector: Connector, fake: Fake) -> None:
        page = await connector.list_folder(ROOT)
        assert [resource.name for resource in page.resources] == ["a"]
        assert {*fake.files, *fake.folders} == {"", ".kloudless-young", ".KLOUDLESS-case", "a"}

    async def test_listing_succeeds_when_leftovers_cannot_be_removed(self, connector: Connector, fake: Fake) -> None:
        fake.is_writable = False
        assert len((await connector.list_folder(ROOT)).resources) == 1

    async def test_folder_is_empty_when_only_leftovers_are_in_it(self, connector: Connector, fake: Fake) -> None:
        fake.files.clear()
        fake.folders = {"", "b"}
        fake.files["b/.kloudless-young"] = b"x"
        await connector.delete((await connector.get_by_path("/b")).ref)
        assert fake.folders == {""}


async def test_cursor_invalid_when_it_is_from_another_kind_of_listing(connector: Connector, fake: Fake) -> None:
    fake.files |= {"a": b"x", "b": b"x"}
    flat = await connector.list_folder(ROOT, limit=1)
    deep = await connector.list_recursive(ROOT, limit=1)
    with refused(ErrorKind.CURSOR_INVALID):
        await connector.list_folder(ROOT, cursor=deep.next_cursor)
    with refused(ErrorKind.CURSOR_INVALID):
        await connector.list_recursive(ROOT, cursor=flat.next_cursor)


async def test_cursor_holds_no_secret_and_names_no_file_of_the_machine(
    connector: Connector, fake: Fake, tmp_path: Path
) -> None:
    fake.files |= {"a": b"x", "b": b"x"}
    page = await connector.list_folder(ROOT, limit=1)
    assert page.next_cursor is not None
    assert base64.urlsafe_b64decode(page.next_cursor).endswith(b"a")
    assert len(page.next_cursor) < 40
