"""What ends tasks from outside: accounts that go, time that passes, keys that change."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import func, select

from app.core.clock import now
from app.core.errors import ApiError
from app.core.state import State
from app.disconnecting import service as disconnecting
from app.models import Transfer, TransferFile, TransferPart
from app.tasks import service
from app.tasks.running import TaskRun
from app.transfers.service import reseal_states
from app.transfers.sessions import open_state, seal_state
from connectors.core.errors import ConnectorError, ErrorKind
from tests.app.tasks.serving import Bench, Script, do_nothing


def add_rows(bench: Bench, task_id: UUID) -> None:
    """One row of each kind below a task."""

    async def add() -> None:
        async with bench.state.db.writing() as session:
            session.add(Transfer(task_id=task_id))
            row = TransferFile(
                task_id=task_id,
                kind="file",
                depth=0,
                source_raw_id="/a",
                source_key="a",
                name="a",
                path="a",
                sealed_state=seal_state(bench.state, bench.caller.account_id, {"upload": "one"}),
            )
            session.add(row)
            await session.flush()
            session.add(TransferPart(transfer_file_id=row.id, number=1, size_bytes=1, sha256=""))

    bench.api.run(add())


def count_rows(bench: Bench) -> list[int | None]:
    async def count() -> list[int | None]:
        async with bench.state.db.reading() as session:
            return [
                await session.scalar(select(func.count()).select_from(table))
                for table in (Transfer, TransferFile, TransferPart)
            ]

    return bench.api.run(count())


@pytest.mark.parametrize("which", ["its own", "its target"])
def test_tasks_end_when_an_account_of_theirs_is_deleted(
    bench: Bench, which: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(disconnecting, "FREEING_SECONDS_MAX", 0.1)  # nobody runs tasks meanwhile
    other = bench.api.add_account(bench.caller)
    ids = [bench.create(target_account_id=other.account_id) for _ in range(2)]
    stays = bench.create()
    script = Script(do_nothing)

    async def wait(_run: TaskRun) -> None:
        raise ConnectorError(ErrorKind.UNAVAILABLE, retry_after_seconds=1000)

    assert bench.serve(Script(wait))  # the first one was begun
    gone = bench.caller if which == "its own" else other
    with bench.caller.client() as client:
        assert client.delete(gone.account_url).status_code == 204
    while bench.serve(script):
        pass
    assert [bench.load(task_id).state for task_id in ids] == ["cancelled", "cancelled"]
    assert bench.load(stays).state == ("cancelled" if which == "its own" else "finished")
    assert script.undone == 1


def test_task_is_forgotten_with_all_its_rows_when_it_ended_long_ago(bench: Bench) -> None:
    old, young, waiting = bench.create(), bench.create(), bench.create()
    for _ in range(3):
        bench.serve(Script(do_nothing))
    for task_id in (old, young):
        add_rows(bench, task_id)
    before = count_rows(bench)
    bench.set(waiting, ended_at=None, state="pending", created_at=now() - timedelta(days=400))
    bench.set(old, ended_at=now() - timedelta(hours=bench.state.settings.task_retention_hours + 1))
    assert bench.api.run(service.forget_ended(bench.state)) == 1
    assert bench.load(young).state == "finished"
    assert bench.load(waiting).state == "pending"
    with pytest.raises(ApiError):
        bench.load(old)
    assert [count - 1 for count in before if count is not None] == count_rows(bench)


def test_sealed_requests_and_states_open_with_the_newest_key_alone_after_rotation(bench: Bench) -> None:
    task_id = bench.create()
    add_rows(bench, task_id)
    values = {name: getattr(bench.state, name) for name in State.__slots__}
    rotated = State(**(values | {"keys": bench.state.keys.rotated()}))
    assert bench.api.run(service.reseal_requests(rotated)) >= 1
    assert bench.api.run(reseal_states(rotated)) >= 1
    assert bench.api.run(service.reseal_requests(rotated)) == 0
    assert bench.api.run(reseal_states(rotated)) == 0
    newest = State(**(values | {"keys": rotated.keys.pruned()}))

    async def load() -> str | None:
        async with bench.state.db.reading() as session:
            return await session.scalar(select(TransferFile.sealed_state).where(TransferFile.task_id == task_id))

    sealed = bench.api.run(load())
    assert sealed is not None
    assert open_state(newest, bench.caller.account_id, sealed) == {"upload": "one"}
    assert newest.keys.open(bench.load(task_id).sealed_request, purpose=service.purpose(task_id)) == b"{}"
