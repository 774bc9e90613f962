"""What a server writes to its log: lines that lead from an error's id to its cause, and never a secret."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.servers.process import running_server
from tests.servers.secrecy import GREETING

SECRETS = ("wrong-key-s3cret", "query-s3cret", "basic-s3cret", "body-s3cret", "link-s3cret", "guess-s3cret")


@dataclass(frozen=True)
class Logged:
    """Requests that were made, in order, and what the server wrote about them."""

    answers: dict[str, httpx.Response]
    text: str
    secrets: tuple[str, ...]

    @property
    def lines(self) -> list[dict[str, Any]]:
        """The lines of a JSON log."""
        return [json.loads(line) for line in self.text.splitlines()]


@pytest.fixture(scope="module", params=["json", "text"])
def logged(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Logged:
    data: Path = tmp_path_factory.mktemp("logging") / "data"
    variables = {
        "KLOUDLESS_LOG_LEVEL": "debug",
        "KLOUDLESS_LOG_FORMAT": request.param,
        "KLOUDLESS_ACCOUNT_CACHE_SECONDS_MAX": "0",
    }
    with running_server(data, **variables) as server, server.client() as client:
        demo = json.loads((data / "demo.json").read_text())
        as_developer = {"Authorization": f"Bearer {demo['developer_token']}"}
        root = f"{server.storage_url}/folders/root"
        answers = {
            "good": client.get(f"{root}/contents", params={"page_size": 1, "anything": "query-s3cret"}),
            "missing": client.get(f"{server.storage_url}/path", params={"path": "/query-s3cret"}),
            "wrong key": client.get("/v1/accounts", headers={"Authorization": "APIKey wrong-key-s3cret"}),
            "wrong scheme": client.get("/v1/accounts", headers={"Authorization": "Basic basic-s3cret"}),
            "bad body": client.post("/v1/accounts", json={"token": "body-s3cret", "service": ["body-s3cret"]}),
            "no route": client.get("/v1/query-s3cret"),
            "key": client.post(f"/v1/meta/applications/{demo['application_id']}/apikeys", headers=as_developer),
            "token": client.post(f"/v1/accounts/{server.account_id}/tokens"),
        }
        file = client.get(f"{server.storage_url}/path", params={"path": "/Welcome.md"}).json()
        body = {"file_id": file["id"], "password": "link-s3cret"}
        answers["link"] = client.post(f"{server.storage_url}/links", json=body)
        address = answers["link"].json()["url"]
        answers["link form"] = client.get(address)
        answers["link guess"] = client.post(address, data={"password": "guess-s3cret"})
        answers["link open"] = client.post(address, data={"password": "link-s3cret"})
        answers["link bytes"] = client.get(f"{address}/download")
        answers["link to nothing"] = client.get("/l/link-s3cret")
        with closing(sqlite3.connect(data / "kloudless.db")) as database, database:
            database.execute("UPDATE accounts SET sealed_credentials = '1.00000000.AAAA'")
        answers["crash"] = client.get(root)
        server.stop()
    made = (
        answers["key"].json()["key"],
        answers["token"].json()["access_token"],
        answers["link"].json()["url"].rpartition("/")[2],
        answers["link open"].cookies["kloudless_link"],
    )
    given = (demo["api_key"], demo["developer_token"], server.bearer_token)
    keys = json.loads((data / "keys.json").read_text())
    own = (keys["id_key"], *(key["key"] for key in keys["sealing_keys"]))
    written = (data.parent / "data.log").read_text()  # the log, and what was said to people, which shows the key
    text = GREETING.sub("", written)
    return Logged(answers, text, (*SECRETS, *given, *made, *own))


def test_requests_end_as_they_should(logged: Logged) -> None:
    statuses = {what: answer.status_code for what, answer in logged.answers.items()}
    assert statuses == {
        "good": 200,
        "missing": 404,
        "wrong key": 401,
        "wrong scheme": 401,
        "bad body": 400,
        "no route": 404,
        "key": 201,
        "token": 201,
        "link": 201,
        "link form": 200,
        "link guess": 403,
        "link open": 303,
        "link bytes": 200,
        "link to nothing": 404,
        "crash": 500,
    }
    assert logged.answers["crash"].json()["error_code"] == "internal_error"


def test_every_answer_carries_its_id_and_errors_repeat_it(logged: Logged) -> None:
    ids = [answer.headers["x-request-id"] for answer in logged.answers.values()]
    assert len(set(ids)) == len(ids)
    for answer in logged.answers.values():
        if answer.is_error:
            assert answer.json()["id"] == answer.headers["x-request-id"]
        assert answer.headers["x-request-id"] in logged.text


def test_no_secret_and_no_query_is_ever_written(logged: Logged) -> None:
    assert [secret for secret in logged.secrets if secret in logged.text] == []


def test_cause_of_a_crash_is_written_without_the_values_of_variables(logged: Logged) -> None:
    assert "Traceback (most recent call last)" in logged.text
    assert "the sealing key 00000000 is missing" in logged.text
    assert "│" not in logged.text  # the frame that would hold them
    assert "purpose =" not in logged.text


def test_each_line_is_an_object_with_the_request_it_belongs_to(logged: Logged, request: pytest.FixtureRequest) -> None:
    if "text" in request.node.name:
        with pytest.raises(json.JSONDecodeError):
            json.loads(logged.text.splitlines()[0])
        return
    for answer in logged.answers.values():
        own = [line for line in logged.lines if line.get("request_id") == answer.headers["x-request-id"]]
        (line,) = (line for line in own if line["event"] == "request")
        assert (line["method"], line["status"]) == (answer.request.method, answer.status_code)
        assert {"timestamp", "level", "logger", "route", "seconds"} <= set(line)
        assert line["route"] is None or "{" in line["route"] or line["route"] == answer.request.url.path
    (crash,) = (line for line in logged.lines if line["event"] == "request failed")
    assert crash["request_id"] == logged.answers["crash"].json()["id"]
    assert crash["level"] == "error"
    assert "KeysError" in crash["exception"]
