"""Somebody at a real browser connects an account by clicking, over a page of the provider on a site of its own."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from playwright.sync_api import Browser, Page
from starlette.responses import PlainTextResponse

from simulators.core.faults import Fault, FaultKind, Rule
from simulators.core.users import SAMPLE_USERS
from tests.servers.api import Api, Caller, build_settings, running_api
from tests.servers.asgi import serving
from tests.servers.browser import ACTION_SECONDS_MAX, running_browser
from tests.servers.missing import skipping_when_missing
from tests.servers.sandbox import SERVICES, SHARED_SANDBOX, Judged, build_connectors
from tests.servers.secrecy import mark

pytestmark = pytest.mark.timeout(600)  # a browser may have to be installed first

OUT_OF_BAND = "urn:ietf:wg:oauth:2.0:oob"
USER = SAMPLE_USERS[2]  # of no team, so that the top folder is the user's own


@dataclass(frozen=True)
class Visitor:
    """Somebody whom an application sends to connect an account, in a browser that knows nothing yet."""

    caller: Caller
    page: Page
    back_url: str

    def open_consent(self, service: str, **params: str) -> None:
        """From the application's link over the choice of services to the provider's page."""
        asked = {"client_id": self.caller.application_id, "response_type": "code", "scope": "all", "state": "a b"}
        query = urlencode({**asked, "redirect_uri": self.back_url, **params})
        self.page.goto(f"{self.caller.api.base_url}/v1/oauth?{query}")
        self.page.click(f'a[href$="/services/{service}"]')
        assert self.page.url.startswith("http://localhost:")

    def answer(self, button: str) -> dict[str, str]:
        """What the application is told at its address in the end."""
        self.page.select_option("select", str(USER.number))
        self.page.click(button)
        self.page.wait_for_url(f"{self.back_url}?*")
        return dict(parse_qsl(urlsplit(self.page.url).query))


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with skipping_when_missing(), running_browser() as opened:
        yield opened


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """Pages of consent are on another site than ours, so that cookies come only as with somebody who comes back."""
    folder, told = tmp_path_factory.mktemp("consenting"), build_connectors(SHARED_SANDBOX.get())
    for setting in told.values():
        setting["authorize_url"] = setting["authorize_url"].replace("127.0.0.1", "localhost")
    settings = build_settings(folder, connectors=build_settings(folder).connectors | told)
    with running_api(settings) as running:
        yield running


@pytest.fixture
def visitor(api: Api, browser: Browser) -> Iterator[Visitor]:
    caller = api.create_caller()
    with serving(PlainTextResponse("You are back.")) as url, caller.api.client(caller.developer_header) as developer:
        path = f"/v1/meta/applications/{caller.application_id}/redirect_uris"
        assert developer.post(path, json={"url": f"{url}/back"}).status_code == 201
        context = browser.new_context()
        context.set_default_timeout(ACTION_SECONDS_MAX * 1000)
        yield Visitor(caller, context.new_page(), f"{url}/back")
        context.close()


@pytest.fixture(params=SERVICES)
def provider(request: pytest.FixtureRequest) -> Iterator[Judged]:
    judged = SHARED_SANDBOX.get()[request.param]
    yield judged
    judged.place.world.faults.clear()
    problems = judged.problems.copy()
    judged.problems.clear()
    assert not problems, problems


def test_files_are_there_when_somebody_clicks_through_all_pages(visitor: Visitor, provider: Judged) -> None:
    service, api = provider.place.simulator.service, visitor.caller.api
    visitor.open_consent(service)
    back = visitor.answer("#allow")
    assert back["state"] == "a b"
    fields = {"grant_type": "authorization_code", "code": back["code"], "redirect_uri": visitor.back_url}
    key = {"client_id": visitor.caller.application_id, "client_secret": visitor.caller.api_key}
    with api.client({}) as client:
        token = mark(client.post("/v1/oauth/token", data=fields | key).json()["access_token"])
    with api.client({"Authorization": f"Bearer {token}"}) as client:
        account = client.get("/v1/accounts/me").json()
        assert (account["service"], account["account"]) == (service, USER.email)
        content, name = secrets.token_bytes(1000), f"{secrets.token_hex(4)}.bin"
        headers = {"X-Kloudless-Metadata": f'{{"parent_id": "root", "name": "{name}"}}'}
        file = client.post("/v1/accounts/me/storage/files", content=content, headers=headers)
        assert file.status_code == 201, file.text
        assert client.get(f"{file.json()['href']}/contents").content == content


def test_application_hears_of_it_when_somebody_says_no(visitor: Visitor, provider: Judged) -> None:
    visitor.open_consent(provider.place.simulator.service)
    back = visitor.answer("#deny")
    assert (back["error"], back["state"]) == ("access_denied", "a b")
    assert "refused" in back["error_description"]


def test_application_hears_of_it_when_the_provider_fails_after_the_consent(visitor: Visitor, provider: Judged) -> None:
    visitor.open_consent(provider.place.simulator.service)
    token_path = provider.place.simulator.token_path
    provider.place.world.faults.add(Rule(fault=Fault(kind=FaultKind.UNAVAILABLE), path=f"^{token_path}$"))
    assert visitor.answer("#allow")["error"] == "temporarily_unavailable"


def test_token_stands_on_the_last_page_when_there_is_no_address_to_go_back_to(visitor: Visitor) -> None:
    visitor.open_consent(SERVICES[0], response_type="token", redirect_uri=OUT_OF_BAND)
    visitor.page.click("#allow")
    visitor.page.wait_for_url(f"{visitor.caller.api.base_url}/v1/oauth/callback?*")
    shown = mark(visitor.page.input_value("input"))
    with visitor.caller.api.client({"Authorization": f"Bearer {shown}"}) as client:
        account = client.get("/v1/accounts/me").json()
    assert (account["service"], account["account"]) == (SERVICES[0], SAMPLE_USERS[0].email)
    assert f"account {account['id']}, {account['account']}" in visitor.page.inner_text("body")
