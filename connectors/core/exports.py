"""Which format is meant, where a provider exports documents of its own."""

from __future__ import annotations

from collections.abc import Mapping

from connectors.core.errors import ConnectorError, ErrorKind


def match_format(wish: str, offered: Mapping[str, str | None]) -> str:
    """The ending that is wished for, by itself or by its media type, of those that a document is exported with.

    format_invalid for any other, and for a file that nothing is offered of: it has bytes of its own.
    """
    wanted = wish.strip().lower().removeprefix(".").replace(" ", "+")  # as a plus arrives that was not encoded
    for ending, media_type in offered.items():
        if wanted in {ending, media_type}:
            return ending
    if offered:
        text = f"this document can be exported as {', '.join(offered)}; ask for one of these, or for none in particular"
    else:
        text = "only documents of the provider's own are exported; this file comes as it is when no format is asked for"
    raise ConnectorError(ErrorKind.FORMAT_INVALID, text)
