"""Signing in as the server asks: which challenge is answered, how, and what happens when the answer is refused."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import re
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from connectors.core.call import INTENT
from connectors.core.challenges import (
    ONE_WAY_NONCE_SECONDS_MAX,
    Challenge,
    ChallengeMemory,
    ChallengeTokens,
    KnownChallenge,
    Login,
    choose_challenge,
    read_challenges,
)
from connectors.core.clock import ManualClock
from connectors.core.errors import ConnectorError, ErrorKind
from connectors.core.stack import Runtime
from connectors.core.transport import TransportSettings, build_transport
from tests.connectors.core.fakes import CREATE, READ, UPLOAD_ONCE, build_manifest
from tests.servers.scripted import Reply, ScriptedServer, Seen

LOGIN = Login("Mufasa", "Circle of Life")
RFC_NONCE = "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v"
RFC_DIGEST = f'qop="auth, auth-int", nonce="{RFC_NONCE}", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"'
RFC_REALM = 'realm="http-auth@example.org"'

Answer = Callable[[Seen], Reply]


def refusal(*values: str) -> httpx.Response:
    return httpx.Response(401, headers=[("WWW-Authenticate", value) for value in values])


def read_answer(header: str) -> dict[str, str]:
    return {name: quoted or plain for name, quoted, plain in re.findall(r'(\w+)=(?:"([^"]*)"|([^", ]+))', header)}


def answer(known: KnownChallenge, method: str = "GET", url: str = "http://www.example.org/dir/index.html") -> str:
    request = httpx.Request(method, url)
    known.sign(request)
    return str(request.headers.get("authorization", ""))


@pytest.mark.parametrize(
    ("values", "schemes"),
    [
        (['Basic realm="a"'], ["basic"]),
        (['Digest realm="a, b", nonce="c"', 'Basic realm="d"'], ["digest", "basic"]),
        (['Basic realm="x \\"Digest\\", y", Digest realm="a" , nonce = abc, qop="auth,auth-int"'], ["basic", "digest"]),
        (["Negotiate, NTLM, Basic realm=plain"], ["negotiate", "ntlm", "basic"]),
        (['Negotiate oYG2MIGzoAMKAQCh==, Digest nonce="n", realm="r"'], ["negotiate", "digest"]),
        (["", " , ,"], []),
        (["Basic", 'Bearer realm="x"'], ["basic", "bearer"]),
        (['Basic realm="a", =broken, Digest realm="b", nonce="c"', "Digest realm=r, nonce=n"], ["basic", "digest"]),
    ],
)
def test_all_challenges_are_read_in_order_when_one_or_several_headers_hold_them(
    values: list[str], schemes: list[str]
) -> None:
    assert [challenge.scheme for challenge in read_challenges(values)] == schemes


def test_values_are_read_when_they_hold_commas_quotes_and_spaces() -> None:
    (challenge,) = read_challenges(['Digest Realm="a, \\"b\\"" ,nonce =  "=", stale=TRUE, stale=false'])
    assert challenge == Challenge("digest", {"realm": 'a, \\"b\\"', "nonce": "=", "stale": "TRUE"})


def test_reading_ends_when_a_header_is_absurdly_long() -> None:
    assert len(read_challenges(["a, " * 1_000_000])) < 10_000


@pytest.mark.parametrize(
    ("values", "chosen"),
    [
        (["Basic realm=a", "Digest realm=a, nonce=b"], "MD5"),
        (["Digest realm=a, nonce=b, algorithm=MD5", "Digest realm=a, nonce=b, algorithm=SHA-256"], "SHA-256"),
        (["Digest realm=a, nonce=b, algorithm=SHA-512-256", "Digest realm=a, nonce=b"], "MD5"),
        (["Digest realm=a, nonce=b, algorithm=md5-sess"], "md5-sess"),
        (['Digest realm=a, nonce=b, qop="auth-int"', "Basic realm=a"], None),
        (["Digest realm=a", "Basic realm=a"], None),
    ],
)
def test_strongest_that_can_be_answered_is_chosen_when_several_are_offered(
    values: list[str], chosen: str | None
) -> None:
    challenge = choose_challenge(read_challenges(values))
    assert challenge is not None
    assert (challenge.scheme == "basic") == (chosen is None)
    assert chosen is None or challenge.parameters.get("algorithm", "MD5") == chosen


def test_nothing_is_chosen_when_nothing_can_be_answered() -> None:
    assert choose_challenge(read_challenges(["Negotiate", "NTLM", 'Bearer realm="a"'])) is None


@pytest.mark.parametrize(
    ("algorithm", "hash_name", "expected"),
    [
        ("MD5", "md5", "8ca523f5e9506fed4657c9700eebdbec"),
        ("SHA-256", "sha256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ],
)
def test_answer_is_that_of_the_standard_when_nonce_and_counter_are(
    algorithm: str, hash_name: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    cnonce = b"f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"
    monkeypatch.setattr(httpx.DigestAuth, "_get_client_nonce", lambda *_: cnonce)
    known = KnownChallenge(LOGIN)
    assert known.learn([f"Digest {RFC_REALM}, {RFC_DIGEST}, algorithm={algorithm}"], 0.0)
    given = read_answer(answer(known))
    assert (given["response"], given["nc"], given["algorithm"]) == (expected, "00000001", algorithm)
    again = read_answer(answer(known))
    assert again["nc"] == "00000002"
    secret = hashlib.new(hash_name, b"Mufasa:http-auth@example.org:Circle of Life").hexdigest()
    place = hashlib.new(hash_name, b"GET:/dir/index.html").hexdigest()
    text = f"{secret}:{RFC_NONCE}:00000002:{cnonce.decode()}:auth:{place}"
    assert again["response"] == hashlib.new(hash_name, text.encode()).hexdigest()


def test_counter_begins_anew_only_when_the_nonce_is_another() -> None:
    known = KnownChallenge(LOGIN)
    counters = []
    for nonce in ("one", "one", "two"):
        known.learn([f"Digest realm=a, nonce={nonce}, qop=auth"], 0.0)
        counters.append(read_answer(answer(known))["nc"])
    assert counters == ["00000001", "00000002", "00000001"]


def test_no_quality_is_named_when_the_server_knows_none() -> None:
    known = KnownChallenge(LOGIN)
    known.learn(["Digest realm=a, nonce=b"], 0.0)
    given = read_answer(answer(known))
    assert not {"qop", "nc", "cnonce", "userhash"} & set(given)


def test_letters_of_every_script_are_sent_when_login_has_them() -> None:
    known = KnownChallenge(Login("Jürgen", "пароль"))
    known.learn(["Basic realm=a"], 0.0)
    assert base64.b64decode(answer(known).removeprefix("Basic ")) == "Jürgen:пароль".encode()


def test_password_is_not_shown_when_login_is_printed() -> None:
    assert "Circle" not in repr(LOGIN)


class TestMemory:
    def test_challenge_is_known_again_when_the_account_comes_back(self) -> None:
        memory = ChallengeMemory()
        memory.find("1", "http://a", LOGIN).learn(["Basic realm=a"], 0.0)
        assert memory.find("1", "http://a", Login("Mufasa", "Circle of Life")).token == "basic"

    @pytest.mark.parametrize(
        ("account", "server", "login"),
        [("2", "http://a", LOGIN), ("1", "http://b", LOGIN), ("1", "http://a", Login("Mufasa", "other"))],
    )
    def test_nothing_is_known_when_account_server_or_login_is_another(
        self, account: str, server: str, login: Login
    ) -> None:
        memory = ChallengeMemory()
        memory.find("1", "http://a", LOGIN).learn(["Basic realm=a"], 0.0)
        assert memory.find(account, server, login).token is None

    def test_longest_unused_is_forgotten_when_there_are_too_many(self) -> None:
        memory = ChallengeMemory(accounts_max=2)
        for account in ("1", "2", "1", "3"):
            memory.find(account, "http://a", LOGIN).learn(["Basic realm=a"], 0.0)
        assert [memory.find(account, "http://a", LOGIN).token for account in ("1", "3", "2")] == [
            "basic",
            "basic",
            None,
        ]


class TestTokens:
    @staticmethod
    def build(
        *replies: httpx.Response | ConnectorError, clock: ManualClock | None = None
    ) -> tuple[ChallengeTokens, list[int]]:
        asked: list[int] = []
        waiting = list(replies)

        async def ask() -> httpx.Response:
            asked.append(1)
            await asyncio.sleep(0)
            reply = waiting.pop(0)
            if isinstance(reply, ConnectorError):
                raise reply
            return reply

        return ChallengeTokens(KnownChallenge(LOGIN), ask, now=(clock or ManualClock()).monotonic), asked

    async def test_server_is_asked_once_when_many_calls_begin(self) -> None:
        tokens, asked = self.build(refusal("Basic realm=a"))
        assert await asyncio.gather(*(tokens.current() for _ in range(10))) == ["basic"] * 10
        assert await tokens.current() == "basic"
        assert len(asked) == 1

    async def test_nothing_is_signed_when_the_server_asks_for_nothing(self) -> None:
        tokens, asked = self.build(httpx.Response(207))
        request = httpx.Request("GET", "http://a/")
        tokens.sign(request, await tokens.current())
        assert "authorization" not in request.headers
        assert (await tokens.current(), len(asked)) == ("", 1)

    @pytest.mark.parametrize("values", [["Negotiate", "NTLM"], []])
    async def test_unsupported_when_nothing_that_is_offered_can_be_answered(self, values: list[str]) -> None:
        tokens, _ = self.build(refusal(*values))
        with pytest.raises(ConnectorError) as caught:
            await tokens.current()
        assert caught.value.kind is ErrorKind.UNSUPPORTED
        assert (", ".join(values).lower() or "nothing") in caught.value.message

    async def test_failure_is_not_remembered_when_the_server_could_not_be_asked(self) -> None:
        tokens, _ = self.build(ConnectorError(ErrorKind.UNAVAILABLE), refusal("Basic realm=a"))
        with pytest.raises(ConnectorError):
            await tokens.current()
        assert await tokens.current() == "basic"

    @pytest.mark.parametrize(
        ("offer", "needs", "seconds", "asked_count"),
        [
            ("Digest realm=a, nonce=n", 300, ONE_WAY_NONCE_SECONDS_MAX + 1, 2),
            ("Digest realm=a, nonce=n", 300, ONE_WAY_NONCE_SECONDS_MAX - 1, 1),
            ("Digest realm=a, nonce=n", 0, 86_400, 1),
            ("Basic realm=a", 300, 86_400, 1),
        ],
    )
    async def test_fresh_nonce_is_asked_for_when_a_body_can_be_sent_only_once(
        self, offer: str, needs: float, seconds: float, asked_count: int
    ) -> None:
        clock = ManualClock()
        tokens, asked = self.build(refusal(offer), refusal(offer), clock=clock)
        await tokens.current()
        clock.advance(seconds)
        await tokens.current(remaining_seconds_min=needs)
        assert len(asked) == asked_count

    async def test_server_that_asked_for_nothing_is_asked_again_when_a_body_can_be_sent_only_once(self) -> None:
        tokens, asked = self.build(httpx.Response(200), refusal("Basic realm=a"))
        assert [await tokens.current(), await tokens.current()] == ["", ""]
        assert await tokens.current(remaining_seconds_min=300) == "basic"
        assert len(asked) == 2


class TestQuestion:
    """A server that is asked and takes its time."""

    @staticmethod
    def build() -> tuple[ChallengeTokens, list[str], asyncio.Event]:
        seen: list[str] = []
        answers = asyncio.Event()

        async def ask() -> httpx.Response:
            seen.append("asked")
            try:
                await answers.wait()
            except asyncio.CancelledError:
                seen.append("given up")
                raise
            return refusal("Basic realm=a")

        return ChallengeTokens(KnownChallenge(LOGIN), ask), seen, answers

    @staticmethod
    async def leave(*callers: asyncio.Task[str]) -> None:
        await asyncio.sleep(0)
        for caller in callers:
            caller.cancel()
        assert all(
            isinstance(end, asyncio.CancelledError) for end in await asyncio.gather(*callers, return_exceptions=True)
        )

    async def test_question_is_given_up_and_asked_anew_when_all_who_waited_have_left(self) -> None:
        tokens, seen, answers = self.build()
        callers = [asyncio.create_task(tokens.current()) for _ in range(3)]
        await asyncio.sleep(0)
        await self.leave(*callers)
        assert seen == ["asked", "given up"]
        assert asyncio.all_tasks() == {asyncio.current_task()}
        answers.set()
        assert await tokens.current() == "basic"

    async def test_question_goes_on_when_only_some_who_waited_have_left(self) -> None:
        tokens, seen, answers = self.build()
        first, leaves, last = (asyncio.create_task(tokens.current()) for _ in range(3))
        await asyncio.sleep(0)
        await self.leave(leaves)
        answers.set()
        assert [await first, await last] == ["basic"] * 2
        assert seen == ["asked"]


class Gate:
    """A server that lets in whoever answers its latest nonce; `uses_max` answers make a nonce stale."""

    def __init__(self, *, uses_max: int = 100, password: str = LOGIN.password) -> None:
        self.uses_max, self.password = uses_max, password
        self.nonce, self.uses = 0, 0

    def __call__(self, seen: Seen) -> Reply:
        header = seen.headers.get("authorization", "")
        given = read_answer(header)
        if given.get("nonce") == f"n{self.nonce}" and self.uses < self.uses_max:
            self.uses += 1
            a1 = hashlib.sha256(f"Mufasa:r:{self.password}".encode()).hexdigest()
            a2 = hashlib.sha256(f"{seen.method}:{seen.target}".encode()).hexdigest()
            text = f"{a1}:{given['nonce']}:{given['nc']}:{given['cnonce']}:auth:{a2}"
            if given["response"] == hashlib.sha256(text.encode()).hexdigest():
                return Reply(body=b"in")
        self.nonce, self.uses = self.nonce + 1, 0
        offer = f'Basic realm="r", Digest realm="r", nonce="n{self.nonce}", qop="auth", algorithm=SHA-256'
        return Reply(401, headers={"WWW-Authenticate": offer})


@pytest.fixture
async def runtime() -> Any:
    runtime = Runtime(clock=ManualClock(), transport=build_transport(TransportSettings()))
    yield runtime
    await runtime.aclose()


class TestInTheStack:
    @staticmethod
    def build(runtime: Runtime, server: ScriptedServer, login: Login = LOGIN) -> Callable[..., Any]:
        unsigned = runtime.build_send(build_manifest(), "7", sign=lambda *_: None)

        async def ask() -> httpx.Response:
            extensions = {INTENT: READ, "kloudless.expected_statuses": {401}}
            return await unsigned(httpx.Request("OPTIONS", f"{server.url}/", extensions=extensions))

        tokens = ChallengeTokens(KnownChallenge(login), ask)
        signed = runtime.build_send(
            build_manifest(), "7", tokens=tokens, sign=tokens.sign, classify_reply=tokens.listen(lambda *_: None)
        )

        async def send(method: str = "GET", intent: Any = READ) -> bytes:
            reply = await signed(httpx.Request(method, f"{server.url}/a%20b?c=d", extensions={INTENT: intent}))
            return await reply.aread()

        return send

    async def test_all_calls_pass_when_nonces_run_out(self, runtime: Runtime) -> None:
        async with ScriptedServer(Gate(uses_max=3)) as server:
            send = self.build(runtime, server)
            assert [await send() for _ in range(10)] == [b"in"] * 10
        assert [seen.method for seen in server.seen].count("OPTIONS") == 1
        assert len(server.seen) == 1 + 10 + 3

    async def test_body_is_sent_once_when_it_can_be_read_once_only(self, runtime: Runtime) -> None:
        async with ScriptedServer(Gate()) as server:
            send = self.build(runtime, server)
            assert await send("PUT", UPLOAD_ONCE) == b"in"
        assert [seen.method for seen in server.seen] == ["OPTIONS", "PUT"]

    async def test_grant_is_revoked_after_two_answers_when_password_is_wrong(self, runtime: Runtime) -> None:
        async with ScriptedServer(Gate(password="another")) as server:
            send = self.build(runtime, server)
            with pytest.raises(ConnectorError) as caught:
                await send("POST", CREATE)
        assert caught.value.kind is ErrorKind.GRANT_REVOKED
        assert [seen.method for seen in server.seen] == ["OPTIONS", "POST", "POST"]

    async def test_grant_is_revoked_after_one_answer_when_password_is_wrong_and_nothing_can_be_stale(
        self, runtime: Runtime
    ) -> None:
        async with ScriptedServer(Reply(401, headers={"WWW-Authenticate": 'Basic realm="r"'})) as server:
            send = self.build(runtime, server)
            with pytest.raises(ConnectorError) as caught:
                await send()
        assert caught.value.kind is ErrorKind.GRANT_REVOKED
        assert "password" in caught.value.message
        assert len(server.seen) == 2

    async def test_challenge_is_answered_when_only_some_calls_are_asked_for_it(self, runtime: Runtime) -> None:
        gate = Gate()

        def guard_writes(seen: Seen) -> Reply:
            return Reply(body=b"open") if seen.method in {"OPTIONS", "GET"} else gate(seen)

        async with ScriptedServer(guard_writes) as server:
            send = self.build(runtime, server)
            assert [await send(), await send("PUT")] == [b"open", b"in"]
