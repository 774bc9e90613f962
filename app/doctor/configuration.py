"""Checks of what the operator set: whether it is known, and whether it goes together."""

from __future__ import annotations

import difflib
import ipaddress
import os

from app.core.aside import run_aside
from app.core.settings import Settings
from app.core.state import build_registry_from
from app.doctor.finding import Finding, fail, skip, warn, well
from connectors.core.manifest import OAuth2
from connectors.core.service import Registry

PREFIX = "KLOUDLESS_"
OTHER_PREFIX = "KLOUDLESS_ADD_"  # fill the options of `account add`
THIS_MACHINE = frozenset({"127.0.0.1", "::1", "localhost"})
ANY_ADDRESS = frozenset({"0.0.0.0", "::"})  # noqa: S104 - to recognize it


async def check_variables(_settings: Settings) -> Finding:
    """Variables that look like settings and are none change nothing, without a word."""
    known = Settings.list_variables()
    strangers = []
    for name in sorted(os.environ):
        if name.upper().startswith(PREFIX) and not name.startswith(OTHER_PREFIX) and name.upper() not in known:
            plain = name.upper().removeprefix(PREFIX)
            alike = [plain] if plain in known else difflib.get_close_matches(name.upper(), known, n=1)
            strangers.append(f"{name} ({alike[0]}?)" if alike else name)
    if strangers:
        return warn(f"no such setting: {', '.join(strangers)}", "Correct the name; the README lists all settings.")
    set_count = sum(name in os.environ for name in known)
    return well(f"{set_count} of {len(known)} set, the others at their defaults")


async def check_origins(settings: Settings) -> Finding:
    """Whether requests can come in under the origin that clients use."""
    here = f"listening on {settings.host}:{settings.port}"
    if not settings.public_origins:
        if settings.host in THIS_MACHINE:
            return well(f"{here}, for this machine only")
        advice = "Set PUBLIC_ORIGINS to the origins that clients use, such as https://api.example.com."
        if settings.host in ANY_ADDRESS:
            return fail(f"{here}, every request is refused: its Host is none that is known", advice)
        return warn(f"{here}, without TLS and under that address only", advice)
    secure = [origin for origin in settings.public_origins if origin.startswith("https://")]
    open_ones = [
        origin
        for origin in settings.public_origins
        if origin not in secure and origin.partition("://")[2].rpartition(":")[0] not in THIS_MACHINE
    ]
    if secure and not settings.trusted_proxies:
        return fail(
            f"{secure[0]} is refused: the server speaks no TLS itself and believes no proxy that does",
            "Set KLOUDLESS_TRUSTED_PROXIES to the address that the proxy comes from; it must send X-Forwarded-Proto.",
        )
    if open_ones:
        return warn(f"{open_ones[0]} carries keys and tokens that anybody on the way can read", "Use https.")
    return well(f"{here}, for {', '.join(settings.public_origins)}")


async def check_proxies(settings: Settings) -> Finding:
    """Whether the listed proxies are addresses."""
    wrong = [proxy for proxy in settings.trusted_proxies if not _is_address(proxy)]
    if wrong:
        return fail(f"{wrong[0]} is no address", "KLOUDLESS_TRUSTED_PROXIES lists addresses, such as 10.0.0.5.")
    if not settings.trusted_proxies:
        return skip("no proxy is believed")
    return well(f"X-Forwarded-* is believed from {', '.join(settings.trusted_proxies)}")


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


async def check_logs(settings: Settings) -> Finding:
    """Whether the logs say what is needed and no more."""
    if settings.log_level == "debug":
        return warn("debug logs are long, and name what users' files are called", "Set KLOUDLESS_LOG_LEVEL to info.")
    if settings.log_level == "error":
        return warn("requests and warnings are not logged", "Set KLOUDLESS_LOG_LEVEL to info.")
    return well(f"{settings.log_level}, {settings.log_format}")


async def check_metrics(settings: Settings) -> Finding:
    """Where the metrics can be seen, and by whom."""
    places = []
    if settings.metrics_port is not None:
        who = "this machine" if settings.metrics_host in THIS_MACHINE else "whoever reaches it"
        places.append(f"at {settings.metrics_host}:{settings.metrics_port} for {who}")
    if settings.metrics_token is not None:
        places.append(f"at {settings.host}:{settings.port}/metrics with the token")
    return well(" and ".join(places)) if places else skip("not shown: no port and no token is set for them")


async def check_connectors(settings: Settings) -> Finding:
    """Whether each connector can work with what it was told."""
    try:
        registry = await run_aside(lambda: build_registry_from(settings))
        problems = await run_aside(lambda: [problem for service in registry for problem in service.find_problems()])
    except ValueError as error:
        return fail(str(error), "Correct KLOUDLESS_CONNECTORS; connectors/README.md says what each may be told.")
    if problems:
        return warn("; ".join(problems), "Accounts there do not work meanwhile.")
    return well(describe_services(registry))


def describe_services(registry: Registry) -> str:
    """The offered services, and those that people cannot connect yet."""
    text = ", ".join(service.manifest.service for service in registry)
    without_client = [
        service.manifest.service
        for service in registry
        if isinstance(service.manifest.auth, OAuth2) and service.client is None
    ]
    if without_client:
        text += f"; people cannot connect {', '.join(without_client)}: no client_id is set in KLOUDLESS_CONNECTORS"
    return text
