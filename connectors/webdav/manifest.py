"""What is true of WebDAV before any server is known; each account's own abilities are learned by trying."""

from __future__ import annotations

from connectors.core.manifest import Capabilities, Field, Keys, Limits, Manifest

MANIFEST = Manifest(
    service="webdav",
    title="WebDAV",
    category="file_store",
    auth=Keys(
        fields=(
            Field(
                name="url",
                label="Address",
                help="The address of the folder to connect, as other WebDAV programs want it.",
                example="https://cloud.example.com/remote.php/dav/files/someone/",
            ),
            Field(
                name="username",
                label="User name",
                help="Whom to sign in as; empty for a server that asks nobody.",
                is_required=False,
                example="someone",
            ),
            Field(
                name="password",
                label="Password",
                help="That user's password. Where the server has passwords for applications, use one of those.",
                is_secret=True,
                is_required=False,
                example="correct horse battery staple",
            ),
        )
    ),
    capabilities=Capabilities(
        copy=True,
        get_by_path=True,
        get_quota=True,
        list_recursive=True,
        list_properties=True,
        call_raw=True,
        copy_folder=True,
        delete_recursive=True,
        download_if_match=True,
        upload_exclusive=True,
    ),
    limits=Limits(name_bytes_max=255, requests_parallel_max=16),
)
