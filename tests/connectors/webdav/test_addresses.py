"""What people type, where paths are, and what hrefs mean."""

from __future__ import annotations

import pytest

from connectors.core.errors import ConnectorError, ErrorKind
from connectors.core.paths import Parts
from connectors.webdav.addresses import Address, read_address

HOST = "https://cloud.example.com"


@pytest.mark.parametrize(
    ("typed", "base", "host"),
    [
        ("https://cloud.example.com", HOST, "cloud.example.com"),
        (" https://CLOUD.example.com:443// ", HOST, "cloud.example.com"),
        ("https://cloud.example.com/dav/", f"{HOST}/dav", "cloud.example.com"),
        ("https://cloud.example.com//dav//files/", f"{HOST}/dav/files", "cloud.example.com"),
        ("https://cloud.example.com/my files/ü", f"{HOST}/my%20files/%C3%BC", "cloud.example.com"),
        ("https://cloud.example.com/my%20files/%c3%bc/", f"{HOST}/my%20files/%C3%BC", "cloud.example.com"),
        ("https://cloud.example.com/a%2fb/", f"{HOST}/a%2Fb", "cloud.example.com"),
        ("http://10.0.0.5:8080/dav", "http://10.0.0.5:8080/dav", "10.0.0.5:8080"),
        ("http://[::1]:8080/", "http://[::1]:8080", "::1:8080"),
        ("http://bücher.example/", "http://xn--bcher-kva.example", "xn--bcher-kva.example"),
    ],
)
def test_one_spelling_stands_for_all_when_an_address_is_typed(typed: str, base: str, host: str) -> None:
    address = read_address(typed)
    assert (address.base, address.host) == (base, host)


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("", "https://"),
        ("cloud.example.com/dav", "https://"),
        ("ftp://cloud.example.com/", "https://"),
        ("https:///dav", "https://"),
        ("https://someone:word@cloud.example.com/", "own fields"),
        ("https://cloud.example.com/?a=b", "?"),
        ("https://cloud.example.com/#a", "#"),
        ("https://cloud.example.com:99999/", "port"),
        ("https://cloud.example.com:x/", "malformed"),
        ("https://cloud.example.com/%2e%2e/a", "no folder"),
        ("https://cloud.example.com/a%00b", "no folder"),
    ],
)
def test_words_say_what_is_wrong_when_an_address_is_no_address(typed: str, words: str) -> None:
    with pytest.raises(ConnectorError) as caught:
        read_address(typed)
    assert caught.value.kind is ErrorKind.INVALID_NAME
    assert words in caught.value.message
    assert "word@" not in str(caught.value)


@pytest.fixture
def address() -> Address:
    return read_address(f"{HOST}/dav/my files/")


@pytest.mark.parametrize(
    ("parts", "is_folder", "path"),
    [
        ((), True, "/dav/my%20files/"),
        ((b"a",), True, "/dav/my%20files/a/"),
        ((b"a", b"b+c;d?e#f%.txt"), False, "/dav/my%20files/a/b%2Bc%3Bd%3Fe%23f%25.txt"),
        ((b"\xe9",), False, "/dav/my%20files/%E9"),
        ((b"%2e%2e",), False, "/dav/my%20files/%252e%252e"),
    ],
)
def test_url_is_wholly_escaped_when_it_is_built(address: Address, parts: Parts, is_folder: bool, path: str) -> None:
    assert str(address.url(parts, is_folder=is_folder)) == HOST + path


@pytest.mark.parametrize(
    ("href", "parts"),
    [
        ("/dav/my%20files/", ()),
        ("/dav/my%20files", ()),
        ("/dav/my%20files/%c3%bc%201+2.txt", ("ü 1+2.txt".encode(),)),
        ("/dav/my%20files/%C3%BC%201%2B2.txt", ("ü 1+2.txt".encode(),)),
        ("/dav/my files/ü 1+2.txt", ("ü 1+2.txt".encode(),)),
        (" /dav/my%20files/a/ ", (b"a",)),
        ("https://cloud.example.com/dav/my%20files/a/b", (b"a", b"b")),
        ("http://internal:8080/dav/my%20files/a", (b"a",)),
        ("https://cloud.example.com/dav/my%20files", ()),
        ("//dav/my%20files//a", (b"a",)),
        ("/DAV/My%20Files/A", (b"A",)),
        ("/dav/my%20files/a?b#c", (b"a?b#c",)),
        ("/dav/my%20files/a%2Fb", (b"a/b",)),
        ("/dav/my%20files/%e9", (b"\xe9",)),
        ("/dav", None),
        ("/dav/my%20filesystem/a", None),
        ("/other/my%20files/a", None),
        ("/dav/my%20files/../../etc", None),
        ("", None),
        ("https://cloud.example.com", None),
    ],
)
def test_path_is_what_counts_when_an_href_is_read(address: Address, href: str, parts: Parts | None) -> None:
    assert address.read_href(href) == parts


def test_every_path_is_below_when_the_address_is_a_whole_server() -> None:
    assert read_address(HOST).read_href("/a/b/") == (b"a", b"b")


@pytest.mark.parametrize(("typed", "name"), [(f"{HOST}/dav/my%20files/", "my files"), (HOST, "cloud.example.com")])
def test_folder_has_its_own_name_or_the_servers(typed: str, name: str) -> None:
    assert read_address(typed).name == name
