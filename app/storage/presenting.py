"""From connectors' resources to the API's objects, and from public ids back to references."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import UNSET

from app.core.errors import ApiError, ErrorCode
from app.core.ids import ROOT_ID, IdCodec
from app.storage.schemas import FileReply, FolderReply, ParentReply, PersonReply, RawReply
from connectors.core.resources import File, Folder, Kind, Parent, RawId, Ref, Resource


class Presenter:
    """Makes the objects of one account for one request; what is above them, and repeats on a page, is made once."""

    def __init__(
        self,
        *,
        ids: IdCodec,
        account_id: int,
        origin: str,
        root: Ref,
        can_list_recursively: bool,
        include_raw: bool = False,
    ) -> None:
        self._ids = ids
        self._encode_id = ids.build_encoder(account_id)
        self._account_id = account_id
        self._prefix = f"{origin}/v1/accounts/{account_id}/storage"
        self._root = root
        self._can_list_recursively = can_list_recursively
        self._include_raw = include_raw
        self._parents: dict[tuple[RawId, str | None], ParentReply] = {}
        self._ancestors: tuple[tuple[Parent, ...], list[ParentReply]] = ((), [])  # of the object before

    def href(self, path: str) -> str:
        """An absolute address below this account's storage."""
        return f"{self._prefix}/{path}"

    def encode(self, ref: Ref) -> str:
        """The public id; the account's root is always `root`."""
        return ROOT_ID if ref == self._root else self._encode_id(ref.kind, ref.raw_id)

    def decode(self, public_id: str, *, kind: Kind) -> Ref:
        """What an id names; ApiError 404 for one that is not of this account, 400 for one of the other kind."""
        ref = self._root if public_id == ROOT_ID else self._ids.decode(self._account_id, public_id)
        if ref is None:
            raise ApiError(ErrorCode.NOT_FOUND, f"There is no such {kind}.")
        if ref.kind != kind:
            raise ApiError(ErrorCode.INVALID_RESOURCE_TYPE, f"The id belongs to a {ref.kind}, not a {kind}.")
        return ref

    def decode_parent(self, public_id: str | None) -> RawId:
        """A parent folder from a body; the root if missing. ApiError 400 invalid_parent_folder."""
        if public_id is None or public_id == ROOT_ID:
            return self._root.raw_id
        ref = self._ids.decode(self._account_id, public_id)
        if ref is None or ref.kind != "folder":
            raise ApiError(ErrorCode.INVALID_PARENT_FOLDER, "parent_id is not the id of a folder of this account.")
        return ref.raw_id

    def build(self, resource: Resource) -> FileReply | FolderReply:
        """The API's object."""
        return self.build_file(resource) if isinstance(resource, File) else self.build_folder(resource)

    def build_all(self, resources: Sequence[Resource]) -> list[FileReply | FolderReply]:
        """The API's objects of a page."""
        refs: list[tuple[Kind, RawId]] = [
            ("file" if isinstance(resource, File) else "folder", resource.raw_id) for resource in resources
        ]
        public_ids = self._ids.encode_all(self._account_id, refs)
        return [
            self._show_file(resource, public_id)
            if isinstance(resource, File)
            else self._show_folder(resource, ROOT_ID if resource.raw_id == self._root.raw_id else public_id)
            for resource, public_id in zip(resources, public_ids, strict=True)
        ]

    def build_file(self, file: File) -> FileReply:
        """A file as the API shows it."""
        return self._show_file(file, self._encode_id("file", file.raw_id))

    def build_folder(self, folder: Folder) -> FolderReply:
        """A folder as the API shows it."""
        return self._show_folder(folder, self.encode(Ref("folder", folder.raw_id)))

    # By their places, because by their names the fields cost several times as much, and a page has a thousand objects.

    def _show_file(self, file: File, public_id: str) -> FileReply:
        return FileReply(
            public_id,
            file.name,
            file.size_bytes,
            file.created_at,
            file.modified_at,
            self._account_id,
            self._build_parent(file.parent),
            self._build_ancestors(file.ancestors),
            file.path,
            file.media_type,
            file.is_downloadable,
            file.raw_id,
            None if file.owner_id is None else PersonReply(file.owner_id),
            None if file.creator_id is None else PersonReply(file.creator_id),
            None if file.last_modifier_id is None else PersonReply(file.last_modifier_id),
            {"default": public_id},
            f"{self._prefix}/files/{public_id}",
            export_formats=file.export_formats or UNSET,
            raw=RawReply(file.raw_id, file.raw) if self._include_raw else UNSET,
        )

    def _show_folder(self, folder: Folder, public_id: str) -> FolderReply:
        return FolderReply(
            public_id,
            folder.name,
            folder.created_at,
            folder.modified_at,
            self._account_id,
            self._build_parent(folder.parent),
            self._build_ancestors(folder.ancestors),
            folder.path,
            folder.raw_id,
            None if folder.owner_id is None else PersonReply(folder.owner_id),
            None if folder.creator_id is None else PersonReply(folder.creator_id),
            None if folder.last_modifier_id is None else PersonReply(folder.last_modifier_id),
            folder.can_create_folders,
            folder.can_upload_files,
            self._can_list_recursively,
            {"default": public_id},
            f"{self._prefix}/folders/{public_id}",
            raw=RawReply(folder.raw_id, folder.raw) if self._include_raw else UNSET,
        )

    def _build_ancestors(self, ancestors: tuple[Parent, ...] | None) -> list[ParentReply] | None:
        if ancestors is None:
            return None
        known, replies = self._ancestors
        if known is not ancestors:
            replies = [reply for ancestor in ancestors if (reply := self._build_parent(ancestor)) is not None]
            self._ancestors = ancestors, replies
        return replies

    def _build_parent(self, parent: Parent | None) -> ParentReply | None:
        if parent is None:
            return None
        key = (parent.raw_id, parent.name)
        reply = self._parents.get(key)
        if reply is None:
            reply = self._parents[key] = ParentReply(self.encode(Ref("folder", parent.raw_id)), parent.name)
        return reply
