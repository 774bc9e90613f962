"""Documents of Drive's own: what they are exported as. https://developers.google.com/drive/api/guides/ref-export-formats"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from connectors.core.errors import ConnectorError, ErrorKind
from connectors.core.exports import match_format
from connectors.gdrive.payloads import NATIVE_PREFIX

_OFFICE = "application/vnd.openxmlformats-officedocument."
_OPEN = "application/vnd.oasis.opendocument."
PDF = {"pdf": "application/pdf"}
TEXT = {"txt": "text/plain"}

EXPORTS: dict[str, dict[str, str]] = {
    f"{NATIVE_PREFIX}document": {
        "docx": f"{_OFFICE}wordprocessingml.document",
        **PDF,
        "odt": f"{_OPEN}text",
        "rtf": "application/rtf",
        **TEXT,
        "md": "text/markdown",
        "zip": "application/zip",
        "epub": "application/epub+zip",
    },
    f"{NATIVE_PREFIX}spreadsheet": {
        "xlsx": f"{_OFFICE}spreadsheetml.sheet",
        **PDF,
        "ods": "application/x-vnd.oasis.opendocument.spreadsheet",
        "csv": "text/csv",
        "tsv": "text/tab-separated-values",
        "zip": "application/zip",
    },
    f"{NATIVE_PREFIX}presentation": {
        "pptx": f"{_OFFICE}presentationml.presentation",
        **PDF,
        "odp": f"{_OPEN}presentation",
        **TEXT,
    },
    f"{NATIVE_PREFIX}drawing": {"svg": "image/svg+xml", **PDF, "png": "image/png", "jpg": "image/jpeg"},
    f"{NATIVE_PREFIX}script": {"json": f"{NATIVE_PREFIX}script+json"},
}
"""By type of document the endings that an export can have; the first is taken unless the operator chose another."""

Formats = Mapping[str, str]
"""The chosen ending by type of document."""


def choose_format(media_type: str, formats: Formats, wish: str | None) -> tuple[str, str]:
    """The ending and the media type of a document's export; unsupported for those that have none, such as forms."""
    known = EXPORTS.get(media_type, {})
    if not known and media_type.startswith(NATIVE_PREFIX):
        raise ConnectorError(ErrorKind.UNSUPPORTED, "Google Drive exports no documents of this type")
    ending = formats.get(media_type) or next(iter(known), "")
    if wish is not None:
        ending = match_format(wish, known)
    return ending, known[ending]


def read_formats(setting: Any) -> Formats:
    """What the operator chose, such as {"document": "pdf"}; ValueError says what is wrong with it."""
    if not isinstance(setting, Mapping):
        raise ValueError('it is an object like {"document": "pdf"}')  # noqa: TRY004 - a setting, not an argument
    chosen = {}
    for name, ending in setting.items():
        known = EXPORTS.get(f"{NATIVE_PREFIX}{name}")
        if known is None or ending not in known:
            kinds = ", ".join(kind.removeprefix(NATIVE_PREFIX) for kind in EXPORTS)
            raise ValueError(f"{name}: one of {', '.join(known)}" if known else f"{name} is none of {kinds}")
        chosen[f"{NATIVE_PREFIX}{name}"] = ending
    return chosen
