"""Walks every operation of an OpenAPI document as somebody who may not, and says what he got or changed."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

METHODS = ("get", "head", "post", "put", "patch", "delete", "options", "trace")
PUBLIC = frozenset(
    {
        "GET /health",
        "GET /ready",
        "GET /v1/public/services",
        "GET /v1/public/services/{service_name}",
        "GET /v1/oauth",
        "POST /v1/oauth/token",
        "GET /l/{token}",
        "HEAD /l/{token}",
        "POST /l/{token}",
        "GET /l/{token}/download",
        "HEAD /l/{token}/download",
    }
)
"""The only operations of the document that answer without credentials."""

REFUSALS = frozenset({401, 403, 404})
MALFORMED = 400  # also a refusal, once the credentials are known
QUERY = {
    "recursive": "true",
    "overwrite": "true",
    "permanent": "true",
    "part_number": "1",
    "path": "/",
    "q": "victim",
    "validate": "false",
}


@dataclass(frozen=True)
class Operation:
    """A method on a path template of the document."""

    method: str
    template: str

    def __str__(self) -> str:
        return f"{self.method} {self.template}"

    @property
    def parameters(self) -> frozenset[str]:
        """What the path asks for."""
        return frozenset(re.findall(r"{(\w+)}", self.template))

    def build_path(self, values: Mapping[str, str]) -> str:
        """The path with its parameters filled; KeyError names one that nobody gave a value for."""
        return self.template.format(**values)


@dataclass(frozen=True)
class Intruder:
    """Somebody with credentials of his own, or none, who asks for things of the victim."""

    name: str
    headers: Mapping[str, str]
    values: Mapping[str, str]  # of path parameters
    foreign: frozenset[str]  # the parameters among them that name something of the victim
    secrets: Secrets  # what he must not learn

    def order(self, operations: list[Operation]) -> list[Operation]:
        """Deletions after all else, and last those of his own credentials: afterwards nothing would be proven."""

        def rank(operation: Operation) -> int:
            if operation.method != "DELETE":
                return 0
            return 1 if operation.parameters & self.foreign else 2

        return sorted(operations, key=rank)


@dataclass(frozen=True)
class Secrets:
    """What must appear in no answer: texts anywhere, and numbers where an id may stand."""

    texts: tuple[str, ...]
    account_id: int
    upload_id: int
    pattern: re.Pattern[str] = field(init=False)

    def __post_init__(self) -> None:
        numbers = [
            rf'/accounts/{self.account_id}\b|"(account|account_id)":\s*{self.account_id}\b',
            rf"/multipart/{self.upload_id}\b",
            *map(re.escape, self.texts),
        ]
        object.__setattr__(self, "pattern", re.compile("|".join(numbers)))

    def without(self, *texts: str) -> Secrets:
        """What is left when somebody may know these."""
        return Secrets(tuple(text for text in self.texts if text not in texts), self.account_id, self.upload_id)

    def find_in(self, answer: httpx.Response) -> str | None:
        """The first of them in the answer's head or body."""
        found = self.pattern.search(f"{answer.headers.raw!r}\n{answer.text}\n{answer.content!r}")
        return found[0] if found else None


def list_operations(document: Mapping[str, Any]) -> list[Operation]:
    """All operations, in the document's order."""
    return [
        Operation(method.upper(), template)
        for template, path in document["paths"].items()
        for method in METHODS
        if method in path
    ]


def walk(
    client: httpx.Client, operations: list[Operation], intruder: Intruder, *, body: Mapping[str, object]
) -> Iterator[str]:
    """What is wrong with each operation's answer to the intruder; nothing, best of all.

    - Without credentials: 401, whatever else is wrong with the request.
    - With a foreign thing in the path: a refusal. Without one the intruder works on his own things, which is his right.
    - Nothing of the victim in head or body, in any case.
    - Headers that keep every answer private.
    """
    for operation in intruder.order(operations):
        if str(operation) in PUBLIC:
            continue
        answer = client.request(
            operation.method,
            operation.build_path(intruder.values),
            params=QUERY,
            headers={
                **intruder.headers,
                "Content-Type": "application/json",
                "X-Kloudless-Metadata": json.dumps(body),
                "X-Kloudless-Raw-Data": "true",
            },
            content=json.dumps(body),
        )
        what = f"{intruder.name}: {operation} answered {answer.status_code}"
        if not _is_right(operation, intruder, answer.status_code):
            yield what
        leak = intruder.secrets.find_in(answer)
        if leak:
            yield f"{what} with {leak}"
        yield from (f"{what} {fault}" for fault in find_header_faults(answer))


def find_header_faults(answer: httpx.Response) -> Iterator[str]:
    """What an answer to somebody known lets others do: keep it, take it for another type, or look their own up."""
    directives = {part.strip() for part in answer.headers.get("cache-control", "").split(",")}
    if not directives & {"no-store", "private"}:
        yield f"and may be kept by everybody: Cache-Control is {answer.headers.get('cache-control')}"
    if answer.headers.get("x-content-type-options") != "nosniff":
        yield "and may be taken for another type"
    if "set-cookie" in answer.headers:
        yield "and sets a cookie"
    if "x-request-id" not in answer.headers:
        yield "and has no id"


def _is_right(operation: Operation, intruder: Intruder, status: int) -> bool:
    if not intruder.headers:
        return status == httpx.codes.UNAUTHORIZED
    if operation.parameters & intruder.foreign:
        return status in REFUSALS | {MALFORMED}
    return status < httpx.codes.INTERNAL_SERVER_ERROR or status == httpx.codes.NOT_IMPLEMENTED
