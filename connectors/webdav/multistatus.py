"""Multistatus documents (RFC 4918, 13 and 14), read while they come: hardened, and never whole in memory.

Whatever prefixes a server chooses, names are told apart by their namespace alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus

from lxml import etree

from connectors.core.errors import ConnectorError, ErrorKind

DAV = "{DAV:}"
MULTISTATUS_BYTES_MAX = 256 * 2**20  # of one answer, which is never in memory as a whole

Element = etree._Element  # noqa: SLF001 - lxml's only name for it

_STATUS = re.compile(r"HTTP/[0-9.]+[ \t]+([0-9]{3})")
_OK = range(200, 300)
_TYPE, _COLLECTION = f"{DAV}resourcetype", f"{DAV}collection"


@dataclass(frozen=True, slots=True)
class Member:
    """What a document says of one resource: its properties that are there, those refused by status, or one status."""

    href: str
    status: int | None = None
    properties: Mapping[str, str] = field(default_factory=dict)  # by {namespace}name; the text, without inner tags
    refused: Mapping[str, int] = field(default_factory=dict)
    is_folder: bool = False

    @property
    def failure(self) -> int | None:
        """The first bad status that is told; 424, that something else failed, only where nothing else is told."""
        statuses = [self.status, *self.refused.values()]
        bad = [status for status in statuses if status is not None and status not in _OK]
        return next((status for status in bad if status != HTTPStatus.FAILED_DEPENDENCY), bad[0] if bad else None)


class MultistatusReader:
    """Takes a document piece by piece and gives its members as soon as they are complete."""

    def __init__(self, bytes_max: int = MULTISTATUS_BYTES_MAX) -> None:
        self._parser = etree.XMLPullParser(
            events=("start", "end"),
            tag=(f"{DAV}multistatus", f"{DAV}response"),
            resolve_entities=False,
            no_network=True,
            load_dtd=False,
            huge_tree=False,
            remove_comments=True,
            remove_pis=True,
        )
        self._bytes_max = bytes_max
        self._bytes_count = 0
        self._has_begun = False

    def feed(self, data: bytes) -> Iterator[Member]:
        """The members that this piece completes.

        unexpected for what is no such document, or declares entities; unavailable for what is one no more.
        """
        self._bytes_count += len(data)
        if self._bytes_count > self._bytes_max:
            text = f"the server's listing has more than {self._bytes_max} bytes; split the folder"
            raise ConnectorError(ErrorKind.UNSUPPORTED, text)
        failure = None
        try:
            self._parser.feed(data)
        except etree.XMLSyntaxError as error:
            failure = error
        yield from self._read_events()  # also what stands before the place that cannot be read
        if failure is not None:
            raise (_broken() if self._has_begun else _nonsense()) from failure

    def close(self) -> None:
        """Ends the document; unavailable if it had not come to its end."""
        try:
            self._parser.close()
        except etree.XMLSyntaxError as error:
            raise (_broken() if self._has_begun else _nonsense()) from error
        if not self._has_begun:
            raise _nonsense()

    def _read_events(self) -> Iterator[Member]:
        for event, element in self._parser.read_events():
            if not isinstance(element, Element):
                continue  # other events, which were not asked for, have other things
            if event == "start":
                self._begin(element)
            elif element.tag == f"{DAV}response":
                yield _read_member(element)
                element.clear()
                parent = element.getparent()
                while parent is not None and len(parent) > 1:  # the last one is still the parser's
                    del parent[0]

    def _begin(self, element: Element) -> None:
        if self._has_begun:
            return
        if element.tag != f"{DAV}multistatus" or element.getroottree().docinfo.internalDTD is not None:
            raise _nonsense()
        self._has_begun = True


def read_multistatus(body: bytes) -> list[Member]:
    """All members of a short document."""
    reader = MultistatusReader()
    members = list(reader.feed(body))
    reader.close()
    return members


def _read_member(element: Element) -> Member:
    href, status = "", None
    properties: dict[str, str] = {}
    refused: dict[str, int] = {}
    is_folder = False
    for child in element:
        if child.tag == f"{DAV}href":
            href = href or child.text or ""
        elif child.tag == f"{DAV}status":
            status = _read_status(child.text)
        elif child.tag == f"{DAV}propstat":
            part_status = next((_read_status(each.text) for each in child if each.tag == f"{DAV}status"), None)
            found = [prop for each in child if each.tag == f"{DAV}prop" for prop in each]
            if part_status is not None and part_status not in _OK:
                refused.update((str(prop.tag), part_status) for prop in found)
                continue
            for prop in found:
                properties[str(prop.tag)] = "".join(map(str, prop.itertext())) if len(prop) else prop.text or ""
                is_folder = is_folder or (prop.tag == _TYPE and any(each.tag == _COLLECTION for each in prop))
    return Member(href, status, properties, refused, is_folder)


def _read_status(text: str | None) -> int | None:
    found = _STATUS.match((text or "").strip())
    return int(found[1]) if found else None


def _nonsense() -> ConnectorError:
    return ConnectorError(ErrorKind.UNEXPECTED, "the server's answer is not what WebDAV prescribes")


def _broken() -> ConnectorError:
    """Some servers find out in the middle that they cannot go on, and end with whatever they have to say."""
    return ConnectorError(ErrorKind.UNAVAILABLE, "the server's answer broke off")
