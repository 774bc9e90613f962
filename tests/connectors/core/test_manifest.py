"""What is declared is what is coded, for every service of the registry."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest

from connectors.core.connector import Connector
from connectors.core.manifest import METHODS, Capabilities
from connectors.core.service import AccountContext, Options, Service
from connectors.core.stack import Runtime
from connectors.registry import build_registry

SERVICES = list(build_registry(Options()))


@pytest.fixture(params=SERVICES, ids=lambda service: service.manifest.service)
def service(request: pytest.FixtureRequest) -> Service:
    return request.param  # type: ignore[no-any-return]  # pytest types params as Any


@pytest.fixture
async def connector(service: Service, tmp_path: Path) -> Connector:
    options = Options(demo_folder=tmp_path)
    service = build_registry(options).find(service.manifest.service) or service
    credentials = {field.name: field.example for field in service.manifest.auth.fields}
    if service.demo is not None:
        service.demo.prepare()
        credentials = dict(service.demo.credentials)
    return service.build(
        AccountContext(account_key="1", application_id="demo", credentials=credentials, runtime=Runtime())
    )


@pytest.mark.parametrize("capability", sorted(METHODS))
def test_capability_is_declared_exactly_when_its_methods_are_coded(connector: Connector, capability: str) -> None:
    coded = {name for name in METHODS[capability] if getattr(type(connector), name) is not getattr(Connector, name)}
    assert coded == (set(METHODS[capability]) if getattr(connector.manifest.capabilities, capability) else set())


def test_manifest_is_declared_on_the_class_and_names_its_service(service: Service, connector: Connector) -> None:
    assert type(connector).manifest.service == service.manifest.service
    assert not inspect.isabstract(type(connector))


def test_every_method_that_may_be_missing_belongs_to_a_capability() -> None:
    listed = {name for names in METHODS.values() for name in names}
    optional = {
        name
        for name, method in vars(Connector).items()
        if inspect.isfunction(method)
        and not getattr(method, "__isabstractmethod__", False)
        and not name.startswith("_")
    }
    assert listed == optional - {"probe"}  # every connector may be asked to
    assert set(METHODS) <= set(Capabilities.__struct_fields__)


def test_notices_can_be_read_where_they_can_be_asked_for(service: Service) -> None:
    assert service.read_notice is not None or not service.manifest.capabilities.subscribe


def test_numbers_of_the_limits_make_sense(service: Service) -> None:
    limits = service.manifest.limits
    assert 0 < limits.upload_part_bytes_min <= limits.upload_part_bytes_default <= limits.upload_part_bytes_max
    assert limits.upload_part_bytes_default % limits.upload_part_bytes_multiple == 0
    assert limits.requests_parallel_max >= 2  # a simulated copy downloads and uploads at the same time
    assert limits.page_items_max >= 1
    assert limits.upload_parts_parallel_max >= 1


def test_registry_knows_every_service_once() -> None:
    names = [service.manifest.service for service in SERVICES]
    assert len(names) == len(set(names)) > 0
    assert build_registry(Options()).find("nothing of that name") is None
