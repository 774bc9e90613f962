"""Dead properties as keys and values: how keys are spelled in XML, and what lives on real servers."""

from __future__ import annotations

from collections.abc import AsyncIterator

import msgspec
import pytest

from connectors.core.bytesource import BytesSource
from connectors.core.connector import Connector
from connectors.core.errors import ConnectorError, ErrorKind
from connectors.core.resources import File, OnConflict, RawId
from connectors.core.stack import Runtime
from connectors.webdav.properties import NAMESPACE, build_update, read_key, show_key
from tests.connectors.behavior.space import refused
from tests.connectors.webdav.conftest import Open
from tests.connectors.webdav.fake import Fake
from tests.connectors.webdav.servers import APACHE, WSGIDAV, get_credentials, open_account
from tests.servers.apache import SHARED_APACHE
from tests.servers.scripted import Reply
from tests.servers.shared import Shared
from tests.servers.webdav import WebDavServer
from tests.servers.wsgidav import SHARED_WSGIDAV

ROOT = RawId("/")


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("colour", "colour"),
        ("my_key-1.2", "my_key-1.2"),
        ("my key", "my_x20_key"),
        ("1st", "_x31_st"),
        ("-a", "_x2D_a"),
        ("_a", "_a"),
        ("_x20_", "_x5F_x20_"),
        ("a:b", "a_x3A_b"),
        ("größe", "gr_xF6__xDF_e"),
        ("😀", "_x1F600_"),
        ("a{b}", "a_x7B_b_x7D_"),
        ("\x00", "_x0_"),
    ],
)
def test_plain_key_is_a_name_of_ours_and_comes_back(key: str, name: str) -> None:
    assert read_key(key) == f"{{{NAMESPACE}}}{name}"
    assert show_key(read_key(key)) == key
    assert build_update({read_key(key): "value"}).startswith(b"<?xml")


def test_full_name_is_a_key_of_its_own() -> None:
    assert read_key("{http://example.com/ns}author") == "{http://example.com/ns}author"
    assert show_key("{http://example.com/ns}author") == "{http://example.com/ns}author"


@pytest.mark.parametrize("name", ["_xZZ_", "_x110000_", "_x", "_xFFFFFF_"])
def test_names_that_others_put_among_ours_are_shown_as_they_are(name: str) -> None:
    assert show_key(f"{{{NAMESPACE}}}{name}") == name


@pytest.mark.parametrize(
    "key", ["{DAV:}displayname", "{}a", "{a", "{a}", "{a}b c", "{a}1", "{a}{b}c", f"{{{NAMESPACE}}}colour", "{a}b:c"]
)
def test_invalid_name_when_no_property_can_have_it(key: str) -> None:
    with pytest.raises(ConnectorError) as caught:
        read_key(key)
    assert caught.value.kind is ErrorKind.INVALID_NAME


@pytest.mark.parametrize("value", ["\x00", "\x1b", "\ud800", "\ufffe"])
def test_invalid_name_when_xml_cannot_hold_the_value(value: str) -> None:
    with pytest.raises(ConnectorError) as caught:
        build_update({read_key("a"): value})
    assert caught.value.kind is ErrorKind.INVALID_NAME


@pytest.fixture(params=[(SHARED_APACHE, APACHE), (SHARED_WSGIDAV, WSGIDAV)], ids=["apache", "wsgidav"])
async def connector(request: pytest.FixtureRequest, runtime: Runtime) -> AsyncIterator[Connector]:
    """An account on a server that keeps properties, in a folder of its own."""
    shared: Shared[WebDavServer] = request.param[0]
    learned = msgspec.to_builtins(request.param[1])
    server = shared.get()
    outer = open_account(get_credentials(server), runtime, learned=learned)
    folder = await outer.create_folder(ROOT, f"properties {request.node.name[:40]} {id(request)}")
    credentials = get_credentials(server) | {"url": f"{server.url}{folder.name}"}
    yield open_account(credentials, runtime, learned=learned)
    await outer.delete(folder.ref, is_recursive=True)


@pytest.fixture
async def file(connector: Connector) -> File:
    return await connector.upload(ROOT, "a.txt", BytesSource(b"bytes"), on_conflict=OnConflict.FAIL)


async def read(connector: Connector, file: RawId) -> dict[str, str]:
    return {each.key: each.value for each in await connector.list_properties(file)}


async def test_new_file_has_no_properties_though_the_server_has_its_own(connector: Connector, file: File) -> None:
    assert await connector.list_properties(file.raw_id) == []


async def test_values_come_back_when_they_are_odd(connector: Connector, file: File) -> None:
    values = {"plain": "red", "odd key ü": "<a> & \"b\" 'c'", "{http://example.com/ns}author": "Jürgen 😀"}
    changed = await connector.update_properties(file.raw_id, values)
    assert {each.key: each.value for each in changed} == values
    assert await read(connector, file.raw_id) == values


async def test_others_stay_or_go_as_asked(connector: Connector, file: File) -> None:
    await connector.update_properties(file.raw_id, {"a": "1", "b": "2", "{urn:x}c": "3"})
    await connector.update_properties(file.raw_id, {"a": None, "none": None, "d": "4"})
    assert await read(connector, file.raw_id) == {"b": "2", "d": "4", "{urn:x}c": "3"}
    await connector.update_properties(file.raw_id, {"b": "5"}, is_replacing=True)
    assert await read(connector, file.raw_id) == {"b": "5"}
    await connector.update_properties(file.raw_id, {}, is_replacing=True)
    assert await read(connector, file.raw_id) == {}


async def test_properties_stay_when_the_file_gets_new_bytes_or_another_name(connector: Connector, file: File) -> None:
    values = {"colour": "red", "{urn:x}c": "3"}
    await connector.update_properties(file.raw_id, values)
    await connector.replace(file.raw_id, BytesSource(b"new"))
    assert await read(connector, file.raw_id) == values
    await connector.upload(ROOT, "a.txt", BytesSource(b"newer"), on_conflict=OnConflict.REPLACE)
    assert await read(connector, file.raw_id) == values
    renamed = await connector.update(file.ref, name="b.txt")
    assert await read(connector, renamed.raw_id) == values
    copied = await connector.copy(renamed.ref, parent=ROOT, name="c.txt")
    assert await read(connector, copied.raw_id) == values


async def test_nothing_changes_when_one_key_is_impossible(connector: Connector, file: File) -> None:
    for changes in ({"a": "1", "{DAV:}getetag": "2"}, {"a": "1", "b": "\x00"}):
        with refused(ErrorKind.INVALID_NAME):
            await connector.update_properties(file.raw_id, changes)
    assert await read(connector, file.raw_id) == {}


async def test_refused_when_it_is_a_folder_or_not_there(connector: Connector) -> None:
    folder = await connector.create_folder(ROOT, "folder")
    for raw_id in (folder.raw_id, RawId("/none")):
        with refused(ErrorKind.WRONG_TYPE, ErrorKind.NOT_FOUND):
            await connector.list_properties(raw_id)
        with refused(ErrorKind.WRONG_TYPE, ErrorKind.NOT_FOUND):
            await connector.update_properties(raw_id, {"a": "1"})
        with refused(ErrorKind.WRONG_TYPE, ErrorKind.NOT_FOUND):
            await connector.update_properties(raw_id, {})


@pytest.mark.parametrize(
    ("status", "kind"),
    [(403, ErrorKind.PERMISSION_DENIED), (409, ErrorKind.INVALID_NAME), (507, ErrorKind.QUOTA_EXCEEDED)],
)
async def test_refusal_of_one_property_is_the_refusal_of_all(
    open_fake: Open, fake: Fake, status: int, kind: ErrorKind
) -> None:
    fake.files["a.txt"] = b"x"
    refusal = (
        '<D:multistatus xmlns:D="DAV:" xmlns:k="urn:kloudless:properties"><D:response><D:href>/dav/a.txt</D:href>'
        "<D:propstat><D:prop><k:a/></D:prop><D:status>HTTP/1.1 424 Failed Dependency</D:status></D:propstat>"
        f"<D:propstat><D:prop><k:b/></D:prop><D:status>HTTP/1.1 {status} No</D:status></D:propstat>"
        "</D:response></D:multistatus>"
    )
    fake.answers["PROPPATCH"] = [Reply(207, refusal.encode())]
    with refused(kind):
        await open_fake(APACHE).update_properties(RawId("/a.txt"), {"a": "1", "b": "2"})
