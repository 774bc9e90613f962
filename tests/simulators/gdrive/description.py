"""What Google publishes about Drive v3, cut down to the names and types that the simulator is driven by.

`python -m tests.simulators.gdrive.description` writes `simulators/gdrive/description.json` anew.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from simulators.gdrive.discovery import load_document

WRITTEN = Path(__file__).parents[3] / "simulators" / "gdrive" / "description.json"
SCOPE_PREFIX = "https://www.googleapis.com/auth/"


def build_description(discovery: dict[str, Any]) -> dict[str, Any]:
    """Names, types and bounds; no prose."""
    methods: dict[str, Any] = {}
    for resource in discovery["resources"].values():
        for method in resource.get("methods", {}).values():
            methods[method["id"].removeprefix("drive.")] = _build_method(method)
    return {
        "revision": discovery["revision"],
        "parameters": _build_parameters(discovery["parameters"]),
        "methods": methods,
        "schemas": {name: build_shape(schema) for name, schema in discovery["schemas"].items()},
    }


def build_shape(schema: dict[str, Any]) -> Any:
    """A name of a type, `#Name` of a schema, `[shape]` for a list, or the shape of each property (`*`: any name)."""
    if "$ref" in schema:
        return "#" + schema["$ref"]
    if schema.get("type") == "array":
        return [build_shape(schema["items"])]
    if schema.get("type") == "object":
        shapes = {name: build_shape(prop) for name, prop in schema.get("properties", {}).items()}
        if "additionalProperties" in schema:
            shapes["*"] = build_shape(schema["additionalProperties"])
        return shapes
    return schema.get("format") or schema["type"]


def dump(description: dict[str, Any]) -> str:
    return json.dumps(description, indent=1, sort_keys=True) + "\n"


def _build_method(method: dict[str, Any]) -> dict[str, Any]:
    return {
        "http": method["httpMethod"],
        "path": method["path"],
        "parameters": _build_parameters(method.get("parameters", {})),
        "request": method.get("request", {}).get("$ref"),
        "response": method.get("response", {}).get("$ref"),
        "scopes": sorted(scope.removeprefix(SCOPE_PREFIX) for scope in method.get("scopes", [])),
    }


def _build_parameters(parameters: dict[str, Any]) -> dict[str, Any]:
    kept = ("type", "default", "minimum", "maximum", "enum", "required", "location")
    return {name: {key: value[key] for key in kept if key in value} for name, value in parameters.items()}


if __name__ == "__main__":
    WRITTEN.write_text(dump(build_description(load_document())))
