"""All checks, in the order in which they are told, and running them: none waits for ever, none stops the others."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

from msgspec.structs import replace
from pydantic import ValidationError

from app.core.settings import Settings
from app.demo import follow_demo
from app.doctor.configuration import (
    check_connectors,
    check_logs,
    check_metrics,
    check_origins,
    check_proxies,
    check_variables,
)
from app.doctor.database import (
    check_clock,
    check_database,
    check_keys,
    check_migrations,
    check_reading_database,
    check_sealed,
)
from app.doctor.finding import Check, Finding, fail, skip
from app.doctor.machine import check_disk, check_names, check_port, check_public_origins, check_traces
from app.doctor.providers import NAME, examine_providers

CHECK_SECONDS_MAX = 15.0

CHECKS = (
    Check("variables", check_variables),
    Check("logs", check_logs),
    Check("metrics", check_metrics),
    Check("connectors", check_connectors),
    Check("disk", check_disk),
    Check("names", check_names),
    Check("database", check_database),
    Check("read database", check_reading_database),
    Check("migrations", check_migrations, needs=("database",)),
    Check("clock", check_clock, needs=("database",)),
    Check("keys", check_keys),
    Check("sealed secrets", check_sealed, needs=("migrations", "keys", "connectors")),
    Check("port", check_port),
    Check("origins", check_origins),
    Check("proxies", check_proxies),
    Check("traces", check_traces),
    Check("public origins", check_public_origins),
)


NEEDED_BY_PROVIDERS = frozenset({"connectors", "migrations", "keys"})


async def examine(
    checks: Sequence[Check] = CHECKS, *, is_deep: bool = False, has_all_accounts: bool = False
) -> AsyncIterator[Finding]:
    """What each check finds, as soon as it is found; settings that cannot be read are all there is to say.

    `is_deep` also calls the storages of connected accounts; see examine_providers.
    """
    try:
        settings = Settings()
    except ValidationError as error:
        for detail in error.errors():
            name = ".".join(map(str, detail["loc"]))
            yield replace(
                fail(f"{name}: {detail['msg']}", "Correct it; the README lists all settings."), name="settings"
            )
        return
    went_well: set[str] = set()
    for check in checks:
        lacking = [name for name in check.needs if name not in went_well]
        finding = skip(f"needs: {', '.join(lacking)}") if lacking else await _run(check, settings)
        if finding.status in {"ok", "warning"}:
            went_well.add(check.name)
        yield replace(finding, name=check.name)
    if is_deep and went_well >= NEEDED_BY_PROVIDERS:
        async for finding in examine_providers(follow_demo(settings), has_all_accounts=has_all_accounts):
            yield finding
    elif is_deep:
        lacking = sorted(NEEDED_BY_PROVIDERS - went_well)
        yield replace(skip(f"needs: {', '.join(lacking)}"), name=NAME)


async def _run(check: Check, settings: Settings) -> Finding:
    try:
        async with asyncio.timeout(CHECK_SECONDS_MAX):
            return await check.run(settings)
    except TimeoutError:
        return fail(f"no answer within {CHECK_SECONDS_MAX:g} s", "Something that the settings name hangs.")
    except Exception as error:  # noqa: BLE001 - whatever one check meets, the others are still told
        # The text of an error that nobody expected may hold anything, secrets too.
        return fail(f"could not be looked at: {type(error).__name__}", "Look at what the other checks say first.")
