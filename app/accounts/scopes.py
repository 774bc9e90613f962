"""Scopes: which services an application asks for, and what a token may do (contract 2.4)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple

SCOPES_CHARACTERS_MAX = 1000
SCOPES_CACHED_MAX = 1024
STORAGE = "storage"
EVERY = frozenset({"all", "any"})
APIS = frozenset({STORAGE, "calendar", "crm", "email", "messaging", "itsm", "helpdesk"})
IDENTITY_ONLY = "basic"
"""In the place of an API: who the account is, and nothing in it."""

_QUOTED = r'"[^"\\]*"'
_TEXT = re.compile(
    rf"(?P<name>[a-z0-9_]+)(:(?P<level>normal|admin))?"
    rf"(\.(?P<api>[a-z0-9_]+)(\.(?P<permission>{_QUOTED}|[\w./-]*)(:(?P<form>kloudless|raw))?)?)?",
    re.ASCII,
)
_UPSTREAM = re.compile(r"[!#-\[\]-~]+")  # RFC 6749, section 3.3
_TEXTS = re.compile(rf"(?:{_QUOTED}|\S)+")


class Scope(NamedTuple):
    """One wish. None stands for all there are."""

    service: str | None
    api: str | None
    is_admin: bool = False
    raw: tuple[str, ...] = ()  # the provider's own, to be asked for in the place of those that the connector declares

    def covers(self, service: str, api: str) -> bool:
        """True for an API of a service that is meant."""
        return self.service in {None, service} and self.api in {None, api}


@lru_cache(maxsize=SCOPES_CACHED_MAX)
def parse_scopes(text: str) -> tuple[Scope, ...]:
    """What a list of scopes asks for, in its order; ValueError names the first that is none."""
    scopes = []
    for part in _TEXTS.findall(text):
        match = _TEXT.fullmatch(part)
        if match is None:
            raise ValueError(
                f"{part!r} is not a scope; scopes look like all, storage, SERVICE or SERVICE:normal.storage"
            )
        name, api = match["name"], match["api"]
        if name in APIS and api is None:
            name, api = "any", name
        raw = tuple((match["permission"] or "").strip('"').split()) if match["form"] == "raw" else ()
        if match["form"] == "raw" and not (raw and all(map(_UPSTREAM.fullmatch, raw))):
            raise ValueError(f"{part!r} names no scope of the provider's")
        if raw and name in EVERY:
            raise ValueError(f"{part!r} has scopes of a provider's and does not say of which")
        scopes.append(Scope(None if name in EVERY else name, api, match["level"] == "admin", raw))
    return tuple(scopes)


def select_services(text: str, offered: Iterable[str]) -> list[str]:
    """Those of the offered storage services that the scopes leave to choose from; all of them without any scope.

    ValueError for what is no scope. Accounts of administrators are nobody's here, so that their scopes select nothing.
    """
    scopes = parse_scopes(text) or (Scope(None, None),)
    return [
        service
        for service in offered
        if any(
            not scope.is_admin
            and (scope.covers(service, STORAGE) or (scope.service, scope.api) == (service, IDENTITY_ONLY))
            for scope in scopes
        )
    ]


def choose_upstream_scopes(text: str, service: str, declared: Sequence[str]) -> list[str]:
    """What the provider is asked for: what is declared, or what the scopes say in the provider's own words instead.

    Both, if among the scopes of the service there is one without such words.
    """
    scopes = [scope for scope in parse_scopes(text) if scope.service == service and not scope.is_admin]
    raw = list(dict.fromkeys(name for scope in scopes for name in scope.raw))
    if not raw:
        return list(declared)
    is_enough = all(scope.raw or scope.api == IDENTITY_ONLY for scope in scopes)
    return raw if is_enough else list(dict.fromkeys([*declared, *raw]))


@lru_cache(maxsize=SCOPES_CACHED_MAX)
def is_storage_granted(text: str, service: str) -> bool:
    """True if a token with these scopes may use the files of its account."""
    try:
        scopes = parse_scopes(text)
    except ValueError:  # stored by an older version, which took any text
        return False
    return any(scope.covers(service, STORAGE) for scope in scopes)
