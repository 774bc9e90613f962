"""A server that sends its traces to a collector of the tests, and a storage over HTTP that notes what it is sent."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from app.core.state import build_registry_from
from connectors.core.connector import Connector
from connectors.core.resources import Folder, RawId
from connectors.core.service import AccountContext, Registry, Service
from connectors.core.stack import HttpSend
from tests.app.drive import Drive, wait_until
from tests.connectors.core.fakes import SET, build_manifest, http_request
from tests.connectors.core.memory import MemoryConnector
from tests.servers.api import Api, Caller, build_settings, running_api
from tests.servers.loop import entered_beside
from tests.servers.origin import Origin, reply

MANIFEST = build_manifest()


class HttpDrive(MemoryConnector):
    """Makes a folder with one request; all else is in memory."""

    def __init__(self, send: HttpSend, url: str) -> None:
        super().__init__(manifest=MANIFEST)
        self._send_http = send
        self._url = url

    async def create_folder(self, parent: RawId, name: str) -> Folder:
        url = f"{self._url}{parent}?name={name}"
        await (await self._send_http(http_request("PUT", url, intent=SET))).aread()
        return Folder(raw_id=RawId("made"), name=name)


@dataclass(frozen=True)
class Collector:
    """Receives OTLP over HTTP as any collector does."""

    api: Api
    origin: Origin

    def read_spans(self) -> list[Span]:
        """All that came, after the server sent what it has."""
        assert self.api.state.traces is not None
        self.api.state.traces.flush()
        return [
            span
            for seen in self.origin.requests
            for resource in ExportTraceServiceRequest.FromString(seen.body).resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]

    def find_trace(self, request_id: str) -> list[Span]:
        """The spans of a request's trace, its own first; it ends a moment after its reply."""
        found: list[Span] = []

        def look() -> bool:
            spans = self.read_spans()
            own = [span for span in spans if read_attributes(span).get("kloudless.request_id") == request_id]
            found[:] = [span for root in own for span in spans if span.trace_id == root.trace_id]
            found.sort(key=lambda span: span.start_time_unix_nano)
            return bool(own)

        wait_until(look)
        return found


def read_attributes(span: Span) -> dict[str, str | int]:
    """A span's attributes as plain values."""
    return {pair.key: _read_value(pair.value) for pair in span.attributes}


def _read_value(value: AnyValue) -> str | int:
    return value.int_value if value.HasField("int_value") else value.string_value


@pytest.fixture(scope="module")
def collecting() -> Iterator[Origin]:
    with entered_beside(Origin) as origin:
        origin.on("/v1/traces", reply(200))
        yield origin


@pytest.fixture(scope="module")
def storage() -> Iterator[Origin]:
    with entered_beside(Origin) as origin:
        yield origin


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory, collecting: Origin, storage: Origin) -> Iterator[Api]:
    def build(context: AccountContext) -> Connector:
        send = context.runtime.build_send(MANIFEST, context.account_key)
        return HttpDrive(send, storage.url(""))

    settings = build_settings(tmp_path_factory.mktemp("api"), traces_endpoint=collecting.url("/v1/traces"))
    service = Service(manifest=MANIFEST, build=build)
    with running_api(settings, registry=Registry([*build_registry_from(settings), service])) as running:
        yield running


@pytest.fixture
def collector(api: Api, collecting: Origin) -> Collector:
    return Collector(api, collecting)


@pytest.fixture
def caller(api: Api) -> Caller:
    return api.create_caller()


@pytest.fixture
def drive(caller: Caller) -> Iterator[Drive]:
    """An account on this machine."""
    with caller.client() as client:
        yield Drive(caller, client)


@pytest.fixture
def http_drive(api: Api) -> Iterator[Drive]:
    """An account at the storage over HTTP."""
    caller = api.create_caller(lambda _api, _name: {"service": MANIFEST.service})
    with caller.client() as client:
        yield Drive(caller, client)
