"""Ways to make every route fail: what the document promises of its errors, and who makes each of them happen."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from app.core.db import Database
from app.core.errors import ErrorCode
from connectors.core.connector import Connector
from connectors.core.errors import ConnectorError
from connectors.core.service import AccountContext, Registry
from tests.app.drive import METADATA
from tests.app.sharing import SharingDrive, connect_sharing
from tests.app.walking import Operation, list_operations
from tests.servers.api import Caller

CODES = {code.code: code for code in ErrorCode}
FIELDS = {"status_code", "error_code", "message", "id"}
MORE_FIELDS = {"conflicting_resource_id", "error", "error_description"}
"""Of a name that is taken, and of OAuth, whose clients read those."""

NOBODY = "00000000-0000-0000-0000-000000000000"
Promise = tuple[str, str]
"""An operation and the `error_code` that the document says it may answer with."""


def list_promises(document: Mapping[str, Any]) -> set[Promise]:
    """All that the document says of errors."""
    return {
        (str(operation), code)
        for operation in list_operations(document)
        for reply in document["paths"][operation.template][operation.method.lower()]["responses"].values()
        for code in re.findall(r"`(\w+)`: ", reply["description"])
        if code in CODES
    }


class Refuser:
    """A connector that fails in the same way whatever it is asked for."""

    def __init__(self, inner: Connector, error: ConnectorError) -> None:
        self.manifest = inner.manifest
        self.capabilities = inner.capabilities
        self._error = error

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def fail(*_: Any, **__: Any) -> Any:
            raise self._error

        return fail


@contextmanager
def refusing(error: ConnectorError) -> Iterator[None]:
    """Until the block ends every account's storage answers so."""
    with pytest.MonkeyPatch.context() as patch:
        open_truly = Registry.open

        def open_refuser(registry: Registry, name: str, context: AccountContext) -> Any:
            return Refuser(open_truly(registry, name, context), error)

        patch.setattr(Registry, "open", open_refuser)
        yield


@dataclass(frozen=True)
class NoSession:
    """What is had in the place of a session."""

    error: Exception

    async def __aenter__(self) -> None:
        raise self.error

    async def __aexit__(self, *_: object) -> None:
        pass


@contextmanager
def database_failing(error: Exception) -> Iterator[None]:
    """Until the block ends no session is to be had."""

    def fail(*_: Any, **__: Any) -> NoSession:
        return NoSession(error)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Database, "reading", fail)
        patch.setattr(Database, "writing", fail)
        yield


@dataclass
class Prey:
    """Things of every kind, which all routes can be asked for."""

    caller: Caller
    values: dict[str, str]  # path parameters
    operations: list[Operation]
    promised: set[Promise]
    produced: set[Promise] = field(default_factory=set)

    def ask(
        self,
        client: httpx.Client,
        operation: Operation,
        *,
        values: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        params: Mapping[str, str] | None = None,
        wanted: ErrorCode | None = None,
    ) -> httpx.Response:
        """Asks as somebody does who may, but for what is given; keeps the error, which must have its form."""
        meta = operation.template.startswith("/v1/meta")
        credentials = self.caller.developer_header if meta else self.caller.key_header
        if operation.template.startswith("/v1/oauth"):
            credentials = self.caller.bearer_header
        if operation.template.startswith("/l/"):
            credentials = {}
        reply = client.request(
            operation.method,
            operation.build_path({**self.values, **(values or {})}),
            params={**PARAMS, **(params or {})},
            headers={
                name: value
                for name, value in {**credentials, **self._build_headers(operation), **(headers or {})}.items()
                if value
            },
            content=self._build_body(operation) if body is None else body,
            follow_redirects=False,
        )
        if reply.is_error and operation.method != "HEAD":
            problem = check_error(reply)
            assert problem is None, f"{operation}: {problem}"
            self.produced.add((str(operation), reply.json()["error_code"]))
        elif reply.status_code == (wanted.status if wanted else None):  # HEAD has no body to say it in
            self.produced.add((str(operation), wanted.code if wanted else ""))
        return reply

    def wants(self, operation: Operation, code: ErrorCode) -> bool:
        """True if the document promises the error and nobody has produced it yet."""
        promise = (str(operation), code.code)
        return promise in self.promised and promise not in self.produced

    def begin_upload(self, client: httpx.Client) -> None:
        """A new upload in parts, for what would be refused to one that is over."""
        url = f"{self.caller.storage_url}/multipart"
        reply = client.post(url, headers=self.caller.key_header, json={"name": "parts.bin", "parent_id": "root"})
        self.values["upload_id"] = str(reply.json()["id"])

    def _build_headers(self, operation: Operation) -> dict[str, str]:
        headers = {"Content-Type": "application/json", "X-Kloudless-Raw-URI": "/"}
        if operation.template.endswith("/storage/files") or operation.method == "PUT":
            headers[METADATA] = '{"name": "b.txt", "parent_id": "root"}'
        if operation.template == "/l/{token}":
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        return headers

    def _build_body(self, operation: Operation) -> bytes:
        if operation.method in {"GET", "HEAD", "DELETE"}:
            return b""
        if operation.method == "PUT" and "upload_id" in operation.parameters:
            return b"part"
        if operation.template.endswith("/permissions"):
            return b'[{"type": "user", "role": "reader", "email": "ann@example.com"}]'
        if operation.template.endswith("/properties"):
            return b'[{"key": "a", "value": "1"}]'
        return json.dumps({**BODY, "file_id": self.values["file_id"], "file_ids": [self.values["file_id"]]}).encode()


FATAL = frozenset(
    {
        "DELETE /v1/oauth/token",
        "DELETE /v1/accounts/{account_id}",
        "DELETE /v1/meta/applications/{application_id}",
        "DELETE /v1/meta/applications/{application_id}/apikeys/{key}",
    }
)
"""Whoever may do this may do nothing afterwards."""

PARAMS = {"path": "/a.txt", "q": "a", "part_number": "1", "recursive": "true"}
BODY = {
    "name": "c.txt",
    "parent_id": "root",
    "raw_id": "/elsewhere",
    "service": "sharing",
    "token": "x",
    "domain": "example.com",
    "url": "https://example.com/",
    "client_id": "me",
    "client_secret": "secret",
}


def check_error(reply: httpx.Response) -> str | None:
    """What is wrong with the form of an error (contract 1.11), if anything is."""
    if reply.headers["content-type"] != "application/json":
        return f"an error as {reply.headers['content-type']}: {reply.text[:80]}"
    body = reply.json()
    known = CODES.get(body.get("error_code"))
    if set(body) - MORE_FIELDS != FIELDS or known is None:
        return f"not an error's form: {reply.text}"
    if not reply.status_code == body["status_code"] == known.status:
        return f"{reply.status_code} with {body['status_code']} {body['error_code']}"
    if body["id"] != reply.headers["x-request-id"] or not body["message"]:
        return f"no id or message: {reply.text}"
    if known is ErrorCode.TOO_MANY_REQUESTS and not reply.headers.get("retry-after", "").isdigit():
        return "429 without a whole number of seconds"
    return None


def build_prey(caller: Caller, document: Mapping[str, Any]) -> Prey:
    """A storage that can do everything, with one of each thing."""
    with caller.client() as client:
        drive: SharingDrive = connect_sharing(caller, client)
        caller = drive.caller
        file, folder = drive.upload("a.txt", b"bytes"), drive.create_folder("folder")
        upload = client.post(drive.url("multipart"), json={"name": "parts.bin", "parent_id": "root"}).json()
        link = client.post(drive.url("links"), json={"file_id": file["id"], "direct": True}).json()
        service_link = client.post(f"{file['href']}/links", json={}).json()
        version = client.get(f"{file['href']}/versions").json()["objects"][0]
        last = client.get(caller.account_url).headers["x-request-id"]
    with caller.client(caller.developer_header) as client:
        developer = client.get("/v1/meta/developers/me").json()
    values = {
        "account_id": str(caller.account_id),
        "application_id": caller.application_id,
        "key": caller.api_key,
        "folder_id": folder["id"],
        "file_id": file["id"],
        "upload_id": str(upload["id"]),
        "version_id": version["id"],
        "link_id": link["id"],
        "token": link["url"].rpartition("/")[2],
        "service_link_id": service_link["href"].rpartition("/")[2],
        "service_name": "sharing",
        "request_id": last,
        "developer_id": str(developer["id"]),
        "domain_id": "1",
        "redirect_uri_id": "1",
        "service_key_id": "1",
        "task_id": NOBODY,
    }
    asked = [operation for operation in list_operations(document) if not is_page(operation)]
    names = {str(operation) for operation in asked}
    promised = {promise for promise in list_promises(document) if promise[0] in names}
    return Prey(caller, values, sorted(asked, key=lambda operation: str(operation) in FATAL), promised)


def is_page(operation: Operation) -> bool:
    """True for the journey on which a user connects an account: its errors are pages, and have tests of their own."""
    return operation.template.startswith("/v1/oauth") and operation.template != "/v1/oauth/token"
