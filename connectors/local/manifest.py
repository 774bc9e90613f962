"""What is true of folders of this machine before any account is known."""

from __future__ import annotations

from connectors.core.manifest import Capabilities, Field, Keys, Limits, Manifest

MANIFEST = Manifest(
    service="local",
    title="Local folders",
    category="file_store",
    auth=Keys(
        fields=(
            Field(
                name="root",
                label="Root",
                help="The name of a folder that the operator lists for this application.",
                example="photos",
            ),
            Field(
                name="folder",
                label="Folder",
                help="A folder inside the root to stay in; empty is the whole root.",
                is_required=False,
                example="2024/summer",
            ),
        ),
        token_field="root",  # noqa: S106 - the name of a field
    ),
    capabilities=Capabilities(
        copy=True,
        get_by_path=True,
        search=True,
        get_quota=True,
        start_upload=True,
        list_uploads=True,
        list_recursive=True,
        copy_folder=True,
        delete_recursive=True,
        download_if_match=True,
        upload_exclusive=True,
        upload_parts_parallel=True,
    ),
    limits=Limits(name_bytes_max=255, path_bytes_max=4096, requests_parallel_max=64),
    added_by_operator_only=True,
)
