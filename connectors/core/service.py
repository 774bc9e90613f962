"""How the app holds connectors: a service to choose, an account's context to build it with, a registry to look in."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from connectors.core.connector import Connector
from connectors.core.layers.walking import WALK_LIMITS, WalkLimits
from connectors.core.manifest import Manifest
from connectors.core.oauth_settings import OAuthClient
from connectors.core.operations import build_operations
from connectors.core.sharing import Hints, Notice
from connectors.core.stack import Runtime, TokenSource


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the operator set for connectors: per service a mapping, and where the demo's files live."""

    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    demo_folder: Path = Path("data/files")
    demo_application_id: str = "demo"


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountContext:
    """Everything a connector is built from, for one account and one request."""

    account_key: str  # names budgets and log lines; stable for the account
    application_id: str
    credentials: Mapping[str, str]
    runtime: Runtime
    tokens: TokenSource | None = None
    learned: Mapping[str, Any] = field(default_factory=dict)  # what `probe` returned when the account was connected
    include_raw: bool = False
    extra_headers: Mapping[str, str] = field(default_factory=dict)  # asked for by the caller, for HTTP providers


@dataclass(frozen=True, slots=True, kw_only=True)
class Demo:
    """A ready account for `kloudless serve --demo`; `prepare` makes what it needs and may run again."""

    prepare: Callable[[], None]
    credentials: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One offered service."""

    manifest: Manifest
    build: Callable[[AccountContext], Connector]
    demo: Demo | None = None
    client: OAuthClient | None = None  # the operator's, where people connect by consent
    read_notice: Callable[[Notice, str], Hints] | None = None
    """Reads a call that came in, given the secret that proves it: the subscription's, or where the provider has one
    address for a whole application the client's. ConnectorError: permission_denied when it proves nothing."""
    find_problems: Callable[[], list[str]] = list  # what of the operator's settings does not work now, in words


class Registry:
    """The offered services by name."""

    def __init__(self, services: Iterable[Service], *, walk_limits: WalkLimits = WALK_LIMITS) -> None:
        self._services = {service.manifest.service: service for service in services}
        self._walk_limits = walk_limits

    def __iter__(self) -> Iterator[Service]:
        return iter(self._services.values())

    def find(self, name: str) -> Service | None:
        """The service of that name, or None."""
        return self._services.get(name)

    def open(self, name: str, context: AccountContext) -> Connector:
        """A connector with checks, simulated abilities and error context around it; KeyError if not offered."""
        connector = self._services[name].build(context)
        return build_operations(
            connector,
            account_key=context.account_key,
            walk_limits=self._walk_limits,
            observer=context.runtime.observer,
        )
