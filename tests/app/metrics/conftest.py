"""One server that shows its metrics at a port of their own and, with a token, at the API's."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import httpx
import pytest
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from tests.app.drive import Drive
from tests.servers.api import Api, Caller, build_settings, running_api
from tests.servers.loop import CALL_SECONDS_MAX
from tests.servers.ports import find_free_port

TOKEN = "an-operators-own-token"


@dataclass(frozen=True)
class Scraper:
    """Reads what a server shows."""

    client: httpx.Client

    def read_page(self) -> str:
        """The whole page."""
        reply = self.client.get("/metrics")
        assert reply.status_code == 200
        return reply.text

    def read(self) -> dict[str, Metric]:
        """All families by name."""
        return {family.name: family for family in text_string_to_metric_families(self.read_page())}

    def find(self, name: str, **labels: str) -> float:
        """A sample's value; 0 if there is none."""
        samples = [sample for family in self.read().values() for sample in family.samples]
        return sum(
            sample.value for sample in samples if sample.name == name and labels.items() <= sample.labels.items()
        )


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    given = {"metrics_port": find_free_port(), "metrics_token": TOKEN}
    with running_api(build_settings(tmp_path_factory.mktemp("api"), **given)) as running:
        yield running


@pytest.fixture
def caller(api: Api) -> Caller:
    return api.create_caller()


@pytest.fixture
def drive(caller: Caller) -> Iterator[Drive]:
    with caller.client() as client:
        yield Drive(caller, client)


@pytest.fixture
def port(api: Api) -> Iterator[httpx.Client]:
    """Asks at the metrics' own port."""
    address = f"http://127.0.0.1:{api.settings.metrics_port}"
    with httpx.Client(base_url=address, trust_env=False, timeout=CALL_SECONDS_MAX) as client:
        yield client


@pytest.fixture
def scraper(port: httpx.Client) -> Scraper:
    return Scraper(port)
