"""What the metrics say, and what they must never say."""

from __future__ import annotations

import os
import re

from app.core.errors import ApiError, ErrorCode
from app.core.metrics import METRICS, Metrics
from app.core.state import State
from app.metrics.service import MetricsPage
from connectors.core.layers.observe import Sent
from tests.app.drive import Drive, wait_until
from tests.app.edge.wire import Wire
from tests.app.metrics.conftest import Scraper
from tests.servers.api import Api

CONTENTS = "/v1/accounts/{account_id}/storage/files/{file_id}/contents"
FILE_BYTES = 2**28


def test_request_is_counted_by_route_template_and_class_of_status(drive: Drive, scraper: Scraper) -> None:
    file = drive.upload("a.txt", b"12345")
    before = scraper.find("kloudless_requests_total", method="GET", route=CONTENTS, status="2xx")
    sent_before = scraper.find("kloudless_reply_body_bytes_total", method="GET", route=CONTENTS)
    drive.client.get(drive.url(f"files/{file['id']}/contents"))
    assert drive.client.get(drive.url("files/no-such-file/contents")).status_code == 404
    assert scraper.find("kloudless_requests_total", method="GET", route=CONTENTS, status="2xx") == before + 1
    assert scraper.find("kloudless_requests_total", method="GET", route=CONTENTS, status="4xx") >= 1
    assert scraper.find("kloudless_request_seconds_count", method="GET", route=CONTENTS) >= before + 2
    assert scraper.find("kloudless_reply_body_bytes_total", method="GET", route=CONTENTS) > sent_before + 5


def test_what_clients_make_up_becomes_no_label(api: Api, scraper: Scraper) -> None:
    with api.client() as client:
        client.request("PROPFIND", "/teapot-made-up")
        client.get("/v1/made-up/very-long")
    page = scraper.read_page()
    assert not re.search("PROPFIND|teapot|made-up", page)
    assert scraper.find("kloudless_requests_total", method="other", route="none", status="4xx") == 1


def test_operation_and_its_calls_are_counted_by_outcome(drive: Drive, scraper: Scraper) -> None:
    labels = {"provider": "local", "operation": "open_download"}
    file = drive.upload("a.txt", b"12345")
    good = scraper.find("kloudless_operations_total", **labels, outcome="ok")
    gone = scraper.find("kloudless_provider_calls_total", **labels, outcome="not_found")
    read = scraper.find("kloudless_provider_read_bytes_total", provider="local")
    drive.client.get(drive.url(f"files/{file['id']}/contents"))
    (drive.caller.folder / "a.txt").unlink()
    assert drive.client.get(drive.url(f"files/{file['id']}/contents")).status_code == 404
    assert scraper.find("kloudless_operations_total", **labels, outcome="ok") == good + 1
    assert scraper.find("kloudless_provider_calls_total", **labels, outcome="not_found") == gone + 1
    assert scraper.find("kloudless_provider_read_bytes_total", provider="local") == read + 5


def test_stored_bytes_are_counted_when_they_are_stored(drive: Drive, scraper: Scraper) -> None:
    before = scraper.find("kloudless_provider_stored_bytes_total", provider="local")
    received = scraper.find("kloudless_request_body_bytes_total")
    drive.upload("a.txt", b"1234567")
    assert scraper.find("kloudless_provider_stored_bytes_total", provider="local") == before + 7
    assert scraper.find("kloudless_request_body_bytes_total") == received + 7


def test_stream_is_shown_while_it_runs(drive: Drive, scraper: Scraper) -> None:
    file = drive.upload("large.bin", b"")
    os.truncate(drive.caller.folder / "large.bin", FILE_BYTES)
    with Wire(drive.caller.api.settings.port) as wire:
        wire.ask("GET", drive.url(f"files/{file['id']}/contents"), drive.caller.key_header)
        wire.receive(2**16)
        assert scraper.find("kloudless_streams_running", provider="local", direction="download") == 1
        assert scraper.find("kloudless_requests_running") == 1
        assert scraper.find("kloudless_rate_calls_running", provider="local") >= 0
    wait_until(lambda: scraper.find("kloudless_streams_running", provider="local") == 0)
    assert scraper.find("kloudless_operations_total", operation="open_download", outcome="cancelled") == 1


def test_budgets_are_shown_by_provider(drive: Drive, scraper: Scraper) -> None:
    drive.upload("a.txt")
    assert scraper.find("kloudless_rate_accounts", provider="local") >= 1
    assert scraper.find("kloudless_rate_slots_free_min", provider="local") >= 1
    assert scraper.find("kloudless_retry_accounts_exhausted", provider="local") == 0


def test_no_name_id_or_secret_is_shown(drive: Drive, scraper: Scraper) -> None:
    file = drive.upload("private-name.txt", b"private-data")
    drive.client.get(drive.url(f"files/{file['id']}/contents"), params={"private": "query"})
    drive.client.get(drive.url("path"), params={"path": "/private-name.txt"})
    page = scraper.read_page()
    caller = drive.caller
    secrets = (file["id"], caller.api_key, caller.bearer_token, caller.developer_token, caller.application_id)
    assert not any(secret in page for secret in ("private", caller.folder.name, *secrets))


def test_every_family_is_declared_with_its_unit_and_bounded_labels(drive: Drive, scraper: Scraper) -> None:
    drive.upload("a.txt")
    declared = {metric.name.removesuffix("_total"): metric for metric in METRICS}
    shown = scraper.read()
    ours = {name for name in shown if name.startswith("kloudless_")}
    assert ours == declared.keys()
    assert {name for name in shown if not name.startswith("kloudless_")} >= {"process_resident_memory_bytes"}
    for name in ours:
        assert shown[name].type == declared[name].kind
        assert shown[name].documentation == declared[name].text
        for sample in shown[name].samples:
            assert set(sample.labels) - {"le"} == set(declared[name].labels)
    for metric in METRICS:
        assert (metric.kind == "counter") == metric.name.endswith("_total"), metric.name
        assert metric.kind != "histogram" or metric.name.endswith("_seconds")


def test_page_says_that_the_database_is_away_and_tells_all_else(api: Api) -> None:
    class Away:
        """A database that is not there."""

        def reading(self, **_: object) -> object:
            raise ApiError(ErrorCode.SERVICE_NOT_AVAILABLE)

    values = {name: getattr(api.state, name) for name in State.__slots__}
    away = State(**(values | {"db": Away()}))
    page, _ = api.run(MetricsPage(away).render(""))
    assert b"kloudless_database_up 0.0" in page
    assert b"kloudless_tasks_late_seconds NaN" in page
    assert b"kloudless_requests_total{" in page
    page, _ = api.run(MetricsPage(api.state).render(""))
    assert b"kloudless_database_up 1.0" in page


def test_labels_stay_few_whatever_a_connector_says() -> None:
    metrics = Metrics(["known"])
    for number in range(3):
        text = f"made-up-{number}"
        event = Sent(
            service=text, operation="x", account_key="7", attempt=1, outcome=text, seconds=1.0, called_for=text
        )
        metrics.note_call(event)
        metrics.note_operation(text, text, text, seconds=1.0, size_bytes=1)
    labels = {"provider": "other", "operation": "other", "outcome": "other"}
    assert metrics.registry.get_sample_value("kloudless_provider_calls_total", labels) == 3
    assert metrics.registry.get_sample_value("kloudless_operations_total", labels) == 3
