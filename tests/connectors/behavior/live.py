"""`pytest --live SERVICE`: the suite on a real account, with credentials of the environment, and on nothing else.

    LIVE_CONNECTORS='{"SERVICE": {"client_id": "…", "client_secret": "…"}}'   as KLOUDLESS_CONNECTORS is written
    LIVE_SERVICE_REFRESH_TOKEN=…       or LIVE_SERVICE_ACCESS_TOKEN while that is good; or the service's own fields
    LIVE_SERVICE_GRANTEE=ben@example.com      whom it may share files with; without it that is not tried

Each case plays in a new folder at the top, which is deleted after it.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from connectors.core.connector import Connector
from connectors.core.manifest import ACCESS_TOKEN, REFRESH_TOKEN, OAuth2
from connectors.core.oauth import OAuthFlow
from connectors.core.paging import walk
from connectors.core.resources import PermissionChange
from connectors.core.service import AccountContext, Options, Registry, Service
from connectors.core.stack import Runtime, SingleFlightTokens, Token
from connectors.registry import build_registry
from tests.connectors.behavior.target import Target

HERE = Path(__file__).parent
SETTING = "LIVE_CONNECTORS"
CASE_FOLDER = re.compile(r"case-[0-9a-f]{12}")
SETTLE_SECONDS_MAX = 60.0
LIVE_TARGETS = pytest.StashKey[tuple[Target, ...]]()


@dataclass
class LiveAccount:
    """A real account. Its latest tokens are kept from case to case, and what probing found out."""

    registry: Registry
    service: Service
    credentials: dict[str, str] = field(repr=False)
    token: Token | None = field(default=None, repr=False)
    learned: dict[str, Any] | None = None

    @asynccontextmanager
    async def open(self, _: Path) -> AsyncIterator[Connector]:
        runtime = Runtime()
        try:
            if self.learned is None:
                self.learned = (await self._build(runtime).probe()).learned
            connector = self._build(runtime)
            yield connector
            await self._tidy(connector)
        finally:
            await runtime.aclose()

    def _build(self, runtime: Runtime) -> Connector:
        context = AccountContext(
            account_key="live",
            application_id="live",
            credentials=self.credentials,
            runtime=runtime,
            tokens=self._build_tokens(runtime),
            learned=self.learned or {},
        )
        return self.registry.open(self.service.manifest.service, context)

    def _build_tokens(self, runtime: Runtime) -> SingleFlightTokens | None:
        if self.service.client is None or REFRESH_TOKEN not in self.credentials:
            return None
        flow = OAuthFlow(self.service.manifest, self.service.client, runtime, account_key="live")

        async def refresh() -> Token:
            grant = await flow.refresh(self.credentials[REFRESH_TOKEN])
            if grant.refresh_token is not None:
                self.credentials[REFRESH_TOKEN] = grant.refresh_token
            self.token = Token(grant.access_token, grant.expires_at)
            return self.token

        return SingleFlightTokens(refresh, token=self.token)

    async def _tidy(self, connector: Connector) -> None:
        root = connector.manifest.root.raw_id
        folders = walk(lambda cursor: connector.list_folder(root, cursor=cursor, limit=1000))
        for resource in [each async for each in folders if CASE_FOLDER.fullmatch(each.name)]:
            await connector.delete(resource.ref, is_recursive=True)


def build_live_target(name: str) -> Target:
    """The account that the environment describes; UsageError says what is missing."""
    registry = build_registry(Options(settings=json.loads(os.environ.get(SETTING) or "{}")))
    service = registry.find(name)
    if service is None:
        offered = ", ".join(each.manifest.service for each in registry)
        raise pytest.UsageError(f"--live {name}: there is no such service; there are {offered}")
    credentials = {
        field.name: value
        for field in service.manifest.auth.fields
        if (value := os.environ.get(_name_variable(name, field.name)))
    }
    if missing := _explain_missing(service, credentials):
        raise pytest.UsageError(f'--live {name} needs {missing}; see README.md, "Going live"')
    grantee = os.environ.get(_name_variable(name, "grantee"))
    return Target(
        name=f"live-{name}",
        manifest=service.manifest,
        open=LiveAccount(registry, service, credentials).open,
        settle_seconds_max=SETTLE_SECONDS_MAX,
        grantee=PermissionChange(role="writer", type="user", email=grantee) if grantee else None,
    )


def _name_variable(service: str, name: str) -> str:
    return f"LIVE_{service}_{name}".upper()


def _explain_missing(service: Service, credentials: dict[str, str]) -> str:
    """Which variables have to be set; empty if it is enough."""
    name, auth = service.manifest.service, service.manifest.auth
    if not isinstance(auth, OAuth2):
        missing = [field.name for field in auth.fields if field.is_required and field.name not in credentials]
        return ", ".join(_name_variable(name, field) for field in missing)
    has_client = service.client is not None
    if ACCESS_TOKEN in credentials or (has_client and REFRESH_TOKEN in credentials):
        return ""
    client = "" if has_client else f"client_id and client_secret of {name} in {SETTING} with "
    return f"{client}{_name_variable(name, REFRESH_TOKEN)}, or {_name_variable(name, ACCESS_TOKEN)}"


def pytest_addoption(parser: pytest.Parser) -> None:
    """The option."""
    text = "only the behaviour suite, on a real account of this service; see tests/connectors/behavior/live.py"
    parser.addoption("--live", action="append", default=[], metavar="SERVICE", help=text)


def pytest_configure(config: pytest.Config) -> None:
    """Finds out whether there are credentials before anything is run."""
    config.stash[LIVE_TARGETS] = tuple(map(build_live_target, config.getoption("live")))


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leaves out everything but the suite when a real account is named."""
    is_outside = not (collection_path.is_relative_to(HERE) or HERE.is_relative_to(collection_path))
    return True if config.stash[LIVE_TARGETS] and is_outside else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Of the suite's folder only the cases that play on a target."""
    if config.stash[LIVE_TARGETS]:
        items[:] = [item for item in items if "target" in getattr(item, "fixturenames", ())]
