"""Multistatus documents as servers write them, condensed, and such as nobody should write."""

from __future__ import annotations

import pytest

from connectors.core.errors import ConnectorError, ErrorKind
from connectors.webdav.multistatus import DAV, Member, MultistatusReader, read_multistatus

APACHE = b"""<?xml version="1.0" encoding="utf-8"?>
<D:multistatus xmlns:D="DAV:" xmlns:ns0="DAV:">
<D:response xmlns:lp1="DAV:" xmlns:lp2="http://apache.org/dav/props/" xmlns:g0="DAV:">
<D:href>/dav/%c3%bc%201+2.txt</D:href>
<D:propstat>
<D:prop>
<lp1:resourcetype/>
<lp1:getcontentlength>4</lp1:getcontentlength>
<lp1:getetag>W/"4-6611d"</lp1:getetag>
</D:prop>
<D:status>HTTP/1.1 200 OK</D:status>
</D:propstat>
<D:propstat>
<D:prop>
<g0:quota-used-bytes/>
</D:prop>
<D:status>HTTP/1.1 404 Not Found</D:status>
</D:propstat>
</D:response>
</D:multistatus>
"""
WSGIDAV = (
    b"<?xml version='1.0' encoding='UTF-8'?>\n"
    b'<D:multistatus xmlns:D="DAV:"><D:response><D:href>/a/</D:href><D:propstat><D:prop><D:resourcetype>'
    b"<D:collection/></D:resourcetype><D:getlastmodified>Wed, 25 Nov 2026 17:45:15 GMT</D:getlastmodified></D:prop>"
    b"<D:status>HTTP/1.1 200 OK</D:status></D:propstat></D:response></D:multistatus>"
)
GO = (
    b'<?xml version="1.0" encoding="UTF-8"?><D:multistatus xmlns:D="DAV:"><D:response><D:href>/a</D:href><D:propstat>'
    b'<D:prop><D:resourcetype><D:collection xmlns:D="DAV:"/></D:resourcetype></D:prop>'
    b"<D:status>HTTP/1.1 200 OK</D:status></D:propstat></D:response></D:multistatus>"
)
SABRE = (
    b'<?xml version="1.0"?><d:multistatus xmlns:d="DAV:" xmlns:oc="http://owncloud.org/ns"><d:response>'
    b"<d:href>/remote.php/dav/files/someone/a/</d:href><d:propstat><d:prop><d:resourcetype><d:collection/>"
    b"</d:resourcetype><d:quota-available-bytes>-3</d:quota-available-bytes><oc:size>12</oc:size></d:prop>"
    b"<d:status>HTTP/1.1 200 OK</d:status></d:propstat><d:propstat><d:prop><d:getcontentlength/></d:prop>"
    b"<d:status>HTTP/1.1 404 Not Found</d:status></d:propstat></d:response></d:multistatus>"
)
IIS = (
    b'<?xml version="1.0" encoding="utf-8"?><a:multistatus xmlns:a="DAV:" xmlns:b="urn:uuid:c2f41010-65b3-11d1/">'
    b"<a:response><a:href>http://host.example/dav/a/</a:href><a:propstat><a:status>HTTP/1.1 200 OK</a:status><a:prop>"
    b"<a:resourcetype><a:collection/></a:resourcetype><a:iscollection>1</a:iscollection>"
    b'<a:creationdate b:dt="dateTime.tz">2026-11-25T17:45:15.123Z</a:creationdate></a:prop></a:propstat></a:response>'
    b"</a:multistatus>"
)
PLAIN = (
    b'<multistatus xmlns="DAV:"><response><href>/a</href><status>HTTP/1.1 423 Locked</status></response>'
    b"<response><href>/b</href><status>HTTP/2 204</status></response></multistatus>"
)
HEAD = b'<D:multistatus xmlns:D="DAV:">'
ONE = b"<D:response><D:href>/a%d</D:href><D:status>HTTP/1.1 200 OK</D:status></D:response>"
TAIL = b"</D:multistatus>"


@pytest.mark.parametrize(
    ("document", "href", "is_folder", "properties"),
    [
        (APACHE, "/dav/%c3%bc%201+2.txt", False, {"getcontentlength": "4", "getetag": 'W/"4-6611d"'}),
        (WSGIDAV, "/a/", True, {"getlastmodified": "Wed, 25 Nov 2026 17:45:15 GMT"}),
        (GO, "/a", True, {}),
        (SABRE, "/remote.php/dav/files/someone/a/", True, {"quota-available-bytes": "-3"}),
        (IIS, "http://host.example/dav/a/", True, {"creationdate": "2026-11-25T17:45:15.123Z"}),
    ],
    ids=["apache", "wsgidav", "go", "sabre", "iis"],
)
@pytest.mark.parametrize("piece_bytes", [1, 7, 100_000])
def test_member_is_read_when_a_server_writes_in_its_own_way(
    document: bytes, href: str, is_folder: bool, properties: dict[str, str], piece_bytes: int
) -> None:
    reader = MultistatusReader()
    pieces = [document[start : start + piece_bytes] for start in range(0, len(document), piece_bytes)]
    (member,) = [member for piece in pieces for member in reader.feed(piece)]
    reader.close()
    assert (member.href, member.is_folder, member.failure is None) == (href, is_folder, not member.refused)
    told = {name.removeprefix(DAV): text for name, text in member.properties.items()}
    assert {name: told.get(name) for name in properties} == properties


def test_refused_properties_are_told_apart_when_there_are_several_statuses() -> None:
    (member,) = read_multistatus(APACHE)
    assert member.refused == {f"{DAV}quota-used-bytes": 404}
    assert f"{DAV}quota-used-bytes" not in member.properties


def test_statuses_of_whole_members_are_read_when_there_are_no_properties() -> None:
    assert read_multistatus(PLAIN) == [Member("/a", 423), Member("/b", 204)]
    assert [member.failure for member in read_multistatus(PLAIN)] == [423, None]


def test_text_is_whole_when_it_has_tags_and_references_in_it() -> None:
    document = HEAD + (
        b'<D:response><D:href>/a</D:href><D:propstat><D:prop><x:p xmlns:x="urn:x">a &lt;<x:b>b</x:b>&#233;<![CDATA[&]]>'
        b"</x:p></D:prop></D:propstat></D:response>" + TAIL
    )
    (member,) = read_multistatus(document)
    assert member.properties == {"{urn:x}p": "a <bé&"}


def test_members_come_before_the_document_has_ended() -> None:
    reader = MultistatusReader()
    assert [member.href for member in reader.feed(HEAD + ONE % 1 + ONE % 2)] == ["/a1", "/a2"]
    assert [member.href for member in reader.feed(ONE % 3)] == ["/a3"]


def test_nothing_is_kept_of_members_that_were_given() -> None:
    reader = MultistatusReader()
    list(reader.feed(HEAD))
    for number in range(2000):
        list(reader.feed(ONE % number))
    assert reader._parser is not None
    remaining = [element for _, element in reader._parser.read_events()]
    assert remaining == []
    (last,) = reader.feed(ONE % 2000)
    assert last.href == "/a2000"
    assert sum(1 for _ in reader.feed(TAIL)) == 0
    root = reader._parser.close()
    assert len(root) <= 1


def bomb(levels: int) -> bytes:
    entities = b"".join(b'<!ENTITY a%d "%s">' % (level, b"&a%d;" % (level - 1) * 10) for level in range(1, levels))
    document = b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a0 "aaaaaaaaaa">%s]>' % entities
    return document + HEAD + b"<D:response><D:href>&a%d;</D:href></D:response>" % (levels - 1) + TAIL


@pytest.mark.parametrize(
    "document",
    [
        bomb(2),
        bomb(12),
        b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>' + HEAD + b"&a;" + TAIL,
        b'<!DOCTYPE x SYSTEM "http://127.0.0.1:9/x.dtd">' + HEAD + TAIL,
        b"<html><body>Welcome</body></html>",
        b'<D:multistatus xmlns:D="urn:other"/>',
        b'<D:response xmlns:D="DAV:"/>',
        b"{}",
        b"",
    ],
    ids=["entity", "bomb", "file", "outside", "html", "namespace", "no root", "json", "empty"],
)
def test_unexpected_when_it_is_no_multistatus_or_declares_entities(document: bytes) -> None:
    with pytest.raises(ConnectorError) as caught:
        read_multistatus(document)
    assert caught.value.kind is ErrorKind.UNEXPECTED


@pytest.mark.parametrize(
    "document",
    [
        HEAD,
        HEAD + ONE % 1,
        HEAD + ONE % 1 + b"<D:response><D:hr",
        HEAD + ONE % 1 + TAIL + b"Internal Server Error",
        HEAD + ONE % 1 + b"<D:response>&</D:response>" + TAIL,
    ],
)
def test_unavailable_when_it_breaks_off(document: bytes) -> None:
    with pytest.raises(ConnectorError) as caught:
        read_multistatus(document)
    assert caught.value.kind is ErrorKind.UNAVAILABLE


def test_unsupported_when_it_is_larger_than_allowed() -> None:
    reader = MultistatusReader(bytes_max=100)
    list(reader.feed(HEAD))
    with pytest.raises(ConnectorError) as caught:
        list(reader.feed(ONE % 1 * 2))
    assert caught.value.kind is ErrorKind.UNSUPPORTED
