from __future__ import annotations

import pytest

from connectors.core.media_types import read_media_type


@pytest.mark.parametrize(
    ("name", "media_type"),
    [
        ("a.txt", "text/plain"),
        ("a.JPG", "image/jpeg"),
        ("a.md", "text/markdown"),
        ("a.tar.gz", "application/gzip"),
        ("a", None),
        (".png", None),
        ("a.", None),
        ("", None),
        ("data:text/html,x.png", "image/png"),
        ("a.unknown ending", None),
        ("a.Z", "application/octet-stream"),
    ],
)
def test_media_type_comes_from_the_ending_whatever_the_machine_says(name: str, media_type: str | None) -> None:
    assert read_media_type(name) == media_type
