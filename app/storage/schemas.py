"""What the API takes and gives for files and folders (contract section 4)."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from msgspec import UNSET, Meta, Struct, UnsetType
from pydantic import BaseModel, ConfigDict, Field

from app.core.http.replies import NumberedList, ObjectList

Time = Annotated[datetime, Meta(tz=True)]
NAME_CHARACTERS_MAX = 4096
PATH_CHARACTERS_MAX = 16_384
ID_CHARACTERS_MAX = 8192 + 2
UPLOAD_URL_SECONDS_DEFAULT = 3600


class ParentReply(Struct, gc=False):
    """The folder that holds something."""

    id: str
    name: str | None
    type: str = "folder"
    id_type: str = "default"


class PersonReply(Struct, gc=False):
    """A user at the storage."""

    id: str


class RawReply(Struct, gc=False):
    """The storage's own view, with `X-Kloudless-Raw-Data: true`."""

    id: str
    object: dict[str, Any] | None


ExportFormats = Annotated[
    tuple[str, ...],
    Meta(
        description="Only of documents of the storage's own, which have no bytes until they are exported: what "
        "`export_format` of a download can be."
    ),
]


class FileReply(Struct, gc=False, tag_field="type", tag="file"):
    """A file."""

    id: str
    name: str
    size: int | None
    created: Time | None
    modified: Time | None
    account: int
    parent: ParentReply | None
    ancestors: list[ParentReply] | None
    path: str | None
    mime_type: str | None
    downloadable: bool
    raw_id: str
    owner: PersonReply | None
    creator: PersonReply | None
    last_modifier: PersonReply | None
    ids: dict[str, str]
    href: str
    id_type: str = "default"
    api: str = "storage"
    export_formats: ExportFormats | UnsetType = UNSET
    raw: RawReply | UnsetType = UNSET


class FolderReply(Struct, gc=False, tag_field="type", tag="folder"):
    """A folder."""

    id: str
    name: str
    created: Time | None
    modified: Time | None
    account: int
    parent: ParentReply | None
    ancestors: list[ParentReply] | None
    path: str | None
    raw_id: str
    owner: PersonReply | None
    creator: PersonReply | None
    last_modifier: PersonReply | None
    can_create_folders: bool
    can_upload_files: bool
    can_list_recursively: bool
    ids: dict[str, str]
    href: str
    size: None = None
    id_type: str = "default"
    api: str = "storage"
    raw: RawReply | UnsetType = UNSET


Partial = Annotated[
    bool,
    Meta(
        description="The server stopped looking before it had seen enough: few objects, or none, do not mean the end. "
        "`next_page`, if there is one, goes on."
    ),
]


class ContentsPage(ObjectList[FileReply | FolderReply], kw_only=True, gc=False):
    """A page of a folder's files and folders."""

    partial: Partial


class QuotaReply(Struct, kw_only=True):
    """Space of the account in bytes; null where the storage does not say."""

    total: int | None
    used: int | None
    remaining: int | None
    href: str
    type: str = "quota"
    api: str = "storage"


class TaskProgress(Struct, kw_only=True):
    """How far a task is; totals are null while they are not known."""

    files_total: int | None
    files_done: int
    bytes_total: int | None
    bytes_done: int


class TaskErrorReply(Struct, kw_only=True):
    """Why a task failed, as the task's own address answers it."""

    status_code: int
    error_code: str
    message: str


class TaskReply(Struct, kw_only=True, tag_field="type", tag="task"):
    """Something that goes on without the request that asked for it. `state` and `status` are the same.

    `PENDING` and `STARTED` have not ended; `FINISHED`, `FAILED` and `CANCELLED` are seen in lists only. `outcomes`
    counts how files ended: `verified`, `unverifiable`, `stored_differs`, `failed`.
    """

    id: str
    account: int
    operation: str
    state: str
    status: str
    progress: TaskProgress
    outcomes: dict[str, int]
    error: TaskErrorReply | None
    created: Time
    started: Time | None
    ended: Time | None
    href: str
    api: str = "storage"


class TaskPage(NumberedList[TaskReply], kw_only=True, gc=False):
    """A page of an account's tasks, the newest first."""


class UploadUrlReply(Struct, kw_only=True):
    """An address at the storage for one upload. Send exactly these `headers` with the `method`; it needs no key."""

    url: str
    method: str
    headers: dict[str, str]
    expires: Time
    account: int
    type: str = "upload_url"
    api: str = "storage"


class FileFetch(Struct, kw_only=True):
    """A file to be fetched from elsewhere."""

    url: Annotated[str, Meta(description="http or https; fetched by the server.")]
    name: str
    parent_id: Annotated[str, Meta(description="`root` if left out.")] | UnsetType = UNSET


class FileForm(Struct, kw_only=True):
    """A file in a form."""

    metadata: Annotated[str, Meta(description="As the header; comes before the file.")] | UnsetType = UNSET
    file: Annotated[str, Meta(extra_json_schema={"format": "binary"})]


class Body(BaseModel):
    """What clients send beside the fields we know is ignored: some send whole objects back."""

    model_config = ConfigDict(extra="ignore")


class FolderCreate(Body):
    """A new folder."""

    name: str = Field(min_length=1, max_length=NAME_CHARACTERS_MAX)
    parent_id: str | None = Field(None, max_length=ID_CHARACTERS_MAX, description="`root` if left out.")


class UploadUrlCreate(FolderCreate):
    """Where the file will stand, and how long the address shall live."""

    expires_in: int = Field(
        UPLOAD_URL_SECONDS_DEFAULT, ge=1, description="Seconds; the storage's limit is among its capabilities' limits."
    )


class ResourceUpdate(Body):
    """A new name, a new parent, another account."""

    name: str | None = Field(None, min_length=1, max_length=NAME_CHARACTERS_MAX)
    parent_id: str | None = Field(None, max_length=ID_CHARACTERS_MAX)
    account: int | str | None = Field(
        None, description="Another account of the application, by its number; `parent_id` is then a folder there."
    )


class ResourceCopy(ResourceUpdate):
    """Where the copy goes; the same name if left out."""
