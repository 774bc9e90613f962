"""What whoever runs a simulator has to know of it: how it is built, and where its doors are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from starlette.applications import Starlette

from simulators.core.world import World


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulator:
    """One imitated provider.

    `service` is what accounts there are called by those who connect them, `scopes` what a token needs for all files.
    The paths are those of OAuth 2: where people consent, where codes become tokens, where a consent is given back.
    """

    service: str
    title: str
    build: Callable[[World], Starlette]
    scopes: frozenset[str]
    authorize_path: str
    token_path: str
    revoke_path: str
