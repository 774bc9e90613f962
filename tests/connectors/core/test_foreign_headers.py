"""Headers of providers that say anything: read, or left out; nothing else comes of them."""

from __future__ import annotations

from datetime import UTC, datetime

import httpx
from hypothesis import example, given
from hypothesis import strategies as st

from connectors.core.challenges import KnownChallenge, Login, choose_challenge, read_challenges
from connectors.core.errors import ConnectorError, ErrorKind
from connectors.core.layers.classify import RETRY_AFTER_SECONDS_CAP, read_retry_after
from tests.fuzzing import fuzz, spoiled

NOW = datetime(2026, 11, 25, tzinfo=UTC)
CHALLENGES = (
    b'Digest realm="r", nonce="n", qop="auth, auth-int", algorithm=SHA-256, opaque="o"',
    b'Basic realm="r", Digest realm="a, \\"b\\"", nonce="=", stale=TRUE',
    b"Negotiate abc==, NTLM, Digest nonce=n, realm=r, algorithm=MD5-sess, qop=auth",
)
PIECES = (
    b'"',
    b"\\",
    b",",
    b"=",
    b"Digest ",
    b"Basic ",
    b'realm="\xfc\xff"',
    b'nonce=""',
    b"qop=",
    b"algorithm=x",
    b" ",
    b"\t",
)
DATES = st.from_regex(
    r"(Wed, )?[0-9]{1,3} (Nov|Xxx) [0-9]{1,5} [0-9]{2}(:[0-9]{2}){1,2} ?(GMT|[-+][0-9]{1,6})?", fullmatch=True
)
LATIN = st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=40)


@fuzz(400)
@given(value=spoiled(CHALLENGES, PIECES), username=st.text(st.characters(exclude_categories=["Cs"]), max_size=5))
@example(CHALLENGES[0].replace(b'"r"', b'"\xfc"'), "\xfc")
@example(CHALLENGES[0].replace(b'"o"', b'"\xfc"'), "user")
@example(CHALLENGES[0], "user\r\nX-Injected: yes")
@example(CHALLENGES[0].replace(b'"n"', b'"\\""'), "user")
def test_challenge_is_answered_or_not_whatever_it_says(value: bytes, username: str) -> None:
    refusal = httpx.Response(401, headers=[(b"WWW-Authenticate", value)])
    values = refusal.headers.get_list("www-authenticate")
    known = KnownChallenge(Login(username, "secret"))
    assert known.learn(values, 0.0) == (choose_challenge(read_challenges(values)) is not None)
    request = httpx.Request("GET", "http://dav.example/a")
    try:
        known.sign(request)
    except ConnectorError as error:
        assert (error.kind, username.isprintable()) == (ErrorKind.GRANT_REVOKED, False)  # noqa: PT017 - refusing is right
        return
    assert ("authorization" in request.headers) == (known.token is not None)
    assert all(b"\r" not in each and b"\n" not in each for _, each in request.headers.raw)


@fuzz(400)
@given(
    text=st.one_of(LATIN, DATES, st.from_regex(r"[0-9]{1,400}(\.[0-9]+)?", fullmatch=True)),
    date=st.one_of(LATIN, DATES),
)
def test_wait_is_within_its_limit_or_not_asked_for(text: str, date: str) -> None:
    reply = httpx.Response(429, headers=[(b"Retry-After", text.encode("latin-1")), (b"Date", date.encode("latin-1"))])
    seconds = read_retry_after(reply, NOW)
    assert seconds is None or 0 <= seconds <= RETRY_AFTER_SECONDS_CAP
