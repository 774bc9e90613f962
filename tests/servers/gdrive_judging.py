"""Whether answers are what the provider publishes: every JSON answer is held against a discovery document."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

ROOTS = ("/", "/upload/", "/resumable/upload/")
JSON = b"application/json"
BODILESS = (b"uploadType=resumable", b"alt=media")
"""The beginning of a session, and what is not there of a file's bytes."""


class Judge:
    """Knows one discovery document."""

    def __init__(self, name: str, document: dict[str, Any]) -> None:
        self.name = name
        self.schemas: dict[str, Any] = document["schemas"]
        self._prefixes = [root + document["servicePath"] for root in ROOTS]
        self._methods = [
            (method["httpMethod"], _compile(method["path"]), method)
            for resource in document["resources"].values()
            for method in resource.get("methods", {}).values()
        ]

    def find_method(self, http: str, path: str) -> dict[str, Any] | None:
        """The method that is called with this; names without a variable part first."""
        for prefix in self._prefixes:
            if path.startswith(prefix):
                rest = path.removeprefix(prefix)
                found = [method for verb, form, method in self._methods if verb == http and form.fullmatch(rest)]
                return min(found, key=lambda method: "{" in method["path"], default=None)
        return None

    def examine(self, method: dict[str, Any], status: int, body: bytes) -> list[str]:
        """What is wrong with an answer, best nothing."""
        if not body:
            return [] if status == 204 or status >= 300 or "response" not in method else [f"{method['id']}: no body"]
        content = json.loads(body)
        if status >= 400:
            return self._examine_refusal(content, status)
        if "response" not in method:
            return [f"{method['id']}: a body where none is described"]
        return list(self._compare(content, {"$ref": method["response"]["$ref"]}, method["id"]))

    def _examine_refusal(self, content: Any, status: int) -> list[str]:
        error = content.get("error", {})
        details = error.get("errors", [])
        is_good = (
            error.get("code") == status
            and isinstance(error.get("message"), str)
            and details
            and all({"domain", "reason", "message"} <= detail.keys() for detail in details)
        )
        return [] if is_good else [f"not a refusal: {content}"]

    def _compare(self, value: Any, schema: dict[str, Any], place: str) -> list[str]:
        if "$ref" in schema:
            schema = self.schemas[schema["$ref"]]
        kind = schema.get("type")
        if kind == "object":
            return self._compare_object(value, schema, place)
        if kind == "array":
            if not isinstance(value, list):
                return [f"{place}: no list"]
            return [found for item in value for found in self._compare(item, schema["items"], f"{place}[]")]
        return [] if _fits(value, schema) else [f"{place}: {value!r} is no {schema.get('format', kind)}"]

    def _compare_object(self, value: Any, schema: dict[str, Any], place: str) -> list[str]:
        if not isinstance(value, dict):
            return [f"{place}: no object"]
        problems = []
        for name, part in value.items():
            inner = schema.get("properties", {}).get(name, schema.get("additionalProperties"))
            if inner is None:
                problems.append(f"{place}: nothing is called {name}")
            else:
                problems += self._compare(part, inner, f"{place}.{name}")
        return problems


@dataclass(slots=True)
class Listening:
    """Stands in front of a simulator and has every answer examined by all judges."""

    app: ASGIApp
    judges: list[Judge]
    problems: list[str] = field(default_factory=list)
    methods: set[str] = field(default_factory=set)
    requests: list[tuple[str, str, int]] = field(default_factory=list)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        answer = _Answer(send)
        await self.app(scope, receive, answer)
        self._note(scope, answer)

    def _note(self, scope: Scope, answer: _Answer) -> None:
        self.requests.append((scope["method"], scope["path"], answer.status))
        overriding = dict(scope["headers"]).get(b"x-http-method-override", b"").decode()
        for judge in self.judges:
            method = judge.find_method(overriding or scope["method"], scope["path"])
            if method is not None:
                self.methods.add(method["id"])
                if b"alt=media" in scope["query_string"] and answer.status < 300:
                    continue  # a file's bytes, whatever they look like
                is_bare = not answer.body and any(sign in scope["query_string"] for sign in BODILESS)
                if (answer.is_json or not answer.body) and not is_bare:
                    found = judge.examine(method, answer.status, bytes(answer.body))
                    self.problems += [f"{judge.name}: {one}" for one in found]


class _Answer:
    """Passes an answer on and keeps it if it is JSON."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.status = 0
        self.is_json = False
        self.body = bytearray()

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.is_json = dict(message["headers"]).get(b"content-type", b"").startswith(JSON)
        else:
            body = message.get("body", b"")
            self.body += body if self.is_json else body[:1]
        await self._send(message)


def _compile(path: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(path)))


def _fits(value: Any, schema: dict[str, Any]) -> bool:
    kinds: dict[str, Any] = {"boolean": bool, "integer": int, "number": (int, float), "any": object}
    kind = schema.get("type", "")
    if kind in kinds:
        return isinstance(value, kinds[kind]) and (kind in {"boolean", "any"} or not isinstance(value, bool))
    if not isinstance(value, str):
        return False
    if schema.get("format") == "int64":
        return re.fullmatch(r"-?\d+", value) is not None
    if schema.get("format") == "date-time":
        return value.endswith("Z") and datetime.fromisoformat(value).tzinfo is not None
    return True
