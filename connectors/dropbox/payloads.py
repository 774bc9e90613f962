"""Dropbox's JSON as types: only the fields that are read. https://www.dropbox.com/developers/documentation/http"""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta, Raw, Struct, field

from connectors.core.moments import Moment

Size = Annotated[int, Meta(ge=0)]


class Tag(Struct, frozen=True, gc=False):
    """A union of which only the tag matters."""

    tag: str = field(default="", name=".tag")


class PropertyField(Struct, frozen=True, gc=False):
    name: str
    value: str


class PropertyGroup(Struct, frozen=True, gc=False):
    template_id: str
    fields: list[PropertyField]


class SharingInfo(Struct, frozen=True, gc=False):
    read_only: bool = False
    modified_by: str | None = None


class ExportInfo(Struct, frozen=True, gc=False):
    export_as: str | None = None
    export_options: tuple[str, ...] | None = None


class Entry(Struct, frozen=True, gc=False, kw_only=True):
    """A file, a folder or what was deleted; only where all are possible there is a tag."""

    tag: str = field(default="", name=".tag")
    id: str = ""
    name: str
    path_lower: str | None = None  # none where it cannot be reached from the account's root
    path_display: str | None = None
    rev: str | None = None
    size: Size | None = None
    client_modified: Moment | None = None
    server_modified: Moment | None = None
    content_hash: str | None = None
    is_downloadable: bool = True
    export_info: ExportInfo | None = None
    is_restorable: bool = True  # told of revisions when asked for
    shared_folder_id: str | None = None
    sharing_info: SharingInfo | None = None
    property_groups: list[PropertyGroup] = []
    raw: dict[str, Any] | None = field(default=None, name=".raw")  # never sent: all that was, when it is asked for

    @property
    def is_file(self) -> bool:
        return self.rev is not None

    def has_bytes_of(self, other: Entry) -> bool:
        """The same bytes, as far as Dropbox tells hashes."""
        return self.content_hash is not None and self.content_hash == other.content_hash

    @property
    def export_formats(self) -> tuple[str, ...]:
        """What it can be exported as, since it cannot be downloaded; the usual format first."""
        if self.is_downloadable or self.export_info is None:
            return ()
        formats = (self.export_info.export_as, *(self.export_info.export_options or ()))
        return tuple(dict.fromkeys(each for each in formats if each))


class Result(Struct, frozen=True):
    """Of what changes something."""

    metadata: Raw


class Listing(Struct, frozen=True):
    entries: list[Raw]
    cursor: str
    has_more: bool


class Cursor(Struct, frozen=True):
    cursor: str


class Shown(Struct, frozen=True):
    metadata: Raw = Raw(b"")  # none of what may not be seen


class Match(Struct, frozen=True):
    metadata: Shown


class Found(Struct, frozen=True):
    matches: list[Match]
    has_more: bool
    cursor: str = ""


class Revisions(Struct, frozen=True):
    entries: list[Raw]
    is_deleted: bool = False
    has_more: bool = False


class ExportMetadata(Struct, frozen=True, gc=False):
    name: str
    size: int


class Exported(Struct, frozen=True):
    export_metadata: ExportMetadata
    file_metadata: Raw


class AudienceOption(Struct, frozen=True, gc=False):
    audience: Tag
    allowed: bool


class LinkPermissions(Struct, frozen=True, gc=False, kw_only=True):
    """What a link allows, and what its owner may change."""

    resolved_visibility: Tag | None = None
    effective_audience: Tag | None = None
    link_access_level: Tag | None = None
    audience_options: list[AudienceOption] | None = None
    require_password: bool | None = None
    allow_download: bool = True
    can_set_expiry: bool = True
    can_remove_expiry: bool = True
    can_set_password: bool | None = None
    can_remove_password: bool | None = None
    can_allow_download: bool = True
    can_disallow_download: bool = True


class LinkInfo(Struct, frozen=True, gc=False, kw_only=True):
    url: str
    id: str = ""
    expires: Moment | None = None
    link_permissions: LinkPermissions


class LinkList(Struct, frozen=True):
    links: list[LinkInfo]


class ChangedAccounts(Struct, frozen=True):
    accounts: list[str] = []


class ChangeNotice(Struct, frozen=True):
    """What Dropbox calls an application's address with."""

    list_folder: ChangedAccounts = ChangedAccounts()


class Session(Struct, frozen=True):
    session_id: str


class RootInfo(Struct, frozen=True):
    root_namespace_id: str
    home_namespace_id: str


class Name(Struct, frozen=True):
    display_name: str


class Person(Struct, frozen=True):
    """The account itself."""

    account_id: str
    email: str
    name: Name
    root_info: RootInfo


class Allocation(Struct, frozen=True, kw_only=True):
    allocated: int = 0
    used: int | None = None  # by the whole team
    user_within_team_space_allocated: int = 0  # 0 is no limit of one's own


class Space(Struct, frozen=True):
    used: int
    allocation: Allocation


class Member(Struct, frozen=True, kw_only=True):
    account_id: str
    email: str
    display_name: str


class Group(Struct, frozen=True, kw_only=True):
    group_id: str
    group_name: str


class Invitee(Struct, frozen=True, kw_only=True):
    email: str = ""


class Membership(Struct, frozen=True, kw_only=True):
    """Of a user, a group, or somebody who has no account yet."""

    access_type: Tag
    is_inherited: bool = False
    user: Member | None = None
    group: Group | None = None
    invitee: Invitee | None = None


class Members(Struct, frozen=True, kw_only=True):
    users: list[Membership]
    groups: list[Membership]
    invitees: list[Membership]
    cursor: str = ""


class Outcome(Struct, frozen=True):
    result: dict[str, Any]


class Job(Struct, frozen=True, kw_only=True):
    """What is done behind the scenes, or at once."""

    tag: str = field(default="", name=".tag")
    async_job_id: str = ""
    shared_folder_id: str = ""
    failed: Raw = Raw(b"{}")


class Templates(Struct, frozen=True):
    template_ids: list[str]


class Template(Struct, frozen=True):
    name: str


class TemplateId(Struct, frozen=True):
    template_id: str
