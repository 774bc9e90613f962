"""What a provider declares about itself: how to sign in, what it can do, where its limits are. Data only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

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
    download_range: bool = True
    download_if_match: bool = False
    upload_size_unknown: bool = True
    upload_exclusive: bool = False  # on_conflict=FAIL and RENAME hold even against simultaneous writers
    upload_parts_parallel: bool = False
    upload_parts_replaceable: bool = True  # a part may be sent again with other bytes
    upload_abort_final: bool = True  # an aborted upload cannot be finished any more
    finish_renames: bool = True  # an upload in parts looks for a free name when it is finished; else when it is started
    replace_atomic: bool = True  # readers find the old file or the new one; without it, for a moment, perhaps neither
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


class Manifest(Struct, frozen=True, kw_only=True):
    """Everything true of one service before any account is known."""

    service: str  # the public identifier, as in the contract's section 8.1
    title: str
    category: Literal["file_store", "object_store"]
    auth: Keys
    capabilities: Capabilities
    limits: Limits
    root: Ref = Ref("folder", RawId("/"))
    allowed_hosts: tuple[str, ...] = ()  # where signatures and tokens may go; "*.example.com" allows names below
    added_by_operator_only: bool = False  # accounts are added on the command line, not through the API
