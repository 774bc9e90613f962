from __future__ import annotations

import io
import json
import re
from collections.abc import Iterable, Iterator
from html.parser import HTMLParser
from typing import Any

import httpx
import pytest
from openapi_schema_validator import OAS31Validator, oas31_format_checker
from openapi_spec_validator import OpenAPIV31SpecValidator
from PIL import Image

from tests.app.drive import METADATA
from tests.app.sharing import connect_sharing
from tests.servers.api import Api, Caller

pytestmark = pytest.mark.parametrize("api", ["sqlite"], indirect=True)  # the document is the same on every database

METHODS = {"get", "head", "post", "put", "patch", "delete"}


@pytest.fixture
def document(api: Api) -> dict[str, Any]:
    with api.client() as client:
        reply = client.get("/openapi.json")
    assert reply.headers["content-type"] == "application/json"
    body: dict[str, Any] = reply.json()
    return body


@pytest.fixture
def operations(document: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    return {
        (method, path): operation
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if method in METHODS
    }


def walk(value: object) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
        for child in value.values():
            yield from walk(child)
    elif isinstance(value, list):
        for child in value:
            yield from walk(child)


def test_document_is_valid_openapi_31(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1.")
    assert [error.message for error in OpenAPIV31SpecValidator(document).iter_errors()] == []


def test_every_reference_leads_to_a_schema_that_somebody_uses(document: dict[str, Any]) -> None:
    used = {node["$ref"].rsplit("/", 1)[-1] for node in walk(document) if "$ref" in node}
    assert used == set(document["components"]["schemas"])


def test_every_route_and_parameter_is_described(operations: dict[tuple[str, str], dict[str, Any]]) -> None:
    names = [operation["operationId"] for operation in operations.values()]
    assert len(names) == len(set(names))
    for where, operation in operations.items():
        assert operation["summary"], where
        assert operation["description"], where
        assert operation["tags"], where
        for parameter in operation.get("parameters", []):
            assert parameter.get("description"), (where, parameter["name"])
        for status, reply in operation["responses"].items():
            assert reply["description"], (where, status)


def test_path_parameters_are_those_of_the_path(operations: dict[tuple[str, str], dict[str, Any]]) -> None:
    for (method, path), operation in operations.items():
        documented = [entry["name"] for entry in operation.get("parameters", []) if entry["in"] == "path"]
        assert sorted(documented) == sorted(re.findall(r"\{(\w+)\}", path)), (method, path)


def test_only_routes_that_take_a_key_promise_a_422(
    document: dict[str, Any], operations: dict[tuple[str, str], dict[str, Any]]
) -> None:
    for where, operation in operations.items():
        names = [parameter["name"] for parameter in operation.get("parameters", [])]
        assert ("422" in operation["responses"]) == ("Idempotency-Key" in names), where
    assert not any("ValidationError" in name for name in document["components"]["schemas"])


def test_every_error_is_a_v1_error_whose_codes_are_named(operations: dict[tuple[str, str], dict[str, Any]]) -> None:
    for where, operation in operations.items():
        for status, reply in operation["responses"].items():
            if int(status) >= 400:
                schema = reply["content"]["application/json"]["schema"]
                assert schema == {"$ref": "#/components/schemas/ErrorBody"}, (where, status)
                assert re.match(r"`\w+`: ", reply["description"]), (where, status)


def test_every_reply_says_what_it_holds(operations: dict[tuple[str, str], dict[str, Any]]) -> None:
    for where, operation in operations.items():
        for status, reply in operation["responses"].items():
            for media_type, content in reply.get("content", {}).items():
                assert content["schema"], (where, status, media_type)


def test_schemas_have_plain_names_and_say_what_they_are(document: dict[str, Any]) -> None:
    for name, schema in document["components"]["schemas"].items():
        assert re.fullmatch(r"[A-Z][A-Za-z]+", name)
        assert schema["description"], name


def test_fields_that_are_always_sent_are_required(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    for name, optional in (("FileReply", {"raw", "export_formats"}), ("FolderReply", {"raw"})):
        assert set(schemas[name]["properties"]) - set(schemas[name]["required"]) == optional
    for name in ("SearchPage", "RecentPage", "LinkPage"):
        assert set(schemas[name]["properties"]) - set(schemas[name]["required"]) == {"errors"}
    pages = ("ContentsPage", "AccountPage")
    for name in (*pages, "QuotaReply", "UploadSessionReply", "VersionReply", "Capabilities", "Limits"):
        assert set(schemas[name]["properties"]) == set(schemas[name]["required"]), name
    optional = set(schemas["ErrorBody"]["properties"]) - set(schemas["ErrorBody"]["required"])
    assert optional == {"conflicting_resource_id"}
    assert "required" not in schemas["ResourceUpdate"]


def test_only_the_public_pages_need_no_credentials(
    document: dict[str, Any], operations: dict[tuple[str, str], dict[str, Any]]
) -> None:
    assert document["security"] == [{"ApiKey": []}]
    public = {path for (_, path), operation in operations.items() if operation.get("security") == []}
    services = {"/v1/public/services", "/v1/public/services/{service_name}"}
    connecting = {"/v1/oauth", "/v1/oauth/token"}
    assert public == {"/health", "/ready", "/l/{token}", "/l/{token}/download"} | services | connecting


class Recorder(httpx.BaseTransport):
    """Sends on and keeps every exchange."""

    def __init__(self) -> None:
        self._inner = httpx.HTTPTransport()
        self.seen: list[tuple[str, str, httpx.Response]] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        reply = self._inner.handle_request(request)
        reply.read()
        self.seen.append((request.method.lower(), request.url.path, reply))
        return reply

    def close(self) -> None:
        self._inner.close()


def live(caller: Caller, client: httpx.Client) -> None:
    """A whole life of an account's storage, with mistakes."""
    storage, account = caller.storage_url, caller.account_url
    key, bearer = caller.key_header, caller.bearer_header
    metadata = {**key, METADATA: '{"name": "a.txt"}', "X-Kloudless-Raw-Data": "true"}
    for headers in (key, bearer, {}, {"Authorization": "APIKey wrong"}):
        client.get("/v1/accounts", headers=headers)
        client.get(account, params={"retrieve_tokens": "true"}, headers=headers)
        client.get(f"{storage}/folders/root/contents", headers=headers)
    client.get(f"{account}/capabilities", headers=key)
    client.patch(account, headers=key, json={"active": True})
    client.post(f"{account}/tokens", headers=key, json={})
    client.post(f"{account}/encode_raw_id", headers=key, json={"raw_id": "/", "type": "folder"})
    client.post(f"{storage}/convert_id", headers=key, json={"raw_id": "/nowhere"})
    client.get("/v1/oauth/token", headers=bearer)
    client.get("/v1/oauth/token", headers={"Authorization": "Bearer wrong"})
    folder = client.post(f"{storage}/folders", headers=key, json={"name": "folder"}).json()
    client.post(f"{storage}/folders", headers=key, json={"name": "folder"})
    client.post(f"{storage}/folders?conflict_if_exists=true", headers=key, json={"name": "folder"})
    client.post(f"{storage}/folders", headers=key, json={"name": 7})
    for name in ("once", "once", "twice"):
        client.post(f"{storage}/folders", headers={**key, "Idempotency-Key": "a key"}, json={"name": name})
    client.post(f"{storage}/folders", headers=key, content=b"{")
    file = client.post(f"{storage}/files", headers=metadata, content=b"bytes").json()
    client.post(f"{storage}/files?overwrite=true", headers=metadata, content=b"bytes")
    client.post(f"{storage}/files", headers=key, json={"url": "https://example.com"})
    one, many = f"{storage}/files/{file['id']}", f"{storage}/folders/{folder['id']}"
    for path in (one, many, f"{one}/contents", f"{many}/contents", f"{storage}/quota", f"{storage}/path?path=/a.txt"):
        client.get(path, headers=key)
    client.get(f"{storage}/folders/root/contents?recursive=true", headers=key)
    for path in ("search?q=a", "search", "search?q=a&lang=raw", "search?q=a&parents=x", "recent", "recent?page=9"):
        client.get(f"{storage}/{path}", headers=key)
    client.head(f"{one}/contents", headers=key)
    client.get(f"{one}/contents", headers={**key, "Range": "bytes=0-1"})
    client.get(f"{one}/contents", headers={**key, "Range": "bytes=99-"})
    client.get(f"{one}/contents", headers={**key, "If-None-Match": "*"})
    client.head(f"{one}/contents", headers={**key, "If-Match": '"other"'})
    client.get(f"{storage}/files/nonsense", headers=key)
    client.get(f"{storage}/files/{folder['id']}", headers=key)
    client.put(one, headers=key, content=b"newer")
    for path in (one, many):
        client.patch(path, headers=key, json={})
        client.patch(path, headers=key, json={"parent_id": "nonsense"})
        client.post(f"{path}/copy", headers=key, json={"parent_id": folder["id"] if path == one else "root"})
    upload = client.post(f"{storage}/multipart", headers=key, json={"name": "parts"}).json()
    client.put(f"{storage}/multipart/{upload['id']}?part_number=1", headers=key, content=b"part")
    client.put(f"{storage}/multipart/{upload['id']}?part_number=0", headers=key, content=b"part")
    client.get(f"{storage}/multipart/{upload['id']}", headers=key)
    client.post(f"{storage}/multipart/{upload['id']}/complete", headers=key)
    client.delete(f"{storage}/multipart/{upload['id']}", headers=key)
    client.delete(many, headers=key)
    client.delete(f"{many}?recursive=true", headers=key)
    client.patch(one, headers=key, json={"name": "b.txt"})
    client.delete(f"{one}", headers=key)


def look_closer(caller: Caller, client: httpx.Client) -> None:
    """Pictures, archives, and what the storage itself would answer."""
    key, storage = caller.key_header, caller.storage_url
    picture = io.BytesIO()
    Image.new("RGB", (8, 8)).save(picture, "PNG")
    (caller.folder / "picture.png").write_bytes(picture.getvalue())
    (caller.folder / "notes.txt").write_bytes(b"no picture")
    for name in ("picture.png", "notes.txt"):
        file = client.get(f"{storage}/path", headers=key, params={"path": f"/{name}"}).json()
        client.get(f"{file['href']}/thumbnail", headers=key)
        client.post(f"{storage}/archive", headers=key, json={"file_ids": [file["id"]]})
    client.get(f"{storage}/folders/root/archive", headers=key)
    client.post(f"{storage}/archive", headers=key, json={})
    client.post(f"{caller.account_url}/raw", headers={**key, "X-Kloudless-Raw-URI": "/"})


def run_tasks(caller: Caller, client: httpx.Client) -> None:
    """What is asked for as a task, and the questions about it."""
    key, tasks = caller.key_header, f"{caller.account_url}/tasks"
    folder = client.post(f"{caller.storage_url}/folders", headers=key, json={"name": "folder"}).json()
    one = f"{caller.storage_url}/folders/{folder['id']}"
    client.post(f"{one}/copy?return_type=task", headers=key, json={})
    task = client.delete(f"{one}?recursive=true&return_type=task", headers=key).json()
    for method in ("GET", "DELETE"):
        client.request(method, f"{tasks}/{task['id']}", headers=key)
        client.request(method, f"{tasks}/nonsense", headers=key)
    client.get(tasks, headers=key)
    client.get(f"{tasks}?state=unheard+of", headers=key)


def share(caller: Caller, client: httpx.Client, file: dict[str, Any]) -> None:
    """What only some storages offer, at one that has it all, with mistakes."""
    key, storage = caller.key_header, file["href"].partition("/files/")[0]
    versions = client.get(f"{file['href']}/versions", headers=key).json()
    client.get(f"{file['href']}/versions", headers=key, params={"page": "nonsense"})
    version = versions["objects"][0]["href"]
    for headers in (key, {}, {"Authorization": "APIKey wrong"}):
        client.get(version, headers=headers)
        client.get(f"{version}/contents", headers={**headers, "Range": "bytes=0-1"})
        client.head(f"{version}/contents", headers=headers)
        client.post(f"{version}/restore", headers=headers)
    client.post(f"{storage}/files/upload_url", headers=key, json={"name": "b.txt"})
    client.post(f"{caller.storage_url}/files/upload_url", headers=key, json={"name": "b.txt"})
    folder = f"{storage}/folders/root"
    for path in (f"{file['href']}/permissions", f"{folder}/permissions"):
        client.patch(path, headers=key, json={"ann@example.com": "reader"})
        client.get(path, headers={**key, "X-Kloudless-Raw-Data": "true"})
        client.put(path, headers=key, json=[])
        client.put(path, headers=key, json=["nonsense"])
    client.patch(f"{file['href']}/properties", headers=key, json=[{"key": "a", "value": "1"}])
    client.patch(f"{file['href']}/properties", headers=key, json=[{"key": "a", "value": 1}])
    client.get(f"{file['href']}/properties", headers=key)
    client.delete(f"{file['href']}/properties", headers=key)
    client.delete(file["href"], headers=key)
    for place in (storage, caller.storage_url):
        client.get(f"{place}/trash", headers=key)
        client.post(f"{place}/folders/root/restore", headers=key)
        client.post(f"{place}/files/{file['id']}/restore", headers=key)
    client.get(f"{storage}/trash", headers=key, params={"page": "nonsense"})
    client.get(f"{version}x", headers=key)
    client.get(f"{version}/contents", headers={**key, "Range": "bytes=99-"})


def link(caller: Caller, client: httpx.Client, file: dict[str, Any]) -> None:
    """Public links, and what visitors do with them, with mistakes."""
    key, storage = caller.key_header, file["href"].partition("/files/")[0]
    links = f"{storage}/links"
    for resource in (file["href"], f"{storage}/folders/root"):
        client.get(f"{resource}/links", headers=key)
        own = client.post(f"{resource}/links", headers=key, json={"password": "secret", "expiration": "2100-01-01"})
        href = own.json().get("href", f"{resource}/links/none")
        client.get(f"{resource}/links", headers=key)
        client.patch(href, headers=key, json={"password": None, "downloadable": False})
        client.patch(href, headers=key, json={"expiration": "2000-01-01"})
        client.delete(href, headers=key)
        client.delete(href, headers=key)
    client.post(links, headers=key, json={"file_id": "nonsense"})
    body = {"file_id": file["id"], "direct": True, "password": "secret", "expiration": "2100-01-01"}
    made = client.post(links, headers=key, json=body).json()
    client.get(links, headers=key)
    client.get(links, headers=key, params={"ordering": "name"})
    client.get(made["href"], headers=key)
    page = {"Accept": "text/html"}
    for headers in ({}, page):
        for path in (made["url"], f"{made['url']}/download", "/l/nonsense"):
            client.get(path, headers=headers)
            client.head(path, headers=headers)
        client.post(made["url"], headers=headers, data={"password": "wrong"})
        client.post(made["url"], headers=headers, data={"password": "secret"})
    for headers in ({}, {"Prefer": "relay"}, {"Prefer": "relay", "Range": "bytes=0-1"}, {"If-Match": '"other"'}):
        client.get(made["url"], headers=headers)
        client.head(f"{made['url']}/download", headers=headers)
    client.patch(made["href"], headers=key, json={"active": False, "direct": False, "password": None})
    client.get(made["url"])
    client.patch(made["href"], headers=key, json={"active": True})
    client.get(made["url"])
    client.patch(made["href"], headers=key, json={"active": 7})
    client.delete(made["href"], headers=key)
    client.delete(made["href"], headers=key)


def manage(caller: Caller, client: httpx.Client) -> None:
    """What the developer does, up to the end of everything."""
    key, bearer, developer = caller.key_header, caller.bearer_header, caller.developer_header
    application = f"/v1/meta/applications/{caller.application_id}"
    me = "/v1/meta/developers/me"
    for path in ("/v1/meta/applications", application, f"{application}/apikeys", "/v1/meta/developers", me):
        client.get(path, headers=developer)
        client.get(path, headers=bearer)
    client.patch(me, headers=developer, json={"first_name": "Ada"})
    for name, body in (
        ("trusted_domains", {"domain": "example.com"}),
        ("redirect_uris", {"url": "https://example.com/"}),
        ("service_keys", {"service": "local", "client_id": "me", "client_secret": "secret"}),
    ):
        added = client.post(f"{application}/{name}", headers=developer, json=body).json()
        client.post(f"{application}/{name}", headers=developer, json=body)
        client.post(f"{application}/{name}", headers=developer, json={})
        client.get(f"{application}/{name}", headers=developer)
        client.get(added["href"], headers=developer)
        if name == "service_keys":
            client.patch(added["href"], headers=developer, json={"client_id": "you"})
        client.delete(added["href"], headers=developer)
        client.get(added["href"], headers=developer)
    client.patch(application, headers=developer, json={"name": "Another name"})
    added = client.post(f"{application}/apikeys", headers=developer).json()
    client.delete(f"{application}/apikeys/{added['key']}", headers=developer)
    client.post("/v1/meta/applications", headers=developer, json={"name": "One more"})
    last = client.get(caller.account_url, headers=key).headers["x-request-id"]
    for path in ("/v1/requests", f"/v1/requests/{last}", "/v1/requests?status=many", "/v1/requests/nonsense"):
        client.get(path, headers=key)
    client.get("/v1/oauth", params={"client_id": caller.application_id, "response_type": "token", "scope": "storage"})
    client.get("/v1/oauth", params={"client_id": caller.application_id, "response_type": "code"})
    client.post("/v1/oauth/token", data={"grant_type": "authorization_code", "code": "wrong"})
    client.post("/v1/oauth/token", data={"grant_type": "authorization_code", "code": "wrong"}, headers=key)
    client.delete("/v1/oauth/token", headers=bearer)
    client.post("/v1/accounts", headers=key, json={"account": "a", "service": "unheard of"})
    client.delete(caller.account_url, headers=key)
    client.delete(application, headers=developer)
    for path in ("/health", "/ready", "/v1/public/services"):
        client.get(path)
    client.get("/v1/public/services/local?retrieve_properties=true")
    client.get("/v1/public/services/nonsense")


def find_operation(operations: Iterable[tuple[str, str]], method: str, path: str) -> tuple[str, str]:
    """The documented operation; one without a parameter in its path before one that has it there."""
    for documented_method, template in sorted(operations, key=lambda entry: entry[1].count("{")):
        if method == documented_method and re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", template), path):
            return documented_method, template
    raise LookupError(f"{method} {path} is not documented")


def test_replies_are_as_documented(
    caller: Caller, document: dict[str, Any], operations: dict[tuple[str, str], dict[str, Any]]
) -> None:
    recorder = Recorder()
    with caller.client() as client:
        file = connect_sharing(caller, client).upload("a.txt", b"bytes")
    with httpx.Client(base_url=caller.api.base_url, transport=recorder) as client:
        live(caller, client)
        run_tasks(caller, client)
        look_closer(caller, client)
        share(caller, client, file)
        link(caller, client, file)
        manage(caller, client)
    asked = set()
    for method, path, reply in recorder.seen:
        where = find_operation(operations, method, path)
        asked.add(where)
        documented = operations[where]["responses"].get(str(reply.status_code))
        assert documented is not None, (method, path, reply.status_code, reply.text)
        content = documented.get("content", {})
        if reply.content and reply.headers["content-type"] == "application/json":
            schema = {**content["application/json"]["schema"], "components": document["components"]}
            errors = OAS31Validator(schema, format_checker=oas31_format_checker).iter_errors(reply.json())
            assert [error.message for error in errors] == [], (method, path, reply.text)
        elif reply.content:
            kind = reply.headers["content-type"].partition(";")[0]
            assert {kind, "application/octet-stream"} & set(content) or reply.is_error, (method, path, kind)
    assert asked == set(operations)


def test_schemas_would_notice_a_missing_field(document: dict[str, Any]) -> None:
    schema = {"$ref": "#/components/schemas/QuotaReply", "components": document["components"]}
    body = {"type": "quota", "api": "storage", "total": 1, "used": 1, "remaining": None, "href": "http://x"}
    assert OAS31Validator(schema).is_valid(body)
    assert not OAS31Validator(schema).is_valid({name: body[name] for name in body if name != "type"})
    assert not OAS31Validator(schema).is_valid(body | {"used": "1"})


class AddressParser(HTMLParser):
    """Collects every address that a page loads something from."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:  # noqa: ARG002 - any tag
        self.addresses += [value or "" for name, value in attributes if name in {"src", "href"}]


def test_docs_page_and_all_it_loads_come_from_this_server(api: Api) -> None:
    with api.client() as client:
        page = client.get("/docs")
        assert page.headers["content-type"].startswith("text/html")
        parser = AddressParser()
        parser.feed(page.text)
        types = {}
        for address in parser.addresses:
            assert re.match(r"/[^/]", address), address
            reply = client.get(address)
            assert reply.status_code == 200, address
            types[address.rpartition(".")[2]] = reply.headers["content-type"].partition(";")[0]
    assert not re.search(r"https?:|//\w", page.text)
    assert types == {"css": "text/css", "js": "text/javascript", "png": "image/png"}
    settings = dict(re.findall(r'"?(\w+)"?: (.+),\n', page.text))
    assert json.loads(settings["validatorUrl"]) is None
    assert "'/openapi.json'" in settings["url"]
