"""Whether answers are what Dropbox publishes: the SDK's strict validators decode each, and so do schemas at hand."""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import dropbox
import dropbox.auth
import dropbox.check
import dropbox.common
import dropbox.file_properties
import dropbox.files
import dropbox.sharing
import dropbox.team
import dropbox.users
import jsonschema
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from stone.backends.python_rsrc import stone_serializers

PREFIX = "/2/"
KEPT_BYTES_MAX = 4 * 1024 * 1024
NAMESPACES = ("auth", "check", "file_properties", "files", "sharing", "team", "users")
UNREAD = frozenset({401, 422, 429})
"""Refused before the argument was looked at."""
_DECODE: Any = stone_serializers.json_compat_obj_decode  # without types of its own
REFUSALS = {
    401: ("auth.AuthError", dropbox.auth.AuthError_validator),
    422: ("common.PathRootError", dropbox.common.PathRootError_validator),
    429: ("auth.RateLimitError", dropbox.auth.RateLimitError_validator),
}


def list_sdk_routes() -> dict[str, Any]:
    """The SDK's routes by the name that they have in URLs."""
    routes = {}
    for namespace in NAMESPACES:
        for route in getattr(dropbox, namespace).ROUTES.values():
            version = f"_v{route.version}" if route.version > 1 else ""
            routes[f"{namespace}/{route.name}{version}"] = route
    return routes


class Sdk:
    """What the official client knows about routes."""

    def __init__(self) -> None:
        self.routes = list_sdk_routes()

    def examine(self, name: str, kind: str, content: Any) -> str | None:
        """What is wrong with the argument, result or error of a route."""
        return self._decode(getattr(self.routes[name], f"{kind}_type"), content)

    def examine_refusal(self, status: int, error: Any) -> str | None:
        """What is wrong with an error that every route may have."""
        return self._decode(REFUSALS[status][1], error)

    def _decode(self, validator: Any, content: Any) -> str | None:
        try:
            _DECODE(validator, content, strict=True)
        except Exception as error:  # noqa: BLE001 - the validators raise all sorts of errors
            return f"{type(error).__name__}: {error}"
        return None


class Schemas:
    """What Dropbox publishes, as JSON schemas: a folder with routes.json and types.schema.json."""

    def __init__(self, folder: Path) -> None:
        self._routes = json.loads((folder / "routes.json").read_text())
        self._types = json.loads((folder / "types.schema.json").read_text())
        self._build = functools.cache(self._build_validator)

    def examine(self, name: str, kind: str, content: Any) -> str | None:
        """What is wrong with the argument, result or error of a route."""
        return self._check(self._routes[f"{PREFIX}{name}"][kind], content)

    def examine_refusal(self, status: int, error: Any) -> str | None:
        """What is wrong with an error that every route may have."""
        return self._check(REFUSALS[status][0], error)

    def _check(self, type_name: Any, content: Any) -> str | None:
        if type_name is None:
            return None if content is None else f"{content} where nothing is described"
        described, values = (type_name[1], content) if isinstance(type_name, list) else (type_name, [content])
        for value in values:
            if described not in self._types["$defs"]:
                continue  # another name of a list, which the schemas leave out
            problem = jsonschema.exceptions.best_match(self._build(described).iter_errors(value))
            if problem is not None:
                return str(problem.message)[:500]
        return None

    def _build_validator(self, type_name: str) -> Any:
        schema = {**self._types, "$ref": f"#/$defs/{type_name}"}
        return jsonschema.Draft202012Validator(schema)


@dataclass
class Listening:
    """Passes requests to the application and has all of them judged, answers too; `problems` is what was wrong."""

    app: ASGIApp
    judges: list[Any]
    problems: list[str] = field(default_factory=list)
    called: set[str] = field(default_factory=set)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith(PREFIX):
            await self.app(scope, receive, send)
            return
        exchange = Exchange(
            name=scope["path"].removeprefix(PREFIX),
            headers=_read_headers(scope["headers"]),
            query=dict(parse_qsl(scope["query_string"].decode())),
        )

        async def hear() -> Message:
            message = await receive()
            if len(exchange.asked) < KEPT_BYTES_MAX and "dropbox-api-arg" not in exchange.headers:
                exchange.asked += message.get("body", b"")
            return message

        async def say(message: Message) -> None:
            if message["type"] == "http.response.start":
                exchange.status = message["status"]
                exchange.answer_headers = _read_headers(message["headers"])
            elif len(exchange.answer) < KEPT_BYTES_MAX and "dropbox-api-result" not in exchange.answer_headers:
                exchange.answer += message.get("body", b"")
            await send(message)

        await self.app(scope, hear, say)
        self.called.add(exchange.name)
        self.problems += [f"{exchange.name}: {problem}" for problem in exchange.judge(self.judges)]


@dataclass
class Exchange:
    """One request and its answer, as far as they are JSON."""

    name: str
    headers: dict[str, str]
    query: dict[str, str]
    asked: bytes = b""
    status: int = 0
    answer_headers: dict[str, str] = field(default_factory=dict)
    answer: bytes = b""

    @property
    def is_cut(self) -> bool:
        """Broken off on purpose, so that there is nothing to judge."""
        announced_bytes = int(self.answer_headers.get("content-length", len(self.answer)))
        return self.answer_headers.get("content-type") == "application/json" and len(self.answer) < min(
            announced_bytes, KEPT_BYTES_MAX
        )

    def judge(self, judges: list[Any]) -> list[str]:
        """What is wrong."""
        media_type = self.answer_headers.get("content-type", "")
        if self.status == 400:
            return [] if media_type == "text/plain; charset=utf-8" else [f"400 as {media_type}"]
        if self.status == 304 or self.status >= 500 or (self.status == 429 and not self.answer) or self.is_cut:
            return []
        if "dropbox-api-result" in self.answer_headers:
            result = self.answer_headers["dropbox-api-result"]
        elif media_type == "application/json":
            result = self.answer.decode()
        else:
            return [f"{self.status} as {media_type}"]
        content = json.loads(result)
        problems = []
        if self.status not in UNREAD:
            problems += [judge.examine(self.name, "arg", self._read_argument()) for judge in judges]
        if self.status in {200, 206}:
            problems += [judge.examine(self.name, "result", content) for judge in judges]
        elif content.keys() != {"error_summary", "error"}:
            problems.append(f"{self.status} as {content}")
        elif content["error_summary"].startswith("range/not_satisfiable"):
            pass  # the SDKs know this summary, although no published type has such a tag
        elif self.status == 409:
            problems += [judge.examine(self.name, "error", content["error"]) for judge in judges]
        else:
            problems += [judge.examine_refusal(self.status, content["error"]) for judge in judges]
        return [f"{self.status} {problem} in {result[:300]}" for problem in problems if problem is not None]

    def _read_argument(self) -> Any:
        return json.loads(self.query.get("arg") or self.headers.get("dropbox-api-arg") or self.asked or b"null")


def _read_headers(headers: Any) -> dict[str, str]:
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in headers}
