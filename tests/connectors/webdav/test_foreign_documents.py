"""Documents that no server should send: members come out, in whatever pieces it arrived, or an error of three kinds."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.core.errors import ConnectorError, ErrorKind
from connectors.core.resources import File
from connectors.webdav.addresses import read_address
from connectors.webdav.mapping import Mapper, read_quota
from connectors.webdav.multistatus import DAV, Member, MultistatusReader
from connectors.webdav.properties import OURS, read_key, show_key
from tests.connectors.webdav.test_multistatus import APACHE, GO, IIS, PLAIN, SABRE, WSGIDAV
from tests.fuzzing import fuzz, spoiled, xml_elements

KINDS = {ErrorKind.UNEXPECTED, ErrorKind.UNAVAILABLE}
LEAVES = ("getcontentlength", "getlastmodified", "creationdate", "getetag", "getcontenttype", "quota-used-bytes")
NAMES = ("D:response", "D:href", "D:status", "D:propstat", "D:prop", "D:resourcetype", "D:collection", "x", "D:a")
TEXTS = (
    *("", "x", "-1", "1" * 5000, "1_0", "\u0663", " 7 ", "HTTP/1.1 200 OK", "HTTP/1.1 999", "HTTP/1.1 1000", "HTTP/9"),
    *(
        "0001-01-01T00:00:00+23:59",
        "9999-12-31T23:59:59-23:59",
        "Mon, 01 Jan 0001 00:00:00 +2359",
        "2026-11-25T17:45:15",
    ),
    *(
        "Wed, 25 Nov 2026 17:45:15 GMT",
        "Wed, 99 Nov 2026 17:45:15",
        "25",
        ",",
        "1 1 1 1:1:1 +99999999",
        "/a/%ff%00",
        "//",
    ),
    *(
        "http://[::1/a",
        "http://x:99999999/a",
        "../../a",
        "\u00e9;%",
        "W/",
        '"',
        'W/"a',
        "a/b; c=d",
        ";",
        "httpd/unix-directory",
    ),
    *("&#x1;", "&unknown;", "<!-- x -->", "<?x y?>", "<![CDATA[<a>]]>"),
)
PIECES = (
    *(text.encode() for text in (*TEXTS, "<!DOCTYPE a [<!ENTITY x 'y'>]>", "\0", "\uffff")),
    *(b"<%b>" % name.encode() for name in NAMES),
    *(b'<?xml version="1.0" encoding="%b"?>' % name for name in (b"utf-16", b"latin-1", b"utf-7", b"nonsense")),
)
SAMPLES = (APACHE, WSGIDAV, GO, SABRE, IIS, PLAIN)
ADDRESS = read_address("http://dav.example/dav")


def read(body: bytes, cuts: list[int]) -> tuple[list[Member], ErrorKind | None]:
    """What comes out of a document that arrives in pieces."""
    reader, start = MultistatusReader(), 0
    members: list[Member] = []
    try:
        for end in (*sorted(cut % (len(body) + 1) for cut in cuts), len(body)):
            members += reader.feed(body[start:end])
            start = end
        reader.close()
    except ConnectorError as error:
        return members, error.kind
    return members, None


def map_members(members: list[Member]) -> None:
    """Makes resources of them, as a listing does."""
    mapper = Mapper("root", has_exact_etags=True, include_raw=True)
    above = mapper.build_above(())
    for member in members:
        parts = ADDRESS.read_href(member.href)
        resource = mapper.build(above, mapper.read_entry(parts[-1] if parts else b"a", member))
        if isinstance(resource, File):
            assert resource.size_bytes is None or resource.size_bytes >= 0
        read_quota(member.properties)
        assert all(show_key(name) for name in member.properties)


@fuzz(300)
@given(inside=xml_elements("D:multistatus xmlns:D='DAV:'", (*NAMES, *(f"D:{leaf}" for leaf in LEAVES)), TEXTS, 4))
def test_document_is_read_or_refused_when_anything_stands_anywhere(inside: bytes) -> None:
    members, kind = read(inside, [])
    assert kind is None or kind in KINDS
    map_members(members)


@fuzz(300)
@given(body=spoiled(SAMPLES, PIECES), cuts=st.lists(st.integers(0, 2000), max_size=5))
def test_document_is_read_or_refused_when_it_is_spoiled(body: bytes, cuts: list[int]) -> None:
    members, kind = read(body, cuts)
    assert kind is None or kind in KINDS
    map_members(members)


@fuzz(100)
@given(body=st.sampled_from(SAMPLES), cuts=st.lists(st.integers(0, 2000), max_size=20))
def test_members_are_the_same_however_the_document_arrives(body: bytes, cuts: list[int]) -> None:
    assert read(body, cuts) == read(body, [])


@pytest.mark.parametrize("leaf", LEAVES)
def test_member_is_read_when_a_property_is_odd(leaf: str) -> None:
    for text in TEXTS:
        body = (
            f"<multistatus xmlns='DAV:'><response><href>/dav/a</href><propstat><prop><{leaf}>{text}</{leaf}></prop>"
            "<status>HTTP/1.1 200 OK</status></propstat></response></multistatus>"
        )
        members, kind = read(body.encode(), [])
        assert (
            kind in KINDS if "unknown" in text or "&#x1;" in text else [member.href for member in members] == ["/dav/a"]
        )
        map_members(members)


@pytest.mark.parametrize("opening", [b"<response>", b"<a b='c'>"])
def test_document_is_refused_when_it_is_nested_without_end(opening: bytes) -> None:
    members, kind = read(b"<multistatus xmlns='DAV:'>" + opening * 100_000, [])
    assert (members, kind) == ([], ErrorKind.UNAVAILABLE)


@fuzz(200)
@given(key=st.text(min_size=1, max_size=30))
def test_key_of_a_property_is_shown_as_it_was_given_or_refused(key: str) -> None:
    try:
        name = read_key(key)
    except ConnectorError as error:
        assert error.kind is ErrorKind.INVALID_NAME  # noqa: PT017 - refusing is one of two right outcomes
        return
    assert name.startswith(OURS) != key.startswith("{")
    assert not name.startswith(DAV)
    assert show_key(name) == key


@fuzz(300)
@given(
    text=st.one_of(st.text(max_size=40), st.text("ht:/p[]@.%?#a0\u00fc\ud800 \\", max_size=30).map("http://".__add__))
)
def test_address_is_read_or_refused_when_anything_is_typed(text: str) -> None:
    try:
        address = read_address(text)
    except ConnectorError as error:
        assert error.kind is ErrorKind.INVALID_NAME  # noqa: PT017 - refusing is one of two right outcomes
        return
    assert read_address(address.base).parts == address.parts
    assert address.read_href(str(address.url((b"a", b"\xff"), is_folder=True))) == (b"a", b"\xff")
