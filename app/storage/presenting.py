"""From connectors' resources to the API's objects, and from public ids back to references."""

from __future__ import annotations

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

    def build_file(self, file: File) -> FileReply:
        """A file as the API shows it."""
        public_id = self._encode_id("file", file.raw_id)
        return FileReply(
            id=public_id,
            name=file.name,
            size=file.size_bytes,
            created=file.created_at,
            modified=file.modified_at,
            account=self._account_id,
            parent=self._build_parent(file.parent),
            ancestors=self._build_ancestors(file.ancestors),
            path=file.path,
            mime_type=file.media_type,
            downloadable=file.is_downloadable,
            raw_id=file.raw_id,
            owner=None if file.owner_id is None else PersonReply(file.owner_id),
            creator=None if file.creator_id is None else PersonReply(file.creator_id),
            last_modifier=None if file.last_modifier_id is None else PersonReply(file.last_modifier_id),
            ids={"default": public_id},
            href=f"{self._prefix}/files/{public_id}",
            raw=RawReply(file.raw_id, file.raw) if self._include_raw else UNSET,
        )

    def build_folder(self, folder: Folder) -> FolderReply:
        """A folder as the API shows it."""
        public_id = self.encode(Ref("folder", folder.raw_id))
        return FolderReply(
            id=public_id,
            name=folder.name,
            created=folder.created_at,
            modified=folder.modified_at,
            account=self._account_id,
            parent=self._build_parent(folder.parent),
            ancestors=self._build_ancestors(folder.ancestors),
            path=folder.path,
            raw_id=folder.raw_id,
            owner=None if folder.owner_id is None else PersonReply(folder.owner_id),
            creator=None if folder.creator_id is None else PersonReply(folder.creator_id),
            last_modifier=None if folder.last_modifier_id is None else PersonReply(folder.last_modifier_id),
            can_create_folders=folder.can_create_folders,
            can_upload_files=folder.can_upload_files,
            can_list_recursively=self._can_list_recursively,
            ids={"default": public_id},
            href=f"{self._prefix}/folders/{public_id}",
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
