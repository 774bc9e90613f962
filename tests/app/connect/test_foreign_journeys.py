"""Whatever an application, a browser or a provider puts into the addresses and forms of a journey."""

from __future__ import annotations

import asyncio
import json
from html.parser import HTMLParser
from urllib.parse import parse_qsl, quote, urlsplit

import msgspec
from hypothesis import example, given
from hypothesis import strategies as st
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.types import Message

from app.connect import pages, results
from app.connect.journey_endpoints import PARAMETERS
from app.connect.wishes import ReturnPath, WishError, read_return_path, read_wishes
from app.core.errors import ApiError
from app.core.http.edge import RequestState
from app.core.http.forms import read_form
from connectors.local.manifest import MANIFEST as LOCAL
from connectors.webdav.manifest import MANIFEST as WEBDAV
from tests.fuzzing import fuzz

CALLBACK = "https://app.example.com/cb?x=1"
SCRIPT = "\"'></p></script><script>alert(1)</script>"
STORABLE = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=60)
ODD = st.one_of(
    st.text(max_size=40),
    st.text(max_size=40).map(json.dumps),
    st.sampled_from(
        ["[" * 9000, '{"a":' * 2000, '{"url": "x", "password": "y"}', "all", "any.storage", "https://[::1", "null"]
    ),
    st.recursive(st.none() | st.text(), lambda inner: st.dictionaries(st.text(), inner), max_leaves=4).map(json.dumps),
)
NAMES = [*(str(parameter["name"]) for parameter in PARAMETERS), "raw[", "raw[]", "raw[state]"]


def build_query(values: dict[str, str]) -> QueryParams:
    """As a browser sends it."""
    encoded = "&".join(
        f"{quote(name)}={quote(value.encode('utf-8', 'surrogatepass'))}" for name, value in values.items()
    )
    return QueryParams(encoded)


@fuzz(150)
@given(values=st.dictionaries(st.sampled_from(NAMES), ODD))
def test_wishes_are_read_or_refused(values: dict[str, str]) -> None:
    query = build_query({"redirect_uri": CALLBACK, "response_type": "code", **values})
    try:
        back = read_return_path(query)
        wishes = read_wishes(query, back, [LOCAL, WEBDAV])
    except ApiError as error:
        assert error.code.status == 400  # noqa: PT017 - refusing is one of two right outcomes
        return
    except WishError as error:
        if back.redirect_uri == CALLBACK:  # others are refused, unless they are registered
            assert build_location(back, error).startswith(CALLBACK)  # noqa: PT017 - as above
        return
    msgspec.json.encode(wishes)
    assert not set(wishes.form_data) & {field.name for field in WEBDAV.auth.fields if field.is_secret}


def build_location(back: ReturnPath, error: WishError) -> str:
    """Where the answer leads."""
    location = results.build_failure(back, error).headers["location"]
    assert location.isascii()
    assert location.isprintable()
    return location


@fuzz(100)
@given(state=STORABLE, description=STORABLE, response_type=st.sampled_from(["code", "token"]))
@example(state="a\r\nSet-Cookie: b=c", description="&state=x#y", response_type="code")
def test_state_comes_back_as_it_was_and_nothing_else_comes_in(state: str, description: str, response_type: str) -> None:
    back = msgspec.convert({"response_type": response_type, "redirect_uri": CALLBACK, "state": state}, ReturnPath)
    parts = urlsplit(build_location(back, WishError("server_error", description)))
    told = parts.query.removeprefix("x=1&") if response_type == "code" else parts.fragment
    assert dict(parse_qsl(told, keep_blank_values=True)) == {
        "error": "server_error",
        "error_description": description,
        "state": state,
    }


class Page(HTMLParser):
    """What a browser makes of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.data: dict[str, str | None] = {}
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.data |= {name: value for name, value in attrs if name.startswith("data-")}


def read_message_page(state: str, request_id: str, text: str) -> Page:
    back = ReturnPath(
        response_type="token",
        redirect_uri="urn:ietf:wg:oauth:2.0:oob",
        state=state,
        origin="https://app.example.com",
        request_id=request_id,
    )
    return Page(bytes(results.build_failure(back, WishError("server_error", text)).body).decode())


PLAIN = read_message_page("", "", "")


@fuzz(100)
@given(state=STORABLE, request_id=STORABLE, text=STORABLE)
@example(state=SCRIPT, request_id=SCRIPT, text=SCRIPT)
def test_message_arrives_as_it_is_and_adds_nothing_to_the_page(state: str, request_id: str, text: str) -> None:
    page = read_message_page(state, request_id, text)
    assert page.tags == PLAIN.tags
    assert page.tags.count("script") == 1
    assert page.data.keys() == PLAIN.data.keys()
    message = json.loads((page.data["data-message"] or "").removeprefix(pages.MESSAGE_PREFIX))
    assert (message["id"], message["data"]["state"]) == (request_id, state)
    assert message["data"]["error_description"] == text


@fuzz(100)
@given(body=st.one_of(st.binary(max_size=60), st.text("a=&;%+ \0\ufffd", max_size=60).map(str.encode)))
@example(b"a=1&" * 50)
@example(b"a" * 2000)
def test_form_is_read_or_refused(body: bytes) -> None:
    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    scope = {"type": "http", "headers": [], "state": {"request": RequestState(body_bytes_max=0)}}
    try:
        form = asyncio.run(read_form(Request(scope, receive), bytes_max=100, fields_max=10))
    except ApiError as error:
        assert error.code.status == 400  # noqa: PT017 - refusing is one of two right outcomes
        return
    assert all(form.values())
    assert len(form) <= 10
