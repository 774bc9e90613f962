"""What every test starts from: no presets of the machine, and the servers that several folders share."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.servers.missing import skipping_when_missing
from tests.servers.postgres import running_postgres

pytest_plugins = (
    "tests.connectors.behavior.live",
    "tests.connectors.behavior.offers",
    "tests.connectors.faulty.extent",
    "tests.runner.long_first",
    "tests.servers.secrecy",
)

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
PREFIXES = ("KLOUDLESS_", "AWS_")

for preset in list(os.environ):
    if preset.upper() in PRESETS or preset.upper().startswith(PREFIXES):
        del os.environ[preset]


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """A PostgreSQL server's URL without a database's name; one per test process, up in half a second."""
    with skipping_when_missing(), running_postgres() as url:
        yield url
