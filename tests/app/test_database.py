"""Sessions, times, ids and migrations on both databases, and what a database that is away does to requests."""

from __future__ import annotations

import asyncio
import random
import secrets
import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest
from alembic import command
from pydantic import SecretStr
from sqlalchemy import delete, insert, inspect, select, text, update
from sqlalchemy.exc import DBAPIError, IntegrityError, StatementError
from sqlalchemy.ext.asyncio import AsyncConnection

from app.accounts.repository import AccountRepository, look_up_row
from app.accounts.rows import build_row
from app.applications.repository import ApplicationRepository
from app.core.db import METADATA, READ_CONNECTIONS_MAX, Database
from app.core.errors import ApiError
from app.core.migrating import build_config, get_head, migrate, read_revision
from app.core.settings import Settings
from app.models import Account, Application, Developer, UploadSession
from app.uploads.repository import UploadRepository
from tests.servers.api import Caller, build_settings, running_api
from tests.servers.ports import find_free_port
from tests.servers.postgres import create_database, drop_database

RECOVERY_SECONDS_MAX = 30.0
POLL_SECONDS = 0.05
CANCELLED_COUNT = 100
CANCELLED_SECONDS_MAX = 0.006  # about as long as a transaction takes


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "sqlite":
        yield f"sqlite+aiosqlite:///{tmp_path / 'test.db'}"
        return
    server, name = request.getfixturevalue("postgres_url"), f"d{secrets.token_hex(6)}"
    yield create_database(server, name)
    drop_database(server, name)


@pytest.fixture
def url(empty_url: str, tmp_path: Path) -> str:
    migrate(Settings(data_dir=tmp_path, database_url=SecretStr(empty_url)))
    return empty_url


@pytest.fixture
async def db(url: str) -> AsyncIterator[Database]:
    opened = Database(url, seconds_max=10)
    yield opened
    await opened.aclose()


async def test_read_session_cannot_write(db: Database) -> None:
    with pytest.raises(ApiError) as caught:
        async with db.reading() as session:
            await session.execute(insert(Developer).values(name="sneaked in"))
    assert isinstance(caught.value.__cause__, DBAPIError)
    async with db.writing() as session:
        assert list(await session.scalars(select(Developer))) == []


async def test_database_can_be_written_when_writers_were_cancelled_at_any_moment(db: Database) -> None:
    async def write(name: str) -> None:
        async with db.writing() as session:
            await session.execute(insert(Developer).values(name=name))
            await session.scalar(select(Developer.id).limit(1))

    chance = random.Random(1)
    await write("first")
    for number in range(CANCELLED_COUNT):
        cancelled = asyncio.create_task(write("cancelled"))
        await asyncio.sleep(chance.uniform(0, CANCELLED_SECONDS_MAX))
        cancelled.cancel()
        await asyncio.wait({cancelled})
        assert cancelled.cancelled() or cancelled.exception() is None
        await write(f"after {number}")  # 503 if the one before still holds the database
    async with db.reading() as session:
        names = list(await session.scalars(select(Developer.name).where(Developer.name != "cancelled")))
    assert names == ["first", *(f"after {number}" for number in range(CANCELLED_COUNT))]


@pytest.mark.parametrize(
    "write",
    [
        lambda session: AccountRepository(session).add(Account()),
        lambda session: ApplicationRepository(session).add_developer(Developer(name="sneaked in")),
        lambda session: UploadRepository(session).add(UploadSession()),
    ],
)
async def test_repository_refuses_to_write_in_a_read_session(db: Database, write: Callable[[Any], Any]) -> None:
    async with db.reading() as session:
        with pytest.raises(AssertionError, match="write session"):
            await write(session)


async def test_nothing_is_stored_and_nobody_is_told_when_the_block_fails(url: str) -> None:
    told: list[str] = []
    db = Database(url, on_change=told.append)

    async def fail() -> None:
        async with db.writing() as session:
            session.add(Developer(name="gone"))
            session.note_change("developer")
            await session.flush()
            session.add(Application(id="a", developer_id=999, name="of nobody"))

    with pytest.raises(IntegrityError):
        await fail()
    assert told == []
    async with db.writing() as session:
        session.add(Developer(name="stays"))
        session.note_change("developer")
        assert told == []
    async with db.reading() as reader:
        assert [row.name for row in await reader.scalars(select(Developer))] == ["stays"]
    assert told == ["developer"]
    await db.aclose()


@pytest.fixture
async def account_id(db: Database) -> int:
    async with db.writing() as session:
        developer_id = await ApplicationRepository(session).add_developer(Developer(name="D"))
        session.add(Application(id="a", developer_id=developer_id, name="A"))
        await session.flush()
        account = Account(
            application_id="a",
            service="s",
            identity_key="i",
            label="before",
            is_admin=True,
            is_enabled=False,
            custom_properties={"ü": [1, None]},
            token_expires_at=datetime(2024, 2, 29, 23, 59, 59, 999_999, tzinfo=UTC),
        )
        await AccountRepository(session).add(account)
        return account.id


async def test_looked_up_row_is_what_a_session_reads_when_it_was_changed_a_moment_ago(
    db: Database, account_id: int
) -> None:
    assert len({row and row.label for row in await asyncio.gather(*(look_up_row(db, account_id) for _ in "12"))}) == 1
    for label in ("first", "second"):
        async with db.writing() as session:
            await session.execute(update(Account).values(label=label))
        async with db.reading() as session:
            account = await AccountRepository(session).find(account_id)
            assert account is not None
            assert (account.label, await look_up_row(db, account_id)) == (label, build_row(account))
    assert await look_up_row(db, account_id + 1) is None


async def test_row_is_looked_up_by_many_when_others_were_cancelled_at_any_moment(db: Database, account_id: int) -> None:
    chance, many = random.Random(1), range(3 * READ_CONNECTIONS_MAX)
    for _ in many:
        cancelled = asyncio.create_task(look_up_row(db, account_id))
        await asyncio.sleep(chance.uniform(0, CANCELLED_SECONDS_MAX / 6))
        cancelled.cancel()
        await asyncio.wait({cancelled})
    rows = await asyncio.gather(*(look_up_row(db, account_id) for _ in many))
    assert {row and row.label for row in rows} == {"before"}


async def test_time_is_refused_when_it_is_naive(db: Database) -> None:
    with pytest.raises(StatementError, match="naive time"):
        async with db.writing() as session:
            await session.execute(insert(Developer).values(name="D", created_at=datetime(2020, 1, 1)))  # noqa: DTZ001 - the point


async def test_time_comes_back_in_utc_to_the_microsecond(db: Database) -> None:
    given = datetime(2024, 2, 29, 23, 59, 59, 999_999, tzinfo=timezone(timedelta(hours=-9, minutes=-30)))
    async with db.writing() as session:
        session.add(Developer(name="D", created_at=given))
    async with db.reading() as session:
        stored = (await session.scalars(select(Developer.created_at))).one()
    assert (stored, stored.tzinfo) == (given, UTC)


async def test_time_of_creation_is_the_databases_when_none_is_given(db: Database) -> None:
    async with db.writing() as session:
        await session.execute(text("INSERT INTO developers (name) VALUES ('D')"))
    async with db.reading() as session:
        stored = (await session.scalars(select(Developer.created_at))).one()
    assert abs(datetime.now(UTC) - stored) < timedelta(minutes=5)


async def test_id_is_not_given_again_when_the_newest_row_was_deleted(db: Database) -> None:
    async with db.writing() as session:
        first = await ApplicationRepository(session).add_developer(Developer(name="first"))
    async with db.writing() as session:
        await session.execute(delete(Developer))
    async with db.writing() as session:
        assert await ApplicationRepository(session).add_developer(Developer(name="second")) > first


def test_every_numbered_table_of_the_embedded_database_keeps_its_numbers_apart(tmp_path: Path) -> None:
    migrate(Settings(data_dir=tmp_path))
    with closing(sqlite3.connect(tmp_path / "kloudless.db")) as connection:
        made = dict(connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'table'").fetchall())
    for name, table in METADATA.tables.items():
        if [column.autoincrement for column in table.primary_key] == [True]:
            assert "AUTOINCREMENT" in made[name], name


async def test_error_names_no_value_when_a_row_is_refused(db: Database) -> None:
    with pytest.raises(IntegrityError) as caught:
        async with db.writing() as session:
            session.add(Application(id="s3cret-value", developer_id=999, name="s3cret-name"))
    assert "s3cret" not in str(caught.value).split("DETAIL")[0]


def test_migrations_go_up_down_and_up_again(empty_url: str, tmp_path: Path) -> None:
    async def list_tables() -> set[str]:
        db = Database(empty_url)
        async with db.reading() as session:
            connection = await session.connection()
            found = set(await connection.run_sync(lambda plain: inspect(plain).get_table_names()))
        await db.aclose()
        return found - {"sqlite_sequence"}

    settings = Settings(data_dir=tmp_path, database_url=SecretStr(empty_url))
    assert read_revision(empty_url) is None
    for _ in range(2):
        migrate(settings)
        migrate(settings)
        assert read_revision(empty_url) == get_head()
        assert asyncio.run(list_tables()) == {*METADATA.tables, "alembic_version"}
        command.downgrade(build_config(empty_url), "base")
        assert asyncio.run(list_tables()) == {"alembic_version"}
        assert read_revision(empty_url) is None


async def test_service_is_unavailable_when_there_is_no_server() -> None:
    db = Database(f"postgresql+asyncpg://app@127.0.0.1:{find_free_port()}/x", seconds_max=5)
    for session in (db.reading, db.writing):
        with pytest.raises(ApiError) as caught:
            async with session() as opened:
                await opened.execute(text("SELECT 1"))
        assert (caught.value.code.status, int((caught.value.headers or {})["Retry-After"]) > 0) == (503, True)
    with pytest.raises(ApiError) as caught:
        await look_up_row(db, 1)
    assert caught.value.code.status == 503
    await db.aclose()


async def test_service_is_unavailable_when_a_query_takes_too_long(postgres_url: str) -> None:
    db = Database(f"{postgres_url}/postgres", seconds_max=2)
    with pytest.raises(ApiError) as caught:
        async with db.reading() as session:
            await session.execute(text("SELECT pg_sleep(30)"))
    assert caught.value.code.status == 503
    await db.check()
    await db.aclose()


async def test_service_is_unavailable_when_the_file_is_empty(tmp_path: Path) -> None:
    db = Database(f"sqlite+aiosqlite:///{tmp_path / 'test.db'}")
    with pytest.raises(ApiError) as caught:
        await look_up_row(db, 1)
    assert caught.value.code.status == 503
    await db.aclose()


@pytest.mark.parametrize("empty_url", ["sqlite"], indirect=True)  # the other database takes one each time
async def test_rows_are_looked_up_again_when_the_connection_could_not_be_taken_once(
    db: Database, account_id: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(_: AsyncConnection) -> None:
        raise OSError

    with monkeypatch.context() as context:
        context.setattr(AsyncConnection, "get_raw_connection", fail)
        with pytest.raises(ApiError) as caught:
            await look_up_row(db, account_id)
        assert caught.value.code.status == 503
    row = await look_up_row(db, account_id)
    assert row is not None
    assert row.label == "before"


async def test_service_is_unavailable_when_all_connections_are_taken(tmp_path: Path) -> None:
    db = Database(f"sqlite+aiosqlite:///{tmp_path / 'test.db'}", seconds_max=0.2)
    async with db.writing() as session:
        await session.execute(text("SELECT 1"))
        with pytest.raises(ApiError) as caught:
            async with db.writing() as second:
                await second.execute(text("SELECT 1"))
    assert caught.value.code.status == 503
    await db.aclose()


async def test_question_whether_all_is_well_ends_soon_and_is_shared_when_no_connection_is_free(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    db = Database(f"{postgres_url}/postgres", seconds_max=30)
    async with AsyncExitStack() as taken:
        for _ in range(READ_CONNECTIONS_MAX):
            session = await taken.enter_async_context(db.reading())
            await session.execute(text("SELECT 1"))
        tasks_before = len(asyncio.all_tasks())
        with monkeypatch.context() as context:
            context.setattr("app.core.db.CHECK_SECONDS_MAX", 0.2)
            answers = await asyncio.gather(*(db.check() for _ in range(20)), return_exceptions=True)
        assert [isinstance(answer, ApiError) and answer.code.status for answer in answers] == [503] * 20
        assert len(asyncio.all_tasks()) <= tasks_before + 2
    await db.check()
    await db.aclose()


def _wait_for(client: httpx.Client, url: str, status: int) -> httpx.Response:
    deadline = time.monotonic() + RECOVERY_SECONDS_MAX
    while True:
        answer = client.get(url)
        if answer.status_code == status or time.monotonic() > deadline:
            return answer
        time.sleep(POLL_SECONDS)


@pytest.fixture
def postgres_caller(postgres_url: str, tmp_path: Path) -> Iterator[Caller]:
    """On a server and a database of its own."""
    name = f"d{secrets.token_hex(6)}"
    url = create_database(postgres_url, name)
    with running_api(build_settings(tmp_path, database_url=url, database_seconds_max=5)) as api:
        yield api.create_caller()
    drop_database(postgres_url, name)


def test_requests_are_unavailable_while_the_server_is_away_and_work_again_by_themselves(
    postgres_url: str, postgres_caller: Caller
) -> None:
    name = postgres_caller.api.settings.database_url_text.rsplit("/", 1)[1]

    async def switch(statement: str) -> None:
        plain = postgres_url.replace("postgresql+asyncpg", "postgresql")
        connection = await asyncpg.connect(f"{plain}/postgres")
        await connection.execute(statement)
        await connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", name)
        await connection.close()

    with postgres_caller.client() as client:
        assert client.get("/v1/accounts").status_code == 200
        asyncio.run(switch(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false'))
        for url in ("/v1/accounts", "/ready", "/v1/meta/applications"):
            headers = postgres_caller.developer_header if "meta" in url else postgres_caller.key_header
            answer = client.get(url, headers=headers)
            assert (answer.status_code, answer.json()["error_code"]) == (503, "service_not_available")
            assert int(answer.headers["retry-after"]) > 0
        assert client.post(f"{postgres_caller.account_url}/tokens").status_code == 503
        assert client.get("/health").status_code == 200
        asyncio.run(switch(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true'))
        assert _wait_for(client, "/ready", 200).status_code == 200
        assert _wait_for(client, "/v1/accounts", 200).json()["total"] == 1
        assert client.post(f"{postgres_caller.account_url}/tokens").status_code == 201


def test_writes_are_unavailable_while_the_file_is_locked_and_reads_go_on(tmp_path: Path) -> None:
    with running_api(build_settings(tmp_path)) as api:
        caller = api.create_caller()
    with (
        running_api(build_settings(tmp_path, database_seconds_max=0.3)) as api,
        replace(caller, api=api).client() as client,
    ):
        url = f"{caller.account_url}/tokens"
        with closing(sqlite3.connect(tmp_path / "data" / "kloudless.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            answer = client.post(url)
            assert (answer.status_code, answer.json()["error_code"]) == (503, "service_not_available")
            assert int(answer.headers["retry-after"]) > 0
            assert client.get("/v1/accounts").status_code == 200
            other.execute("ROLLBACK")
        assert client.post(url).status_code == 201
