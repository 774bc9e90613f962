"""Somebody connects each storage that is connected by consent, works on it, loses the access, and leaves."""

from __future__ import annotations

import secrets
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from tests.servers.api import Api, build_settings, running_api
from tests.servers.sandbox import SERVICES, build_connectors, running_sandbox

REDIRECT_URI = "https://app.example.com/back"


def connect(api: Api, caller_id: str, api_key: str, service: str) -> int:
    """The account's number, from the application's link over the provider's page to the token."""
    with api.client({"Accept": "text/html"}) as browser:
        given = {"client_id": caller_id, "response_type": "code", "redirect_uri": REDIRECT_URI, "scope": service}
        reply = browser.get("/v1/oauth", params=given)
        page = browser.get(reply.headers["location"]).headers["location"]
        with httpx.Client(trust_env=False, timeout=60) as provider:
            assert provider.get(page).status_code == 200
            back = provider.post(page, data={"user": "1", "decision": "allow"}).headers["location"]
        reply = browser.get(back)
        code = parse_qs(urlsplit(reply.headers["location"]).query)["code"][0]
        fields = {"grant_type": "authorization_code", "code": code, "redirect_uri": REDIRECT_URI}
        token = browser.post("/v1/oauth/token", data=fields | {"client_id": caller_id, "client_secret": api_key})
    assert token.status_code == 200, token.text
    return int(token.json()["account_id"])


@pytest.mark.parametrize("service", SERVICES)
def test_person_connects_works_loses_access_connects_again_and_leaves(tmp_path: Path, service: str) -> None:
    with running_sandbox() as sandbox:
        grants = sandbox[service].place.world.grants
        connectors = build_settings(tmp_path).connectors | build_connectors(sandbox)
        settings = build_settings(tmp_path, connectors=connectors)
        with running_api(settings) as api:
            caller = api.create_caller()
            application = f"/v1/meta/applications/{caller.application_id}"
            with api.client(caller.developer_header) as developer:
                assert developer.post(f"{application}/redirect_uris", json={"url": REDIRECT_URI}).status_code == 201
            with caller.client() as client:
                number = connect(api, caller.application_id, caller.api_key, service)
                storage = f"/v1/accounts/{number}/storage"
                content = secrets.token_bytes(1000)
                headers = {"X-Kloudless-Metadata": '{"parent_id": "root", "name": "a.bin"}'}
                file = client.post(f"{storage}/files", content=content, headers=headers).json()
                tokens = client.get(f"/v1/accounts/{number}", params={"retrieve_tokens": "true"}).json()
                grants.expire(tokens["token"])
                assert client.get(f"{storage}/files/{file['id']}/contents").content == content
                assert grants.refresh_count == 1
                grants.revoke_user(1)
                lost = client.get(f"{storage}/files/{file['id']}")
                assert (lost.status_code, lost.json()["error_code"]) == (401, "service_unauthorized")
                assert client.get(f"/v1/accounts/{number}").json()["reconnect"] is True
                assert connect(api, caller.application_id, caller.api_key, service) == number
                assert client.get(f"{storage}/files/{file['id']}").json()["name"] == "a.bin"
                tokens = client.get(f"/v1/accounts/{number}", params={"retrieve_tokens": "true"}).json()
                assert client.delete(f"/v1/accounts/{number}").status_code == 204
                grant = grants.find_grant(tokens["refresh_token"])
                assert grant is not None
                assert grant.is_revoked
