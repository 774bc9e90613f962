"""Every route of the document is made to fail in every way that the document names."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from structlog.testing import capture_logs

from app.core.clock import now
from app.core.errors import CODE_OF_KIND, ApiError, ErrorCode
from app.core.state import build_registry_from
from app.models import Task
from connectors.core.errors import ConnectorError
from connectors.core.service import Registry
from tests.app.provoking import FATAL, NOBODY, Prey, build_prey, check_error, database_failing, refusing
from tests.app.sharing import SERVICE
from tests.app.walking import Operation
from tests.servers.api import Api, Caller, build_settings, running_api

on_one_database = pytest.mark.parametrize("api", ["sqlite"], indirect=True)

ELSEWHERE = {
    ErrorCode.REQUEST_TIMEOUT: "tests/app/edge/test_slow.py",
    ErrorCode.CONFLICT: "tests/app/idempotency, tests/app/uploads",
    ErrorCode.IDEMPOTENCY_MISMATCH: "tests/app/idempotency",
    ErrorCode.INVALID_PARAMETERS: "the tests of each parameter",
    ErrorCode.REQUEST_FAILED: "the tests of what each route refuses",
}
"""Needs more than one request, or another one for each route."""

ELSEWHERE_BY_ROUTE = {
    (f"{method} /l/{{token}}{rest}", code.code): "tests/app/links"
    for method, rest in (("GET", ""), ("HEAD", ""), ("POST", ""), ("GET", "/download"), ("HEAD", "/download"))
    for code in (
        ErrorCode.FORBIDDEN,
        ErrorCode.PRECONDITION_FAILED,
        ErrorCode.RANGE_NOT_SATISFIABLE,
        ErrorCode.REQUEST_TOO_LARGE,
        ErrorCode.GATEWAY_TIMEOUT,
        ErrorCode.TOO_MANY_REQUESTS,
    )
} | {
    ("POST /v1/oauth/token", "unauthorized"): "tests/app/connect",
    ("POST /v1/oauth/token", "too_many_requests"): "tests/app/connect",
    ("POST /v1/oauth/token", "internal_error"): "tests/app/connect",
    ("POST /v1/oauth/token", "service_not_available"): "tests/app/connect",
    ("GET /v1/requests", "not_found"): "tests/app/requests",
    ("GET /v1/requests", "not_implemented"): "tests/app/requests",
    ("GET /v1/requests/{request_id}", "not_implemented"): "tests/app/requests",
    ("POST /v1/accounts", "not_implemented"): "tests/connectors/local",
    ("POST /v1/meta/applications/{application_id}/service_keys", "naming_conflict"): "tests/app/applications",
}
"""Depends on how a link, or the server, was set up."""

STATIC = frozenset({"GET /health", "GET /ready", "GET /v1/public/services", "GET /v1/public/services/{service_name}"})
"""Answer without the database, or about it, and to everybody."""


@pytest.fixture
def document(api: Api) -> dict[str, Any]:
    with api.client() as client:
        body: dict[str, Any] = client.get("/openapi.json").json()
        return body


@pytest.fixture
def prey(caller: Caller, document: dict[str, Any]) -> Prey:
    return build_prey(caller, document)


def refuse_all(prey: Prey, client: httpx.Client) -> None:
    """The storage fails in each way."""
    for kind, code in CODE_OF_KIND.items():
        error = ConnectorError(kind, "as told", retry_after_seconds=1.5)
        for operation in prey.operations:
            if (
                {"account_id", "token"} & operation.parameters
                and prey.wants(operation, code)
                and not is_fatal(operation)
            ):
                if "upload_id" in operation.parameters:
                    prey.begin_upload(client)
                with refusing(error):
                    prey.ask(client, operation, headers={"Prefer": "relay"}, wanted=code)


def fail_inside(prey: Prey, client: httpx.Client) -> None:
    """The server has a fault, or its database is away."""
    for error, code in (
        (ZeroDivisionError(), ErrorCode.INTERNAL_ERROR),
        (ApiError(ErrorCode.SERVICE_NOT_AVAILABLE), ErrorCode.SERVICE_NOT_AVAILABLE),
    ):
        for operation in prey.operations:
            if prey.wants(operation, code):
                prey.caller.api.state.cache.clear()
                with database_failing(error):
                    prey.ask(client, operation, wanted=code)


def come_as_another(prey: Prey, client: httpx.Client) -> None:
    """Nobody, somebody with a wrong key, somebody else, and the account where the application is needed."""
    stranger, other = prey.caller.api.create_caller(), prey.caller.api.create_caller()
    others = (
        ({"Authorization": ""}, ErrorCode.AUTHENTICATION_REQUIRED),
        ({"Authorization": "APIKey wrong"}, ErrorCode.UNAUTHORIZED),
        ({"Authorization": "Bearer wrong"}, ErrorCode.INVALID_TOKEN),
        (stranger.bearer_header, ErrorCode.FORBIDDEN),
        (other.developer_header, ErrorCode.NOT_FOUND),
        (other.key_header, ErrorCode.NOT_FOUND),
        ({"Authorization": "Bearer wrong", "X-Kloudless-Source": "file-picker/2.6.5"}, ErrorCode.FORBIDDEN),
        (prey.caller.bearer_header, ErrorCode.FORBIDDEN),
    )
    for headers, code in others:
        for operation in prey.operations:
            is_own = headers == prey.caller.bearer_header and is_fatal(operation)
            if prey.wants(operation, code) and not is_own:
                prey.ask(client, operation, headers=headers, params={"active": "true"}, wanted=code)


def ask_wrongly(prey: Prey, client: httpx.Client) -> None:
    """Under another host, for what is not there, for a service that is gone."""
    unknown = dict.fromkeys(prey.values, NOBODY) | {"account_id": "999999999"}
    for operation in prey.operations:
        prey.ask(client, operation, headers={"Host": "elsewhere.example.com"}, wanted=ErrorCode.BAD_REQUEST)
        if prey.wants(operation, ErrorCode.NOT_FOUND):
            prey.ask(client, operation, values=unknown, params={"page": "999"}, wanted=ErrorCode.NOT_FOUND)
        if prey.wants(operation, ErrorCode.NOT_IMPLEMENTED):
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(Registry, "find", lambda _registry, _name: None)
                prey.ask(client, operation, wanted=ErrorCode.NOT_IMPLEMENTED)


def is_fatal(operation: Operation) -> bool:
    return str(operation) in FATAL


def end_tasks(prey: Prey, client: httpx.Client) -> None:
    """A task fails with the error of what it was to do, and says so."""
    (operation,) = (each for each in prey.operations if str(each) == "GET /v1/accounts/{account_id}/tasks/{task_id}")
    promised = {code for where, code in prey.promised if where == str(operation)}
    ids = {code: uuid4() for code in promised - {ErrorCode.TOO_MANY_REQUESTS.code}}  # no task ends so

    async def add() -> None:
        async with prey.caller.api.state.db.writing() as session:
            session.add_all(
                Task(
                    id=task_id,
                    application_id=prey.caller.application_id,
                    account_id=prey.caller.account_id,
                    kind="copy",
                    sealed_request="",
                    state="failed",
                    ending="failed",
                    error_code=code,
                    error_message="as told",
                    created_at=now(),
                )
                for code, task_id in ids.items()
            )

    prey.caller.api.run(add())
    for task_id in ids.values():
        prey.ask(client, operation, values={"task_id": str(task_id)})


def list_missing(prey: Prey) -> list[tuple[str, str]]:
    """What was promised and not produced, but for what is produced elsewhere."""
    elsewhere = {code.code for code in ELSEWHERE}
    return sorted(
        (where, code)
        for where, code in prey.promised - prey.produced
        if code not in elsewhere and (where, code) not in ELSEWHERE_BY_ROUTE and where not in STATIC
    )


@on_one_database
def test_every_error_that_the_document_names_is_answered_in_its_form(api: Api, prey: Prey) -> None:
    with api.client() as client:
        refuse_all(prey, client)
        with capture_logs():  # drawing them takes longer than all else
            fail_inside(prey, client)
        come_as_another(prey, client)
        end_tasks(prey, client)
        ask_wrongly(prey, client)
    assert [promise for promise in list_missing(prey) if promise[1] != ErrorCode.TOO_MANY_REQUESTS.code] == []


@on_one_database
def test_every_route_says_when_to_come_back_when_too_much_was_asked(tmp_path: Path, document: dict[str, Any]) -> None:
    limits = {"application_requests_per_second": 0.001, "application_requests_burst": 40}
    limits |= {"failed_logins_per_second": 0.001, "failed_logins_burst": 1}
    settings = build_settings(tmp_path, **limits)
    registry = Registry([*build_registry_from(settings), SERVICE])
    with running_api(settings, registry=registry) as limited, limited.client() as client:
        prey = build_prey(limited.create_caller(), document)
        while client.get("/v1/accounts", headers=prey.caller.key_header).is_success:
            pass
        for operation in prey.operations:
            prey.ask(client, operation, wanted=ErrorCode.TOO_MANY_REQUESTS)
        wrong = {"Authorization": "Bearer wrong"}
        while client.get("/v1/accounts", headers=wrong).status_code == ErrorCode.UNAUTHORIZED.status:
            pass
        for operation in prey.operations:
            if prey.wants(operation, ErrorCode.TOO_MANY_REQUESTS):
                prey.ask(client, operation, headers=wrong, wanted=ErrorCode.TOO_MANY_REQUESTS)
    assert [promise[0] for promise in list_missing(prey) if promise[1] == ErrorCode.TOO_MANY_REQUESTS.code] == []


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"status_code": 404, "error_code": "not_found", "message": "a"},
        {"status_code": 404, "error_code": "unheard_of", "message": "a", "id": "b"},
        {"status_code": 400, "error_code": "not_found", "message": "a", "id": "b"},
        {"status_code": 404, "error_code": "not_found", "message": "", "id": "b"},
        {"status_code": 404, "error_code": "not_found", "message": "a", "id": "other"},
        {"status_code": 404, "error_code": "not_found", "message": "a", "id": "b", "more": 1},
    ],
)
def test_form_is_missed_when_anything_of_it_is(body: dict[str, Any]) -> None:
    good = {"status_code": 404, "error_code": "not_found", "message": "a", "id": "b"}
    headers = {"x-request-id": "b"}
    assert check_error(httpx.Response(404, json=good, headers=headers)) is None
    assert check_error(httpx.Response(404, json=body, headers=headers)) is not None
    assert check_error(httpx.Response(404, text=json.dumps(good), headers=headers)) is not None
