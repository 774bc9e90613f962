"""Engines and sessions. Reading and writing are two types; nobody commits but `Database.writing`."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import asyncpg
import msgspec
from sqlalchemy import DateTime, MetaData, event, text
from sqlalchemy.engine import Dialect, make_url
from sqlalchemy.exc import DBAPIError, DisconnectionError, IntegrityError, ProgrammingError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.types import TypeDecorator

from app.core.errors import ApiError, ErrorCode
from app.core.lookups import FileLookUps, Query, Values
from connectors.core.cleanup import note_seen

NOTIFY_CHANNEL = "kloudless_changes"
READ_CONNECTIONS_MAX = 10
WRITE_CONNECTIONS_MAX = 10
RETRY_AFTER_SECONDS = 2
CHECK_SECONDS_MAX = 3.0  # less than those wait who ask whether all is well

P = ParamSpec("P")
ResultT = TypeVar("ResultT")

METADATA = MetaData(
    naming_convention={
        "ix": "ix_%(column_0_label)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)


class UtcDateTime(TypeDecorator[datetime]):
    """Aware UTC times on both databases; SQLite forgets the zone, so it is put back."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 - SQLAlchemy's signature
        if value is not None and value.tzinfo is None:
            raise AssertionError("a naive time reached the database")
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 - SQLAlchemy's signature
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


async def _finish(call: Coroutine[Any, Any, ResultT]) -> ResultT:
    """Waits for a call to the database even when cancelled: one broken off leaves its transaction open, locks and all,
    until somebody collects the connection.
    """
    running = asyncio.ensure_future(call)
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        while not running.done():
            with suppress(asyncio.CancelledError):
                await asyncio.wait([running])
        note_seen(running)
        raise


def _finishing(method: Callable[P, Coroutine[Any, Any, ResultT]]) -> Callable[P, Coroutine[Any, Any, ResultT]]:
    @wraps(method)
    async def finish(*args: P.args, **kwargs: P.kwargs) -> ResultT:
        return await _finish(method(*args, **kwargs))

    return finish


class _WholeSession(AsyncSession):
    """Cancelling comes between two calls to the database, never in the middle of one."""


for _name in ("execute", "scalar", "scalars", "get", "flush", "commit"):
    setattr(_WholeSession, _name, _finishing(getattr(AsyncSession, _name)))


class ReadSession(_WholeSession):
    """May only look; the database refuses writes."""


class WriteSession(_WholeSession):
    """One transaction that is committed when its block ends well."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.changed: set[str] = set()

    def note_change(self, name: str) -> None:
        """Says that what caches hold under `name` is stale once this is committed, in this process and all others."""
        self.changed.add(name)


AnySession = ReadSession | WriteSession


class Repository:
    """Reads and writes within one session; what every repository begins with."""

    def __init__(self, session: AnySession) -> None:
        self._session = session

    @property
    def _writer(self) -> WriteSession:
        if not isinstance(self._session, WriteSession):
            raise AssertionError("a write needs a write session")  # noqa: TRY004 - a programming error
        return self._session


class Database:
    """The two engines and what is told about changes."""

    def __init__(
        self,
        url: str,
        *,
        read_url: str | None = None,
        seconds_max: float = 10.0,
        on_change: Callable[[str], None] = lambda _name: None,
    ) -> None:
        self.url = url
        self.is_sqlite = url.startswith("sqlite")
        self._on_change = on_change
        self._checking: asyncio.Task[None] | None = None
        self._look_ups: FileLookUps | None = None
        if self.is_sqlite:
            self._write_engine = _create_sqlite_engine(url, is_reader=False, seconds_max=seconds_max)
            self._read_engine = self._newest_engine = _create_sqlite_engine(
                url, is_reader=True, seconds_max=seconds_max
            )
            self._look_ups = FileLookUps(self._read_engine)
        else:
            self._write_engine = _create_server_engine(url, WRITE_CONNECTIONS_MAX, seconds_max=seconds_max)
            self._read_engine = _create_server_engine(
                read_url or url, READ_CONNECTIONS_MAX, seconds_max=seconds_max
            ).execution_options(postgresql_readonly=True)
            self._newest_engine = (
                self._read_engine
                if read_url is None
                else self._write_engine.execution_options(postgresql_readonly=True)
            )
        self._look_up_engine = self._read_engine.execution_options(isolation_level="AUTOCOMMIT")

    @property
    def driver_url(self) -> str:
        """Where the server is, as its driver wants it; may hold a password."""
        return make_url(self.url).set(drivername="postgresql").render_as_string(hide_password=False)

    @asynccontextmanager
    async def reading(self, *, is_newest: bool = False) -> AsyncIterator[ReadSession]:
        """A session that may only look. ApiError 503 when the database cannot be reached.

        A replica lags behind; with `is_newest` the session sees everything that was committed.
        """
        with _reachable():
            engine = self._newest_engine if is_newest else self._read_engine
            async with ReadSession(engine, expire_on_commit=False) as session:
                yield session

    async def look_up(self, query: Query, **values: Any) -> Values | None:
        """The columns of a query's first row, at a fraction of what a session costs. ApiError 503 as above.

        For what many requests need. `query` has to live on, since it is compiled once; a replica lags behind here, too.
        """
        with _reachable():
            if self._look_ups is None:
                return await _finish(self._ask_for_row(query, values))
            if not self._look_ups.is_open:
                await _finish(self._look_ups.open())
            return await self._look_ups.find(query, values)

    async def _ask_for_row(self, query: Query, values: Values) -> Values | None:
        async with self._look_up_engine.connect() as connection:
            row = (await connection.execute(query, values)).first()
        return None if row is None else row._asdict()

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[WriteSession]:
        """One transaction, committed at the end of the block, rolled back if it raises. ApiError 503 as above."""
        with _reachable():
            async with WriteSession(self._write_engine, expire_on_commit=False) as session:
                yield session
                if session.changed and not self.is_sqlite:
                    for name in sorted(session.changed):
                        await session.execute(
                            text("SELECT pg_notify(:channel, :name)"),
                            {"channel": NOTIFY_CHANNEL, "name": name},
                        )
                await session.commit()
        for name in session.changed:
            self._on_change(name)

    async def delete_in_batches(
        self, delete: Callable[[WriteSession, int], Awaitable[int]], *, batch_count: int
    ) -> int:
        """Deletes up to `batch_count` rows in each transaction, until there are no more; returns how many in all."""
        deleted_count = 0
        while True:
            async with self.writing() as session:
                count = await delete(session, batch_count)
            deleted_count += count
            if count < batch_count:
                return deleted_count

    async def check(self) -> None:
        """Asks the database for anything; ApiError 503 when it does not answer soon.

        Who asks at the same time shares one question, so that any number may ask.
        """
        if self._checking is None or self._checking.done():
            self._checking = asyncio.create_task(self._ask())
            self._checking.add_done_callback(note_seen)
        checking = self._checking
        await asyncio.wait({checking}, timeout=CHECK_SECONDS_MAX)
        if not checking.done():
            raise _build_away_error()
        checking.result()

    async def _ask(self) -> None:
        async with self.reading() as session:
            await session.execute(text("SELECT 1"))

    async def aclose(self) -> None:
        """Closes all connections."""
        if self._checking is not None:
            await asyncio.wait({self._checking})
        if self._look_ups is not None:
            await self._look_ups.aclose()
        await self._read_engine.dispose()
        await self._write_engine.dispose()


class _reachable:  # noqa: N801 - reads as a phrase: with _reachable()
    """Turns "the database is not there" into 503; other database errors stay bugs."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        is_lost = isinstance(error, DBAPIError) and not isinstance(error, IntegrityError | ProgrammingError)
        # The drivers' own errors come through while connecting (starting up, shutting down, too many connections), and
        # when they are asked past the sessions.
        own = OSError | PoolTimeoutError | TimeoutError | asyncpg.PostgresError | sqlite3.Error
        if is_lost or isinstance(error, own):
            raise _build_away_error() from error


def _build_away_error() -> ApiError:
    return ApiError(
        ErrorCode.SERVICE_NOT_AVAILABLE,
        "The database cannot be reached right now; try again shortly.",
        headers={"Retry-After": str(RETRY_AFTER_SECONDS)},
    )


def _create_sqlite_engine(url: str, *, is_reader: bool, seconds_max: float) -> AsyncEngine:
    engine = create_async_engine(
        url,
        pool_size=READ_CONNECTIONS_MAX + 1 if is_reader else 1,  # one looks up
        max_overflow=0,
        pool_timeout=seconds_max,
        hide_parameters=True,  # an error's text goes to the log; what was to be stored does not
        json_serializer=_encode_json,
        json_deserializer=msgspec.json.decode,
        connect_args={"timeout": seconds_max},
    )

    @event.listens_for(engine.sync_engine, "connect")
    def set_up(connection: sqlite3.Connection, _record: object) -> None:
        # The driver's own transactions begin late; ours begin with the first statement, at once and for writing.
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in (
            "journal_mode=WAL",
            "foreign_keys=ON",
            "synchronous=FULL",
            f"busy_timeout={int(seconds_max * 1000)}",
        ):
            cursor.execute(f"PRAGMA {pragma}")
        if is_reader:
            cursor.execute("PRAGMA query_only=ON")
        cursor.close()
        # SQLite's own knows no letters beyond A to Z.
        connection.create_function("lower", 1, lambda value: None if value is None else value.lower())

    @event.listens_for(engine.sync_engine, "begin")
    def begin(connection: Any) -> None:
        connection.exec_driver_sql("BEGIN" if is_reader else "BEGIN IMMEDIATE")

    return engine


def _create_server_engine(url: str, connections_max: int, *, seconds_max: float) -> AsyncEngine:
    engine = create_async_engine(
        url,
        pool_size=connections_max,
        max_overflow=0,
        pool_timeout=seconds_max,
        hide_parameters=True,  # an error's text goes to the log; what was to be stored does not
        json_serializer=_encode_json,
        json_deserializer=msgspec.json.decode,
        connect_args={"timeout": seconds_max, "command_timeout": seconds_max},
    )

    @event.listens_for(engine.sync_engine, "checkout")
    def check(connection: Any, _record: object, _proxy: object) -> None:
        # The server went away and may be back: a new connection, rather than one failed request for each old one.
        if connection.driver_connection.is_closed():
            raise DisconnectionError

    return engine


def _encode_json(value: object) -> str:
    return msgspec.json.encode(value).decode()
