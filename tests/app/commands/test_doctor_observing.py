"""What the doctor says of metrics and traces."""

from __future__ import annotations

import pytest

from app.core.settings import Settings
from app.doctor.configuration import check_metrics
from app.doctor.machine import check_traces
from tests.servers.origin import Origin, reply
from tests.servers.ports import find_free_port

TOKEN = "a-token-of-the-operator"


@pytest.mark.parametrize(
    ("given", "status", "words"),
    [
        ({}, "skipped", "not shown"),
        ({"metrics_port": 9464}, "ok", "at 127.0.0.1:9464 for this machine"),
        ({"metrics_port": 9464, "metrics_host": "10.0.0.5"}, "ok", "at 10.0.0.5:9464 for whoever reaches it"),
        ({"metrics_token": TOKEN}, "ok", "/metrics with the token"),
    ],
)
async def test_it_is_said_where_metrics_are_shown_and_to_whom(
    given: dict[str, object], status: str, words: str
) -> None:
    found = await check_metrics(Settings.model_validate(given))
    assert found.status == status
    assert words in found.text
    assert TOKEN not in found.text


@pytest.mark.parametrize(("answer", "status"), [(200, "ok"), (401, "ok"), (404, "warning")])
async def test_collector_is_asked_whether_it_is_there(answer: int, status: str) -> None:
    async with Origin() as origin:
        origin.on("/v1/traces", reply(answer))
        found = await check_traces(Settings(traces_endpoint=origin.url("/v1/traces")))
    assert found.status == status


async def test_absent_collector_is_a_warning_because_requests_do_not_need_it() -> None:
    found = await check_traces(Settings(traces_endpoint=f"http://127.0.0.1:{find_free_port()}/v1/traces"))
    assert (found.status, "does not answer" in found.text) == ("warning", True)
    assert (await check_traces(Settings())).status == "skipped"
