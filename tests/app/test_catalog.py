"""The services that accounts can be connected to, as the file picker asks for them, and their logos."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from xml.etree import ElementTree as ET

import httpx
import msgspec
import pytest

from app.catalog.endpoints import LOGOS
from app.core.state import build_registry_from
from connectors.core.manifest import Manifest
from connectors.core.service import Registry
from tests.app.drive import read_error, read_json
from tests.servers.api import Api, Caller, build_settings, running_api

URL = "/v1/public/services"
SERVICES = {
    "gdrive": ("Google Drive", "file_store", False),
    "s3": ("amazon S3", "object_store", False),
    "hidden": ("Hidden", "file_store", True),
    "box": ("Box", "file_store", False),
}
PROPERTIES = {
    "capabilities": {
        "storage.folders.list": [{"admin": False, "result": True}],
        "storage.folders.read": [{"admin": False, "result": True}],
    }
}


@pytest.fixture(scope="module")
def offering(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """A server that offers several services, one of which only the operator connects."""
    settings = build_settings(tmp_path_factory.mktemp("offering"))
    (service,) = [service for service in build_registry_from(settings) if service.manifest.service == "local"]
    names = ("service", "title", "category", "added_by_operator_only")
    registry = Registry(
        replace(
            service, manifest=msgspec.structs.replace(service.manifest, **dict(zip(names, (name, *rest), strict=True)))
        )
        for name, rest in SERVICES.items()
    )
    with running_api(settings, registry=registry) as api:
        yield api


@pytest.fixture
def anybody(offering: Api) -> Iterator[httpx.Client]:
    with offering.client() as opened:
        yield opened


def build_expected(api: Api, name: str) -> dict[str, Any]:
    title, category, _ = SERVICES[name]
    return {
        "name": name,
        "friendly_name": title,
        "category": category,
        "logo_url": f"{api.base_url}/static/logos/{category}.svg",
        "apis": ["storage"],
        "href": f"{api.base_url}{URL}/{name}",
        "type": "service",
        "api": "meta",
    }


def test_services_are_listed_by_name_without_credentials(offering: Api, anybody: httpx.Client) -> None:
    listed = read_json(anybody.get(URL))
    assert listed == {
        "type": "object_list",
        "api": "meta",
        "count": 3,
        "page": 1,
        "next_page": None,
        "objects": [build_expected(offering, name) for name in ("s3", "box", "gdrive")],
    }


@pytest.mark.parametrize("query", ["?apis=storage&app_id=anything", "?apis=calendar,%20storage", "/?apis=", "?apis=,"])
def test_all_services_are_listed_when_storage_is_among_the_wanted(anybody: httpx.Client, query: str) -> None:
    assert read_json(anybody.get(URL + query))["count"] == 3


def test_no_service_is_listed_when_only_other_apis_are_wanted(anybody: httpx.Client) -> None:
    assert read_json(anybody.get(URL, params={"apis": "calendar,crm"}))["objects"] == []


def test_properties_come_when_they_are_asked_for(offering: Api, anybody: httpx.Client) -> None:
    for service in read_json(anybody.get(URL, params={"retrieve_properties": "true"}))["objects"]:
        assert service["properties"] == PROPERTIES
    one = read_json(anybody.get(f"{URL}/box", params={"retrieve_properties": "True"}))
    assert one == build_expected(offering, "box") | {"properties": PROPERTIES}


def test_one_service_is_shown_by_its_name(offering: Api, anybody: httpx.Client) -> None:
    assert read_json(anybody.get(f"{URL}/gdrive/")) == build_expected(offering, "gdrive")


@pytest.mark.parametrize("name", ["hidden", "unheard", "BOX", "box%2F", "%00"])
def test_service_is_not_found_when_nobody_can_connect_it(anybody: httpx.Client, name: str) -> None:
    assert read_error(anybody.get(f"{URL}/{name}")) == (404, "not_found")


def test_credentials_that_are_wrong_make_no_difference(offering: Api) -> None:
    with offering.client({"Authorization": "Bearer wrong"}) as client:
        assert read_json(client.get(URL))["count"] == 3


def test_logos_are_drawings_that_may_be_kept_and_run_nothing(anybody: httpx.Client) -> None:
    for service in read_json(anybody.get(URL))["objects"]:
        logo = anybody.get(service["logo_url"])
        assert (logo.status_code, logo.headers["content-type"]) == (200, "image/svg+xml")
        assert logo.headers["cache-control"] == "public, max-age=86400"
        assert logo.headers["access-control-allow-origin"] == "*"
        assert "sandbox" in logo.headers["content-security-policy"]
        drawing = ET.fromstring(logo.text)  # noqa: S314 - our own drawing
        assert drawing.tag == "{http://www.w3.org/2000/svg}svg"
        assert not [element for element in drawing.iter() if "script" in element.tag]


@pytest.mark.parametrize("name", ["none.svg", "..%2Fendpoints.py", "%2e%2e", "file_store"])
def test_logo_is_not_found_when_there_is_no_such_drawing(anybody: httpx.Client, name: str) -> None:
    assert read_error(anybody.get(f"/static/logos/{name}")) == (404, "not_found")


def test_every_category_has_its_drawing() -> None:
    (category,) = [field for field in msgspec.structs.fields(Manifest) if field.name == "category"]
    assert {f"{name}.svg" for name in category.type.__args__} == set(LOGOS)


def test_browsers_may_ask_from_any_page(caller: Caller) -> None:
    headers = {"Origin": "https://picker.example", "Access-Control-Request-Method": "GET"}
    with caller.client(headers | {"Access-Control-Request-Headers": "x-kloudless-source"}) as client:
        answer = client.options(URL)
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-headers"] == "x-kloudless-source"
