"""Dead properties (RFC 4918, 4.3): texts that people and programs attach, as keys and values of ours.

A plain key is a name in a namespace of our own; `{namespace}name` addresses any other. Names in XML are made of
letters, digits and a few signs: whatever else stands in a plain key is written `_x`, its number in hexadecimal, `_`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from lxml import etree

from connectors.core.errors import ConnectorError, ErrorKind
from connectors.core.paths import Parts
from connectors.core.resources import Property
from connectors.webdav.api import Server
from connectors.webdav.errors import find_meaning
from connectors.webdav.multistatus import DAV

NAMESPACE = "urn:kloudless:properties"
OURS = f"{{{NAMESPACE}}}"

_UNPLAIN = re.compile(r"_(?=x)|[^A-Za-z0-9._-]|^[^A-Za-z_]")
_ESCAPED = re.compile(r"_x([0-9A-F]{1,6})_")
_FOREIGN = re.compile(r"\{([^{}]+)\}([^{}]+)")


@dataclass(frozen=True, slots=True)
class Properties:
    """The properties of the files of one account."""

    server: Server
    live: frozenset[str]  # the server's own, which are not shown

    async def read(self, file: Parts) -> list[Property]:
        """All, by key."""
        told = await self._read_names(file)
        found = [Property(key=show_key(name), value=value) for name, value in told.items()]
        return sorted(found, key=lambda each: each.key)

    async def change(self, file: Parts, changes: Mapping[str, str | None], *, is_replacing: bool) -> list[Property]:
        """Sets and removes in one step, and returns all."""
        named = {read_key(key): value for key, value in changes.items()}
        if is_replacing:
            named = {**dict.fromkeys(await self._read_names(file)), **named}
        if named:
            await self._send(file, named)
        else:
            await self.server.look(file, is_folder=False)
        return await self.read(file)

    async def carry_over(self, file: Parts, target: Parts) -> None:
        """Gives a file the properties of another, before it takes the other's place."""
        told = await self._read_names(file)
        if told:
            await self._send(target, told)

    async def _read_names(self, file: Parts) -> dict[str, str]:
        member = await self.server.describe(file, is_folder=False, names=None)
        if member.is_folder:
            raise ConnectorError(ErrorKind.WRONG_TYPE, "this is a folder, not a file")
        return {
            name: text
            for name, text in member.properties.items()
            if name not in self.live and not name.startswith(DAV) and name.startswith("{")
        }

    async def _send(self, file: Parts, named: Mapping[str, str | None]) -> None:
        member = await self.server.change_properties(file, build_update(named))
        if member.failure is not None:
            kind, text = find_meaning("PROPPATCH", member.failure) or (
                ErrorKind.INVALID_NAME,
                f"the server does not take these properties: it answered with status {member.failure}",
            )
            raise ConnectorError(kind, text, status=member.failure)


def read_key(key: str) -> str:
    """The property's full name. invalid_name for a key that cannot be one."""
    if not key.startswith("{"):
        return OURS + _UNPLAIN.sub(lambda found: f"_x{ord(found[0]):X}_", key)
    found = _FOREIGN.fullmatch(key)
    try:
        name = etree.QName(found[1], found[2]).text if found else None
    except ValueError:
        name = None
    if name is None or name.startswith((DAV, OURS)):
        raise ConnectorError(ErrorKind.INVALID_NAME, f"{key!r} is no name that a property can have")
    return name


def show_key(name: str) -> str:
    """The key that a property's full name is shown as."""
    if not name.startswith(OURS):
        return name
    return _ESCAPED.sub(_unescape, name.removeprefix(OURS))


def build_update(named: Mapping[str, str | None]) -> bytes:
    """The request that sets these, and removes those that are None. invalid_name for a value that XML cannot hold."""
    root = etree.Element(f"{DAV}propertyupdate", nsmap={"D": "DAV:"})
    for name, value in named.items():
        action = etree.SubElement(root, f"{DAV}remove" if value is None else f"{DAV}set")
        prop = etree.SubElement(etree.SubElement(action, f"{DAV}prop"), name)
        try:
            prop.text = value
        except ValueError as error:
            text = f"the value of {show_key(name)!r} has a character in it that the server cannot store"
            raise ConnectorError(ErrorKind.INVALID_NAME, text) from error
    document: bytes = etree.tostring(root, encoding="utf-8", xml_declaration=True)
    return document


def find_live(members: Iterable[str]) -> tuple[str, ...]:
    """The names beyond the standard's own that a file has without anybody having set them."""
    return tuple(sorted(name for name in members if not name.startswith(DAV)))


def _unescape(found: re.Match[str]) -> str:
    try:
        return chr(int(found[1], 16))
    except (ValueError, OverflowError):
        return found[0]  # no character's number, so not of our making
