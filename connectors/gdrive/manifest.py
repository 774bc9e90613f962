"""What is true of Google Drive before any account is known."""

from __future__ import annotations

from connectors.core.manifest import Capabilities, Limits, Manifest, OAuth2
from connectors.core.resources import RawId, Ref

ORIGIN = "https://www.googleapis.com"
IMAGE_HOSTS = tuple(f"lh{number}.googleusercontent.com" for number in range(3, 7))
"""Where thumbnails are. The names beside them belong to what Google's users run and store."""

ROOT = RawId("root")
"""Stands for the user's My Drive wherever an id is asked for; shared drives are shown in it, too."""

CHUNK_BYTES_MULTIPLE = 256 * 1024
NAME_BYTES_MAX = 2048
"""Drive takes more, but names are searched for in addresses, which must not grow too long."""

PROPERTY_BYTES_MAX = 124
"""Of a key and its value together, in UTF-8."""

MANIFEST = Manifest(
    service="gdrive",
    title="Google Drive",
    category="file_store",
    auth=OAuth2(
        authorize_url="https://accounts.google.com/o/oauth2/v2/auth",
        token_url="https://oauth2.googleapis.com/token",  # noqa: S106 - an address
        revoke_url="https://oauth2.googleapis.com/revoke",
        scopes=("https://www.googleapis.com/auth/drive",),
        authorize_params={"access_type": "offline", "prompt": "consent"},
    ),
    capabilities=Capabilities(
        copy=True,
        get_by_path=True,
        search=True,
        get_quota=True,
        start_upload=True,
        list_recent=True,
        list_changes=True,
        list_versions=True,
        open_export=True,
        list_trash=True,
        restore=True,
        get_thumbnail=True,
        list_links=True,
        create_link=True,
        subscribe=True,
        list_permissions=True,
        set_permissions=True,
        list_properties=True,
        call_raw=True,
        delete_recursive=True,
        delete_to_trash=True,
        restore_folder=True,
        link_writer=True,
        link_without_download=True,
        download_if_match=True,
        upload_parts_replaceable=False,
        search_below=False,
        finish_renames=False,
        names_unique=False,
    ),
    limits=Limits(
        name_bytes_max=NAME_BYTES_MAX,
        file_bytes_max=5 * 2**40,
        upload_part_bytes_min=CHUNK_BYTES_MULTIPLE,
        upload_part_bytes_max=128 * 2**20,
        upload_part_bytes_multiple=CHUNK_BYTES_MULTIPLE,
        upload_parts_parallel_max=1,
        properties_max=30,
        property_key_characters_max=40,
        property_value_characters_max=84,
        subscription_seconds_max=7 * 86_400,
        requests_parallel_max=16,
    ),
    root=Ref("folder", ROOT),
    allowed_hosts=("www.googleapis.com", *IMAGE_HOSTS),
)
