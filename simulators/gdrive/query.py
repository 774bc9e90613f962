"""The search language of files.list: text to a tree of terms. What each term means is in matching.py.

or       = and { "or" and }
and      = not { "and" not }
not      = [ "not" ] term
term     = "(" or ")" | field operator value | value "in" field | field "has" "{" key "and" value "}"
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TypeAlias

from simulators.gdrive.errors import DriveError

QUERY_CHARACTERS_MAX = 30_000
DEPTH_MAX = 50

TOKEN = re.compile(
    r"""\s*(?:
        (?P<string>'(?:[^'\\]|\\.)*')
      | (?P<word>[A-Za-z][A-Za-z.]*)
      | (?P<sign><=|>=|!=|=|<|>|\(|\)|\{|\})
    )""",
    re.VERBOSE | re.DOTALL,
)
OPERATORS: dict[str, frozenset[str]] = {
    "name": frozenset({"contains", "=", "!="}),
    "fullText": frozenset({"contains"}),
    "mimeType": frozenset({"contains", "=", "!="}),
    "modifiedTime": frozenset({"<=", "<", "=", "!=", ">", ">="}),
    "createdTime": frozenset({"<=", "<", "=", "!=", ">", ">="}),
    "viewedByMeTime": frozenset({"<=", "<", "=", "!=", ">", ">="}),
    "sharedWithMeTime": frozenset({"<=", "<", "=", "!=", ">", ">="}),
    "trashed": frozenset({"=", "!="}),
    "starred": frozenset({"=", "!="}),
    "sharedWithMe": frozenset({"=", "!="}),
    "visibility": frozenset({"=", "!="}),
    "shortcutDetails.targetId": frozenset({"=", "!="}),
}
COLLECTIONS = frozenset({"parents", "owners", "writers", "readers"})
MAPS = frozenset({"properties", "appProperties"})
FLAGS = frozenset({"trashed", "starred", "sharedWithMe"})


@dataclass(frozen=True, slots=True)
class Term:
    """`field operator value`; for `has` the value's key is in `key`."""

    field: str
    operator: str
    value: str
    key: str = ""


@dataclass(frozen=True, slots=True)
class Not:
    inner: Query


@dataclass(frozen=True, slots=True)
class Several:
    """All of them, or any of them."""

    parts: tuple[Query, ...]
    needs_all: bool


Query: TypeAlias = "Term | Not | Several"


def parse_query(text: str) -> Query:
    """The tree of a search; refuses what is not in the language, as Drive does, without saying where."""
    if len(text) > QUERY_CHARACTERS_MAX:
        raise DriveError.bad_request("The query is too complex.")
    reader = _Reader(_tokenize(text))
    query = reader.read_or(depth=0)
    if reader.peek():
        raise _refuse()
    return query


def list_parents(query: Query) -> frozenset[str]:
    """The folders that a search names with `in parents`."""
    if isinstance(query, Term):
        return frozenset({query.value}) if query.field == "parents" else frozenset()
    if isinstance(query, Not):
        return list_parents(query.inner)
    return frozenset().union(*map(list_parents, query.parts))


def find_parent(query: Query) -> str | None:
    """The folder that whatever matches has to be in, if the search leaves no choice."""
    if isinstance(query, Term):
        return query.value if query.field == "parents" else None
    if isinstance(query, Several) and query.needs_all:
        return next(filter(None, map(find_parent, query.parts)), None)
    return None


def has_full_text(query: Query) -> bool:
    """Does it search inside files? The order is then that of relevance."""
    if isinstance(query, Term):
        return query.field == "fullText"
    if isinstance(query, Not):
        return has_full_text(query.inner)
    return any(map(has_full_text, query.parts))


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str


class _Reader:
    def __init__(self, tokens: list[_Token]) -> None:
        self.tokens = tokens
        self.position = 0

    def peek(self) -> str:
        """The next word or sign; of a string only its opening quote."""
        if self.position >= len(self.tokens):
            return ""
        token = self.tokens[self.position]
        return "'" if token.kind == "string" else token.text

    def take(self, *wanted: str) -> str:
        found = self.peek()
        if not found or (wanted and found not in wanted):
            raise _refuse()
        self.position += 1
        return found

    def take_string(self) -> str:
        self.take("'")
        return re.sub(r"\\(.)", r"\1", self.tokens[self.position - 1].text[1:-1], flags=re.DOTALL)

    def read_or(self, *, depth: int) -> Query:
        if depth > DEPTH_MAX:
            raise DriveError.bad_request("The query is too complex.")
        parts = [self.read_and(depth)]
        while self.peek() == "or":
            self.take()
            parts.append(self.read_and(depth))
        return parts[0] if len(parts) == 1 else Several(tuple(parts), needs_all=False)

    def read_and(self, depth: int) -> Query:
        parts = [self.read_not(depth)]
        while self.peek() == "and":
            self.take()
            parts.append(self.read_not(depth))
        return parts[0] if len(parts) == 1 else Several(tuple(parts), needs_all=True)

    def read_not(self, depth: int) -> Query:
        if self.peek() == "not":
            self.take()
            return Not(self.read_term(depth))
        return self.read_term(depth)

    def read_term(self, depth: int) -> Query:
        if self.peek() == "(":
            self.take()
            inner = self.read_or(depth=depth + 1)
            self.take(")")
            return inner
        if self.peek() == "'":
            value = self.take_string()
            self.take("in")
            return Term(self.take(*COLLECTIONS), "in", value)
        field = self.take(*OPERATORS, *MAPS)
        if field in MAPS:
            return self._read_has(field)
        if field == "sharedWithMe" and self.peek() not in OPERATORS[field]:
            return Term(field, "=", "true")  # the only one that says it all by itself
        operator = self.take(*OPERATORS[field])
        if field in FLAGS:
            return Term(field, operator, self.take("true", "false"))
        return Term(field, operator, self.take_string())

    def _read_has(self, field: str) -> Term:
        self.take("has")
        self.take("{")
        self.take("key")
        self.take("=")
        key = self.take_string()
        self.take("and")
        self.take("value")
        self.take("=")
        value = self.take_string()
        self.take("}")
        return Term(field, "has", value, key)


def _tokenize(text: str) -> list[_Token]:
    tokens = []
    position = 0
    text = text.rstrip()
    while position < len(text):
        found = TOKEN.match(text, position)
        if not found or not found.lastgroup:
            raise _refuse()
        tokens.append(_Token(found.lastgroup, found[found.lastgroup]))
        position = found.end()
    return tokens


def _refuse() -> DriveError:
    return DriveError.invalid("q")
