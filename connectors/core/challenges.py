"""Signing in as a server's 401 asks: Digest or Basic with a user name and a password, by what the server offers."""

from __future__ import annotations

import asyncio
import math
import re
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

import httpx

from connectors.core.cleanup import note_seen
from connectors.core.errors import ConnectorError, ErrorKind
from connectors.core.layers.classify import ClassifyReply

HEADER_CHARACTERS_MAX = 16 * 1024  # of all challenges of a reply together; the rest is not read
ACCOUNTS_MAX = 10_000  # whose challenge is remembered; the longest unused is forgotten first
ONE_WAY_NONCE_SECONDS_MAX = 30.0  # a body that cannot be sent twice starts only with a nonce that is so young

ALGORITHMS = ("SHA-512", "SHA-256", "SHA", "MD5")
"""What Digest may hash with, the strongest first; each also in its form for whole sessions."""

_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"  # noqa: S105 - a word of the grammar, not a secret
_PARAMETER = re.compile(rf'({_TOKEN})[ \t]*=[ \t]*("(?:[^"\\]|\\.)*"|{_TOKEN})')
_SCHEME = re.compile(rf"({_TOKEN})(?:[ \t]+[A-Za-z0-9._~+/-]+=*(?=[ \t]*(?:,|$)))?")
_GAP = re.compile(r"[ \t,]*")


@dataclass(frozen=True, slots=True)
class Challenge:
    """One way to sign in that a server offers; values of `parameters` are as they stand between their quotes."""

    scheme: str  # in lower case
    parameters: Mapping[str, str] = field(default_factory=dict)  # names in lower case


def read_challenges(values: Iterable[str]) -> list[Challenge]:
    """All challenges of a reply, in order: of several WWW-Authenticate headers, or of one that lists several.

    What follows something unreadable in a header is left out.
    """
    challenges: list[Challenge] = []
    for value in values:
        text, position = value[:HEADER_CHARACTERS_MAX], 0
        parameters: dict[str, str] | None = None
        while (position := _end(_GAP.match(text, position))) < len(text):
            found = _PARAMETER.match(text, position)
            if found is not None and parameters is not None:
                parameters.setdefault(found[1].lower(), found[2].removeprefix('"').removesuffix('"'))
            else:
                found = _SCHEME.match(text, position)
                if found is None:
                    break
                parameters = {}
                challenges.append(Challenge(found[1].lower(), parameters))
            position = found.end()
    return challenges


def choose_challenge(challenges: Iterable[Challenge]) -> Challenge | None:
    """The strongest that can be answered: Digest by its algorithm, then Basic. None when there is none."""
    usable = [challenge for challenge in challenges if _rank(challenge) is not None]
    return min(usable, key=lambda challenge: _rank(challenge) or 0, default=None)


@dataclass(frozen=True, slots=True)
class Login:
    """Who signs in."""

    username: str
    password: str = field(repr=False)


class KnownChallenge:
    """How one account signs in now. `token` stands for it, and is empty when nothing is asked for."""

    def __init__(self, login: Login) -> None:
        self.login = login
        self.token: str | None = None
        self.is_ageing = False
        self.learned_at = 0.0
        self._auth: httpx.Auth | None = None
        self._is_told = False  # the auth itself has seen the challenge

    def learn(self, values: Iterable[str], now: float) -> bool:
        """Takes what a reply offers; False if none of it can be answered."""
        challenge = choose_challenge(read_challenges(values))
        if challenge is None:
            return False
        self.learned_at, self.is_ageing = now, challenge.scheme == "digest"
        if challenge.scheme == "basic":
            self.token, self._auth = "basic", httpx.BasicAuth(self.login.username, self.login.password)
            self._is_told = True
            return True
        header = _write_digest(challenge)
        if header != self.token:  # the same nonce goes on counting
            self.token, self._auth = header, httpx.DigestAuth(self.login.username, self.login.password)
            self._is_told = False
        return True

    def learn_nothing(self) -> None:
        """The server answers without asking who it is, now; it may have been somebody else who answered."""
        self.token, self._auth, self.learned_at, self.is_ageing = "", None, -math.inf, True

    def sign(self, request: httpx.Request) -> None:
        """Answers the challenge in the headers of one attempt; grant_revoked for a user name that cannot be sent."""
        if self._auth is None:
            return
        if self.is_ageing and not self.login.username.isprintable():  # Digest sends it as it is
            text = "username: it has characters in it that cannot be sent to this server"
            raise ConnectorError(ErrorKind.GRANT_REVOKED, text)
        flow = self._auth.auth_flow(request)
        next(flow)
        if not self._is_told:
            refusal = [(b"WWW-Authenticate", (self.token or "").encode())]  # a realm may be in any language
            flow.send(httpx.Response(HTTPStatus.UNAUTHORIZED, headers=refusal, request=request))
            self._is_told = True


class ChallengeMemory:
    """What is known of each account's challenge, so that it is not asked for again with every request of ours."""

    def __init__(self, *, accounts_max: int = ACCOUNTS_MAX) -> None:
        self._accounts_max = accounts_max
        self._known: OrderedDict[tuple[str, str], KnownChallenge] = OrderedDict()

    def find(self, account_key: str, server: str, login: Login) -> KnownChallenge:
        """The account's at that server; nothing is known when it signs in as somebody else than before."""
        key = (account_key, server)
        known = self._known.get(key)
        if known is None or known.login != login:
            known = self._known[key] = KnownChallenge(login)
        self._known.move_to_end(key)
        while len(self._known) > self._accounts_max:
            self._known.popitem(last=False)
        return known


class _Question:
    """Asked once for all who wait for the answer, and given up when the last of them leaves."""

    def __init__(self, ask: Coroutine[Any, Any, None]) -> None:
        self._asking = asyncio.create_task(ask)
        self._asking.add_done_callback(note_seen)
        self._waiting_count = 0
        self._is_given_up = False

    @property
    def is_open(self) -> bool:
        """True while the answer is still to come."""
        return not (self._is_given_up or self._asking.done())

    async def answered(self) -> None:
        """Returns when the answer is known; a failure is that of all who wait."""
        self._waiting_count += 1
        try:
            await asyncio.wait([self._asking])
        finally:
            self._waiting_count -= 1
            if not self._waiting_count and self.is_open:
                self._is_given_up = True
                self._asking.cancel()
                await asyncio.wait([self._asking])
        try:
            self._asking.result()
        except ConnectorError as error:
            raise error.restated() from error  # one exception must not be raised in several tasks


class ChallengeTokens:
    """A token source whose tokens are challenges.

    - `ask` sends a small request without credentials, whose reply may be a 401; it is the only reply read here. So a
      body that can be sent only once is never spent on a refusal. However many callers need it, one is sent.
    - grant_revoked when the server refuses a right answer to the challenge that it repeats; unsupported when it offers
      nothing that can be answered.
    """

    def __init__(
        self,
        known: KnownChallenge,
        ask: Callable[[], Awaitable[httpx.Response]],
        *,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._known = known
        self._ask = ask
        self._now = now
        self._question: _Question | None = None

    async def current(self, *, remaining_seconds_min: float = 0) -> str:
        known = self._known
        is_old = known.is_ageing and self._now() - known.learned_at > ONE_WAY_NONCE_SECONDS_MAX
        if known.token is not None and not (remaining_seconds_min and is_old):
            return known.token
        if self._question is None or not self._question.is_open:
            self._question = _Question(self._learn())
        await self._question.answered()
        return known.token or ""

    async def refreshed(self, stale: str) -> str:
        """What the refusal itself offered, if that is new; nothing is asked for again."""
        if self._known.token is not None and self._known.token != stale:
            return self._known.token
        raise ConnectorError(ErrorKind.GRANT_REVOKED, "the server does not accept this user name and password")

    def sign(self, request: httpx.Request, token: str | None) -> None:  # noqa: ARG002 - the latest challenge is the best
        """Adds the answer to the challenge."""
        self._known.sign(request)

    def listen(self, classify_reply: ClassifyReply) -> ClassifyReply:
        """The same reading of bad replies, which also hears what a 401 offers."""

        def classify_heard(reply: httpx.Response, body: bytes) -> ConnectorError | None:
            if reply.status_code == HTTPStatus.UNAUTHORIZED:
                self._hear(reply)
            return classify_reply(reply, body)

        return classify_heard

    async def _learn(self) -> None:
        reply = await self._ask()
        await reply.aclose()
        if reply.status_code == HTTPStatus.UNAUTHORIZED:
            self._hear(reply)
        elif self._known.token is None:
            self._known.learn_nothing()

    def _hear(self, reply: httpx.Response) -> None:
        values = reply.headers.get_list("www-authenticate")
        if self._known.learn(values, self._now()) or self._known.token:
            return
        offered = ", ".join(sorted({challenge.scheme for challenge in read_challenges(values)})) or "nothing"
        text = f"the server offers {offered} to sign in; only digest and basic are supported"
        raise ConnectorError(ErrorKind.UNSUPPORTED, text)


def _rank(challenge: Challenge) -> int | None:
    """The smaller the stronger; None for what cannot be answered."""
    if challenge.scheme == "basic":
        return len(ALGORITHMS)
    if challenge.scheme != "digest" or not {"realm", "nonce"} <= set(challenge.parameters):
        return None
    qop = challenge.parameters.get("qop")
    algorithm = challenge.parameters.get("algorithm", "MD5").upper().removesuffix("-SESS")
    if algorithm not in ALGORITHMS or (qop is not None and "auth" not in re.split(r"[ \t]*,[ \t]*", qop.lower())):
        return None
    return ALGORITHMS.index(algorithm)


def _write_digest(challenge: Challenge) -> str:
    """The challenge in the one spelling that the answering library reads for certain."""
    known = challenge.parameters
    parts = [f'realm="{known["realm"]}"', f'nonce="{known["nonce"]}"', f"algorithm={known.get('algorithm', 'MD5')}"]
    if "opaque" in known:
        parts.append(f'opaque="{known["opaque"]}"')
    if "qop" in known:
        parts.append('qop="auth"')
    return f"Digest {', '.join(parts)}"


def _end(found: re.Match[str] | None) -> int:
    if found is None:
        raise AssertionError("a gap may be empty, so there always is one")
    return found.end()
