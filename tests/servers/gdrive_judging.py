"""Whether requests and answers are what the provider publishes: each is held against a discovery document."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

ROOTS = ("/", "/upload/", "/resumable/upload/")
DESCRIBED = ("/drive/", "/upload/", "/resumable/")
JSON = b"application/json"
BODILESS = (b"uploadType=resumable", b"alt=media")
"""The beginning of a session, and what is not there of a file's bytes."""

SESSION = "upload_id"
"""In the addresses of resumable uploads, which Drive gives out and nobody describes."""

METADATA_BYTES_MAX = 256 * 1024  # that are kept of a request to look into


class Judge:
    """Knows one discovery document."""

    def __init__(self, name: str, document: dict[str, Any]) -> None:
        self.name = name
        self.schemas: dict[str, Any] = document["schemas"]
        self._common: dict[str, Any] = document["parameters"]
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

    def examine_request(self, method: dict[str, Any], query: str, body: Any) -> list[str]:
        """What is wrong with a request: parameters and properties that nobody described, missing ones, other types."""
        described = {**self._common, **method.get("parameters", {})}
        given = dict(parse_qsl(query, keep_blank_values=True))
        place, problems = method["id"], []
        for name, text in given.items():
            parameter = described.get(name)
            if parameter is None or parameter["location"] != "query":
                problems.append(f"{place}: no parameter is called {name}")
            elif not _is_value(text, parameter):
                problems.append(f"{place}: {text!r} is no value of {name}")
        for name, parameter in described.items():
            if parameter.get("required") and parameter["location"] == "query" and name not in given:
                problems.append(f"{place}: {name} is missing")
        if body is not None and "request" not in method:
            problems.append(f"{place}: a body where none is described")
        elif body is not None:
            problems += self._compare(_drop_nulls(body), {"$ref": method["request"]["$ref"]}, f"{place} asks")
        return problems

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
    """Stands in front of a simulator and has every request and every answer examined by all judges.

    What is wrong with requests is kept apart: some tests ask wrongly on purpose.
    """

    app: ASGIApp
    judges: list[Judge]
    problems: list[str] = field(default_factory=list)
    request_problems: list[str] = field(default_factory=list)
    methods: set[str] = field(default_factory=set)
    requests: list[tuple[str, str, int]] = field(default_factory=list)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        question = _Question(receive, Headers(scope=scope).get("content-type", ""))

        def note(answer: _Answer) -> None:
            self._note_request(scope, question)
            self._note(scope, answer)

        answer = _Answer(send, note)
        await self.app(scope, question, answer)
        answer.end()

    def take_problems(self) -> list[str]:
        """All that was wrong since they were taken last, of requests, too."""
        taken = [*self.problems, *self.request_problems]
        self.problems.clear()
        self.request_problems.clear()
        return taken

    def _note_request(self, scope: Scope, question: _Question) -> None:
        query = scope["query_string"].decode()
        if SESSION in dict(parse_qsl(query)):
            return
        found = [(judge, judge.find_method(scope["method"], scope["path"])) for judge in self.judges]
        if scope["path"].startswith(DESCRIBED) and not any(method for _, method in found):
            self.request_problems.append(f"nobody described {scope['method']} {scope['path']}")
        try:
            metadata = question.read_metadata()
        except ValueError:
            self.request_problems.append(f"{scope['method']} {scope['path']}: no JSON")
            return
        for judge, method in found:
            if method is not None:
                problems = judge.examine_request(method, query, metadata)
                self.request_problems += [f"{judge.name}: {one}" for one in problems]

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
                if (answer.is_json or not answer.body) and not is_bare and not answer.is_cut:
                    found = judge.examine(method, answer.status, bytes(answer.body))
                    self.problems += [f"{judge.name}: {one}" for one in found]


class _Question:
    """Passes a request's body on and keeps the beginning of it if it is JSON, or metadata before a file's bytes."""

    def __init__(self, receive: Receive, kind: str) -> None:
        self._receive = receive
        self._kind, _, self._boundary = kind.partition("; boundary=")
        self._kept = bytearray()
        self._is_whole = False

    async def __call__(self) -> Message:
        message = await self._receive()
        if len(self._kept) < METADATA_BYTES_MAX:
            self._kept += message.get("body", b"")
        self._is_whole = self._is_whole or (message["type"] == "http.request" and not message.get("more_body"))
        return message

    def read_metadata(self) -> Any:
        """What was sent as JSON; None if there was none, or nobody read it. ValueError if it cannot be read."""
        if self._kind.startswith("multipart/related"):
            _, _, rest = bytes(self._kept).partition(b"\r\n\r\n")
            found = rest.partition(f"\r\n--{self._boundary}".encode())[0]
        elif self._kind.startswith("application/json"):
            found = bytes(self._kept)
        else:
            return None
        return json.loads(found) if found and self._is_whole else None


class _Answer:
    """Passes an answer on and keeps it if it is JSON; whoever got all of it finds it noted."""

    def __init__(self, send: Send, note: Callable[[_Answer], None]) -> None:
        self._send = send
        self._note: Callable[[_Answer], None] | None = note
        self.status = 0
        self.is_json = False
        self.is_cut = True  # as long as no end came
        self.body = bytearray()

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = dict(message["headers"])
            self.is_json = headers.get(b"content-type", b"").startswith(JSON)
            if headers.get(b"content-length", b"0") == b"0" and b"transfer-encoding" not in headers:
                self.is_cut = False
                self.end()  # the head is all of it
        else:
            body = message.get("body", b"")
            self.body += body if self.is_json else body[:1]
            if not message.get("more_body"):
                self.is_cut = False
                self.end()
        await self._send(message)

    def end(self) -> None:
        """Notes it, once."""
        note, self._note = self._note, None
        if note is not None:
            note(self)


def _compile(path: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(path)))


def _drop_nulls(value: Any) -> Any:
    """What a request says without what it takes away."""
    if not isinstance(value, dict):
        return value
    return {name: _drop_nulls(part) for name, part in value.items() if part is not None}


def _is_value(text: str, parameter: dict[str, Any]) -> bool:
    """Is it one as a query can have it?"""
    match parameter["type"]:
        case "boolean":
            return text in {"true", "false"}
        case "integer":
            lowest, highest = int(parameter.get("minimum", 0)), int(parameter.get("maximum", 2**63))
            return text.isdecimal() and lowest <= int(text) <= highest
    choices = parameter.get("enum")
    return bool(text) and (choices is None or text in choices)


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
