"""The interface: what every connector promises. One instance per account and request; making one is cheap."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import TYPE_CHECKING, ClassVar, Literal, NoReturn

from connectors.core.errors import ConnectorError, ErrorKind
from connectors.core.manifest import Capabilities, Manifest
from connectors.core.raw import RawCall, RawReply
from connectors.core.resources import (
    ByteRange,
    ChangePage,
    Download,
    File,
    Folder,
    Identity,
    OnConflict,
    Page,
    Part,
    Permission,
    PermissionChange,
    Probe,
    Property,
    Quota,
    RawId,
    Ref,
    Resource,
    SignedUrl,
    UploadSession,
    VersionId,
    VersionPage,
)
from connectors.core.sharing import LinkChange, SharedLink, Subscription, Thumbnail

if TYPE_CHECKING:
    from connectors.core.bytesource import ByteSource


class Connector(ABC):
    """Talks to one account at one provider.

    Every method raises ConnectorError and nothing else: `unavailable` or `timed_out` when the provider cannot be
    reached, `grant_revoked` when the account must be reconnected. Cancelling is normal:
    what was open is closed.
    """

    manifest: ClassVar[Manifest]

    @property
    def capabilities(self) -> Capabilities:
        """What this account can do now; the manifest's unless the connector learned better."""
        return self.manifest.capabilities

    async def probe(self) -> Probe:
        """Learns what only trying can tell; asked once, right after get_identity, when an account is connected.

        - May write, and then removes what it wrote. Failing to learn something is no error: it stays undeclared.
        """
        return Probe()

    # ---- every connector has these

    @abstractmethod
    async def get_identity(self) -> Identity:
        """Says who granted access.

        - Makes at least one real call, so that wrong credentials are found: grant_revoked or permission_denied.
        """

    @abstractmethod
    async def get(self, ref: Ref) -> Resource:
        """Returns the file or folder as it is now.

        - not_found when it is not there; wrong_type when something of the other kind is.
        - The manifest's root is always found.
        """

    @abstractmethod
    async def list_folder(self, folder: RawId, *, cursor: str | None = None, limit: int = 1000) -> Page:
        """Returns one page of a folder's files and folders, in the provider's order.

        - At most `limit` resources; following `next_cursor` until None sees every resource that was there throughout
          exactly once, whatever is added or removed meanwhile.
        - not_found for no such folder, wrong_type for a file, cursor_invalid for a cursor it did not give out.
        """

    @abstractmethod
    def open_download(
        self, file: RawId, *, byte_range: ByteRange | None = None, if_match: str | None = None
    ) -> AbstractAsyncContextManager[Download]:
        """Opens a file's bytes; leaving the context closes the source at once, however much was read.

        - The bytes are one version's from beginning to end, or the read fails.
        - range_invalid (with `size_bytes`) for a range that touches no byte; a range past the end is cut.
        - `if_match` is an etag from before: precondition_failed when the file's is another.
        """

    @abstractmethod
    async def upload(self, parent: RawId, name: str, source: ByteSource, *, on_conflict: OnConflict) -> File:
        """Stores a file and returns it.

        - All or nothing: when this raises or is cancelled, nobody ever saw a part of it.
        - A source that ends before its declared size, or after it, is source_failed and stores nothing.
        - already_exists with FAIL; a folder of that name is in the way also with REPLACE.
        - Not idempotent with RENAME.
        """

    @abstractmethod
    async def replace(self, file: RawId, source: ByteSource) -> File:
        """Replaces the bytes of an existing file; its raw id stays where the provider allows.

        - All or nothing, as upload. not_found when the file is not there: nothing is created.
        """

    @abstractmethod
    async def create_folder(self, parent: RawId, name: str) -> Folder:
        """Creates a folder and returns it.

        - already_exists, with `conflict` when known, if the name is taken by a folder or a file.
        """

    @abstractmethod
    async def update(self, ref: Ref, *, name: str | None = None, parent: RawId | None = None) -> Resource:
        """Renames, moves, or both at once; returns the resource, whose raw id may be new.

        - already_exists if the name is taken there, nothing changed; the same place is not an error.
        - invalid_target for a folder moved into itself or below.
        """

    @abstractmethod
    async def delete(self, ref: Ref, *, is_recursive: bool = False, is_permanent: bool = False) -> None:
        """Deletes a file, or a folder that is empty or whose content may go with it (`is_recursive`).

        - not_found when it is not there; folder_not_empty.
        - A repeat after a doubtful failure that finds nothing is done, not an error.
        - Without `is_permanent` it goes to the provider's trash where there is one.
        """

    # ---- a connector has these if it declares them

    async def get_by_path(self, path: str) -> Resource:
        """Returns what stands at an absolute path like "/a/b.txt"; "/" is the root. not_found, invalid_name."""
        self._refuse("get_by_path")

    async def copy(
        self, ref: Ref, *, parent: RawId, name: str | None = None, on_conflict: OnConflict = OnConflict.RENAME
    ) -> Resource:
        """Copies inside the account at the provider's side; folders with all they hold if `copy_folder` is declared.

        - A folder copied into itself is invalid_target. Not idempotent with RENAME.
        """
        self._refuse("copy")

    async def search(
        self, query: str, *, folder: RawId | None = None, cursor: str | None = None, limit: int = 1000
    ) -> Page:
        """Returns a page of resources whose name matches, anywhere below `folder` (the root if None); also of files
        whose content does, where the provider looks there.

        - `is_partial` when a limit of the search ended it before everything was seen.
        """
        self._refuse("search")

    async def get_quota(self) -> Quota:
        """Says how much space there is."""
        self._refuse("get_quota")

    async def start_upload(
        self, parent: RawId, name: str, *, size_bytes: int | None, on_conflict: OnConflict
    ) -> UploadSession:
        """Begins an upload in parts; nothing is visible until it is finished.

        - All parts but the last have exactly the session's `part_size_bytes`.
        """
        self._refuse("start_upload")

    async def put_part(
        self, session: UploadSession, number: int, source: ByteSource, *, previous: Part | None = None
    ) -> Part:
        """Stores part `number` (from 1); the same number again replaces it if `upload_parts_replaceable` is declared,
        and else must bring the same bytes.

        - Other parts may be stored at the same time if `upload_parts_parallel` is declared. Else they go in order, and
          `previous` is the part before this one as it was stored: invalid_parts without it.
        """
        self._refuse("start_upload")

    async def finish_upload(self, session: UploadSession, parts: list[Part]) -> File:
        """Makes the file of its parts, in order of number; no parts make an empty file.

        - invalid_parts, and the session lives on, when the provider misses one.
        - If the session `was_finishing`, a file that an earlier call made of the same bytes is the answer, where the
          provider lets it be known.
        """
        self._refuse("start_upload")

    async def abort_upload(self, session: UploadSession) -> None:
        """Forgets the upload and frees what it held. Idempotent: an unknown session is no error.

        - Nothing can be made of the session any more if `upload_abort_final` is declared.
        """
        self._refuse("start_upload")

    async def list_uploads(self, parent: RawId, name: str) -> list[UploadSession]:
        """Returns the uploads in parts that are to make a file of exactly this name: neither finished nor aborted.

        - Each has the `state` that start_upload gave and its `started_at`, and can be aborted; what else the provider
          does not tell, such as the conflict policy or the size, is made up. None in a folder that is not there.
        """
        self._refuse("list_uploads")

    async def list_recursive(self, folder: RawId, *, cursor: str | None = None, limit: int = 1000) -> Page:
        """Returns a page of all that is below a folder, at any depth.

        - The promises of list_folder; a folder comes before what it holds. `is_partial` when a limit ended the page
          early; its cursor goes on from there.
        - Folders below that went meanwhile, or may not be read, hold nothing.
        """
        self._refuse("list_recursive")

    async def list_recent(self, *, after: datetime | None = None, limit: int = 1000) -> Page:
        """Returns the files modified last, newest first, only those later than `after`; one page, no cursor.

        - Files whose time the provider does not tell come last, and not at all with `after`.
        - `is_partial` when a limit ended the look around before everything was seen.
        """
        self._refuse("list_recent")

    async def list_changes(self, *, cursor: str | None = None, limit: int = 1000) -> ChangePage:
        """Returns what changed in the whole account since a cursor, or with None nothing but the cursor of now.

        - Each change comes at least once, perhaps together with later ones, and perhaps with what has not changed.
        - A cursor can be used again: it lives until cursor_reset, with which a listing of everything must begin anew.
        """
        self._refuse("list_changes")

    async def list_versions(self, file: RawId, *, cursor: str | None = None, limit: int = 1000) -> VersionPage:
        """Returns a page of the versions of a file that is there, newest first; the current one is among them.

        - not_found, wrong_type, cursor_invalid as list_folder.
        """
        self._refuse("list_versions")

    def open_version(
        self, file: RawId, version: VersionId, *, byte_range: ByteRange | None = None
    ) -> AbstractAsyncContextManager[Download]:
        """Opens the bytes of one version; the promises of open_download. not_found for a version that is not kept."""
        self._refuse("list_versions")

    async def restore_version(self, file: RawId, version: VersionId) -> File:
        """Makes an old version's bytes the current ones, as a new version; returns the file as it is then.

        - Nothing is lost: what was current stays a version. not_found for a version that is not kept.
        """
        self._refuse("list_versions")

    def open_export(self, file: RawId, export_format: str) -> AbstractAsyncContextManager[Download]:
        """Opens a document of the provider's own, which has no bytes until it is exported, in a format: one of the
        file's `export_formats` or its media type. The name has its ending. open_download chooses one by itself.

        - format_invalid, naming those there are, for another one, and for a file that has bytes of its own.
        - not_found, wrong_type as get.
        """
        self._refuse("open_export")

    async def list_trash(self, *, cursor: str | None = None, limit: int = 1000) -> Page:
        """Returns a page of what was deleted and can be restored, the promises of list_folder; no order is promised.

        - What went together with its folder may come with it, or alone. Folders come with `restore_folder` only.
        """
        self._refuse("list_trash")

    async def restore(self, ref: Ref) -> Resource:
        """Takes a file, or with `restore_folder` a folder with all below it, out of the trash, and returns it.

        - It is where it was; where that is gone or taken, where the provider puts it, and takes nobody's place. Its
          id stays, unless it had to be put elsewhere: what is returned says.
        - not_found for what is not in the trash. What is there and was never deleted is returned as it is.
        """
        self._refuse("restore")

    async def get_thumbnail(
        self, file: RawId, *, size_px: int, image_format: Literal["png", "jpeg"]
    ) -> Thumbnail | None:
        """Returns the provider's own small picture of a file; None where it has none of this one.

        - Its longer side has at least `size_px` pixels, perhaps many more, where the file and what the provider makes
          have so many; the format is a wish.
        - not_found, wrong_type as get; None also for files that the provider tries in vain.
        """
        self._refuse("get_thumbnail")

    async def list_links(self, ref: Ref) -> list[SharedLink]:
        """Returns the links to a file or folder itself that the account may see; none that were inherited."""
        self._refuse("list_links")

    async def create_link(self, ref: Ref, wish: LinkChange) -> SharedLink:
        """Makes a link, or where a provider has one at most, changes that one to the wish; returns it.

        - unsupported, and nothing made, for a wish that the provider or this account's plan cannot keep.
        """
        self._refuse("create_link")

    async def update_link(self, ref: Ref, link: str, change: LinkChange) -> SharedLink:
        """Changes a link; its address stays. not_found for a link that is not one of `ref`; unsupported as above."""
        self._refuse("create_link")

    async def delete_link(self, ref: Ref, link: str) -> None:
        """Ends a link: its address opens no more. not_found for a link that is not one of `ref`."""
        self._refuse("create_link")

    async def subscribe(self, *, url: str, secret: str, seconds: int) -> Subscription:
        """Has the provider call `url` when something changes; it may end earlier than asked, never later.

        - `secret` comes back with every call, so that the service's `read_notice` can tell it from others.
        """
        self._refuse("subscribe")

    async def renew_subscription(
        self, subscription: Subscription, *, url: str, secret: str, seconds: int
    ) -> Subscription:
        """Has it last longer: perhaps a new one, and the old one ended. Between them no notice is lost."""
        self._refuse("subscribe")

    async def unsubscribe(self, subscription: Subscription) -> None:
        """Ends it. Safe to repeat, also for one that has ended by itself."""
        self._refuse("subscribe")

    async def list_permissions(self, ref: Ref) -> list[Permission]:
        """Says who may do what with a file or folder."""
        self._refuse("list_permissions")

    async def set_permissions(
        self, ref: Ref, changes: Sequence[PermissionChange], *, is_replacing: bool
    ) -> list[Permission]:
        """Grants what is asked for and returns all permissions; those of the owner always stay.

        - With `is_replacing` nobody else keeps any. not_found for a grantee that the provider does not know.
        """
        self._refuse("set_permissions")

    async def list_properties(self, file: RawId) -> list[Property]:
        """Returns the properties of a file, by key."""
        self._refuse("list_properties")

    async def update_properties(
        self, file: RawId, changes: Mapping[str, str | None], *, is_replacing: bool = False
    ) -> list[Property]:
        """Sets properties, deletes those whose value is None, and returns all.

        - With `is_replacing` no other property stays. Deleting one that is not there is no error.
        - invalid_name for a key, value or number that the provider cannot store; nothing is changed then.
        - The file's bytes stay as they are; its etag may change.
        """
        self._refuse("list_properties")

    async def create_download_url(self, file: RawId, *, seconds: int, version: VersionId | None = None) -> SignedUrl:
        """Makes an address that gives the file's bytes, as an attachment of its name, to whoever has it.

        - not_found if the file is not there now.
        """
        self._refuse("create_download_url")

    async def create_upload_url(self, parent: RawId, name: str, *, seconds: int) -> SignedUrl:
        """Makes an address that stores one request's body as a file, replacing what has that name."""
        self._refuse("create_upload_url")

    def call_raw(self, call: RawCall) -> AbstractAsyncContextManager[RawReply]:
        """Sends a request in the provider's own terms, signed, and gives the reply whatever its status says.

        - Goes to the account's own hosts only: address_refused for any other. Never repeated if it may have happened.
        """
        self._refuse("call_raw")

    def _refuse(self, operation: str) -> NoReturn:
        text = f"{self.manifest.title} does not offer {operation.replace('_', ' ')}"
        raise ConnectorError(ErrorKind.UNSUPPORTED, text)
