"""Somebody at a real browser connects an account by clicking, over a page of the provider on a site of its own."""

from __future__ import annotations

from pathlib import Path

from connectors.core.service import Registry
from tests.app.consenting import SERVICE, build_service
from tests.servers.api import build_settings, running_api
from tests.servers.browser import ACTION_SECONDS_MAX, running_browser
from tests.servers.dropbox import running_place
from tests.servers.secrecy import mark

OUT_OF_BAND = "urn:ietf:wg:oauth:2.0:oob"


def test_token_stands_on_the_last_page_when_somebody_clicks_through_all_of_them(tmp_path: Path) -> None:
    with running_place() as place:
        # Another site than ours, so that the browser sends our cookie only as it does to somebody who comes back.
        service = build_service(place.url, pages_url=place.url.replace("127.0.0.1", "localhost"))
        settings = build_settings(tmp_path)
        registry = Registry([service, build_service(place.url, name="another")])
        with running_api(settings, registry=registry) as api, running_browser() as browser:
            token, refresh_token = place.issue(2)
            body = {"service": SERVICE, "token": token, "refresh_token": refresh_token}
            caller = api.create_caller(lambda _api, _name: body)
            page = browser.new_context().new_page()
            page.set_default_timeout(ACTION_SECONDS_MAX * 1000)
            query = f"client_id={caller.application_id}&response_type=token&redirect_uri={OUT_OF_BAND}&scope=all"
            page.goto(f"{api.base_url}/v1/oauth?{query}")
            page.click(f'a[href$="/services/{SERVICE}"]')
            assert page.url.startswith("http://localhost:")
            page.click("#allow")
            page.wait_for_url(f"{api.base_url}/v1/oauth/callback?*")
            shown = mark(page.input_value("input"))
            with api.client({"Authorization": f"Bearer {shown}"}) as client:
                account = client.get("/v1/accounts/me").json()
            assert (account["service"], account["account"]) == (SERVICE, place.get_user(1).email)
