"""Whatever stands in the parts of a request that we read ourselves: it is understood, or refused as a bad request."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from urllib.parse import quote, unquote

from hypothesis import example, given
from hypothesis import strategies as st
from starlette.datastructures import Headers
from starlette.requests import Request

from app.applications.addresses import check_redirect_uri, reduce_host
from app.core.errors import ApiError
from app.core.http.paths import CanonicalPaths, read_segment
from app.core.http.reading import check_json, parse_flag, read_json_header, read_number, read_text, read_time
from app.idempotency.routes import KEY_CHARACTERS_MAX, read_key
from app.storage.downloads import build_headers
from app.storage.forms import FormUpload
from app.storage.ranges import is_range_fresh, is_unmodified, parse_range
from connectors.core.bytesource import StreamSource
from connectors.core.errors import ConnectorError, ErrorKind
from connectors.core.resources import File, RawId
from tests.fuzzing import fuzz, spoiled

LATIN = st.text(st.characters(max_codepoint=255, exclude_categories=()), max_size=60)
"""What a header is decoded to, whatever came."""
MOMENT = datetime(2026, 11, 25, 17, 45, 15, tzinfo=UTC)
FILE = File(raw_id=RawId("/a"), name="a", path="/a", size_bytes=10, etag="e", modified_at=MOMENT)

FORM = (
    b'--b\r\nContent-Disposition: form-data; name="metadata"\r\n\r\n{"name": "a"}\r\n'
    b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n'
    b"Content-Type: text/plain\r\n\r\nbytes\r\n--b--\r\n"
)
FORM_PIECES = [
    b"\r\n--b\r\n",
    b"--b--",
    b"\r\n\r\n",
    b"\r",
    b"\n",
    b'name="file"',
    b"filename*=utf-8''%ff",
    b"\0",
    b"\xff",
]
FORM_PIECES += [b"Content-Disposition: form-data", b"; ", b'"', b"{" * 200, b": ", b"\\"]
TYPES = [
    "multipart/form-data; boundary=b",
    'multipart/form-data; boundary="b"',
    "multipart/form-data; boundary=" + "b" * 300,
]
TYPES += [
    "multipart/form-data",
    "multipart/form-data; boundary=",
    "multipart/form-data; boundary*=utf-8''b",
    "multipart/form-data; boundary=\xfc",
]


def build_request(headers: dict[str, str] | None = None, *, query: bytes = b"") -> Request:
    pairs = [(name.lower().encode(), value.encode("latin-1")) for name, value in (headers or {}).items()]
    return Request({"type": "http", "method": "GET", "path": "/", "query_string": query, "headers": pairs})


@fuzz(300)
@given(text=st.one_of(LATIN, st.from_regex(r"bytes=[-, 0-9]{0,30}", fullmatch=True)))
@example("bytes=" + "1" * 5000 + "-")
@example("bytes=0-" + "9" * 19)
def test_range_is_read_or_not_satisfiable(text: str) -> None:
    try:
        found = parse_range(Headers({"range": text}))
    except ApiError as error:
        assert error.code.status == 416  # noqa: PT017 - refusing is one of two right outcomes
        return
    touched = None if found is None else found.resolve(10)
    assert touched is None or 0 <= touched[0] <= touched[1] <= 9


@fuzz(200)
@given(first=st.integers(0, 10**18), length=st.integers(0, 10**18))
def test_range_is_what_was_meant(first: int, length: int) -> None:
    found = parse_range(Headers({"range": f"bytes={first}-{first + length}"}))
    assert found is not None
    assert (found.start, found.end) == (first, first + length)


@fuzz(300)
@given(
    name=st.sampled_from(["if-match", "if-none-match", "if-modified-since", "if-unmodified-since", "if-range"]),
    text=st.one_of(
        LATIN,
        st.from_regex(
            r'(W/)?"e"(, *"[a-z]")*|Wed, [0-9]{1,2} [A-Z][a-z]{2} [0-9]{1,5} [0-9]{2}(:[0-9]{2}){2} [-+A-Z0-9]{1,5}',
            fullmatch=True,
        ),
    ),
)
def test_condition_is_read_whatever_it_says(name: str, text: str) -> None:
    headers = Headers({name: text})
    assert is_range_fresh(headers, FILE) in {True, False}
    try:
        assert is_unmodified(headers, FILE) in {True, False}
    except ApiError as error:
        assert error.code.status == 412  # noqa: PT017 - refusing is one of two right outcomes


@fuzz(300)
@given(
    text=st.one_of(
        LATIN,
        st.recursive(st.none() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)).map(
            json.dumps
        ),
    )
)
@example("[" * 50_000)
@example('{"a":' * 50_000)
@example('{"a": ' + "1" * 5000 + "}")
@example('{"a": 1e999}')
def test_metadata_is_an_object_or_wrong(text: str) -> None:
    request = build_request({"X-Kloudless-Metadata": text})
    try:
        found = read_json_header(request, "X-Kloudless-Metadata")
    except ApiError as error:
        assert error.code.status == 400  # noqa: PT017 - refusing is one of two right outcomes
        return
    assert isinstance(found, dict)


@fuzz(200)
@given(name=st.text(st.characters(exclude_categories=["Cs"])))
def test_metadata_is_what_was_meant_escaped_and_as_utf_8(name: str) -> None:
    for text in (json.dumps({"name": name}), json.dumps({"name": name}, ensure_ascii=False).encode().decode("latin-1")):
        assert read_json_header(build_request({"X-Kloudless-Metadata": text}), "X-Kloudless-Metadata") == {"name": name}


@fuzz(300)
@given(
    query=st.one_of(
        st.binary(max_size=40),
        st.text(max_size=20).map(lambda text: b"q=" + quote(text.encode("utf-8", "surrogatepass")).encode()),
    )
)
def test_query_is_read_or_wrong(query: bytes) -> None:
    request = build_request(query=query)
    for read in (lambda: read_text(request, "q"), lambda: read_number(request, "q", default=1, minimum=1, maximum=9)):
        try:
            read()
        except ApiError as error:
            assert error.code.status == 400  # noqa: PT017 - refusing is one of two right outcomes
    assert parse_flag(query.decode("latin-1")) is not None


@fuzz(200)
@given(text=LATIN)
def test_key_is_what_was_sent_or_refused(text: str) -> None:
    try:
        key = read_key(build_request({"Idempotency-Key": text}))
    except ApiError as error:
        assert error.code.status == 400  # noqa: PT017 - refusing is one of two right outcomes
        return
    assert key == text
    assert 1 <= len(key) <= KEY_CHARACTERS_MAX


@fuzz(300)
@given(
    text=st.one_of(
        st.text(max_size=40),
        st.from_regex(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?([-+]\d\d:\d\d|Z)?", fullmatch=True),
    )
)
def test_time_is_in_utc_or_refused(text: str) -> None:
    try:
        moment = read_time(text)
    except ValueError:
        return
    assert moment.utcoffset() == UTC.utcoffset(None)


@fuzz(200)
@given(
    value=st.recursive(
        st.none() | st.text() | st.integers() | st.floats(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_json_can_be_stored_or_is_refused(value: object) -> None:
    try:
        check_json(value)
    except ValueError:
        return
    json.dumps(value, ensure_ascii=False).encode()


@fuzz(300)
@given(raw_path=st.one_of(st.binary(max_size=40), st.text("/%25aF.\0\u00fc", max_size=30).map(str.encode)))
def test_path_is_canonical_and_each_part_is_what_was_sent(raw_path: bytes) -> None:
    seen: list[str] = []

    async def app(scope: dict[str, str], _receive: object, _send: object) -> None:
        seen.append(scope["path"])

    paths = CanonicalPaths(app, aliases={})  # type: ignore[arg-type]  # it is called with a path and nothing else
    asyncio.run(paths({"type": "http", "path": "", "raw_path": b"/" + raw_path}, None, None))  # type: ignore[arg-type]  # as above
    parts = seen[0].split("/")[1:]
    sent = [unquote(part) for part in raw_path.decode("latin-1").split("/") if part]
    assert parts == [""] if not sent else len(parts) == len(sent)
    for part, was in zip(parts, sent, strict=False):
        try:
            assert read_segment(part) == was
        except ApiError as error:
            assert (error.code.status, "\0" in was) == (404, True)  # noqa: PT017 - refusing is one of two right outcomes


@fuzz(300)
@given(name=st.text(max_size=40), media_type=st.one_of(st.none(), st.text(max_size=30)))
@example("a\ud800b", None)
@example('a"\r\nSet-Cookie: x=y', "text/html\r\nx: y")
def test_file_has_headers_that_say_its_name_whatever_that_is(name: str, media_type: str | None) -> None:
    headers = build_headers(name=name, media_type=media_type, length_bytes=1, etag=name, modified_at=MOMENT)
    for header, value in headers.items():
        assert all(" " <= character <= "~" for character in value), header
    kind, plain, encoded = headers["Content-Disposition"].split("; ", 2) if "; " not in name else ("", "", "")
    if kind:
        assert (kind, plain[:10], plain[-1]) == ("attachment", 'filename="', '"')
        assert unquote(encoded.removeprefix("filename*=UTF-8''")) == name.encode("utf-8", "replace").decode()


def read_form(content_type: str, body: bytes, cuts: list[int]) -> tuple[object, bytes]:
    """Metadata and bytes of a form that arrives in pieces."""

    async def chunks() -> AsyncIterator[bytes]:
        start = 0
        for end in (*sorted(cut % (len(body) + 1) for cut in cuts), len(body)):
            yield body[start:end]
            start = end

    async def read() -> tuple[object, bytes]:
        form = FormUpload(build_request({"content-type": content_type}), StreamSource(chunks()), size_bytes_max=1000)
        await form.read_to_file()
        return form.metadata, b"".join([chunk async for chunk in form.source.open()])

    return asyncio.run(read())


@fuzz(300)
@given(
    body=spoiled([FORM], FORM_PIECES),
    cuts=st.lists(st.integers(0, 300), max_size=4),
    content_type=st.sampled_from(TYPES),
)
def test_form_is_read_or_refused(body: bytes, cuts: list[int], content_type: str) -> None:
    try:
        metadata, data = read_form(content_type, body, cuts)
    except ApiError as error:
        assert error.code.status in {400, 413}  # noqa: PT017 - refusing is one of two right outcomes
    except ConnectorError as error:
        assert error.kind in {ErrorKind.SOURCE_FAILED, ErrorKind.TOO_LARGE}  # noqa: PT017 - as above
    else:
        assert metadata is None or isinstance(metadata, dict)
        assert len(data) <= len(body)


@fuzz(100)
@given(
    data=st.binary(max_size=300).filter(lambda data: b"\r\n--b" not in data),
    cuts=st.lists(st.integers(0, 600), max_size=8),
)
def test_form_gives_the_bytes_that_were_put_into_it(data: bytes, cuts: list[int]) -> None:
    assert read_form(TYPES[0], FORM.replace(b"bytes", data), cuts) == ({"name": "a"}, data)


ADDRESSES = st.one_of(
    st.text(max_size=40), st.text("htps:/.[]@%?#a-0\u00fc\u0130\ud800 \\:", max_size=30).map("https://".__add__)
)


@fuzz(400)
@given(text=ADDRESSES)
def test_address_is_kept_or_refused(text: str) -> None:
    checks: list[Callable[[str], str]] = [reduce_host, check_redirect_uri]
    for check in checks:
        try:
            kept = check(text)
        except ValueError:
            continue
        assert check(kept) == kept
        assert kept.isascii()
