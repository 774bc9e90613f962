"""Uploads in parts: what comes through several processes is compared as what comes through one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import msgspec
import pytest

from connectors.core.bytesource import BytesSource
from connectors.core.errors import ErrorKind
from connectors.core.resources import OnConflict, Part, UploadSession
from connectors.gdrive import receipts
from simulators.core.faults import FaultKind
from tests.connectors.behavior.space import refused
from tests.connectors.gdrive.conftest import ROOT, Account, Open

Begin = Callable[[OnConflict], Awaitable[tuple[UploadSession, list[Part]]]]


@pytest.fixture(params=["one process", "a process for each part"])
def begin(request: pytest.FixtureRequest, account: Account, open_as: Open) -> Begin:
    """Sends all parts of a.bin, which is a full part and a short one, but does not finish."""

    async def begin_it(on_conflict: OnConflict) -> tuple[UploadSession, list[Part]]:
        session = await account.connector.start_upload(ROOT, "a.bin", size_bytes=None, on_conflict=on_conflict)
        data = bytes(range(251)) * (session.part_size_bytes // 251 + 2000)
        parts: list[Part] = []
        for number, start in enumerate(range(0, len(data), session.part_size_bytes), 1):
            sender = account
            if request.param != "one process":
                session, parts = msgspec.json.decode(
                    msgspec.json.encode((session, parts)), type=tuple[UploadSession, list[Part]]
                )
                sender = open_as()
            source = BytesSource(data[start : start + session.part_size_bytes])
            previous = parts[-1] if parts else None
            parts.append(await sender.connector.put_part(session, number, source, previous=previous))
        return session, parts

    return begin_it


async def test_nothing_stays_when_other_bytes_were_stored(account: Account, begin: Begin) -> None:
    session, parts = await begin(OnConflict.FAIL)
    account.fail(FaultKind.REWRITTEN_BYTES, "/upload/", method="PUT", times=9)
    for _ in range(2):  # nor is it a success when it is finished again
        with refused(ErrorKind.UNEXPECTED):
            await account.connector.finish_upload(session, parts)
        assert len(list(account.place.drive.store.list_all())) == 1  # nor in the trash: only the root


async def test_old_bytes_are_current_when_others_were_stored_instead_of_the_new_ones(
    account: Account, begin: Begin
) -> None:
    old = await account.put("a.bin", b"old")
    session, parts = await begin(OnConflict.REPLACE)
    account.fail(FaultKind.REWRITTEN_BYTES, "/upload/", method="PUT", times=9)
    with refused(ErrorKind.UNEXPECTED):
        await account.connector.finish_upload(session, parts)
    assert await account.connector.get_by_path("/a.bin") == await account.connector.get(old.ref)
    assert await account.read(old.raw_id) == b"old"
    assert [version.etag for version in (await account.connector.list_versions(old.raw_id)).versions] == [old.etag]


async def test_file_that_took_the_name_meanwhile_stays_when_other_bytes_were_stored(
    account: Account, begin: Begin
) -> None:
    session, parts = await begin(OnConflict.REPLACE)
    newer = await account.put("a.bin", b"newer")
    account.fail(FaultKind.REWRITTEN_BYTES, "/upload/", method="PUT", times=9)
    with refused(ErrorKind.UNEXPECTED):
        await account.connector.finish_upload(session, parts)
    assert await account.names() == ["a.bin"]
    assert await account.read(newer.raw_id) == b"newer"


@pytest.mark.parametrize("begin", ["one process"], indirect=True)
class TestReceipts:
    async def test_file_is_whole_when_another_version_of_the_library_wrote_the_checksum(
        self, account: Account, begin: Begin
    ) -> None:
        session, parts = await begin(OnConflict.FAIL)
        other = msgspec.json.decode(parts[0].receipt or "") | {"writer": "0", "checksum": "bm9ib2R5IGtub3dz"}
        first = msgspec.structs.replace(parts[0], receipt=msgspec.json.encode(other).decode())
        end = b"x" * parts[1].size_bytes
        second = await account.connector.put_part(session, 2, BytesSource(end), previous=first)
        file = await account.connector.finish_upload(session, [first, second])
        assert (await account.read(file.raw_id)).endswith(end[-1000:])

    async def test_file_is_whole_when_the_library_is_not_made_for_the_machine(
        self, account: Account, begin: Begin, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        begun_elsewhere = await begin(OnConflict.REPLACE)
        monkeypatch.setattr(receipts, "PySha256", None)
        monkeypatch.setattr(receipts, "WRITER", "")
        for session, parts in (begun_elsewhere, await begin(OnConflict.REPLACE)):
            file = await account.connector.finish_upload(session, parts)
            assert file.size_bytes == sum(part.size_bytes for part in parts)

    @pytest.mark.parametrize("change", [{"checksum": "AAAA"}, {"checksum": None}, {"tail": 5}])
    async def test_invalid_parts_when_a_receipt_was_not_written_here(
        self, account: Account, begin: Begin, change: dict[str, object]
    ) -> None:
        session, parts = await begin(OnConflict.FAIL)
        receipt = msgspec.json.encode(msgspec.json.decode(parts[1].receipt or "") | change).decode()
        with refused(ErrorKind.INVALID_PARTS):
            await account.connector.finish_upload(
                session, [parts[0], msgspec.structs.replace(parts[1], receipt=receipt)]
            )
        assert await account.names() == []
