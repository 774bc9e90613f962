"""Search and recent files by walking."""

from __future__ import annotations

import pytest

from connectors.core.call import ResultT, Work
from connectors.core.clock import ManualClock
from connectors.core.manifest import Capabilities, Limits
from connectors.core.resources import Page, RawId
from connectors.core.treewalk import Effort
from tests.connectors.core.fakes import build_manifest
from tests.connectors.core.memory import ROOT, MemoryConnector
from tests.connectors.core.walks import Native, build, effort, fill, walk_pages


class Searching(MemoryConnector):
    """Finds nothing, and remembers what it was asked."""

    async def search(
        self, query: str, *, folder: RawId | None = None, cursor: str | None = None, limit: int = 1000
    ) -> Page:
        self.calls.append(("search", (query, folder, cursor, limit)))
        return Page([])


class TestSearch:
    @pytest.mark.parametrize("limit", [1, 2, 1000])
    @pytest.mark.parametrize("kind", [MemoryConnector, Native])
    async def test_each_name_that_contains_the_query_is_found_once(
        self, kind: type[MemoryConnector], limit: int
    ) -> None:
        memory = kind()
        memory.page_items = 4
        fill(memory, "/Änd/x/ÄNDERUNG.txt", "/Änd/other/", "/A\u0308nde.txt", "/and.txt", "/y/z/ände/")
        connector = build(memory)
        walked = await walk_pages(lambda cursor: connector.search("änd", cursor=cursor, limit=limit))
        assert sorted(walked.names) == sorted(["Änd", "ÄNDERUNG.txt", "A\u0308nde.txt", "ände"])
        assert all(len(page.resources) <= limit for page in walked.pages)
        assert not any(page.is_partial for page in walked.pages)

    async def test_only_what_is_below_is_found_when_a_folder_is_named(self) -> None:
        memory = MemoryConnector()
        fill(memory, "/a/b/deep.txt", "/a/one.txt", "/three.txt")
        page = await build(memory).search("e", folder=RawId("1"))
        assert sorted(resource.name for resource in page.resources) == ["deep.txt", "one.txt"]

    async def test_pages_of_the_provider_are_full_when_those_asked_for_are_small(self) -> None:
        native = Native()
        fill(native, *(f"/{number:04}{'x' if number % 500 == 0 else ''}" for number in range(3000)))
        connector = build(native)
        walked = await walk_pages(lambda cursor: connector.search("x", cursor=cursor, limit=1))
        assert len(walked.names) == 6
        assert len(native.calls) < 20

    async def test_each_is_found_once_when_the_provider_gives_more_than_asked_for(self) -> None:
        class Generous(MemoryConnector):
            async def list_folder(self, folder: RawId, *, cursor: str | None = None, limit: int = 1000) -> Page:
                return await super().list_folder(folder, cursor=cursor, limit=max(limit, 5))

        generous = Generous()
        generous.page_items = 5
        fill(generous, *(f"/{number}/x" for number in range(12)))
        connector = build(generous)
        walked = await walk_pages(lambda cursor: connector.search("x", cursor=cursor, limit=1))
        assert walked.names == ["x"] * 12
        walked = await walk_pages(lambda cursor: connector.search("", cursor=cursor, limit=2))
        assert len(walked.raw_ids) == len(set(walked.raw_ids)) == 24

    async def test_native_search_is_used_when_there_is_one(self) -> None:
        native = Searching(manifest=build_manifest(capabilities=Capabilities(search=True)))
        await build(native).search("A", folder=RawId("1"), cursor="c", limit=3)
        assert native.calls == [("search", ("A", RawId("1"), "c", 3))]

    async def test_folders_are_looked_through_when_native_search_cannot_be_kept_to_one(self) -> None:
        native = Searching(manifest=build_manifest(capabilities=Capabilities(search=True, search_below=False)))
        folder = native.add("/a")
        fill(native, "/a/x.txt", "/x.txt")
        for everywhere in (None, ROOT):
            await build(native).search("x", folder=everywhere)
        assert native.calls == [("search", ("x", everywhere, None, 1000)) for everywhere in (None, ROOT)]
        assert [found.name for found in (await build(native).search("x", folder=folder)).resources] == ["x.txt"]

    async def test_pages_are_no_larger_than_the_provider_gives(self) -> None:
        memory = MemoryConnector(manifest=build_manifest(limits=Limits(page_items_max=7)))
        await build(memory).search("x")
        assert memory.calls == [("list_folder", (ROOT, 7))]


@pytest.fixture
def dated() -> MemoryConnector:
    """Files "0" to "9", each a microsecond older than the one before, one of unknown time, and folders."""
    clock = ManualClock()
    memory = MemoryConnector()
    for number in (3, 1, 4, 0, 5, 9, 2, 6, 8, 7):
        raw_id = memory.add(f"/{'folder/' * (number % 3)}{number}", b"data")
        clock.advance(-1e-6 * number)
        memory.nodes[raw_id].modified_at = clock.now()
        clock.advance(1e-6 * number)
    memory.add("/folder/unknown", b"data")
    return memory


class TestListRecent:
    async def test_files_come_newest_first_and_those_of_unknown_time_last(self, dated: MemoryConnector) -> None:
        page = await build(dated).list_recent()
        assert [resource.name for resource in page.resources] == [*map(str, range(10)), "unknown"]
        assert (page.next_cursor, page.is_partial) == (None, False)

    @pytest.mark.parametrize("limit", [1, 4])
    async def test_only_the_newest_come_when_there_are_more(self, dated: MemoryConnector, limit: int) -> None:
        page = await build(dated).list_recent(limit=limit)
        assert [resource.name for resource in page.resources] == list(map(str, range(limit)))

    @pytest.mark.parametrize("number", [0, 1, 5, 9])
    async def test_only_later_ones_come_when_a_time_is_given(self, dated: MemoryConnector, number: int) -> None:
        after = next(node.modified_at for node in dated.nodes.values() if node.name == str(number))
        page = await build(dated).list_recent(after=after)
        assert [resource.name for resource in page.resources] == list(map(str, range(number)))

    async def test_files_of_one_time_come_in_the_order_of_the_listing(self) -> None:
        memory = MemoryConnector()
        for name in "bca":
            memory.nodes[memory.add(f"/{name}", b"")].modified_at = ManualClock().now()
        page = await build(memory).list_recent(limit=2)
        assert [resource.name for resource in page.resources] == ["b", "c"]

    @pytest.mark.parametrize("limits", [effort(calls_max=3), effort(seconds_max=3.0), effort(resources_max=6)])
    async def test_answer_is_partial_when_it_cost_enough(self, dated: MemoryConnector, limits: Effort) -> None:
        clock = ManualClock()

        async def send(work: Work[ResultT]) -> ResultT:
            clock.advance(1.0)
            return await work.run()

        dated._send = send
        page = await build(dated, recent=limits, clock=clock).list_recent()
        assert page.is_partial
        assert len(dated.calls) == 3
        assert 0 < len(page.resources) < 11

    async def test_wide_trees_are_read_in_full_pages(self) -> None:
        memory = MemoryConnector()
        memory.page_items = 1000
        fill(memory, *(f"/{number}/" for number in range(900)))
        await build(memory).list_recent()
        assert len(memory.calls) == 901

    async def test_native_answer_is_used_when_there_is_one(self) -> None:
        class Recalling(MemoryConnector):
            async def list_recent(self, *, after: object = None, limit: int = 1000) -> Page:
                self.calls.append(("list_recent", (after, limit)))
                return Page([])

        native = Recalling(manifest=build_manifest(capabilities=Capabilities(list_recent=True)))
        after = ManualClock().now()
        await build(native).list_recent(after=after, limit=3)
        assert native.calls == [("list_recent", (after, 3))]
