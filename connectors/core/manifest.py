"""What a provider declares about itself: how to sign in, what it can do, where its limits are. Data only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

from msgspec import Struct

from connectors.core.resources import RawId, Ref


class Capabilities(Struct, frozen=True, kw_only=True):
    """What may be asked of a connector: first methods, then options of methods that all have."""

    copy: bool = False
    get_by_path: bool = False
    search: bool = False
    get_quota: bool = False
    start_upload: bool = False  # uploads in parts, and with it put_part, finish_upload, abort_upload
    list_uploads: bool = False
    list_recursive: bool = False
    list_recent: bool = False
    list_changes: bool = False
    list_versions: bool = False  # and with it open_version, restore_version
    open_export: bool = False
    list_trash: bool = False
    restore: bool = False
    get_thumbnail: bool = False
    list_links: bool = False
    create_link: bool = False  # and with it update_link, delete_link
    subscribe: bool = False  # and with it renew_subscription, unsubscribe
    list_permissions: bool = False
    set_permissions: bool = False
    list_properties: bool = False  # and with it update_properties
    create_download_url: bool = False
    create_upload_url: bool = False
    call_raw: bool = False

    copy_folder: bool = False
    move_folder: bool = True
    delete_recursive: bool = False
    delete_to_trash: bool = False
    restore_folder: bool = False
    link_password: bool = False
    link_expiry: bool = False
    link_writer: bool = False  # a link through which one can change things
    link_without_download: bool = False
    download_range: bool = True
    download_if_match: bool = False
    upload_size_unknown: bool = True
    upload_exclusive: bool = False  # on_conflict=FAIL and RENAME hold even against simultaneous writers
    upload_parts_parallel: bool = False
    upload_parts_replaceable: bool = True  # a part may be sent again with other bytes
    upload_abort_final: bool = True  # an aborted upload cannot be finished any more
    finish_renames: bool = True  # an upload in parts looks for a free name when it is finished; else when it is started
    replace_atomic: bool = True  # readers find the old file or the new one; without it, for a moment, perhaps neither
    search_below: bool = True  # a search can be kept to a folder; else the engine looks through the folder itself
    names_unique: bool = True  # one name stands for one resource in a folder


METHODS: Mapping[str, tuple[str, ...]] = {
    "copy": ("copy",),
    "get_by_path": ("get_by_path",),
    "search": ("search",),
    "get_quota": ("get_quota",),
    "start_upload": ("start_upload", "put_part", "finish_upload", "abort_upload"),
    "list_uploads": ("list_uploads",),
    "list_recursive": ("list_recursive",),
    "list_recent": ("list_recent",),
    "list_changes": ("list_changes",),
    "list_versions": ("list_versions", "open_version", "restore_version"),
    "open_export": ("open_export",),
    "list_trash": ("list_trash",),
    "restore": ("restore",),
    "get_thumbnail": ("get_thumbnail",),
    "list_links": ("list_links",),
    "create_link": ("create_link", "update_link", "delete_link"),
    "subscribe": ("subscribe", "renew_subscription", "unsubscribe"),
    "list_permissions": ("list_permissions",),
    "set_permissions": ("set_permissions",),
    "list_properties": ("list_properties", "update_properties"),
    "create_download_url": ("create_download_url",),
    "create_upload_url": ("create_upload_url",),
    "call_raw": ("call_raw",),
}
"""Which methods a capability of the first group stands for; a test compares this with what is coded."""


class Limits(Struct, frozen=True, kw_only=True):
    """Numbers a provider sets. None is no limit known."""

    name_bytes_max: int | None = None
    name_characters_max: int | None = None
    path_bytes_max: int | None = None
    name_characters_forbidden: str = "/\0"
    names_forbidden: tuple[str, ...] = (".", "..")
    page_items_max: int = 1000
    file_bytes_max: int | None = None
    upload_part_bytes_min: int = 5 * 2**20
    upload_part_bytes_default: int = 8 * 2**20
    upload_part_bytes_max: int = 5 * 2**30
    upload_part_bytes_multiple: int = 1
    upload_parts_max: int = 10_000
    upload_parts_parallel_max: int = 4
    properties_max: int | None = None  # of one file
    property_key_characters_max: int | None = None
    property_value_characters_max: int | None = None
    signed_url_seconds_max: int = 7 * 86_400
    subscription_seconds_max: int | None = None
    requests_per_second: float | None = None
    requests_parallel_max: int = 64


class Field(Struct, frozen=True, kw_only=True):
    """One thing to fill in when an account is connected without OAuth: a form field, a command line option."""

    name: str
    label: str
    help: str
    is_secret: bool = False
    is_required: bool = True
    example: str = ""
    choices: tuple[str, ...] = ()  # the only values there are; the first is taken when nothing is filled in


class Keys(Struct, frozen=True, kw_only=True, tag="keys"):
    """Access by credentials that a person types in. `token_field` is the field that the import call's `token` fills."""

    fields: tuple[Field, ...]
    token_field: str | None = None


ACCESS_TOKEN, REFRESH_TOKEN, EXPIRES_AT = "access_token", "refresh_token", "expires_at"
"""What the credentials of an account with OAuth are called; the last is the access token's end in ISO 8601."""

TOKEN_FIELDS = (
    Field(
        name=ACCESS_TOKEN,
        label="Access token",
        help="A token that the provider gave to the OAuth client which is set up here.",
        is_secret=True,
    ),
    Field(
        name=REFRESH_TOKEN,
        label="Refresh token",
        help="Renews the access token. Without it the account works until the access token ends.",
        is_secret=True,
        is_required=False,
    ),
)


class OAuth2(Struct, frozen=True, kw_only=True, tag="oauth2"):
    """Access by a person's consent on the provider's pages: codes for tokens (RFC 6749), and how this provider differs.

    The addresses are the provider's public ones; an operator's settings may put others in their place. A connector
    leaves tokens to the engine: it hands the account's `tokens` to its send, and never sees a client or a refresh.
    """

    authorize_url: str  # the page of consent
    token_url: str
    revoke_url: str | None = None  # None where a grant cannot be given back
    revoke_with: Literal["form", "bearer"] = "form"  # the refresh token in a form, or a call signed by the other one
    scopes: tuple[str, ...] = ()
    scope_separator: str = " "
    uses_pkce: bool = True
    authorize_params: Mapping[str, str] = {}  # always in the page's address, such as what makes it give a refresh token
    token_params: Mapping[str, str] = {}  # in the form that turns a code into tokens
    refresh_params: Mapping[str, str] = {}  # in the form that renews them
    client_auth: Literal["body", "header"] = "body"  # where the client shows its id and secret

    fields: ClassVar[tuple[Field, ...]] = TOKEN_FIELDS  # for accounts that are imported with tokens they have already
    token_field: ClassVar[str | None] = ACCESS_TOKEN


class Manifest(Struct, frozen=True, kw_only=True):
    """Everything true of one service before any account is known."""

    service: str  # the public identifier, as in the contract's section 8.1
    title: str
    category: Literal["file_store", "object_store"]
    auth: Keys | OAuth2
    capabilities: Capabilities
    limits: Limits
    root: Ref = Ref("folder", RawId("/"))
    allowed_hosts: tuple[str, ...] = ()  # where signatures and tokens may go; "*.example.com" allows names below
    added_by_operator_only: bool = False  # accounts are added on the command line, not through the API
