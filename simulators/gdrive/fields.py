"""Partial responses: the `fields` parameter, from text to the part of a resource that it asks for."""

from __future__ import annotations

import re
from typing import Any, TypeAlias

from simulators.gdrive.description import SCHEMAS, Shape
from simulators.gdrive.errors import DriveError

TOKEN = re.compile(r"\s*([A-Za-z_$][\w\-.@$]*|[*,/()])\s*")
DEPTH_MAX = 16

Mask: TypeAlias = "dict[str, Mask | None]"
"""Names that are asked for, each with the part of it, or None for all of it; `*` stands for every name."""


def parse_fields(text: str, shape: Shape) -> Mask:
    """The mask that the text describes; refuses what is malformed and names that the shape does not have."""
    reader = _Reader(_tokenize(text), text)
    mask = reader.read_list(depth=0)
    if not reader.is_done():
        raise _refuse(text)
    _check(mask, shape)
    return mask


def select_fields(value: Any, mask: Mask | None) -> Any:
    """The part of a value that the mask asks for; what the value lacks is left out."""
    if mask is None:
        return value
    if isinstance(value, list):
        return [select_fields(item, mask) for item in value]
    if not isinstance(value, dict):
        return value
    everything = "*" in mask
    return {
        name: select_fields(part, mask[name] if name in mask else mask["*"])
        for name, part in value.items()
        if everything or name in mask
    }


def list_wanted(mask: Mask | None) -> frozenset[str] | None:
    """The top-level names that are asked for; None if that is all of them."""
    return None if mask is None or "*" in mask else frozenset(mask)


def get_part(mask: Mask | None, name: str) -> Mask | None:
    """The mask of one property; an empty one if the property is not asked for."""
    if mask is None:
        return None
    if name in mask:
        return mask[name]
    return mask.get("*", {})


class _Reader:
    """Reads `a,b/c,d(e,f)` from its tokens."""

    def __init__(self, tokens: list[str], text: str) -> None:
        self.tokens = tokens
        self.position = 0
        self.text = text

    def is_done(self) -> bool:
        return self.position == len(self.tokens)

    def read_list(self, *, depth: int) -> Mask:
        if depth > DEPTH_MAX:
            raise _refuse(self.text)
        mask: Mask = {}
        while True:
            self._read_path(mask, depth)
            if self._peek() != ",":
                return mask
            self.position += 1

    def _read_path(self, mask: Mask, depth: int) -> None:
        name = self._read_name()
        sign = self._peek()
        part: Mask | None = None
        if sign == "/":
            self.position += 1
            part = {}
            if depth >= DEPTH_MAX:
                raise _refuse(self.text)
            self._read_path(part, depth + 1)
        elif sign == "(":
            self.position += 1
            part = self.read_list(depth=depth + 1)
            if self._peek() != ")":
                raise _refuse(self.text)
            self.position += 1
        _merge(mask, name, part)

    def _read_name(self) -> str:
        name = self._peek()
        if not name or name in ",/()":
            raise _refuse(self.text)
        self.position += 1
        return name

    def _peek(self) -> str:
        return "" if self.is_done() else self.tokens[self.position]


def _merge(mask: Mask, name: str, part: Mask | None) -> None:
    if name not in mask:
        mask[name] = part
        return
    known = mask[name]
    if known is None or part is None:
        mask[name] = None
        return
    for inner, inner_part in part.items():
        _merge(known, inner, inner_part)


def _tokenize(text: str) -> list[str]:
    tokens: list[str] = []
    position = 0
    while position < len(text):
        found = TOKEN.match(text, position)
        if not found:
            raise _refuse(text)
        tokens.append(found[1])
        position = found.end()
    return tokens


def _check(mask: Mask, shape: Shape) -> None:
    shape = _resolve(shape)
    for name, part in mask.items():
        if not isinstance(shape, dict):
            raise _refuse(name)
        if name == "*":
            if part is not None:
                for inner in shape.values():
                    _check(part, inner)
            continue
        inner_shape = shape.get(name, shape.get("*"))
        if inner_shape is None:
            raise _refuse(name)
        if part is not None:
            _check(part, inner_shape)


def _resolve(shape: Shape) -> Shape:
    while True:
        if isinstance(shape, list):
            shape = shape[0]
        elif isinstance(shape, str) and shape.startswith("#"):
            shape = SCHEMAS[shape[1:]]
        else:
            return shape


def _refuse(selection: str) -> DriveError:
    return DriveError(400, "invalidParameter", f"Invalid field selection {selection}", location="fields")
