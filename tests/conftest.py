"""What every test starts from: no presets of the machine, and the servers that several folders share."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.servers.missing import skip_without
from tests.servers.postgres import PostgresMissingError, running_postgres

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
    with ExitStack() as stack:
        try:
            url = stack.enter_context(running_postgres())
        except PostgresMissingError as error:
            skip_without("PostgreSQL", str(error))
        yield url
