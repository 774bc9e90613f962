"""Clients that remember what they were promised, and compare every later answer with it."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any

METADATA = "X-Kloudless-Metadata"
ANSWER_SECONDS_MAX = 120.0
IDLE_SECONDS_MAX = 30.0  # less than a server keeps a connection that nobody uses
SETTLE_SECONDS = 3.0  # within which a storage ends what nobody waits for any more
TASK_SECONDS_MAX = 60.0
POLL_SECONDS = 0.3
FILES_MAX = 12  # of one client
SIZES_BYTES = (0, 1, 700, 9_000, 70_000, 300_000)
PASSING = frozenset({429, 502, 503, 504})
"""What a storage that fails, a database that is away and too much to do may be answered with."""

NEEDS_RETRY_AFTER = ("The database", "The server")
"""Messages of 503s that are the server's own."""


class WrongError(Exception):
    """An answer that must not be."""


class AwayError(Exception):
    """An answer that says: not now, but after so long. What was asked for may have happened."""

    def __init__(self, seconds: float = 0.0) -> None:
        super().__init__()
        self.seconds = seconds


@dataclass(frozen=True)
class Answer:
    """One reply, whole."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


class Line:
    """A kept-alive connection to the server. ConnectionError when a reply is cut."""

    def __init__(self, port: int, headers: Mapping[str, str]) -> None:
        self._port = port
        self._headers = {"Host": f"127.0.0.1:{port}", **headers}
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self._used_at = 0.0

    async def ask(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Answer:
        if time.monotonic() - self._used_at > IDLE_SECONDS_MAX:
            await self.close()
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self._port)
        reader, writer = self._streams
        fields = {**self._headers, **headers, "Content-Length": str(len(body))}
        lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items()), "", ""]
        try:
            async with asyncio.timeout(ANSWER_SECONDS_MAX):
                writer.write("\r\n".join(lines).encode() + body)
                return await self._read(reader)
        except (asyncio.IncompleteReadError, OSError) as error:
            await self.close()
            raise ConnectionError(f"{method} {target}: cut") from error

    async def _read(self, reader: asyncio.StreamReader) -> Answer:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head.rstrip().split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        self._used_at = time.monotonic()
        if headers.get("connection") == "close":
            await self.close()
        return Answer(int(first.split(" ")[1]), headers, body)

    async def close(self) -> None:
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None


@dataclass
class Kept:
    """A file as it was promised. Several contents, or None for no file, after an answer that said neither."""

    id: str
    contents: set[bytes | None]

    @property
    def sizes(self) -> set[int]:
        return {len(data) for data in self.contents if data is not None}


@dataclass
class Ledger:
    """What all clients saw together."""

    statuses: Counter[int] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    operations: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    cut_count: int = 0


@dataclass(frozen=True)
class Home:
    """An account and the folder in it that one client has for itself."""

    storage_url: str
    account_id: int
    folder_id: str


class Client:
    """One of the crowd: one connection, one operation after the other."""

    def __init__(
        self, name: str, port: int, headers: Mapping[str, str], home: Home, other: Home, ledger: Ledger
    ) -> None:
        self.name = name
        self.files: dict[str, Kept] = {}
        self._line = Line(port, headers)
        self._home = home
        self._other = other
        self._ledger = ledger
        self._random = Random(name)
        self._count = 0

    async def run(self, until: float, *, pause_seconds_max: float) -> None:
        """Works until then, by the event loop's clock."""
        clock = asyncio.get_running_loop().time
        while clock() < until:
            await self._step(self._choose())
            await asyncio.sleep(self._random.uniform(0, pause_seconds_max))

    async def check(self) -> None:
        """Compares everything that was promised with what is there, however often it has to ask."""
        deadline = time.monotonic() + ANSWER_SECONDS_MAX
        is_settled = False
        while not is_settled and time.monotonic() < deadline:
            is_settled = await self._step(self._settle)
        for name, file in list(self.files.items()):
            while time.monotonic() < deadline and not await self._step(self._read, name):
                pass
            if len(file.contents) > 1:
                self._ledger.wrong.append(f"{self.name}: {name} could not be read")
        if not is_settled:
            self._ledger.wrong.append(f"{self.name}: the folder could not be listed")
        await self.close()

    async def close(self) -> None:
        """Leaves."""
        await self._line.close()

    async def _step(self, operation: Callable[..., Coroutine[Any, Any, None]], *names: str) -> bool:
        """Does one thing; True if it was answered well."""
        self._ledger.operations[operation.__name__.lstrip("_")] += 1
        try:
            await operation(*names)
        except AwayError as error:
            await self._step_back(error)
            return False
        except (WrongError, ConnectionError, TimeoutError, ValueError, KeyError) as error:
            self._ledger.wrong.append(f"{self.name}: {operation.__name__}{names}: {error!r}")
            return True
        return True

    async def _step_back(self, error: AwayError) -> None:
        await asyncio.sleep(SETTLE_SECONDS + self._random.uniform(1, 2) * error.seconds)
        if any(None in file.contents for file in self.files.values()):
            await self._step(self._settle)

    def _choose(self) -> Callable[[], Coroutine[Any, Any, None]]:
        if not self.files:
            return self._upload
        weights = {
            self._upload: 20 if len(self.files) < FILES_MAX else 0,
            self._delete: 10 if len(self.files) < FILES_MAX else 40,
            self._replace: 10,
            self._rename: 10,
            self._look: 15,
            self._list: 15,
            self._read: 20,
            self._copy: 4,
        }
        (chosen,) = self._random.choices(list(weights), list(weights.values()))
        return chosen

    def _pick(self) -> str:
        return self._random.choice(sorted(self.files))

    def _make(self) -> tuple[str, bytes]:
        self._count += 1
        return f"{self._count} ü {self.name}.bin", self._random.randbytes(self._random.choice(SIZES_BYTES))

    async def _upload(self) -> None:
        name, data = self._make()
        file = self.files[name] = Kept("", {data, None})
        metadata = json.dumps({"name": name, "parent_id": self._home.folder_id})
        made = (await self._ask(201, "POST", "/files", {METADATA: metadata}, data)).json()
        self._compare(made, name, {len(data)})
        file.id, file.contents = made["id"], {data}

    async def _replace(self) -> None:
        name = self._pick()
        file, (_, data) = self.files[name], self._make()
        file.contents.add(data)
        made = (await self._ask(200, "PUT", f"/files/{file.id}", {}, data)).json()
        self._compare(made, name, {len(data)})
        file.id, file.contents = made["id"], {data}

    async def _rename(self) -> None:
        old, (new, _) = self._pick(), self._make()
        file = self.files[old]
        contents = set(file.contents)
        file.contents.add(None)
        self.files[new] = Kept("", contents | {None})
        try:
            made = (await self._ask(200, "PATCH", f"/files/{file.id}", {}, json.dumps({"name": new}).encode())).json()
        except AwayError as error:
            await self._step_back(error)
            if not {old, new} & set(self.files):
                raise WrongError(f"{old} is gone, and there is no {new}") from None
            return
        self._compare(made, new, self.files[new].sizes)
        del self.files[old]
        self.files[new] = Kept(made["id"], contents)

    async def _delete(self) -> None:
        name = self._pick()
        self.files[name].contents.add(None)
        await self._ask(204, "DELETE", f"/files/{self.files[name].id}")
        del self.files[name]

    async def _look(self) -> None:
        name = self._pick()
        file = self.files[name]
        self._compare((await self._ask(200, "GET", f"/files/{file.id}")).json(), name, file.sizes)

    async def _read(self, name: str = "") -> None:
        name = name or self._pick()
        file = self.files[name]
        try:
            data = (await self._ask(200, "GET", f"/files/{file.id}/contents")).body
        except ConnectionError as error:  # its head was good and said how much was to come: nobody is deceived
            self._ledger.cut_count += 1
            raise AwayError from error
        if data not in file.contents:
            raise WrongError(f"{len(data)} bytes of {name} are not those that were stored")
        file.contents = {data}

    async def _list(self) -> None:
        names = {entry["name"]: entry for entry in await self._list_home()}
        missing = {name for name, file in self.files.items() if None not in file.contents} - set(names)
        if missing or set(names) - set(self.files):
            raise WrongError(f"missing: {missing}, unknown: {set(names) - set(self.files)}")
        for name, entry in names.items():
            self._compare(entry, name, self.files[name].sizes)

    async def _settle(self) -> None:
        """Finds out what became of everything in doubt."""
        names = {entry["name"]: entry for entry in await self._list_home()}
        lost = []
        for name, file in list(self.files.items()):
            if name in names:
                file.id = names[name]["id"]
                file.contents.discard(None)
                self._compare(names[name], name, file.sizes)
            else:
                del self.files[name]
                lost += [] if None in file.contents else [name]
        if lost or set(names) - set(self.files):
            raise WrongError(f"lost: {lost}, unknown: {set(names) - set(self.files)}")

    async def _list_home(self) -> list[dict[str, Any]]:
        target = f"/folders/{self._home.folder_id}/contents?page_size=1000"
        objects: list[dict[str, Any]] = (await self._ask(200, "GET", target)).json()["objects"]
        return objects

    async def _copy(self) -> None:
        """A copy to the other account, as a task that is asked for until it has ended."""
        name = self._pick()
        file = self.files[name]
        await self._read(name)
        (data,) = file.contents
        body = json.dumps({"account": self._other.account_id, "parent_id": self._other.folder_id}).encode()
        task = (await self._ask(202, "POST", f"/files/{file.id}/copy?return_type=task", {}, body)).json()
        target = f"{self._home.storage_url.removesuffix('/storage')}/tasks/{task['id']}"
        deadline = time.monotonic() + TASK_SECONDS_MAX
        while True:
            await asyncio.sleep(POLL_SECONDS)
            answer = await self._send("GET", target, {}, b"")
            if answer.status == 200 and "state" not in answer.json():
                break
            if answer.status not in {200, *PASSING}:
                raise WrongError(f"{answer.status} for a task: {answer.body[:500]!r}")
            if time.monotonic() > deadline:
                raise AwayError  # it may still be tried again, later and later
        made = answer.json()
        if len(data or b"") != made["size"] or made["account"] != self._other.account_id:
            raise WrongError(f"the copy is {made}")
        await self._compare_copy(made["id"], data)

    async def _compare_copy(self, file_id: str, data: bytes | None) -> None:
        try:
            answer = await self._send("GET", f"{self._other.storage_url}/files/{file_id}/contents", {}, b"")
        except ConnectionError:  # as any download may be
            self._ledger.cut_count += 1
            return
        self._refuse_unless(200, answer)
        if answer.body != data:
            raise WrongError("a copy has other bytes")

    def _compare(self, entry: dict[str, Any], name: str, sizes: set[int]) -> None:
        if entry["name"] != name or entry["size"] not in sizes or entry["account"] != self._home.account_id:
            raise WrongError(f"{entry['name']!r} of {entry['size']} bytes instead of {name!r} of {sizes}")

    async def _ask(
        self, status: int, method: str, path: str, headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> Answer:
        answer = await self._send(method, self._home.storage_url + path, headers or {}, body)
        self._refuse_unless(status, answer)
        return answer

    async def _send(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Answer:
        answer = await self._line.ask(method, target, headers, body)
        self._ledger.statuses[answer.status] += 1
        return answer

    def _refuse_unless(self, status: int, answer: Answer) -> None:
        """AwayError for an error that may be, in the form that all errors have; WrongError for anything else."""
        if answer.status == status:
            return
        if answer.status not in PASSING:
            raise WrongError(f"{answer.status} instead of {status}: {answer.body[:500]!r}")
        error = answer.json()
        if (error["status_code"], error["id"]) != (answer.status, answer.headers["x-request-id"]):
            raise WrongError(f"no error of ours: {error}")
        must_say_when = answer.status == 429 or error["message"].startswith(NEEDS_RETRY_AFTER)
        if must_say_when and not 1 <= int(answer.headers["retry-after"]) <= 60:
            raise WrongError(f"come back after {answer.headers['retry-after']}")
            raise WrongError(f"come back after {answer.headers['retry-after']}")
        self._ledger.reasons[f"{answer.status} {error['message']}"] += 1
        raise AwayError(float(answer.headers.get("retry-after", 0)))
