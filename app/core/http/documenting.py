"""What FastAPI cannot know of the OpenAPI document: the structs that answer, ways to sign in, errors never sent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
from fastapi import FastAPI

from app.core.http.replies import REF_TEMPLATE

DESCRIPTION = """One REST API for every file storage.

Every reply has an `X-Request-Id`; an application, or an account, looks up its own requests by it at `/v1/requests`.
Replies to a known caller say how much it may still ask: `RateLimit-Policy` how many requests at once (`q`), and in how
many seconds (`w`) all of them come back; `RateLimit` how many are left (`r`), and in how many seconds they are all
there again (`t`). Beyond that the answer is 429 with `Retry-After`.
"""
FIXED_FIELDS = ("type", "api")
NEVER_SENT = "422"  # as FastAPI describes it: wrong parameters are 400
NEVER_SENT_SCHEMAS = ("HTTPValidationError", "ValidationError")


def document(app: FastAPI, *, structs: list[Any]) -> Callable[[], dict[str, Any]]:
    """What is to take the place of the application's `openapi`; builds once."""
    build_plain = app.openapi

    def build() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _complete(build_plain(), structs)
        return app.openapi_schema

    return build


def _complete(plain: dict[str, Any], structs: list[Any]) -> dict[str, Any]:
    _, replies = msgspec.json.schema_components(structs, ref_template=REF_TEMPLATE)
    for schema in replies.values():
        _state_what_is_sent(schema)
    components = plain.setdefault("components", {})
    components["schemas"] = {
        name: schema
        for name, schema in (components.get("schemas", {}) | replies).items()
        if name not in NEVER_SENT_SCHEMAS
    }
    components["securitySchemes"] = {
        "ApiKey": {
            "type": "apiKey",
            "in": "header",
            "name": "Authorization",
            "description": "`APIKey <key>` of an application, `Bearer <token>` of an account or developer.",
        }
    }
    plain["security"] = [{"ApiKey": []}]
    for methods in plain["paths"].values():
        for operation in methods.values():
            if "HTTPValidationError" in str(operation["responses"].get(NEVER_SENT)):
                del operation["responses"][NEVER_SENT]
    completed: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(plain))  # JSON's types only: no tuples
    return completed


def _state_what_is_sent(schema: dict[str, Any]) -> None:
    """A struct's field with a default is always in the reply; those that may be missing have none to show."""
    properties = schema.get("properties", {})
    for name, field in properties.items():
        if "default" not in field:
            continue
        default = field.pop("default")
        if name in FIXED_FIELDS:
            field["const"] = default
        schema["required"] = [*schema.get("required", ()), name]
