"""What Google publishes about its API, as names and types: methods with their parameters, schemas, scopes.

The file beside it is made from the provider's discovery document; a test compares the two.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib import resources
from typing import Any, TypeAlias

Shape: TypeAlias = "str | list[Any] | dict[str, Any]"
"""A name of a type, `#Name` of a schema, `[shape]` for a list, or the shape of each property; `*` is any name."""


@dataclass(frozen=True, slots=True)
class Parameter:
    name: str
    type: str
    location: str
    default: str | None
    minimum: int | None
    maximum: int | None
    choices: tuple[str, ...]
    is_required: bool


@dataclass(frozen=True, slots=True)
class Method:
    """One method of the API: where it is called, with what, and for whom."""

    name: str
    http: str
    path: str
    parameters: dict[str, Parameter]
    request: str | None
    response: str | None
    scopes: frozenset[str]


def _build_parameters(raw: dict[str, Any]) -> dict[str, Parameter]:
    return {
        name: Parameter(
            name=name,
            type=value["type"],
            location=value.get("location", "query"),
            default=value.get("default"),
            minimum=int(value["minimum"]) if "minimum" in value else None,
            maximum=int(value["maximum"]) if "maximum" in value else None,
            choices=tuple(value.get("enum", ())),
            is_required=value.get("required", False),
        )
        for name, value in raw.items()
    }


def _build_method(name: str, raw: dict[str, Any], common: dict[str, Parameter]) -> Method:
    return Method(
        name=name,
        http=raw["http"],
        path=raw["path"],
        parameters=common | _build_parameters(raw["parameters"]),
        request=raw["request"],
        response=raw["response"],
        scopes=frozenset(raw["scopes"]),
    )


_RAW: dict[str, Any] = json.loads((resources.files("simulators.gdrive") / "description.json").read_text())
_COMMON = _build_parameters(_RAW["parameters"])

SCHEMAS: dict[str, dict[str, Any]] = _RAW["schemas"]
METHODS: dict[str, Method] = {name: _build_method(name, raw, _COMMON) for name, raw in _RAW["methods"].items()}
