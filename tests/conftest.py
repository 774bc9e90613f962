"""What every test starts from: no presets of the machine, and the servers that several folders share."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.servers.postgres import running_postgres

pytest_plugins = ("tests.connectors.behavior.offers",)

PRESETS = (
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
    "DATABASE_URL",
    "DATABASE_READ_URL",
    "PUBLIC_ORIGINS",
)
"""Would change whom clients trust, which way they go, or what a server does; cleared for child processes too."""

for preset in list(os.environ):
    if preset.upper() in PRESETS or preset.upper().startswith("KLOUDLESS_"):
        del os.environ[preset]


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """A PostgreSQL server's URL without a database's name; one per test process, up in half a second."""
    with running_postgres() as url:
        yield url


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Says why a run failed in which nothing but skipping happened."""
    if os.environ.get("CI") == "true" and terminalreporter.stats.get("skipped"):
        terminalreporter.section("skipped in CI: what those cases would prove is not known, so the run failed")


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """In CI a skipped case fails the run: there every server can be had."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    is_skipping = reporter is not None and bool(reporter.stats.get("skipped"))
    if os.environ.get("CI") == "true" and is_skipping and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
