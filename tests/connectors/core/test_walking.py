"""Whole trees listed by listings of single folders: exact under changes, bounded, nothing kept between two replies."""

from __future__ import annotations

import asyncio
import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.core.call import ResultT, Work
from connectors.core.clock import ManualClock
from connectors.core.errors import ConnectorError, ErrorKind
from connectors.core.frames import CURSOR_CHARACTERS_AIM, CURSOR_CHARACTERS_MAX, DEPTH_MAX
from connectors.core.layers.walking import WalkingConnector
from connectors.core.manifest import Capabilities
from connectors.core.resources import Folder, Page, RawId
from connectors.core.treewalk import Effort
from tests.connectors.core.memory import ROOT, MemoryConnector, Node
from tests.connectors.core.walks import Native, Renamed, Walked, build, effort, fill, walk_pages

TREE = ("/a/b/deep.txt", "/a/one.txt", "/a/c/", "/d/e/f/", "/d/two.txt", "/three.txt", "/g/")


def refused(kind: ErrorKind) -> pytest.RaisesExc[ConnectorError]:
    return pytest.raises(ConnectorError, check=lambda error: error.kind is kind)


@pytest.fixture
def memory() -> MemoryConnector:
    memory = MemoryConnector()
    fill(memory, *TREE)
    return memory


@pytest.fixture
def connector(memory: MemoryConnector) -> WalkingConnector:
    return build(memory)


def test_one_effective_set_of_capabilities_is_shown(connector: WalkingConnector) -> None:
    assert connector.capabilities == Capabilities(list_recursive=True, search=True, list_recent=True)


class TestListRecursive:
    @pytest.mark.parametrize("page_items", [1, 2, 1000])
    @pytest.mark.parametrize("limit", [1, 2, 3, 1000])
    async def test_everything_comes_once_and_folders_before_what_they_hold(
        self, memory: MemoryConnector, connector: WalkingConnector, limit: int, page_items: int
    ) -> None:
        memory.page_items = page_items
        walked = await walk_pages(lambda cursor: connector.list_recursive(ROOT, cursor=cursor, limit=limit))
        assert sorted(walked.raw_ids) == sorted(raw_id for raw_id in memory.nodes if raw_id != ROOT)
        for place, resource in enumerate(walked.resources):
            assert resource.parent is not None
            assert resource.parent.raw_id in {ROOT, *walked.raw_ids[:place]}
        assert all(len(page.resources) <= limit for page in walked.pages)
        assert not any(page.is_partial for page in walked.pages)

    async def test_folders_are_entered_in_the_order_of_their_listing(
        self, memory: MemoryConnector, connector: WalkingConnector
    ) -> None:
        memory.page_items = 1000
        page = await connector.list_recursive(ROOT)
        top, inside = ["a", "d", "three.txt", "g"], ["b", "one.txt", "c", "deep.txt", "e", "two.txt", "f"]
        assert [resource.name for resource in page.resources] == top + inside

    async def test_only_what_is_below_comes_when_a_folder_is_named(self, connector: WalkingConnector) -> None:
        page = await connector.list_recursive(RawId("1"))
        assert sorted(resource.name for resource in page.resources) == ["b", "c", "deep.txt", "one.txt"]
        assert page.next_cursor is None

    async def test_page_is_empty_and_last_when_folder_is_empty(
        self, memory: MemoryConnector, connector: WalkingConnector
    ) -> None:
        assert await connector.list_recursive(memory.add("/empty")) == Page([])

    async def test_not_found_when_folder_is_gone_also_between_pages(
        self, memory: MemoryConnector, connector: WalkingConnector
    ) -> None:
        with refused(ErrorKind.NOT_FOUND):
            await connector.list_recursive(RawId("nowhere"))
        first = await connector.list_recursive(RawId("1"), limit=1)
        del memory.nodes[RawId("1")]
        with refused(ErrorKind.NOT_FOUND):
            await connector.list_recursive(RawId("1"), cursor=first.next_cursor)

    @pytest.mark.parametrize("kind", [ErrorKind.NOT_FOUND, ErrorKind.WRONG_TYPE, ErrorKind.PERMISSION_DENIED])
    async def test_folder_holds_nothing_when_it_went_or_may_not_be_read(
        self, memory: MemoryConnector, connector: WalkingConnector, kind: ErrorKind
    ) -> None:
        read = memory.list_folder

        async def list_folder(folder: RawId, *, cursor: str | None = None, limit: int = 1000) -> Page:
            if memory.nodes[folder].name == "a":
                raise ConnectorError(kind)
            return await read(folder, cursor=cursor, limit=limit)

        memory.list_folder = list_folder  # type: ignore[method-assign]  # one folder of many fails
        walked = await walk_pages(lambda cursor: connector.list_recursive(ROOT, cursor=cursor, limit=2))
        assert sorted(walked.names) == ["a", "d", "e", "f", "g", "three.txt", "two.txt"]

    async def test_walk_fails_when_a_folder_cannot_be_read_now(
        self, memory: MemoryConnector, connector: WalkingConnector
    ) -> None:
        memory.faults["list_folder"] = [ConnectorError(ErrorKind.UNAVAILABLE)]
        with refused(ErrorKind.UNAVAILABLE):
            await connector.list_recursive(ROOT)

    async def test_native_listing_is_used_when_there_is_one(self) -> None:
        native = Native()
        fill(native, "/a/", "/a/b/")
        page = await build(native).list_recursive(ROOT, cursor="1", limit=7)
        assert ([resource.name for resource in page.resources], native.calls) == (["b"], [("list_recursive", 7)])

    async def test_unexpected_when_the_providers_cursor_does_not_move(self, memory: MemoryConnector) -> None:
        async def list_folder(folder: RawId, *, cursor: str | None = None, limit: int = 1000) -> Page:
            return Page([], "again")

        memory.list_folder = list_folder  # type: ignore[method-assign]  # the provider goes mad
        with refused(ErrorKind.UNEXPECTED):
            await build(memory).list_recursive(ROOT)


@st.composite
def trees(draw: st.DrawFn) -> list[int]:
    """For each resource the number of the folder that holds it; 0 is the top."""
    return [draw(st.integers(0, number)) for number in range(draw(st.integers(1, 25)))]


class TestChanges:
    @settings(deadline=None)
    @given(data=st.data())
    def test_what_stays_comes_once_when_others_come_and_go_between_pages(self, data: st.DataObject) -> None:
        memory = MemoryConnector()
        memory.page_items = data.draw(st.integers(1, 4))
        raw_ids = [ROOT]
        for number, parent in enumerate(data.draw(trees())):
            raw_ids.append(memory._store(Node("folder", f"stays {number}", raw_ids[parent])))
        staying = set(raw_ids[1:])
        connector = build(memory, page=effort(calls_max=data.draw(st.integers(1, 8))))
        is_search, limit = data.draw(st.booleans()), data.draw(st.integers(1, 5))
        changes = iter(range(60))  # then all stays as it is, so that the walk comes to its end

        async def read(cursor: str | None) -> Page:
            if is_search:
                return await connector.search("STAYS", cursor=cursor, limit=limit)
            return await connector.list_recursive(ROOT, cursor=cursor, limit=limit)

        def change() -> None:
            if next(changes, None) is None:
                return
            for _ in range(data.draw(st.integers(0, 2))):
                memory._store(Node("folder", "new", data.draw(st.sampled_from(list(memory.nodes)))))
            leaving = [None, *(raw_id for raw_id in memory.nodes if raw_id not in staying | {ROOT})]
            gone = data.draw(st.sampled_from(leaving))
            if gone is not None:
                del memory.nodes[gone]

        walked = asyncio.run(walk_pages(read, change))
        assert len(walked.raw_ids) == len(set(walked.raw_ids))
        assert staying == set(walked.raw_ids) if is_search else staying <= set(walked.raw_ids)
        assert all(len(page.resources) <= limit for page in walked.pages)
        places = {raw_id: place for place, raw_id in enumerate(walked.raw_ids)}
        for resource in walked.resources:
            assert resource.parent is not None
            assert places.get(resource.parent.raw_id, -1) < places[resource.raw_id]


class TestLimits:
    @pytest.mark.parametrize(
        "limits", [effort(calls_max=3), effort(seconds_max=3.0), effort(resources_max=4)], ids=["calls", "time", "size"]
    )
    @pytest.mark.parametrize("ask", ["list_recursive", "search"])
    async def test_page_ends_early_and_goes_on_when_it_cost_enough(self, limits: Effort, ask: str) -> None:
        clock = ManualClock()

        async def send(work: Work[ResultT]) -> ResultT:
            clock.advance(1.0)
            return await work.run()

        memory = MemoryConnector(send=send)
        fill(memory, *TREE, *(f"/many/{number}/" for number in range(10)))
        connector = build(memory, page=limits, clock=clock)
        calls: list[int] = []

        async def read(cursor: str | None) -> Page:
            memory.calls.clear()
            if ask == "search":
                page = await connector.search("", cursor=cursor)
            else:
                page = await connector.list_recursive(ROOT, cursor=cursor)
            calls.append(len(memory.calls))
            return page

        walked = await walk_pages(read)
        assert sorted(walked.raw_ids) == sorted(raw_id for raw_id in memory.nodes if raw_id != ROOT)
        assert [page.is_partial for page in walked.pages] == [True] * (len(walked.pages) - 1) + [False]
        assert max(calls) == 3 if limits.resources_max > 4 else all(len(page.resources) <= 4 for page in walked.pages)

    @pytest.mark.parametrize("limits", [effort(calls_max=1), effort(seconds_max=0.0), effort(resources_max=1)])
    async def test_every_page_makes_a_step_when_nothing_is_allowed(
        self, memory: MemoryConnector, limits: Effort
    ) -> None:
        connector = build(memory, page=limits)
        walked = await walk_pages(lambda cursor: connector.list_recursive(ROOT, cursor=cursor))
        assert len(walked.raw_ids) == len(memory.nodes) - 1

    async def test_cursors_stay_short_when_folders_are_many_on_every_level(self) -> None:
        memory = MemoryConnector()
        memory.page_items = 1000
        top = [memory._store(Node("folder", "top", ROOT)) for _ in range(300)]
        for folder in top[:2]:
            for _ in range(300):
                inner = memory._store(Node("folder", "inner", folder))
                memory._store(Node("folder", "innermost", inner))
        named = {raw_id: RawId(hashlib.sha256(raw_id.encode()).hexdigest()[:33]) for raw_id in memory.nodes}

        connector = build(Renamed(memory, named))
        walked = await walk_pages(lambda cursor: connector.list_recursive(ROOT, cursor=cursor, limit=1000))
        assert len(set(walked.raw_ids)) == len(walked.raw_ids) == len(memory.nodes) - 1
        assert max(len(page.next_cursor or "") for page in walked.pages) <= CURSOR_CHARACTERS_AIM
        assert len(memory.calls) < 1.1 * len(memory.nodes)  # few pages are asked for again

    @pytest.mark.parametrize("depth", [DEPTH_MAX, DEPTH_MAX + 1])
    async def test_unsupported_only_when_folders_lie_deeper_than_the_limit(self, depth: int) -> None:
        memory = MemoryConnector()
        fill(memory, "/x" * depth + "/", "/beside/")
        connector = build(memory)
        walked = Walked()

        async def walk() -> None:
            nonlocal walked
            walked = await walk_pages(lambda cursor: connector.list_recursive(ROOT, cursor=cursor, limit=7))

        if depth > DEPTH_MAX:
            with refused(ErrorKind.UNSUPPORTED):
                await walk()
        else:
            await walk()
            assert len(walked.raw_ids) == depth + 1
            assert max(len(page.next_cursor or "") for page in walked.pages) <= CURSOR_CHARACTERS_MAX

    async def test_unsupported_when_an_id_is_too_long_to_remember(self) -> None:
        memory = MemoryConnector()
        fill(memory, "/a/", "/a/b")
        digits = "".join(map(str, range(9000)))
        connector = build(Renamed(memory, {raw_id: RawId(f"{raw_id} {digits}") for raw_id in memory.nodes}))
        with refused(ErrorKind.UNSUPPORTED):
            await connector.list_recursive(ROOT, limit=1)

    async def test_walk_ends_when_folders_lie_in_a_circle(self, memory: MemoryConnector) -> None:
        a, b = RawId("1"), RawId("2")
        read = memory.list_folder

        async def list_folder(folder: RawId, *, cursor: str | None = None, limit: int = 1000) -> Page:
            page = await read(folder, cursor=cursor, limit=limit)
            return Page([Folder(raw_id=a, name="a"), *page.resources], page.next_cursor) if folder == b else page

        memory.list_folder = list_folder  # type: ignore[method-assign]  # b holds a, which holds b
        walked = await walk_pages(lambda cursor: build(memory).list_recursive(ROOT, cursor=cursor, limit=3))
        assert sorted(set(walked.raw_ids)) == sorted(raw_id for raw_id in memory.nodes if raw_id != ROOT)
        assert walked.raw_ids.count(a) == 2


class TestCursors:
    @pytest.mark.parametrize("cursor", ["", "junk", "%%%", "AAAA", "é", "\0", "x" * 50_000])
    async def test_cursor_invalid_when_it_was_not_given_out(self, connector: WalkingConnector, cursor: str) -> None:
        with refused(ErrorKind.CURSOR_INVALID):
            await connector.list_recursive(ROOT, cursor=cursor)
        with refused(ErrorKind.CURSOR_INVALID):
            await connector.search("a", cursor=cursor)

    async def test_cursor_invalid_when_it_is_of_another_listing(self, connector: WalkingConnector) -> None:
        listing = (await connector.list_recursive(ROOT, limit=1)).next_cursor
        search = (await connector.search("e", limit=1)).next_cursor
        assert listing is not None
        assert search is not None
        for call in (
            connector.list_recursive(RawId("1"), cursor=listing),
            connector.list_recursive(ROOT, cursor=search),
            connector.search("e", cursor=listing),
            connector.search("t", cursor=search),
            connector.search("e", folder=RawId("1"), cursor=search),
        ):
            with refused(ErrorKind.CURSOR_INVALID):
                await call

    async def test_cursor_goes_on_when_the_query_is_the_same_to_people(self, connector: WalkingConnector) -> None:
        first = await connector.search("e", limit=1)
        second = await connector.search("E", folder=ROOT, cursor=first.next_cursor)
        assert len(second.resources) == 3

    async def test_cursor_invalid_when_the_walk_has_become_another(self, memory: MemoryConnector) -> None:
        cursor = (await build(memory).search("e", limit=1)).next_cursor
        with refused(ErrorKind.CURSOR_INVALID):
            await build(Native()).search("e", cursor=cursor)
