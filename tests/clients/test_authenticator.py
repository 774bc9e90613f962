"""The official @kloudless/authenticator 1.3.0, unchanged, on a page in a real browser: a click, a popup, an account."""

from __future__ import annotations

import subprocess
import tarfile
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Browser, Page

from simulators.core.users import SAMPLE_USERS
from tests.servers.api import ROOT, Api, Caller
from tests.servers.browser import ACTION_SECONDS_MAX, running_browser
from tests.servers.missing import ServerMissingError
from tests.servers.packages import REASON_CHARACTERS_MAX, find_program
from tests.servers.sandbox import SERVICES

pytestmark = pytest.mark.timeout(600)  # a browser may have to be installed first

PACKAGE = "@kloudless/authenticator@1.3.0"
INSTALL_SECONDS_MAX = 100.0
PAGE = """<!doctype html><title>An application</title><button id="connect">Connect</button>
<script src="kloudless-authenticator.js"></script>
<script>
  const query = new URLSearchParams(location.search);
  Kloudless.auth.setGlobalOptions({ baseUrl: query.get("api") });
  Kloudless.auth.authenticator(
    document.getElementById("connect"),
    { client_id: query.get("app"), scope: query.get("scope"), form_data: { root: "prefilled" } },
    (result) => { window.result = result; },
  );
</script>
"""


class QuietHandler(SimpleHTTPRequestHandler):
    """Serves a folder and says nothing."""

    def log_message(self, *_: object) -> None:
        return


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The application's page, at an origin of its own."""
    folder = tmp_path_factory.mktemp("site")
    npm = find_program("Node", "npm", package="npm")
    done = subprocess.run(
        [npm, "pack", "--silent", "--fetch-retries=5", PACKAGE],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=INSTALL_SECONDS_MAX,
        check=False,
    )
    if done.returncode:
        raise ServerMissingError(PACKAGE, done.stderr.strip()[-REASON_CHARACTERS_MAX:])
    (archive,) = folder.glob("*.tgz")
    with tarfile.open(archive) as opened:
        script = opened.extractfile("package/build/kloudless-authenticator.js")
        assert script is not None
        (folder / "kloudless-authenticator.js").write_bytes(script.read())
    (folder / "index.html").write_text(PAGE)
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(QuietHandler, directory=folder))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with running_browser() as opened:
        yield opened


@pytest.fixture
def caller(api: Api) -> Caller:
    """How accounts are connected does not depend on their storage."""
    return api.create_caller()


@pytest.fixture
def page(request: pytest.FixtureRequest, browser: Browser, caller: Caller, site: str) -> Iterator[Page]:
    """The application's page, whose host the application trusts; it asks for the service that is the parameter."""
    service = getattr(request, "param", "local")
    with caller.api.client(caller.developer_header) as developer:
        path = f"/v1/meta/applications/{caller.application_id}/trusted_domains"
        assert developer.post(path, json={"domain": site}).status_code == 201
    context = browser.new_context()
    context.set_default_timeout(ACTION_SECONDS_MAX * 1000)
    opened = context.new_page()
    scope = f"{service}:normal.storage {service}:normal.basic"
    opened.goto(f"{site}/?api={caller.api.base_url}&app={caller.application_id}&scope={scope}")
    yield opened
    context.close()


def open_popup(page: Page) -> Page:
    """Clicks the application's button; the window that opens."""
    with page.expect_popup() as popup:
        page.click("#connect")
    return popup.value


def read_result(page: Page) -> dict[str, Any]:
    """What the application's callback got, once the popup is closed."""
    page.wait_for_function("window.result !== undefined")
    result: dict[str, Any] = page.evaluate("window.result")
    return result


def test_application_gets_the_account_when_somebody_connects_it(page: Page, caller: Caller) -> None:
    popup = open_popup(page)
    assert popup.input_value("#root") == "prefilled"
    popup.fill("#root", "a folder that is not there")
    popup.click("text=Connect >> nth=-1")
    popup.wait_for_selector("[role=alert]")
    popup.fill("#root", ROOT)
    popup.fill("#folder", caller.folder.name)
    with popup.expect_event("close"):
        popup.click("button.button")
    result = read_result(page)
    assert result["account"]["id"] == caller.account_id
    assert (result["token_type"], result["service"]) == ("Bearer", "local")
    with caller.client({"Authorization": f"Bearer {result['access_token']}"}) as client:
        assert client.get("/v1/accounts/me/storage/folders/root/contents").status_code == 200


@pytest.mark.parametrize("page", SERVICES, indirect=True)
def test_application_gets_the_account_when_somebody_consents_in_the_popup(page: Page, caller: Caller) -> None:
    popup = open_popup(page)
    popup.select_option("select", "2")
    with popup.expect_event("close"):
        popup.click("#allow")
    result = read_result(page)
    assert (result["account"]["service"], result["account"]["account"]) == (result["service"], SAMPLE_USERS[1].email)
    with caller.client({"Authorization": f"Bearer {result['access_token']}"}) as client:
        assert client.get("/v1/accounts/me/storage/folders/root/contents").status_code == 200


@pytest.mark.parametrize("page", SERVICES, indirect=True)
def test_application_hears_of_it_when_somebody_refuses_in_the_popup(page: Page) -> None:
    popup = open_popup(page)
    with popup.expect_event("close"):
        popup.click("#deny")
    assert read_result(page)["error"] == "access_denied"


def test_application_hears_of_it_when_somebody_cancels(page: Page) -> None:
    popup = open_popup(page)
    with popup.expect_event("close"):
        popup.click("text=Cancel")
    assert read_result(page)["error"] == "access_denied"


def test_nothing_is_told_when_page_is_not_trusted(page: Page, caller: Caller) -> None:
    with caller.api.client(caller.developer_header) as developer:
        path = f"/v1/meta/applications/{caller.application_id}/trusted_domains"
        (domain,) = developer.get(path).json()["objects"]
        assert developer.delete(domain["href"]).status_code == 204
    popup = open_popup(page)
    popup.wait_for_selector("text=is not among the application's trusted domains")
    assert page.evaluate("window.result") is None


def test_only_the_page_that_is_named_is_told_when_another_one_has_opened_the_window(
    page: Page, caller: Caller, site: str
) -> None:
    page.goto(site.replace("127.0.0.1", "localhost"))
    page.evaluate("window.heard = []; addEventListener('message', (event) => heard.push(event.data))")
    asked = {"client_id": caller.application_id, "response_type": "token", "scope": "local", "origin": site}
    with page.expect_popup() as opened:
        page.evaluate("(url) => { open(url); }", f"{caller.api.base_url}/v1/oauth?{urlencode(asked)}")
    popup = opened.value
    popup.fill("#root", ROOT)
    popup.fill("#folder", caller.folder.name)
    popup.click("button.button")
    popup.wait_for_selector("#message")
    assert "access_token" in str(popup.get_attribute("#message", "data-message"))
    assert page.evaluate("heard") == []
