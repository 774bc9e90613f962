"""What is true of AWS's own store, and of any other that speaks its protocol, before any account is known."""

from __future__ import annotations

from connectors.core.manifest import Capabilities, Field, Keys, Limits, Manifest

HIDDEN_PREFIX = ".kloudless-"
"""Names that begin so are the connector's own: never shown, never accepted."""

KEY_BYTES_MAX = 1024
BUCKET_CHARACTERS_MAX = 63

STYLES = ("path", "virtual")
"""Where a bucket's name goes in a URL: into the path, or in front of the host."""

_KEY_FIELDS = (
    Field(
        name="access_key_id",
        label="Access key ID",
        help="The public half of an access key, as the provider's console shows it.",
        example="AKIAIOSFODNN7EXAMPLE",
    ),
    Field(
        name="secret_access_key",
        label="Secret access key",
        help="The secret half, shown once when the access key was made.",
        is_secret=True,
        example="wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    ),
    Field(
        name="session_token",
        label="Session token",
        help="Only for temporary keys: the token that came with them. The account works until they expire.",
        is_secret=True,
        is_required=False,
        example="",
    ),
)

_PLACE_FIELDS = (
    Field(
        name="bucket",
        label="Bucket",
        help="The one bucket to show. Empty shows all buckets of the keys' owner, if the keys may list them.",
        is_required=False,
        example="team-photos",
    ),
    Field(
        name="prefix",
        label="Folder in the bucket",
        help="A folder inside the bucket to stay in. Empty is the whole bucket.",
        is_required=False,
        example="2024/summer",
    ),
)

_CAPABILITIES = Capabilities(
    copy=True,
    get_by_path=True,
    start_upload=True,
    list_uploads=True,
    list_recursive=True,
    list_versions=True,
    list_permissions=True,
    set_permissions=True,
    list_properties=True,
    create_download_url=True,
    create_upload_url=True,
    call_raw=True,
    copy_folder=True,
    delete_recursive=True,
    download_if_match=True,
    upload_exclusive=True,
    upload_parts_parallel=True,
    finish_renames=False,
)
"""What the best stores can. An account's own list is what probing found (probing.py, dialect.py)."""

_LIMITS = Limits(
    name_bytes_max=KEY_BYTES_MAX,
    path_bytes_max=BUCKET_CHARACTERS_MAX + 2 + KEY_BYTES_MAX,  # "/bucket/key"
    file_bytes_max=5 * 2**40,
    properties_max=10,
    property_key_characters_max=128,
    property_value_characters_max=256,
    upload_parts_parallel_max=8,
)

MANIFEST = Manifest(
    service="s3",
    title="Amazon S3",
    category="object_store",
    auth=Keys(
        fields=(
            *_KEY_FIELDS,
            *_PLACE_FIELDS,
            Field(
                name="region",
                label="Region",
                help="Where the bucket is. Empty finds it out; new buckets are then made in us-east-1.",
                is_required=False,
                example="eu-central-1",
            ),
            Field(
                name="style",
                label="Addressing",
                help="Whether a bucket's name stands in front of the host or in the path. Leave it as it is.",
                is_required=False,
                example="virtual",
                choices=("virtual", "path"),
            ),
        )
    ),
    capabilities=_CAPABILITIES,
    limits=_LIMITS,
    allowed_hosts=("*.amazonaws.com", "*.amazonaws.com.cn", "*.amazonaws.eu"),
)

COMPATIBLE_MANIFEST = Manifest(
    service="s3_compatible",
    title="S3-compatible storage",
    category="object_store",
    auth=Keys(
        fields=(
            Field(
                name="endpoint",
                label="Endpoint",
                help="The address of the store, with https:// or http:// in front and its port if it has its own.",
                example="https://storage.example.com:9000",
            ),
            *_KEY_FIELDS,
            *_PLACE_FIELDS,
            Field(
                name="region",
                label="Region",
                help="The region that the store wants in signatures. Empty is us-east-1, which most stores take.",
                is_required=False,
                example="us-east-1",
            ),
            Field(
                name="style",
                label="Addressing",
                help='Where a bucket\'s name goes: "path" is https://store/bucket/…, "virtual" is https://bucket.store/…',
                is_required=False,
                example="path",
                choices=STYLES,
            ),
        )
    ),
    capabilities=_CAPABILITIES,
    limits=_LIMITS,
)
