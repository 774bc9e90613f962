"""The layers together, over real sockets where the protocol matters."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from email.utils import format_datetime
from typing import Any

import httpx
import pytest

from connectors.core import stack
from connectors.core.bytesource import BytesSource
from connectors.core.call import INTENT, Intent
from connectors.core.clock import ManualClock
from connectors.core.errors import ConnectorError, ErrorKind
from connectors.core.layers.classify import READ_REPLY
from connectors.core.layers.retry import RetryPolicy
from connectors.core.manifest import Limits, Manifest
from connectors.core.stack import Runtime, SingleFlightTokens, Token
from connectors.core.transport import Transport, TransportSettings, build_body, build_transport
from tests.connectors.core.fakes import (
    CREATE,
    READ,
    SET,
    UPLOAD_ONCE,
    FakeSend,
    RecordingObserver,
    build_manifest,
    http_request,
    unavailable,
    work,
)
from tests.servers.scripted import Cut, Reply, ScriptedServer, Seen

Build = Callable[..., Any]


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def observer() -> RecordingObserver:
    return RecordingObserver()


@pytest.fixture(params=["pyreqwest", "httpx"])
async def transport(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Transport]:
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    transport = build_transport(TransportSettings(kind=request.param))
    yield transport
    await transport.aclose()


@pytest.fixture
async def runtime(clock: ManualClock, observer: RecordingObserver, transport: Transport) -> AsyncIterator[Runtime]:
    runtime = Runtime(clock=clock, observer=observer, transport=transport, random=lambda: 1.0)
    yield runtime
    await runtime.aclose()


@pytest.fixture
def ask(runtime: Runtime) -> Build:
    """Sends one request through a fresh stack and reads the reply to its end."""

    async def send(server: ScriptedServer, intent: Intent = READ, method: str = "GET", **arguments: Any) -> bytes:
        layered = runtime.build_send(build_manifest(), "7", **arguments)
        reply = await layered(http_request(method, server.url + "/files?secret=1", intent=intent))
        return await reply.aread()

    return send


class TestRetryAfter:
    @pytest.mark.parametrize(
        ("value", "seconds"),
        [
            ("7", 7),
            (format_datetime(ManualClock().now() + timedelta(seconds=11), usegmt=True), 11),
            (None, 0.5),
            ("-3", 0.5),
            ("soon", 0.5),
        ],
    )
    async def test_wait_is_as_long_as_the_provider_said(
        self, ask: Build, clock: ManualClock, value: str | None, seconds: float
    ) -> None:
        refusal = Reply(429, headers={"Retry-After": value} if value else {})
        async with ScriptedServer(refusal, Reply(body=b"here")) as server:
            assert await ask(server, CREATE, "POST") == b"here"
        assert (clock.monotonic(), len(server.seen)) == (seconds, 2)

    async def test_call_fails_at_once_with_the_hint_when_the_wait_is_absurd(
        self, ask: Build, clock: ManualClock
    ) -> None:
        async with ScriptedServer(Reply(429, headers={"Retry-After": "86400"})) as server:
            with pytest.raises(ConnectorError) as caught:
                await ask(server)
        assert (caught.value.kind, caught.value.retry_after_seconds) == (ErrorKind.RATE_LIMITED, 86_400)
        assert (clock.monotonic(), len(server.seen)) == (0, 1)

    async def test_next_call_of_the_account_is_refused_here_while_the_provider_wants_silence(self, ask: Build) -> None:
        async with ScriptedServer(Reply(429, headers={"Retry-After": "86400"})) as server:
            for _ in range(3):
                with pytest.raises(ConnectorError) as caught:
                    await ask(server)
        assert (caught.value.kind, len(server.seen)) == (ErrorKind.RATE_LIMITED, 1)
        assert caught.value.retry_after_seconds == 300


class TestAmbiguousWrites:
    async def test_create_is_sent_once_when_the_connection_is_cut_after_it_was_read(self, ask: Build) -> None:
        async with ScriptedServer(Cut()) as server:
            with pytest.raises(ConnectorError) as caught:
                await ask(server, CREATE, "POST")
        assert (caught.value.kind, caught.value.maybe_applied) == (ErrorKind.UNAVAILABLE, True)
        assert caught.value.is_persistent
        assert len(server.seen) == 1

    @pytest.mark.parametrize(
        ("status", "headers", "sends"), [(500, {}, 1), (503, {}, 1), (503, {"Retry-After": "1"}, 4)]
    )
    async def test_create_is_repeated_only_when_it_was_refused_before_any_effect(
        self, ask: Build, status: int, headers: dict[str, str], sends: int
    ) -> None:
        async with ScriptedServer(Reply(status, headers=headers)) as server:
            with pytest.raises(ConnectorError) as caught:
                await ask(server, CREATE, "POST")
        assert (len(server.seen), caught.value.maybe_applied) == (sends, sends == 1)

    async def test_delete_that_was_cut_and_then_finds_nothing_is_known_as_a_replay(self, ask: Build) -> None:
        async with ScriptedServer(Cut(), Reply(404)) as server:
            with pytest.raises(ConnectorError) as caught:
                await ask(server, SET, "DELETE")
        assert (caught.value.kind, caught.value.is_replay, len(server.seen)) == (ErrorKind.NOT_FOUND, True, 2)

    async def test_body_is_whole_in_every_attempt_when_it_can_be_read_again(self, runtime: Runtime) -> None:
        async with ScriptedServer(Cut(), Reply(500), Reply(401), Reply()) as server:
            tokens = SingleFlightTokens(fresh, token=Token("old"))
            headers, stream = build_body(BytesSource(b"bytes" * 100_000))
            request = httpx.Request(
                "PUT", server.url, headers={"Host": "127.0.0.1", **headers}, stream=stream, extensions={INTENT: SET}
            )
            await (await runtime.build_send(build_manifest(), "7", tokens=tokens)(request)).aclose()
        assert [len(seen.body) for seen in server.seen] == [500_000] * 4
        assert [seen.headers["authorization"] for seen in server.seen] == ["Bearer old"] * 3 + ["Bearer fresh"]

    @pytest.mark.parametrize("method", ["DELETE", "MKCOL", "GET"])
    async def test_nothing_is_said_about_a_body_when_there_is_none(self, ask: Build, method: str) -> None:
        async with ScriptedServer(Reply()) as server:
            await ask(server, SET, method, tokens=SingleFlightTokens(fresh))
        assert "transfer-encoding" not in server.seen[0].headers
        assert server.seen[0].headers.get("content-length", "0") == "0"

    @pytest.mark.parametrize("answer", [Cut(), Reply(503, headers={"Retry-After": "1"}), Reply(401)])
    async def test_body_that_can_be_read_once_is_never_sent_twice(self, ask: Build, answer: Any) -> None:
        tokens = SingleFlightTokens(fresh, token=Token("old"))
        async with ScriptedServer(answer) as server:
            with pytest.raises(ConnectorError) as caught:
                await ask(server, UPLOAD_ONCE, "PUT", tokens=tokens)
        assert (caught.value.kind, len(server.seen)) == (ErrorKind.UNAVAILABLE, 1)


class TestReadingWithin:
    @staticmethod
    def request(server: ScriptedServer, read: Callable[[httpx.Response], Any], intent: Intent = READ) -> httpx.Request:
        request = http_request(url=server.url, intent=intent)
        request.extensions[READ_REPLY] = read
        return request

    async def test_reply_that_breaks_off_is_asked_for_again(self, runtime: Runtime) -> None:
        bodies: list[bytes] = []

        async def read(reply: httpx.Response) -> None:
            bodies.append(b"".join([chunk async for chunk in reply.aiter_raw()]))
            if bodies[-1] != b"whole":
                raise unavailable()

        async with ScriptedServer(Reply(body=b"wh"), Reply(body=b"whole")) as server:
            reply = await runtime.build_send(build_manifest(), "7")(self.request(server, read))
        assert (bodies, reply.is_closed, len(server.seen)) == ([b"wh", b"whole"], True, 2)

    async def test_write_is_not_repeated_when_its_reply_breaks_off(self, runtime: Runtime) -> None:
        async def read(_: httpx.Response) -> None:
            raise unavailable(maybe_applied=True)

        async with ScriptedServer(Reply()) as server:
            with pytest.raises(ConnectorError):
                await runtime.build_send(build_manifest(), "7")(self.request(server, read, CREATE))
        assert len(server.seen) == 1

    async def test_slot_is_free_when_the_reply_has_been_read(self, transport: Transport) -> None:
        manifest = build_manifest(limits=Limits(requests_parallel_max=1))
        runtime = Runtime(clock=ManualClock(), transport=transport)

        async def read(reply: httpx.Response) -> None:
            await reply.aread()

        async with ScriptedServer(Reply(body=b"whole")) as server:
            for _ in range(3):
                await runtime.build_send(manifest, "7")(self.request(server, read))
        assert len(server.seen) == 3


class TestTokens:
    async def test_one_refresh_serves_all_when_many_calls_find_the_token_expired(self, runtime: Runtime) -> None:
        refresh_count = 0

        async def refresh() -> Token:
            nonlocal refresh_count
            refresh_count += 1
            await asyncio.sleep(0.05)
            return Token("fresh")

        def check(seen: Seen) -> Reply:
            return Reply(200 if seen.headers["authorization"] == "Bearer fresh" else 401)

        tokens = SingleFlightTokens(refresh, token=Token("old"))
        async with ScriptedServer(check) as server:
            send = runtime.build_send(build_manifest(), "7", tokens=tokens)
            replies = await asyncio.gather(*(send(http_request(url=server.url)) for _ in range(20)))
            for reply in replies:
                await reply.aclose()
        assert ([reply.status_code for reply in replies], refresh_count) == ([200] * 20, 1)
        assert len(server.seen) <= 40

    async def test_token_expired_never_leaves_the_stack(self, ask: Build) -> None:
        async with ScriptedServer(Reply(401)) as server:
            with pytest.raises(ConnectorError) as without_tokens:
                await ask(server)
            with pytest.raises(ConnectorError) as refused_twice:
                await ask(server, tokens=SingleFlightTokens(fresh, token=Token("old")))
        assert {without_tokens.value.kind, refused_twice.value.kind} == {ErrorKind.GRANT_REVOKED}
        assert len(server.seen) == 3

    async def test_token_stays_at_home_when_the_host_is_not_the_providers(self, runtime: Runtime) -> None:
        async with ScriptedServer(Reply()) as server:
            send = runtime.build_send(build_manifest(hosts=("api.example.com",)), "7", tokens=SingleFlightTokens(fresh))
            await (await send(http_request(url=server.url))).aclose()
        assert "authorization" not in server.seen[0].headers


class TestSlots:
    async def test_slot_is_held_until_the_body_has_ended(self, transport: Transport) -> None:
        manifest = build_manifest(limits=Limits(requests_parallel_max=1))
        runtime, may_go_on = Runtime(transport=transport), asyncio.Event()
        async with ScriptedServer(Reply(body=b"first", body_after=may_go_on), Reply(body=b"second")) as server:
            send = runtime.build_send(manifest, "7")
            first = await send(http_request(url=server.url))
            second = asyncio.ensure_future(send(http_request(url=server.url)))
            await asyncio.sleep(0.1)
            assert len(server.seen) == 1
            may_go_on.set()
            assert await first.aread() == b"first"
            assert await (await second).aread() == b"second"
            assert len(server.seen) == 2

    @pytest.mark.parametrize("how", ["read", "close", "forget", "bad status", "cut"])
    async def test_slot_is_free_however_a_reply_ends(self, runtime: Runtime, how: str) -> None:
        manifest = build_manifest(limits=Limits(requests_parallel_max=1))
        ends: dict[str, Any] = {"bad status": Reply(404, body=b"no"), "cut": Cut()}
        async with ScriptedServer(ends.get(how, Reply(body=b"body"))) as server:
            send = runtime.build_send(manifest, "7")
            for _ in range(3):
                try:
                    reply = await send(http_request(url=server.url, intent=CREATE))
                except ConnectorError as error:
                    assert error.kind in (ErrorKind.NOT_FOUND, ErrorKind.UNAVAILABLE)  # noqa: PT017 - not rate_limited
                    continue
                if how == "read":
                    await reply.aread()
                if how == "close":
                    await reply.aclose()
                if how == "forget":
                    stream = reply.stream
                    del reply
                    await stream._stream.aclose()  # type: ignore[union-attr]  # the connection is not what is tested
                    del stream
        assert len(server.seen) == 3

    async def test_other_accounts_have_their_own_budget(self, runtime: Runtime) -> None:
        manifest = build_manifest(limits=Limits(requests_parallel_max=1))
        async with ScriptedServer(Reply(body=b"body")) as server:
            first = await runtime.build_send(manifest, "7")(http_request(url=server.url))
            second = await runtime.build_send(manifest, "8")(http_request(url=server.url))
            await first.aclose()
            await second.aclose()
        assert len(server.seen) == 2


async def test_every_real_send_is_seen_with_its_host_and_nothing_secret(
    ask: Build, observer: RecordingObserver
) -> None:
    async with ScriptedServer(Reply(429, headers={"Retry-After": "1"}), Reply(401), Reply()) as server:
        await ask(server, tokens=SingleFlightTokens(fresh, token=Token("old")))
    assert [(event.attempt, event.outcome, event.status, event.host) for event in observer.events] == [
        (1, "rate_limited", 429, "127.0.0.1"),
        (2, "token_expired", 401, "127.0.0.1"),
        (2, "ok", 200, "127.0.0.1"),
    ]
    assert "secret" not in str(observer.events)


class TestRuntime:
    async def test_transport_is_made_when_it_is_first_needed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("SSL_CERT_FILE", raising=False)
        runtime = Runtime()
        async with ScriptedServer(Reply(body=b"here")) as server:
            reply = await runtime.build_send(build_manifest(), "7")(http_request(url=server.url))
            assert await reply.aread() == b"here"
        await runtime.aclose()
        await runtime.aclose()

    def test_budgets_are_shared_by_all_calls_of_an_account(self) -> None:
        runtime, manifest = Runtime(), build_manifest()
        assert runtime._budgets(manifest, "7") is runtime._budgets(manifest, "7")
        assert runtime._budgets(manifest, "7") is not runtime._budgets(manifest, "8")

    async def test_longest_unused_idle_account_is_forgotten_first(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(stack, "ACCOUNTS_MAX", 3)
        runtime, manifest = Runtime(), build_manifest()
        busy, idle, used = (runtime._budgets(manifest, key) for key in "123")
        await busy.limiter.acquire()
        runtime._budgets(manifest, "4")
        assert runtime._budgets(manifest, "1") is busy
        assert runtime._budgets(manifest, "3") is used
        assert runtime._budgets(manifest, "2") is not idle
        assert len(runtime._accounts) == 3

    async def test_oldest_is_forgotten_when_none_is_idle(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(stack, "ACCOUNTS_MAX", 1)
        runtime, manifest = Runtime(), build_manifest()
        await runtime._budgets(manifest, "1").limiter.acquire()
        runtime._budgets(manifest, "2")
        assert [key for _, key in runtime._accounts] == ["2"]


class TestWork:
    @pytest.fixture
    def send(self, runtime: Runtime) -> Any:
        return runtime.build_send_work(build_manifest(), "7", classify_exception=self.classify_exception)

    @staticmethod
    def classify_exception(error: Exception) -> ConnectorError | None:
        return unavailable(maybe_applied=True) if isinstance(error, OSError) else None

    async def test_result_comes_back(self, send: Any) -> None:
        assert await send(work(run=FakeRun("result"))) == "result"

    async def test_same_policies_reach_other_protocols(
        self, send: Any, clock: ManualClock, observer: RecordingObserver
    ) -> None:
        assert await send(work(run=FakeRun(ConnectionResetError(), "result"))) == "result"
        assert clock.sleeps == [0.5]
        assert [(event.outcome, event.host) for event in observer.events] == [("unavailable", None), ("ok", None)]
        run = FakeRun(ConnectionResetError(), "result")
        with pytest.raises(ConnectorError) as caught:
            await send(work(CREATE, run))
        assert (caught.value.is_persistent, len(run.steps)) == (True, 1)
        assert isinstance(caught.value.__cause__, ConnectionResetError)

    @pytest.mark.parametrize("error", [KeyError("unknown"), AssertionError("bug"), ConnectorError(ErrorKind.NOT_FOUND)])
    async def test_what_is_not_the_protocols_passes(self, send: Any, error: Exception) -> None:
        with pytest.raises(type(error)) as caught:
            await send(work(run=FakeRun(error)))
        assert caught.value is error

    async def test_parallelism_is_limited(self) -> None:
        manifest: Manifest = build_manifest(limits=Limits(requests_parallel_max=2))
        runtime = Runtime(policy=RetryPolicy(attempts_max=1))
        send = runtime.build_send_work(manifest, "7", classify_exception=self.classify_exception)
        running = running_max = 0

        async def run() -> None:
            nonlocal running, running_max
            running += 1
            running_max = max(running_max, running)
            await asyncio.sleep(0.001)
            running -= 1

        await asyncio.gather(*(send(work(run=run)) for _ in range(10)))
        assert running_max == 2


class FakeRun(FakeSend):
    """FakeSend without a request."""

    async def __call__(self, request: Any = None) -> Any:
        return await super().__call__(request)


async def fresh() -> Token:
    return Token("fresh")
