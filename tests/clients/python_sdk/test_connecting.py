"""The SDK sends somebody to connect an account, and opens it with what comes back."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlsplit

import httpx
import kloudless
import pytest
from kloudless.application import get_authorization_url, get_token_from_code, verify_token
from kloudless.exceptions import OauthFlowFailed

from tests.servers.api import ROOT, Caller

REDIRECT_URI = "https://app.example.com/back"


def follow(caller: Caller, url: str, *, action: str, **values: str) -> dict[str, str]:
    """What somebody does in a browser, and the parameters with which he is sent back."""
    with caller.api.client({"Accept": "text/html"}) as browser:
        form = browser.get(url).headers["location"]
        path = form if action == "submit" else f"{form.partition('/services/')[0]}/cancel"
        reply = browser.post(path, data=values)
    assert reply.status_code == 303, reply.text
    location = reply.headers["location"]
    assert location.startswith(REDIRECT_URI)
    return dict(parse_qsl(urlsplit(location).query))


@pytest.fixture
def local_application(local_caller: Caller) -> Caller:
    """With a redirect URI."""
    with httpx.Client(base_url=local_caller.api.base_url, headers=local_caller.developer_header) as developer:
        path = f"/v1/meta/applications/{local_caller.application_id}/redirect_uris"
        assert developer.post(path, json={"url": REDIRECT_URI}).status_code == 201
    return local_caller


def test_account_opens_when_somebody_has_connected_it(local_application: Caller) -> None:
    caller = local_application
    url, state = get_authorization_url(
        caller.application_id, REDIRECT_URI, scope="local", extra_data={"folder": caller.folder.name}
    )
    back = follow(caller, url, action="submit", root=ROOT, folder=caller.folder.name)
    token = get_token_from_code(caller.application_id, caller.api_key, state, REDIRECT_URI, **back)
    assert verify_token(caller.application_id, token)["account_id"] == caller.account_id
    with kloudless.Account(token=token) as account:
        assert account.get("storage/folders/root/contents").get_paging_iterator() is not None


def test_sdk_says_why_when_somebody_cancels(local_application: Caller) -> None:
    caller = local_application
    url, state = get_authorization_url(caller.application_id, REDIRECT_URI, scope="local")
    back = follow(caller, url, action="cancel")
    with pytest.raises(OauthFlowFailed, match="access_denied: The account was not connected"):
        get_token_from_code(caller.application_id, caller.api_key, state, REDIRECT_URI, **back)
