"""What attackers try that belongs to no single route."""

from __future__ import annotations

import httpx
import pytest
from fastapi.routing import APIRoute

from app.catalog.endpoints import LOGOS_PATH
from app.core.clock import now
from app.core.tokens import generate_token
from app.routes import ROUTERS
from app.storage.downloads import build_headers
from tests.servers.api import Api, Caller

pytestmark = pytest.mark.parametrize("api", ["sqlite"], indirect=True)  # the database has no part in it

LINE_BREAKS = ("\r\nSet-Cookie: a=b", "\nX-Evil: 1", "\r", "\0", "\x85", "\u2028")
ELSEWHERE = (
    "//evil.example.com",
    "//evil.example.com/..",
    "/%2F/evil.example.com",
    "/%5Cevil.example.com",
    "/docs//evil.example.com/",
    "/l//evil.example.com",
    "/https://evil.example.com",
    "/%0d%0aLocation:%20https://evil.example.com",
)
"""Paths that make careless servers redirect to another host."""

UNDOCUMENTED = {
    "GET /",
    "GET /docs",
    "GET /metrics",  # for whoever has the operator's token
    "GET /v1/oauth/callback",  # these for the one browser where a journey began
    "GET /v1/oauth/journeys/{journey}",
    "GET /v1/oauth/journeys/{journey}/services/{service}",
    "POST /v1/oauth/journeys/{journey}/cancel",
    "POST /v1/oauth/journeys/{journey}/services/{service}",
    f"GET {LOGOS_PATH}/{{logo}}",
}
"""The only routes that the document leaves out, so that no walk along it comes there."""

VARYING = frozenset({"date", "x-request-id"})


def look(answer: httpx.Response) -> tuple[object, ...]:
    """All that tells one answer from another, but what differs each time."""
    body = answer.json()
    body.pop("id")
    headers = {name: value for name, value in answer.headers.items() if name not in VARYING}
    return answer.status_code, headers, body


@pytest.mark.usefixtures("api")
def test_routes_that_the_document_leaves_out_are_the_listed_ones() -> None:
    routes = [route for router in ROUTERS for route in router.routes if isinstance(route, APIRoute)]
    found = {f"{method} {each.path}" for each in routes if not each.include_in_schema for method in each.methods or ()}
    assert found == UNDOCUMENTED


@pytest.mark.parametrize("scheme", ["APIKey", "Bearer"])
def test_answer_tells_nothing_when_a_secret_is_unknown_or_nearly_right(caller: Caller, scheme: str) -> None:
    right = caller.api_key if scheme == "APIKey" else caller.bearer_token
    last = "A" if right[-1] != "A" else "B"
    wrong = (generate_token(), right[:-1] + last, right[:-1], right + "A", right.swapcase(), "x")
    with caller.client({}) as client:
        seen = [look(client.get("/v1/accounts", headers={"Authorization": f"{scheme} {secret}"})) for secret in wrong]
        assert client.get("/v1/accounts", headers={"Authorization": f"{scheme} {right}"}).status_code == 200
    assert seen[0][0] == 401
    assert seen == [seen[0]] * len(seen)


@pytest.mark.parametrize("path", ELSEWHERE)
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
def test_nobody_is_sent_elsewhere_when_a_path_looks_like_a_host(api: Api, path: str, method: str) -> None:
    with api.client() as client:
        answer = client.send(client.build_request(method, httpx.URL(api.base_url + path)))
    assert answer.headers.get("location", "/docs") == "/docs"
    assert answer.status_code < 500


@pytest.mark.parametrize("odd", LINE_BREAKS)
@pytest.mark.usefixtures("api")
def test_no_line_is_added_when_a_storage_gives_odd_facts(odd: str) -> None:
    moment = now()
    headers = build_headers(
        name=f"a{odd}.txt", media_type=f"text/html{odd}", length_bytes=1, etag=f"e{odd}", modified_at=moment
    )
    plain = build_headers(name="a.txt", media_type="text/html", length_bytes=1, etag="e", modified_at=moment)
    assert headers.keys() == plain.keys()
    for value in headers.values():
        assert value.isascii()
        assert value.isprintable()
