"""Accounts, what they can do, and bearer tokens for them (contract section 3)."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Body, Depends, Path, Query, Request
from starlette.responses import Response

from app.accounts import listing, service
from app.accounts.callers import (
    Caller,
    authenticate,
    authorize,
    check_scope,
    find_capabilities,
    find_service,
    open_connector,
)
from app.accounts.creating import CreatingRoute
from app.accounts.credentials import open_credentials
from app.accounts.repository import AccountFilter
from app.accounts.rows import AccountRow, build_row
from app.accounts.schemas import (
    AccountImport,
    AccountPage,
    AccountProperties,
    AccountReply,
    AccountUpdate,
    CapabilitiesReply,
    CapabilityValue,
    EncodedId,
    RawIdToEncode,
    TokenCreate,
    TokenReply,
)
from app.core.errors import ApiError, ErrorCode
from app.core.http.paths import read_segment
from app.core.http.reading import Flag, PageNumber, PageSize, Text
from app.core.http.replies import (
    JsonReply,
    build_numbered_list,
    describe,
    get_request_state,
)
from app.core.ids import ROOT_ID
from app.core.state import get_state
from connectors.core.errors import ConnectorError, ErrorKind
from connectors.core.manifest import Capabilities
from connectors.core.resources import RawId, Ref

AUTH_ERRORS = (ErrorCode.UNAUTHORIZED, ErrorCode.AUTHENTICATION_REQUIRED, ErrorCode.FORBIDDEN)
ACCOUNT_ERRORS = (*AUTH_ERRORS, ErrorCode.NOT_FOUND)

router = APIRouter(prefix="/v1/accounts", tags=["accounts"], route_class=CreatingRoute)

AuthenticatedCaller = Annotated[Caller, Depends(authenticate, scope="function")]


async def get_account(
    request: Request, account_id: Annotated[str, Path(description="The account's number, or `me` with a bearer token.")]
) -> tuple[Caller, AccountRow]:
    """The caller and the account that the path names."""
    return await authorize(request, read_segment(account_id))


AuthorizedAccount = Annotated[tuple[Caller, AccountRow], Depends(get_account, scope="function")]


def need_api_key(caller: Caller) -> None:
    """ApiError 403 unless the application itself is asking."""
    if caller.account_id is not None:
        raise ApiError(ErrorCode.FORBIDDEN, "This needs an API key of the application, not a bearer token.")


def build_account_reply(
    request: Request, row: AccountRow, *, caller: Caller, is_full: bool, with_tokens: bool = False
) -> AccountReply:
    """An account as the API shows it."""
    state = get_state(request)
    found = state.registry.find(row.service)
    reply = AccountReply(
        id=row.id,
        account=row.label,
        service=row.service,
        service_name=found.manifest.title if found else row.service,
        active=row.is_active,
        enabled=row.is_enabled,
        admin=row.is_admin,
        verified=row.is_verified,
        reconnect=row.grant_ended_at is not None,
        internal_use=False,
        apis=["storage"],
        created=row.created_at,
        modified=row.modified_at,
        effective_scope=row.scope,
        custom_properties=row.custom_properties,
        object_definitions={},
        storage_region=row.storage_region,
        href=f"{get_request_state(request).origin}/v1/accounts/{row.id}",
    )
    if is_full and found:
        reply.properties = AccountProperties(build_capability_map(find_capabilities(state, row, found)))
    if caller.account_id is None:
        reply.token_expiry = row.token_expires_at
        reply.refresh_token_expiry = row.refresh_token_expires_at
    if with_tokens and found:
        credentials = open_credentials(state, row)
        token_field = found.manifest.auth.token_field
        reply.token = credentials.get(token_field) if token_field else None
        reply.token_secret = credentials.get("token_secret")
        reply.refresh_token = credentials.get("refresh_token")
    return reply


def build_capability_map(capabilities: Capabilities) -> dict[str, CapabilityValue]:
    """Capabilities under the contract's names (8.3)."""
    always = [
        "can_upload_file",
        "can_rename_file",
        "can_move_file",
        "can_copy_file",
        "can_update_file_content",
        "can_delete_file",
        "can_delete_file_permanently",
        "can_create_folder",
        "can_rename_folder",
        "can_copy_folder",
        "can_delete_folder",
    ]
    never = [
        "can_list_users",
        "can_retrieve_user",
        "can_list_groups",
        "can_retrieve_group",
        "can_list_group_members",
    ]
    values = {
        **dict.fromkeys(always, True),
        **dict.fromkeys(never, False),
        "can_move_folder": capabilities.move_folder,
        "can_search_file_name": capabilities.search,
        "multipart_uploads_supported_for_files": capabilities.start_upload,
        "permissions_supported_for_files": capabilities.list_permissions and capabilities.set_permissions,
        "can_list_properties": capabilities.list_properties,
        "properties_supported_for_files": capabilities.list_properties,
        "can_delete_all_properties": capabilities.list_properties,
    }
    return {name: CapabilityValue(value) for name, value in values.items()}


@router.get("", **describe(AccountPage, errors=ACCOUNT_ERRORS))
async def list_accounts(
    request: Request,
    caller: AuthenticatedCaller,
    active: Annotated[Flag | None, Query(description="Only those that are, or are not, active.")] = None,
    enabled: Annotated[Flag | None, Query(description="Only those that are, or are not, enabled.")] = None,
    admin: Annotated[Flag | None, Query(description="Only those of administrators, or of others.")] = None,
    search: Annotated[Text | None, Query(max_length=320, description="Part of the account's name.")] = None,
    page: PageNumber = 1,
    page_size: PageSize = 10,
) -> Response:
    """Lists the application's accounts by API key; with a bearer token exactly the token's own."""
    accounts, total = await listing.list_accounts(
        get_state(request),
        AccountFilter(
            account_id=caller.account_id, is_active=active, is_enabled=enabled, is_admin=admin, search=search or None
        ),
        application_id=caller.application_id,
        offset=(page - 1) * page_size,
        limit=page_size,
    )
    objects: list[object] = [
        build_account_reply(request, build_row(account), caller=caller, is_full=False) for account in accounts
    ]
    return JsonReply(build_numbered_list(objects, total=total, page=page, page_size=page_size, api="meta"))


@router.post(
    "",
    **describe(
        AccountReply,
        status=201,
        also={200: AccountReply},
        errors=(*AUTH_ERRORS, ErrorCode.NOT_IMPLEMENTED),
        takes_key=True,
    ),
)
async def import_account(
    request: Request,
    caller: AuthenticatedCaller,
    body: AccountImport,
    validate: Annotated[Flag, Query(description="False stores the credentials untried.")] = True,
) -> Response:
    """Connects an account with its own credentials, by API key. They are tried first; a known identity keeps its id."""
    need_api_key(caller)
    row, is_new = await service.import_account(
        get_state(request), application_id=caller.application_id, body=body, is_validated=validate
    )
    return JsonReply(build_account_reply(request, row, caller=caller, is_full=True), 201 if is_new else 200)


@router.get("/{account_id}", **describe(AccountReply, errors=ACCOUNT_ERRORS))
async def retrieve_account(
    request: Request,
    account: AuthorizedAccount,
    active: Annotated[Flag | None, Query(description="404 unless the account is, or is not, active.")] = None,
    retrieve_full: Annotated[Flag, Query(description="With the account's capabilities.")] = True,
    retrieve_tokens: Annotated[Flag, Query(description="With the stored tokens; API key only.")] = False,
) -> Response:
    """One account."""
    caller, row = account
    if active is not None and active != row.is_active:
        raise ApiError(ErrorCode.NOT_FOUND, "There is no such account.")
    if retrieve_tokens:
        need_api_key(caller)
    return JsonReply(
        build_account_reply(request, row, caller=caller, is_full=retrieve_full, with_tokens=retrieve_tokens)
    )


@router.patch("/{account_id}", **describe(AccountReply, errors=ACCOUNT_ERRORS))
async def update_account(request: Request, account: AuthorizedAccount, body: AccountUpdate) -> Response:
    """Changes the fields that are given; needs an API key. New credentials are tried before they replace the old."""
    caller, row = account
    need_api_key(caller)
    row = await service.update_account(get_state(request), row=row, body=body)
    return JsonReply(build_account_reply(request, row, caller=caller, is_full=True))


@router.post("/{account_id}/tokens", **describe(TokenReply, status=201, errors=ACCOUNT_ERRORS, takes_key=True))
async def create_token(
    request: Request, account: AuthorizedAccount, body: Annotated[TokenCreate | None, Body()] = None
) -> Response:
    """Creates a bearer token for this account; needs an API key. The token is shown this once."""
    caller, row = account
    need_api_key(caller)
    token, scope = await service.create_token(get_state(request), row=row, scope=body.scope if body else None)
    return JsonReply(TokenReply(access_token=token, scope=scope, account_id=row.id), 201)


@router.get("/{account_id}/capabilities", **describe(CapabilitiesReply, errors=ACCOUNT_ERRORS))
async def get_capabilities(request: Request, account: AuthorizedAccount) -> Response:
    """What can be asked of this account now, and its storage's limits."""
    row = account[1]
    connector = open_connector(request, row)
    return JsonReply(
        CapabilitiesReply(
            account=row.id,
            service=row.service,
            capabilities=connector.capabilities,
            limits=connector.manifest.limits,
            href=f"{get_request_state(request).origin}/v1/accounts/{row.id}/capabilities",
        )
    )


@router.post("/{account_id}/encode_raw_id", **describe(EncodedId, errors=ACCOUNT_ERRORS))
@router.post("/{account_id}/storage/convert_id", name="convert_id", **describe(EncodedId, errors=ACCOUNT_ERRORS))
async def encode_raw_id(request: Request, account: AuthorizedAccount, body: RawIdToEncode) -> Response:
    """The public id of something known by the storage's own id. Without `type` the storage is asked what it is."""
    caller, row = account
    check_scope(caller, row)
    raw_id = body.raw_id
    ref = Ref("folder" if body.type == "folder" else "file", RawId(raw_id))
    if body.type is None:
        try:
            ref = (await open_connector(request, row).get(ref)).ref
        except ConnectorError as error:
            if error.kind is not ErrorKind.WRONG_TYPE:
                raise
            ref = Ref("folder", RawId(raw_id))
    state = get_state(request)
    is_root = ref == find_service(state, row.service).manifest.root
    public_id = ROOT_ID if is_root else state.ids.encode(row.id, ref)
    origin = get_request_state(request).origin
    return JsonReply(
        EncodedId(
            id=public_id,
            raw_id=raw_id,
            type=ref.kind,
            account=row.id,
            href=f"{origin}/v1/accounts/{row.id}/storage/{ref.kind}s/{public_id}",
        )
    )
