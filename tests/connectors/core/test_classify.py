"""Reading bad HTTP replies: the common table, hints, bounds."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from email.utils import format_datetime
from typing import Any

import httpx
import pytest

from connectors.core.clock import ManualClock
from connectors.core.errors import ConnectorError, ErrorKind
from connectors.core.layers import classify as layer
from connectors.core.layers.classify import EXPECTED_STATUSES, WHOLE_BODY_BYTES_MAX, classify
from connectors.core.layers.retry import RetryBudget, RetryPolicy, retry
from tests.connectors.core.fakes import FakeSend, http_request

CLOCK = ManualClock()
Fail = Callable[..., Any]


class Body(httpx.AsyncByteStream):
    """Endless chunks; counts what was read and whether it was closed."""

    def __init__(self, *, chunk: bytes = b"x" * 1000) -> None:
        self.chunk = chunk
        self.read_count = 0
        self.is_closed = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while True:
            self.read_count += 1
            yield self.chunk

    async def aclose(self) -> None:
        self.is_closed = True


@pytest.fixture
def fail() -> Fail:
    async def send_and_catch(reply: httpx.Response, **arguments: Any) -> ConnectorError:
        with pytest.raises(ConnectorError) as caught:
            await classify(FakeSend(reply), clock=CLOCK, **arguments)(http_request())
        return caught.value

    return send_and_catch


@pytest.mark.parametrize("status", [200, 201, 204, 206, 207])
async def test_good_reply_passes_untouched(status: int) -> None:
    body = Body()
    reply = httpx.Response(status, stream=body)
    assert await classify(FakeSend(reply), clock=CLOCK)(http_request()) is reply
    assert (body.read_count, body.is_closed) == (0, False)


async def test_bad_reply_passes_when_the_request_expects_it() -> None:
    request = http_request()
    request.extensions[EXPECTED_STATUSES] = (302, 404)
    reply = httpx.Response(302, headers={"Location": "https://elsewhere.test/"})
    assert await classify(FakeSend(reply), clock=CLOCK)(request) is reply


@pytest.mark.parametrize(
    ("status", "kind", "maybe_applied"),
    [
        (301, "unexpected", False),
        (302, "unexpected", False),
        (304, "unexpected", False),
        (308, "unexpected", False),
        (400, "unexpected", False),
        (401, "token_expired", False),
        (403, "permission_denied", False),
        (404, "not_found", False),
        (405, "unexpected", False),
        (408, "timed_out", True),
        (409, "already_exists", False),
        (410, "not_found", False),
        (412, "precondition_failed", False),
        (413, "too_large", False),
        (416, "range_invalid", False),
        (418, "unexpected", False),
        (423, "permission_denied", False),
        (425, "unavailable", False),
        (429, "rate_limited", False),
        (451, "permission_denied", False),
        (500, "unavailable", True),
        (501, "unsupported", False),
        (502, "unavailable", True),
        (503, "unavailable", True),
        (504, "timed_out", True),
        (507, "quota_exceeded", False),
        (509, "rate_limited", False),
        (599, "unavailable", True),
    ],
)
async def test_status_decides_when_the_provider_function_does_not(
    fail: Fail, status: int, kind: str, maybe_applied: bool
) -> None:
    error = await fail(httpx.Response(status), classify_reply=lambda _reply, _body: None)
    assert (error.kind, error.maybe_applied, error.status) == (kind, maybe_applied, status)


async def test_redirect_is_explained(fail: Fail) -> None:
    assert "redirect" in (await fail(httpx.Response(307))).message


async def test_unavailable_with_a_hint_was_refused_before_any_effect(fail: Fail) -> None:
    error = await fail(httpx.Response(503, headers={"Retry-After": "3"}))
    assert (error.maybe_applied, error.retry_after_seconds) == (False, 3)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0),
        ("120", 120),
        (" 7 ", 7),
        ("1.5", 1.5),
        (format_datetime(CLOCK.now() + timedelta(seconds=90), usegmt=True), 90),
        (format_datetime(CLOCK.now() - timedelta(seconds=90), usegmt=True), None),
        ("9" * 400, layer.RETRY_AFTER_SECONDS_CAP),
        ("Fri, 31 Dec 9999 23:59:59 GMT", layer.RETRY_AFTER_SECONDS_CAP),
        ("-5", None),
        ("nan", None),
        ("inf", None),
        ("1e9", None),
        ("soon", None),
        ("Fri, 99 Foo 2024", None),
        ("٣", None),
        ("", None),
    ],
)
async def test_hint_is_read_in_all_its_forms(fail: Fail, value: str, seconds: float | None) -> None:
    error = await fail(httpx.Response(429, headers=[(b"Retry-After", value.encode())]))
    assert error.retry_after_seconds == seconds


async def test_date_counts_from_the_providers_own_clock(fail: Fail) -> None:
    theirs = CLOCK.now() - timedelta(hours=2)
    headers = {
        "Date": format_datetime(theirs, usegmt=True),
        "Retry-After": format_datetime(theirs + timedelta(seconds=20), usegmt=True),
    }
    assert (await fail(httpx.Response(429, headers=headers))).retry_after_seconds == 20


@pytest.mark.parametrize(("value", "size"), [("bytes */1234", 1234), ("bytes */*", None), ("", None)])
async def test_size_is_read_when_a_range_is_refused(fail: Fail, value: str, size: int | None) -> None:
    assert (await fail(httpx.Response(416, headers={"Content-Range": value}))).size_bytes == size


async def test_provider_function_decides_first_and_the_head_adds_its_facts(fail: Fail) -> None:
    def classify_reply(reply: httpx.Response, body: bytes) -> ConnectorError | None:
        assert reply.status_code == 409
        return ConnectorError(ErrorKind.RATE_LIMITED, body.decode())

    reply = httpx.Response(
        409, content=b"too many writes", headers={"Retry-After": "4", "X-Some-Request-Id": "r-1" + "x" * 500}
    )
    error = await fail(reply, classify_reply=classify_reply)
    assert (error.kind, error.message, error.retry_after_seconds) == (ErrorKind.RATE_LIMITED, "too many writes", 4)
    assert error.context == {"status": "409", "request_id": ("r-1" + "x" * 500)[: layer.REQUEST_ID_CHARACTERS_MAX]}


async def test_error_body_is_read_up_to_its_limit_and_closed(fail: Fail) -> None:
    body, bodies = Body(), []

    def classify_reply(_: httpx.Response, start: bytes) -> None:
        bodies.append(start)

    await fail(httpx.Response(500, stream=body), classify_reply=classify_reply)
    assert [len(start) for start in bodies] == [layer.ERROR_BODY_BYTES_MAX]
    assert body.is_closed
    assert body.read_count <= layer.ERROR_BODY_BYTES_MAX / 1000 + 1


async def test_status_alone_decides_when_the_error_body_stalls(fail: Fail, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layer, "ERROR_BODY_SECONDS_MAX", 0.05)

    class Stalled(Body):
        async def __aiter__(self) -> AsyncIterator[bytes]:
            yield b"half"
            await asyncio.sleep(3600)

    body = Stalled()
    error = await fail(httpx.Response(404, stream=body), classify_reply=lambda _reply, _body: None)
    assert (error.kind, body.is_closed) == (ErrorKind.NOT_FOUND, True)


class Broken(Body):
    """Breaks off after its first chunk."""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield b"half"
        raise ConnectorError(ErrorKind.UNAVAILABLE)


@pytest.mark.parametrize("status", [403, 404])
async def test_status_alone_decides_when_the_error_body_breaks_off(fail: Fail, status: int) -> None:
    assert (await fail(httpx.Response(status, stream=Broken()))).kind is layer.KIND_BY_STATUS[status]


@pytest.mark.parametrize("told", [None, ConnectorError(ErrorKind.UNEXPECTED, "half")])
@pytest.mark.parametrize(
    ("status", "kind", "final_kind"),
    [
        (400, "unavailable", "unexpected"),
        (403, "unavailable", "permission_denied"),
        (409, "unavailable", "already_exists"),
        (404, "not_found", None),
    ],
)
async def test_refusal_is_worth_another_try_when_its_reason_breaks_off(
    fail: Fail, told: ConnectorError | None, status: int, kind: str, final_kind: str | None
) -> None:
    known = told if status != 404 else None
    error = await fail(httpx.Response(status, stream=Broken()), classify_reply=lambda _reply, _body: known)
    assert (error.kind, error.final_kind) == (kind, final_kind)
    assert (error.maybe_applied, error.status) == (False, status)


async def test_reason_counts_when_it_came_before_the_error_body_broke_off(fail: Fail) -> None:
    reason = ConnectorError(ErrorKind.QUOTA_EXCEEDED, "half")
    error = await fail(httpx.Response(403, stream=Broken()), classify_reply=lambda _reply, _body: reason)
    assert error.kind is ErrorKind.QUOTA_EXCEEDED


def whole(bytes_max: int) -> httpx.Request:
    request = http_request()
    request.extensions[WHOLE_BODY_BYTES_MAX] = bytes_max
    return request


async def test_document_is_read_whole_and_closed_when_it_is_asked_for() -> None:
    async def give() -> AsyncIterator[bytes]:
        yield b"a docu"
        yield b"ment"

    reply = httpx.Response(200, headers={"ETag": "e", "Content-Encoding": "gzip"}, content=give())
    sent = await classify(FakeSend(reply), clock=CLOCK)(whole(10))
    assert (sent.content, sent.headers["etag"]) == (b"a document", "e")
    assert reply.is_closed


async def test_unexpected_when_a_document_is_larger_than_it_can_be() -> None:
    body = Body()
    with pytest.raises(ConnectorError) as caught:
        await classify(FakeSend(httpx.Response(200, stream=body)), clock=CLOCK)(whole(5000))
    assert (caught.value.kind, caught.value.maybe_applied) == (ErrorKind.UNEXPECTED, True)
    assert (body.read_count, body.is_closed) == (6, True)


async def test_document_is_asked_for_again_when_it_breaks_off() -> None:
    async def break_off() -> AsyncIterator[bytes]:
        yield b"half"
        raise ConnectorError(ErrorKind.UNAVAILABLE, "cut", maybe_applied=True)

    replies = FakeSend(httpx.Response(200, content=break_off()), httpx.Response(200, content=b"whole"))
    send = classify(replies, clock=CLOCK)
    repeated = retry(send, policy=RetryPolicy(), budget=RetryBudget(CLOCK), clock=CLOCK, random=lambda: 0.0)
    assert (await repeated(whole(100))).content == b"whole"


async def test_failure_is_seen_when_a_good_status_tells_of_it_in_a_document() -> None:
    def read(_reply: httpx.Response, body: bytes) -> ConnectorError | None:
        return ConnectorError(ErrorKind.UNAVAILABLE, "told inside") if body == b"failed" else None

    with pytest.raises(ConnectorError, match="told inside") as caught:
        await classify(FakeSend(httpx.Response(200, content=b"failed")), clock=CLOCK, classify_reply=read)(whole(100))
    assert caught.value.status == 200
    reply = httpx.Response(200, content=b"fine")
    assert (await classify(FakeSend(reply), clock=CLOCK, classify_reply=read)(whole(100))).content == b"fine"
    streamed = httpx.Response(200, content=b"failed")
    assert await classify(FakeSend(streamed), clock=CLOCK, classify_reply=read)(http_request()) is streamed
