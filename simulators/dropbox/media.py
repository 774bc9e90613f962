"""Types of files by their names."""

from __future__ import annotations

import mimetypes

UNKNOWN_TYPE = "application/octet-stream"
_TYPES = mimetypes.MimeTypes(filenames=())


def guess_media_type(name: str) -> str:
    """What a browser should take it for."""
    return _TYPES.guess_type(name)[0] or UNKNOWN_TYPE
