from __future__ import annotations

import json
import re
from urllib.parse import quote

import httpx
import pytest

from tests.app.drive import Drive, read_error, read_json
from tests.app.edge.wire import Wire
from tests.servers.api import Api


@pytest.mark.parametrize(
    "path",
    [
        "/v1/accounts/{id}/storage/folders/root/contents",
        "/v1/accounts/{id}/storage/folders/root/contents/",
        "//v1//accounts///{id}/storage//folders/root//contents//",
        "/v1/accounts/{id}/storage/folders/%72oot/contents",
        "/%76%31/accounts/{id}/storage/folders/root/contents",
    ],
)
def test_every_spelling_of_a_path_is_answered_without_a_redirect(drive: Drive, wire: Wire, path: str) -> None:
    wire.ask("GET", path.format(id=drive.caller.account_id), drive.caller.key_header)
    reply = wire.read()
    assert reply.status == 200
    assert b'"type":"object_list"' in reply.body


def test_percent_encoded_and_plain_ids_are_the_same(drive: Drive) -> None:
    file = drive.upload("a.txt", b"12")
    spelled = "".join(f"%{ord(character):02x}" for character in file["id"])
    for file_id in (quote(file["id"], safe=""), spelled, f"{file['id']}%3D%3D", f"{file['id']}=="):
        assert read_json(drive.client.get(drive.url(f"files/{file_id}/")))["id"] == file["id"]
        assert drive.client.get(drive.url(f"files/{file_id}//contents/")).content == b"12"


def test_slash_inside_an_id_does_not_become_another_path(drive: Drive, wire: Wire) -> None:
    file = drive.upload("a.txt")
    for part in (f"{file['id']}%2Fcontents", "root%2fcontents", "%252e%252e", "..%2f..", "%2E%2E", "%00", "%ff", "%"):
        wire.ask("GET", drive.url(f"files/{part}"), drive.caller.key_header)
        reply = wire.read()
        assert reply.status == 404, part
        assert b'"error_code":"not_found"' in reply.body


def test_letters_that_are_not_encoded_are_read_however_the_request_is_cut(drive: Drive, wire: Wire) -> None:
    drive.create_folder("Ämter")
    request = wire.build("GET", drive.url("path?path=/Ämter".encode().decode("latin-1")), drive.caller.key_header)
    for size in range(1, request.index(b"HTTP"), 7):
        wire.send(request[:size])
        wire.send(request[size:])
        assert json.loads(wire.read().body)["name"] == "Ämter"


def test_letters_in_headers_stay_as_they_are_when_those_of_the_path_are_encoded(drive: Drive, wire: Wire) -> None:
    metadata = json.dumps({"name": "für.txt", "parent_id": "root"}, ensure_ascii=False)
    headers = {**drive.caller.key_header, "X-Kloudless-Metadata": metadata, "Content-Length": "5"}
    request = wire.build("POST", drive.url("files?x=ü"), headers, "bütes".encode("latin-1"))
    head_end = request.index(b"\r\n\r\n") + 4
    pipelined = wire.build("GET", drive.url("quota"), drive.caller.key_header)
    for pieces in ([request], [request[:head_end], request[head_end:]], [request[:50], request[50:] + pipelined]):
        for piece in pieces:
            wire.send(piece)
        stored = json.loads(wire.read().body)
        assert stored["name"].startswith("für")
        assert drive.read(stored["id"]) == "bütes".encode("latin-1")
    assert wire.read().status == 200


def test_dots_in_a_path_lead_nowhere(drive: Drive, wire: Wire) -> None:
    wire.ask("GET", f"/v1/accounts/{drive.caller.account_id}/../../openapi.json", drive.caller.key_header)
    assert wire.read().status == 404


def test_unknown_paths_are_404_and_wrong_methods_405(drive: Drive) -> None:
    for path in ("/v1", "/v1/unknown", "/v2/accounts", "/v1/accounts/1/storage/unknown", "/openapi.json/x", "/%2F"):
        assert read_error(drive.client.get(path)) == (404, "not_found")
    for method, path, allowed in (
        ("PUT", "/v1/accounts", "GET, POST"),
        ("DELETE", drive.url("quota"), "GET"),
        ("POST", drive.url("files/x"), "DELETE, GET, PATCH, PUT"),
        ("OPTIONS", drive.url("files/x"), "DELETE, GET, PATCH, PUT"),
        ("OPTIONS", drive.url("files/upload_url"), "POST"),
        ("POST", "/openapi.json", "GET, HEAD"),
    ):
        refused = drive.client.request(method, path)
        assert read_error(refused) == (405, "method_not_allowed")
        assert set(refused.headers["allow"].split(", ")) == set(allowed.split(", "))


def test_older_spelling_of_the_applications_is_answered(drive: Drive) -> None:
    with drive.caller.client(drive.caller.developer_header) as client:
        old, new = (read_json(client.get(path)) for path in ("/v1/applications/", "/v1/meta/applications"))
    assert old["objects"]
    assert [entry["id"] for entry in old["objects"]] == [entry["id"] for entry in new["objects"]]


def test_preflight_is_answered_on_every_route_without_credentials(api: Api) -> None:
    wanted = "authorization,content-type,x-kloudless-source,x-kloudless-metadata"
    with api.client() as client:
        paths = client.get("/openapi.json").json()["paths"]
        assert len(paths) > 15
        for path, methods in paths.items():
            concrete = re.sub(r"\{\w+\}", "1", path)
            for method in methods:
                headers = {
                    "Origin": "https://app.example.com",
                    "Access-Control-Request-Method": method.upper(),
                    "Access-Control-Request-Headers": wanted,
                }
                reply = client.options(f"{concrete}/", headers=headers)
                assert (reply.status_code, reply.content) == (200, b"")
                assert reply.headers["access-control-allow-origin"] == "*"
                assert reply.headers["access-control-allow-headers"] == wanted
                assert method.upper() in reply.headers["access-control-allow-methods"]


def test_preflight_without_wanted_headers_allows_all(api: Api) -> None:
    with api.client() as client:
        reply = client.options("/v1/accounts", headers={"Access-Control-Request-Method": "GET"})
        plain = client.options("/v1/accounts")
    assert (reply.status_code, reply.headers["access-control-allow-headers"]) == (200, "*")
    assert read_error(plain) == (405, "method_not_allowed")


def test_errors_carry_cors_headers_and_the_request_id(api: Api) -> None:
    with api.client() as client:
        replies: list[httpx.Response] = [client.get("/v1/accounts"), client.get("/v1/accounts")]
    assert [read_error(reply) for reply in replies] == [(401, "authentication_required")] * 2
    assert replies[0].headers["x-request-id"] != replies[1].headers["x-request-id"]
    assert "Retry-After" in replies[0].headers["access-control-expose-headers"]
    assert replies[0].headers["www-authenticate"]


def test_good_replies_carry_the_request_id_too(api: Api) -> None:
    with api.client() as client:
        reply = client.get("/health")
    assert reply.headers["content-type"] == "application/json"
    assert re.fullmatch(r"[0-9a-f-]{36}", reply.headers["x-request-id"])


@pytest.mark.parametrize("path", ["/health", "/ready", "/docs", "/openapi.json"])
def test_public_pages_answer_with_and_without_a_slash(api: Api, path: str) -> None:
    with api.client() as client:
        assert client.get(path).status_code == client.get(f"{path}/").status_code == 200


def test_start_page_leads_to_the_documentation(api: Api) -> None:
    with api.client() as client:
        reply = client.get("/")
    assert (reply.status_code, reply.headers["location"]) == (307, "/docs")
