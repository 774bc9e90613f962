"""Hosts and redirect URIs as developers write them: what is taken, how it is written, what is refused."""

from __future__ import annotations

import pytest

from app.applications.addresses import check_redirect_uri, reduce_host


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("example.com", "example.com"),
        ("Example.COM", "example.com"),
        ("localhost:8000", "localhost:8000"),
        ("https://example.com", "example.com"),
        ("https://example.com/", "example.com"),
        ("HTTPS://example.com:443", "example.com"),
        ("http://example.com:80", "example.com"),
        ("http://example.com:443", "example.com:443"),
        ("https://example.com:8443", "example.com:8443"),
        ("example.com:443", "example.com"),
        ("example.com:80", "example.com"),
        ("[::1]:3000", "[::1]:3000"),
        ("http://[0:0::1]", "[::1]"),
        ("192.0.2.7:81", "192.0.2.7:81"),
        ("münchen.de", "xn--mnchen-3ya.de"),
    ],
)
def test_host_is_written_as_in_a_page_s_origin_when_it_is_given_otherwise(text: str, host: str) -> None:
    assert reduce_host(text) == host


@pytest.mark.parametrize(
    "text",
    [
        "*.example.com",
        "example.com/page",
        "https://example.com/page",
        "https://example.com?",
        "https://example.com#top",
        "https://user@example.com",
        "ftp://example.com",
        "https://",
        "two words.com",
        "example.com:0",
        "example.com:99999",
        "a..b",
        "javascript:alert(1)",
        ".".join(["x" * 60] * 5),
    ],
)
def test_host_is_refused_when_it_is_more_or_less_than_a_host(text: str) -> None:
    with pytest.raises(ValueError, match=r"host|port|longer"):
        reduce_host(text)


@pytest.mark.parametrize(
    "text",
    [
        "https://example.com/callback?x=1&y=%20",
        "https://example.com:8443/",
        "https://EXAMPLE.com",
        "http://localhost:3000/callback",
        "http://127.0.0.1/callback",
        "http://127.1.2.3/callback",
        "http://[::1]:4000/callback",
        "com.example.app:/callback",
        "myapp://callback",
        "urn:ietf:wg:oauth:2.0:oob",
    ],
)
def test_redirect_uri_is_kept_as_written_when_people_may_be_sent_there(text: str) -> None:
    assert check_redirect_uri(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "/callback",
        "example.com",
        "https:",
        "https:///callback",
        "https:example.com",
        "https://example.com/#token",
        "https://example.com/#",
        "https://*.example.com/",
        "https://user:password@example.com/",
        "https://example.com\\@example.org/",
        "https://example.com/ü",
        'https://example.com/"',
        "https://example.com/a b",
        "https://example.com\n",
        "https://[::1/",
        "http://example.com/callback",
        "http://localhost.example.com/",
        "http://192.168.0.1/",
        "javascript:alert(1)",
        "JavaScript:alert(1)",
        "data:text/html,x",
        "file:///etc/passwd",
        "urn:something",
    ],
)
def test_redirect_uri_is_refused_when_people_must_not_be_sent_there(text: str) -> None:
    with pytest.raises(ValueError, match=r"must|is not"):
        check_redirect_uri(text)
