"""What is true of Dropbox before any account is known."""

from __future__ import annotations

from connectors.core.manifest import Capabilities, Limits, Manifest, OAuth2

API_HOST = "api.dropboxapi.com"
CONTENT_HOST = "content.dropboxapi.com"

BLOCK_BYTES = 4 * 2**20  # of content hashes, and what concurrent upload sessions count in
PART_BYTES = 2 * BLOCK_BYTES
PROPERTIES_MAX = 32  # fields of one template

MANIFEST = Manifest(
    service="dropbox",
    title="Dropbox",
    category="file_store",
    auth=OAuth2(
        authorize_url="https://www.dropbox.com/oauth2/authorize",
        token_url=f"https://{API_HOST}/oauth2/token",
        revoke_url=f"https://{API_HOST}/2/auth/token/revoke",
        revoke_with="bearer",
        scopes=(
            "account_info.read",
            "files.content.read",
            "files.content.write",
            "files.metadata.read",
            "files.metadata.write",
            "sharing.read",
            "sharing.write",
        ),
        authorize_params={"token_access_type": "offline"},  # else there is no refresh token
    ),
    capabilities=Capabilities(
        copy=True,
        get_by_path=True,
        search=True,
        get_quota=True,
        start_upload=True,
        list_recursive=True,
        list_changes=True,
        list_versions=True,
        open_export=True,
        list_trash=True,
        restore=True,
        get_thumbnail=True,
        list_links=True,
        create_link=True,
        list_permissions=True,
        set_permissions=True,
        list_properties=True,
        call_raw=True,
        copy_folder=True,
        delete_recursive=True,
        delete_to_trash=True,
        link_password=True,
        link_expiry=True,
        link_writer=True,
        link_without_download=True,
        download_if_match=True,
        upload_exclusive=True,
        upload_parts_parallel=True,
        upload_parts_replaceable=False,
        upload_abort_final=False,
    ),
    limits=Limits(
        name_characters_max=255,
        name_characters_forbidden="/\0\\\x7f",
        names_forbidden=(".", "..", ".dropbox", ".dropbox.attr", ".dropbox.cache", ".ds_store", "desktop.ini"),
        page_items_max=1000,
        file_bytes_max=2**41 - 2**22,
        upload_part_bytes_min=BLOCK_BYTES,
        upload_part_bytes_default=PART_BYTES,
        upload_part_bytes_max=37 * BLOCK_BYTES,  # a request carries at most 150 MiB
        upload_part_bytes_multiple=BLOCK_BYTES,
        properties_max=PROPERTIES_MAX,
        property_key_characters_max=128,
        property_value_characters_max=800,
        requests_parallel_max=16,
    ),
    allowed_hosts=(API_HOST, CONTENT_HOST),
)
