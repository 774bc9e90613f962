"""Uploads: in one call or in parts, never twice, never half, and nothing left at the store that nobody sees."""

from __future__ import annotations

import asyncio
import hashlib
from typing import Any

import pytest

from connectors.core.bytesource import BytesSource, StreamSource
from connectors.core.errors import ErrorKind
from connectors.core.resources import OnConflict, RawId
from connectors.s3 import connector as operations
from tests.connectors.behavior.space import FailingSource, StalledSource, refused, stream
from tests.connectors.s3.conftest import Store
from tests.connectors.s3.tinystore import Stored, TinyStore, fail, open_tiny
from tests.servers.scripted import Cut, Reply, Seen

MIB = 2**20
ROOT = RawId("/")
BIG = bytes(range(256)) * 4 * 1024 * 20  # two parts and a half


def count(store: TinyStore, text: str, method: str = "PUT") -> int:
    return sum(text in seen.target for seen in store.seen if seen.method == method)


async def test_one_call_does_when_the_bytes_are_few(monkeypatch: pytest.MonkeyPatch) -> None:
    store = TinyStore()
    async with open_tiny(store) as connector:
        for number, source in enumerate(
            [BytesSource(b"few"), StreamSource(stream([b"few"]), size_bytes=3), StreamSource(stream([b"few"]))]
        ):
            await connector.upload(ROOT, f"a{number}.txt", source, on_conflict=OnConflict.FAIL)
        await connector.upload(ROOT, "big.bin", BytesSource(BIG), on_conflict=OnConflict.FAIL)
    assert count(store, "uploads", "POST") == 0
    assert {key: stored.data for key, stored in store.objects.items()} == {
        "a0.txt": b"few",
        "a1.txt": b"few",
        "a2.txt": b"few",
        "big.bin": BIG,
    }


@pytest.mark.parametrize("size_bytes", [None, len(BIG)])
async def test_bytes_go_in_parts_when_they_are_many_and_can_be_read_once(size_bytes: int | None) -> None:
    store = TinyStore()
    chunks = [BIG[start : start + 700_001] for start in range(0, len(BIG), 700_001)]
    async with open_tiny(store) as connector:
        source = StreamSource(stream(chunks), size_bytes=size_bytes)
        file = await connector.upload(ROOT, "big.bin", source, on_conflict=OnConflict.FAIL)
    assert file.size_bytes == len(BIG)
    assert store.objects["big.bin"].data == BIG
    assert count(store, "partNumber=") == 3
    assert store.uploads == {}


async def test_bytes_go_in_parts_when_they_are_more_than_one_call_should_carry(
    monkeypatch: pytest.MonkeyPatch, store: Store
) -> None:
    monkeypatch.setattr(operations, "PUT_BYTES_MAX", MIB)
    await store.upload("big.bin", BIG)
    assert store.read("big.bin") == BIG
    assert store.head("big.bin")["ETag"].endswith('-3"')
    assert store.uploads() == []


async def test_type_is_that_of_the_name_when_stored(store: Store) -> None:
    await store.upload("a.png")
    await store.upload("b")
    stored = [store.head(key)["ContentType"] for key in ("a.png", "b")]
    assert stored == ["image/png", "application/octet-stream"]


@pytest.mark.parametrize(
    "source",
    [
        lambda: FailingSource([b"x" * MIB] * 20, size_bytes=None, fails=True),
        lambda: FailingSource([b"x" * MIB] * 20, size_bytes=30 * MIB),
        lambda: FailingSource([b"x" * MIB] * 40, size_bytes=30 * MIB),
    ],
    ids=["breaks", "ends early", "goes on"],
)
async def test_no_upload_stays_behind_when_the_source_of_many_bytes_fails(store: Store, source: Any) -> None:
    with refused(ErrorKind.SOURCE_FAILED):
        await store.connector.upload(ROOT, "big.bin", source(), on_conflict=OnConflict.FAIL)
    assert store.list_keys() == []
    assert store.uploads() == []


async def test_no_upload_stays_behind_when_it_is_cancelled(store: Store) -> None:
    source = StalledSource(b"x" * 20 * MIB)
    task = asyncio.create_task(store.connector.upload(ROOT, "big.bin", source, on_conflict=OnConflict.FAIL))
    await source.is_stalled.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert source.is_closed
    assert store.list_keys() == []
    assert store.uploads() == []


async def test_no_upload_stays_behind_when_it_is_cancelled_while_it_begins() -> None:
    store = TinyStore()
    begins = asyncio.Event()
    async with open_tiny(store) as connector:

        def wait(seen: Seen) -> Reply | None:
            if seen.target.endswith("?uploads"):
                begins.set()
            return None

        store.intercept = wait
        task = asyncio.create_task(
            connector.start_upload(ROOT, "big.bin", size_bytes=None, on_conflict=OnConflict.FAIL)
        )
        await begins.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert store.uploads == {}


async def test_no_upload_stays_behind_when_the_file_turns_out_empty(store: Store) -> None:
    session = await store.connector.start_upload(ROOT, "a", size_bytes=None, on_conflict=OnConflict.FAIL)
    assert len(store.uploads()) == 1
    file = await store.connector.finish_upload(session, [])
    assert file.size_bytes == 0
    assert store.uploads() == []
    assert store.list_keys() == ["a"]


async def test_names_of_uploads_under_way_are_avoided_when_files_are_renamed(seaweedfs: Store) -> None:
    sessions = [
        await seaweedfs.connector.start_upload(ROOT, "a.txt", size_bytes=None, on_conflict=OnConflict.RENAME)
        for _ in range(3)
    ]
    files = []
    for number, session in enumerate(sessions):
        part = await seaweedfs.connector.put_part(session, 1, BytesSource(b"%d" % number))
        files.append(await seaweedfs.connector.finish_upload(session, [part]))
    assert [file.name for file in files] == ["a.txt", "a (1).txt", "a (2).txt"]
    assert [seaweedfs.read(file.name) for file in files] == [b"0", b"1", b"2"]


@pytest.mark.parametrize("policy", [OnConflict.FAIL, OnConflict.REPLACE])
async def test_file_is_returned_again_when_its_upload_is_finished_twice(store: Store, policy: OnConflict) -> None:
    session = await store.connector.start_upload(ROOT, "a.txt", size_bytes=None, on_conflict=policy)
    part = await store.connector.put_part(session, 1, BytesSource(b"bytes"))
    file = await store.connector.finish_upload(session, [part])
    assert await store.connector.finish_upload(session, [part]) == file


def once(answer: Reply | Cut, applies: Any) -> Any:
    """Gives an answer instead of the store's, the first time that it applies."""
    left = [answer]

    def intercept(seen: Seen) -> Any:
        return left.pop() if left and applies(seen) else None

    return intercept


async def test_it_is_tried_again_when_another_write_is_under_way() -> None:
    store = TinyStore()
    async with open_tiny(store) as connector:
        store.intercept = once(fail(409, "ConditionalRequestConflict"), lambda seen: seen.method == "PUT")
        await connector.upload(ROOT, "a", BytesSource(b"bytes"), on_conflict=OnConflict.FAIL)
    assert store.objects["a"].data == b"bytes"


async def test_already_exists_when_another_write_won() -> None:
    store = TinyStore()
    async with open_tiny(store) as connector:

        def lose(seen: Seen) -> Reply | None:
            if seen.method != "PUT":
                return None
            store.objects["a"] = Stored(b"somebody else's")
            store.intercept = lambda _: None
            return fail(409, "ConditionalRequestConflict")

        store.intercept = lose
        with refused(ErrorKind.ALREADY_EXISTS) as caught:
            await connector.upload(ROOT, "a", BytesSource(b"bytes"), on_conflict=OnConflict.FAIL)
    assert caught.value.conflict is not None
    assert caught.value.conflict.raw_id == "/a"
    assert store.objects["a"].data == b"somebody else's"


async def test_file_is_done_when_the_first_try_was_stored_and_its_answer_lost() -> None:
    store = TinyStore()
    async with open_tiny(store) as connector:

        def lose_answer(seen: Seen) -> Reply | None:
            if seen.method != "PUT":
                return None
            store.objects["a"] = Stored(seen.body)
            store.intercept = lambda _: None
            return fail(500, "InternalError")

        store.intercept = lose_answer
        file = await connector.upload(ROOT, "a", BytesSource(b"bytes"), on_conflict=OnConflict.FAIL)
    assert (file.name, file.size_bytes) == ("a", 5)
    assert list(store.objects) == ["a"]


async def test_already_exists_when_the_first_try_was_lost_and_somebody_else_was_faster() -> None:
    store = TinyStore()
    async with open_tiny(store) as connector:

        def lose_answer(seen: Seen) -> Reply | None:
            if seen.method != "PUT":
                return None
            store.objects["a"] = Stored(b"other")
            store.intercept = lambda _: None
            return fail(500, "InternalError")

        store.intercept = lose_answer
        with refused(ErrorKind.ALREADY_EXISTS):
            await connector.upload(ROOT, "a", BytesSource(b"bytes"), on_conflict=OnConflict.FAIL)
    assert store.objects["a"].data == b"other"


async def test_file_is_done_when_its_parts_were_put_together_and_the_answer_lost() -> None:
    store = TinyStore()
    async with open_tiny(store) as connector:
        session = await connector.start_upload(ROOT, "a", size_bytes=None, on_conflict=OnConflict.FAIL)
        part = await connector.put_part(session, 1, BytesSource(b"bytes"))
        whole = Stored(b"bytes")

        def lose_answer(seen: Seen) -> Reply | None:
            if seen.method != "POST":
                return None
            store.intercept = lambda _: None
            store(seen)
            store.objects["a"] = Multipart(whole.data)
            return fail(500, "InternalError")

        store.intercept = lose_answer
        file = await connector.finish_upload(session, [part])
    assert file.size_bytes == 5


class Multipart(Stored):
    """An object whose etag is made of its parts', as stores do."""

    @property
    def etag(self) -> str:
        one = hashlib.md5(self.data, usedforsecurity=False).digest()
        return f"{hashlib.md5(one, usedforsecurity=False).hexdigest()}-1"
