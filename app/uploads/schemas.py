"""What the API takes and gives for uploads in parts (contract 4.4)."""

from __future__ import annotations

from msgspec import Struct
from pydantic import Field

from app.storage.schemas import ID_CHARACTERS_MAX, NAME_CHARACTERS_MAX, Body, Time

SIZE_BYTES_MAX = 2**53 - 1


class UploadSessionReply(Struct, kw_only=True):
    """A started upload. All parts but the last have exactly `part_size` bytes."""

    id: int
    account: int
    name: str
    part_size: int
    parallel_uploads: bool
    size: int | None
    created: Time
    expires: Time
    href: str
    type: str = "upload_session"
    api: str = "storage"


class UploadStart(Body):
    """Where the file will stand."""

    name: str = Field(min_length=1, max_length=NAME_CHARACTERS_MAX)
    parent_id: str | None = Field(None, max_length=ID_CHARACTERS_MAX, description="`root` if left out.")
    size: int | None = Field(None, ge=0, le=SIZE_BYTES_MAX, description="Whole size in bytes; some storages need it.")
