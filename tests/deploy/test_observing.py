"""What `deploy/` says about metrics: alerts of what there is, and nothing for strangers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from app.core.metrics import METRICS, OUTCOMES
from tests.architecture.tree import ROOT
from tests.servers.loop import entered_beside
from tests.servers.missing import skipping_when_missing
from tests.servers.nginx import find_nginx, running_nginx
from tests.servers.origin import Origin, reply
from tests.servers.ports import find_free_port

DEPLOY = ROOT / "deploy"


@pytest.fixture(scope="module")
def rules() -> list[dict[str, Any]]:
    groups = yaml.safe_load((DEPLOY / "alerts.yml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def test_alerts_ask_only_for_what_is_counted(rules: list[dict[str, Any]]) -> None:
    known = {metric.name: metric for metric in METRICS}
    asked: set[str] = set()
    for rule in rules:
        for name, given in re.findall(r"\b(kloudless_\w+)(?:\{([^}]*)\})?", rule["expr"]):
            metric = known[re.sub("_(bucket|sum|count)$", "", name)]
            asked.add(metric.name)
            assert set(re.findall(r"(\w+)=", given)) <= set(metric.labels), rule["alert"]
            outcomes = re.search(r'outcome=~?"([^"]*)"', given)
            assert outcomes is None or set(outcomes[1].split("|")) <= OUTCOMES, rule["alert"]
        grouped = {label for names in re.findall(r"by \(([^)]*)\)", rule["expr"]) for label in names.split(", ")}
        shown = set(re.findall(r"\$labels\.(\w+)", rule["annotations"]["summary"])) - {"instance"}
        assert shown <= grouped, rule["alert"]
    assert len(asked) > 5


def test_every_server_that_is_scraped_has_its_port(rules: list[dict[str, Any]]) -> None:
    scraping = yaml.safe_load((DEPLOY / "prometheus.yml").read_text())
    (job,) = scraping["scrape_configs"]
    assert scraping["rule_files"] == ["alerts.yml"]
    assert any(f'up{{job="{job["job_name"]}"}}' in rule["expr"] for rule in rules)
    text = (DEPLOY / "two-servers.yml").read_text()
    (port,) = re.findall(r"KLOUDLESS_METRICS_PORT: (\d+)", text)
    assert job["static_configs"] == [{"targets": [f"server:{port}", f"server-2:{port}"]}]


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of nginx as `deploy/` describes it, before a server that answers everything."""
    with skipping_when_missing():
        find_nginx()
    port = find_free_port()
    with entered_beside(Origin) as origin:
        for path in ("/metrics", "/metrics/", "//metrics", "/%6Detrics", "/health", "/v1/metrics"):
            origin.on(path, reply(200, body=b"reached"))
        text = (DEPLOY / "nginx.conf").read_text().replace("listen 8000;", f"listen 127.0.0.1:{port};")
        http = re.sub(r"server [\w-]+:8000 ", f"server 127.0.0.1:{origin.port} ", text)
        with running_nginx(Path(tmp_path_factory.mktemp("nginx")), http, ready_port=find_free_port()):
            yield port


@pytest.mark.parametrize("path", ["/metrics", "/metrics/", "//metrics", "/%6Detrics", "/v1/../metrics"])
def test_metrics_are_not_asked_for_through_the_proxy(proxy: int, path: str) -> None:
    with httpx.Client(trust_env=False, timeout=60) as client:
        url = httpx.URL(f"http://127.0.0.1:{proxy}").copy_with(raw_path=path.encode())
        assert client.get(url).status_code == 404


@pytest.mark.parametrize("path", ["/health", "/v1/metrics"])
def test_all_else_passes_the_proxy(proxy: int, path: str) -> None:
    with httpx.Client(trust_env=False, timeout=60) as client:
        assert client.get(f"http://127.0.0.1:{proxy}{path}").text == "reached"
