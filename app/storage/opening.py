"""From a request to the account's open storage: caller, connector and presenter together."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

from starlette.requests import Request

from app.accounts.callers import Caller, authorize, open_connector
from app.accounts.rows import AccountRow
from app.accounts.service import verify_account
from app.core.errors import ApiError
from app.core.http.paths import read_segment
from app.core.http.reading import read_header_flag
from app.core.http.replies import get_request_state
from app.core.http.streams import hold_stream
from app.core.state import State, get_state
from app.storage.presenting import Presenter
from connectors.core.bytesource import StreamSource
from connectors.core.connector import Connector
from connectors.core.errors import ConnectorError, ErrorKind
from connectors.core.resources import Kind, Ref


@dataclass(frozen=True, slots=True)
class Storage:
    """What an endpoint of the storage API works with."""

    state: State
    caller: Caller
    row: AccountRow
    connector: Connector
    present: Presenter


async def open_storage(request: Request) -> Storage:
    """The storage that the path's `account_id` names, for the caller of this request. ApiError 401, 403, 404."""
    caller, row = await authorize(request, read_segment(request.path_params["account_id"]), needs_storage=True)
    return await open_storage_of(request, caller, row)


async def open_storage_of(request: Request, caller: Caller, row: AccountRow) -> Storage:
    """The storage of an account that the caller may open. ApiError 403 for one that is switched off."""
    state = get_state(request)
    connector = open_connector(request, row)
    if not row.is_verified:
        row = await verify_account(state, row, connector)
        connector = open_connector(request, row)
    presenter = build_presenter(request, row, connector)
    encode_conflicts(request, presenter)
    return Storage(state, caller, row, connector, presenter)


def build_presenter(request: Request, row: AccountRow, connector: Connector) -> Presenter:
    """Reads one account's ids and shows its objects, to the client of this request."""
    return Presenter(
        ids=get_state(request).ids,
        account_id=row.id,
        origin=get_request_state(request).origin,
        root=connector.manifest.root,
        can_list_recursively=connector.capabilities.list_recursive,
        include_raw=read_header_flag(request, "x-kloudless-raw-data"),
    )


def encode_conflicts(request: Request, presenter: Presenter) -> None:
    """Lets the error handler turn the conflicting resource of a connector's error into its public id."""
    request.scope["state"]["encode_ref"] = presenter.encode


def read_ref(request: Request, storage: Storage, *, kind: Kind) -> Ref:
    """The file or folder that the path names."""
    return storage.present.decode(read_segment(request.path_params[f"{kind}_id"]), kind=kind)


def read_body_source(request: Request, *, size_bytes_max: int) -> StreamSource:
    """The request's body as a byte source, never buffered. Its declared length, if any, is enforced.

    ApiError 503 when too many streams are under way.
    """
    hold_stream(request)
    get_request_state(request).body_bytes_max = size_bytes_max
    text = request.headers.get("content-length", "")
    size_bytes = int(text) if text.isascii() and text.isdigit() else None
    if size_bytes is not None and size_bytes > size_bytes_max:
        raise ConnectorError(ErrorKind.TOO_LARGE, f"{size_bytes} bytes are more than the limit of {size_bytes_max}.")
    return StreamSource(read_body(request), size_bytes=size_bytes, size_bytes_max=size_bytes_max)


async def read_body(request: Request) -> AsyncIterator[bytes]:
    """The chunks of the body; a client that leaves, or breaks a limit, is a failed source to the connector."""
    has_more = True
    while has_more:
        try:
            message = await request.receive()
        except ApiError as error:
            raise ConnectorError(ErrorKind.SOURCE_FAILED, error.message) from error
        if message["type"] == "http.disconnect":
            raise ConnectorError(ErrorKind.SOURCE_FAILED, "The client went away before the body was complete.")
        has_more = message.get("more_body", False)
        if chunk := message.get("body"):
            yield chunk
