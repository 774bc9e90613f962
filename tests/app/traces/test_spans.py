"""What traces say, and what they must never say or do."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from app.core import traces
from app.core.settings import Settings
from tests.app.drive import Drive, read_json, wait_until
from tests.app.traces.conftest import Collector, read_attributes
from tests.servers.api import build_settings, running_api
from tests.servers.loop import entered_beside
from tests.servers.origin import Exchange, Origin, deaf, reply
from tests.servers.ports import find_free_port

TRACE_ID, PARENT_ID = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
FOLDERS = "/v1/accounts/{account_id}/storage/folders"


def test_request_operation_and_call_are_one_below_the_other(
    http_drive: Drive, storage: Origin, collector: Collector
) -> None:
    storage.on("/", reply(201))
    made = http_drive.client.post(http_drive.url("folders"), json={"name": "made", "parent_id": "root"})
    assert made.status_code == 201
    request, operation, call = collector.find_trace(made.headers["x-request-id"])
    assert (request.name, request.kind) == (f"POST {FOLDERS}", Span.SPAN_KIND_SERVER)
    assert read_attributes(request) == {
        "http.request.method": "POST",
        "http.route": FOLDERS,
        "http.response.status_code": 201,
        "kloudless.request_id": made.headers["x-request-id"],
        "kloudless.provider": "example",
    }
    assert (operation.name, operation.parent_span_id) == ("example create_folder", request.span_id)
    assert read_attributes(operation)["kloudless.outcome"] == "ok"
    assert (call.kind, call.parent_span_id) == (Span.SPAN_KIND_CLIENT, operation.span_id)
    assert read_attributes(call) == {
        "kloudless.provider": "example",
        "kloudless.outcome": "ok",
        "kloudless.attempt": 1,
        "server.address": "127.0.0.1",
        "http.response.status_code": 201,
    }
    assert request.start_time_unix_nano <= operation.start_time_unix_nano <= call.start_time_unix_nano
    assert call.end_time_unix_nano <= operation.end_time_unix_nano <= request.end_time_unix_nano


def test_every_attempt_is_a_call_of_its_own(http_drive: Drive, storage: Origin, collector: Collector) -> None:
    answers = iter([503, 201])

    async def script(exchange: Exchange) -> None:
        await exchange.read_body()
        await exchange.reply(next(answers))

    storage.on("/", script)
    made = http_drive.client.post(http_drive.url("folders"), json={"name": "made", "parent_id": "root"})
    assert made.status_code == 201
    _, _, first, second = collector.find_trace(made.headers["x-request-id"])
    assert [read_attributes(call)["kloudless.attempt"] for call in (first, second)] == [1, 2]
    assert (first.status.code, first.status.message) == (Status.STATUS_CODE_ERROR, "unavailable")
    assert second.status.code == Status.STATUS_CODE_UNSET


def test_trace_of_the_client_goes_on_here_and_never_reaches_a_storage(
    http_drive: Drive, storage: Origin, collector: Collector
) -> None:
    storage.on("/", reply(201))
    storage.requests.clear()
    headers = {"traceparent": f"00-{TRACE_ID}-{PARENT_ID}-01", "tracestate": "vendor=value", "baggage": "a=b"}
    made = http_drive.client.post(http_drive.url("folders"), json={"name": "m", "parent_id": "root"}, headers=headers)
    request, *below = collector.find_trace(made.headers["x-request-id"])
    assert (request.trace_id.hex(), request.parent_span_id.hex()) == (TRACE_ID, PARENT_ID)
    assert {span.trace_id for span in below} == {request.trace_id}
    (sent,) = storage.requests
    names = {name.lower() for name, _ in sent.headers}
    assert not names & {"traceparent", "tracestate", "baggage", "x-request-id"}
    assert TRACE_ID not in str(sent)


@pytest.mark.parametrize("traceparent", ["nonsense", f"00-{'0' * 32}-{PARENT_ID}-01", f"ff-{TRACE_ID}-{PARENT_ID}-01"])
def test_trace_begins_here_when_the_client_names_none_that_can_be(
    drive: Drive, collector: Collector, traceparent: str
) -> None:
    listed = drive.client.get(drive.url("folders/root/contents"), headers={"traceparent": traceparent})
    request, *_ = collector.find_trace(listed.headers["x-request-id"])
    assert request.parent_span_id == b""


def test_requests_beside_each_other_have_traces_of_their_own(drive: Drive, collector: Collector) -> None:
    replies = [drive.client.get(drive.url("folders/root/contents")) for _ in range(3)]
    traces = [collector.find_trace(answer.headers["x-request-id"]) for answer in replies]
    assert len({spans[0].trace_id for spans in traces}) == 3
    assert [len(spans) for spans in traces] == [3, 3, 3]


def test_download_lasts_until_its_last_byte(drive: Drive, collector: Collector) -> None:
    file = drive.upload("a.txt", b"12345")
    got = drive.client.get(drive.url(f"files/{file['id']}/contents"))
    request, operation, call = collector.find_trace(got.headers["x-request-id"])
    assert operation.name == "local open_download"
    assert read_attributes(operation)["kloudless.size_bytes"] == 5
    assert call.end_time_unix_nano <= operation.end_time_unix_nano <= request.end_time_unix_nano


def test_failed_request_says_its_code(drive: Drive, collector: Collector) -> None:
    gone = drive.client.get(drive.url("files/no-such-file"))
    request, *_ = collector.find_trace(gone.headers["x-request-id"])
    assert read_attributes(request)["error.type"] == "not_found"
    assert request.status.code == Status.STATUS_CODE_UNSET  # the client's fault, not ours


def test_task_has_a_trace_of_its_own(drive: Drive, collector: Collector) -> None:
    folder = drive.create_folder("old")
    params = {"recursive": "true", "return_type": "task"}
    task = read_json(drive.client.delete(drive.url(f"folders/{folder['id']}"), params=params), status=202)
    found: list[Span] = []

    def look() -> bool:
        found[:] = collector.read_spans()
        return any(read_attributes(span).get("kloudless.task_id") == task["id"] for span in found)

    wait_until(look)
    (own,) = [span for span in found if read_attributes(span).get("kloudless.task_id") == task["id"]]
    assert (own.name, own.parent_span_id) == ("task delete", b"")
    assert any(span.parent_span_id == own.span_id and span.name.startswith("local ") for span in found)


def test_no_name_query_or_secret_is_in_what_is_sent(drive: Drive, collector: Collector, collecting: Origin) -> None:
    file = drive.upload("private-name.txt", b"private-data")
    drive.client.get(drive.url(f"files/{file['id']}/contents"), params={"private": "query"})
    drive.client.get(drive.url("search"), params={"q": "private"})
    drive.client.get(drive.url("files/private-id"), headers={"X-Private": "header"})
    last = drive.client.get(drive.url("path"), params={"path": "/private-name.txt"})
    collector.find_trace(last.headers["x-request-id"])
    sent = b"".join(seen.body for seen in collecting.requests)
    caller = drive.caller
    secrets = (file["id"], caller.api_key, caller.bearer_token, caller.developer_token, caller.folder.name)
    assert not any(secret.encode() in sent for secret in ("private", "Private", *secrets))
    assert b"service.name" in sent
    assert b"kloudless" in sent


@pytest.mark.parametrize("way", ["refused", "silent", "failing"])
def test_requests_and_the_servers_end_do_not_wait_for_a_collector(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    monkeypatch.setattr(traces, "STOP_SECONDS_MAX", 0.3)
    with entered_beside(Origin) as origin:
        origin.on("/v1/traces", deaf(30.0) if way == "silent" else reply(500))
        endpoint = f"http://127.0.0.1:{find_free_port()}/v1/traces" if way == "refused" else origin.url("/v1/traces")
        with running_api(build_settings(tmp_path, traces_endpoint=endpoint)) as api:
            caller = api.create_caller()
            with caller.client() as client:
                for _ in range(20):
                    assert client.get(f"{caller.storage_url}/folders/root/contents").status_code == 200


PROGRAM = """
import asyncio, sys
from app.core.settings import Settings
from app.main import build_app

async def live():
    edge = build_app(Settings())
    assert edge.state.traces is None
    news = iter(["lifespan.startup", "lifespan.shutdown"])
    said = []

    async def receive():
        return {"type": next(news)}

    async def send(message):
        said.append(message["type"])

    await edge({"type": "lifespan", "asgi": {}, "state": {}}, receive, send)
    return said

said = asyncio.run(live())
print(said, [name for name in ("requests", "opentelemetry.sdk", "google.protobuf") if name in sys.modules])
"""


def test_nothing_of_it_is_loaded_when_traces_are_off(tmp_path: Path) -> None:
    environment = {
        "KLOUDLESS_DATA_DIR": str(tmp_path / "data"),
        "FASTAPI_OTEL_AUTO_CONFIGURE": "true",  # the framework's own traces are never made
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1",
    }
    command = [sys.executable, "-c", PROGRAM]
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    last = ran.stdout.splitlines()[-1:]
    assert last == ["['lifespan.startup.complete', 'lifespan.shutdown.complete'] []"], ran.stderr


@pytest.mark.parametrize(
    "endpoint", ["collector:4318", "ftp://collector/v1/traces", "https://user:word@collector/v1/traces", "http://"]
)
def test_endpoint_that_is_none_is_refused(endpoint: str) -> None:
    with pytest.raises(ValueError, match="OTEL_EXPORTER_OTLP_HEADERS"):
        Settings(traces_endpoint=endpoint)
