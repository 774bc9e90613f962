"""Refuses what cannot work before any request is made, in words that say what to do instead."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Literal

from connectors.core.bytesource import ByteSource
from connectors.core.errors import ConnectorError, ErrorKind
from connectors.core.layers.delegate import DelegatingConnector
from connectors.core.manifest import Limits
from connectors.core.raw import RawCall, RawReply
from connectors.core.resources import (
    ByteRange,
    ChangePage,
    Download,
    File,
    Folder,
    OnConflict,
    Page,
    Part,
    Permission,
    PermissionChange,
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


class CheckingConnector(DelegatingConnector):
    """Checks what is asked against capabilities and limits; a page larger than the provider gives is cut to that."""

    async def list_folder(self, folder: RawId, *, cursor: str | None = None, limit: int = 1000) -> Page:
        return await super().list_folder(folder, cursor=cursor, limit=self._page_limit(limit))

    def open_download(
        self, file: RawId, *, byte_range: ByteRange | None = None, if_match: str | None = None
    ) -> AbstractAsyncContextManager[Download]:
        self._need(byte_range is None or self.capabilities.download_range, "a part of a file")
        self._need(if_match is None or self.capabilities.download_if_match, "a download bound to an etag")
        return super().open_download(file, byte_range=byte_range, if_match=if_match)

    async def upload(self, parent: RawId, name: str, source: ByteSource, *, on_conflict: OnConflict) -> File:
        check_name(name, self.manifest.limits)
        self._check_size(source.size_bytes)
        return await super().upload(parent, name, source, on_conflict=on_conflict)

    async def replace(self, file: RawId, source: ByteSource) -> File:
        self._check_size(source.size_bytes)
        return await super().replace(file, source)

    async def create_folder(self, parent: RawId, name: str) -> Folder:
        check_name(name, self.manifest.limits)
        return await super().create_folder(parent, name)

    async def update(self, ref: Ref, *, name: str | None = None, parent: RawId | None = None) -> Resource:
        self._refuse_root(ref, "renamed or moved")
        if name is not None:
            check_name(name, self.manifest.limits)
        if parent is not None and ref.kind == "folder":
            self._need(self.capabilities.move_folder, "moving folders")
            self._refuse_inside_itself(ref, parent)
        return await super().update(ref, name=name, parent=parent)

    async def delete(self, ref: Ref, *, is_recursive: bool = False, is_permanent: bool = False) -> None:
        self._refuse_root(ref, "deleted")
        if is_recursive and ref.kind == "folder":
            self._need(self.capabilities.delete_recursive, "deleting folders with their content")
        await super().delete(ref, is_recursive=is_recursive, is_permanent=is_permanent)

    async def get_by_path(self, path: str) -> Resource:
        self._need(self.capabilities.get_by_path, "finding by path")
        check_path(path, self.manifest.limits)
        return await super().get_by_path(path)

    async def copy(
        self, ref: Ref, *, parent: RawId, name: str | None = None, on_conflict: OnConflict = OnConflict.RENAME
    ) -> Resource:
        self._need(self.capabilities.copy, "copying")
        if ref.kind == "folder":
            self._need(self.capabilities.copy_folder, "copying folders")
            self._refuse_inside_itself(ref, parent)
        if name is not None:
            check_name(name, self.manifest.limits)
        return await super().copy(ref, parent=parent, name=name, on_conflict=on_conflict)

    async def search(
        self, query: str, *, folder: RawId | None = None, cursor: str | None = None, limit: int = 1000
    ) -> Page:
        self._need(self.capabilities.search, "search")
        return await super().search(query, folder=folder, cursor=cursor, limit=self._page_limit(limit))

    async def get_quota(self) -> Quota:
        self._need(self.capabilities.get_quota, "a quota")
        return await super().get_quota()

    async def start_upload(
        self, parent: RawId, name: str, *, size_bytes: int | None, on_conflict: OnConflict
    ) -> UploadSession:
        self._need(self.capabilities.start_upload, "uploads in parts")
        limits = self.manifest.limits
        check_name(name, limits)
        self._check_size(size_bytes)
        total_bytes_max = limits.upload_part_bytes_max * limits.upload_parts_max
        if size_bytes is not None and size_bytes > total_bytes_max:
            raise ConnectorError(
                ErrorKind.TOO_LARGE, f"{self.manifest.title} takes at most {total_bytes_max} bytes in parts"
            )
        return await super().start_upload(parent, name, size_bytes=size_bytes, on_conflict=on_conflict)

    async def put_part(
        self, session: UploadSession, number: int, source: ByteSource, *, previous: Part | None = None
    ) -> Part:
        self._need(self.capabilities.start_upload, "uploads in parts")
        check_part(session, number, source.size_bytes, self.manifest.limits)
        if number > 1 and previous is None and not self.capabilities.upload_parts_parallel:
            raise _invalid_parts(f"parts go in order here, and part {number - 1} is missing; upload it first")
        return await super().put_part(session, number, source, previous=previous)

    async def finish_upload(self, session: UploadSession, parts: list[Part]) -> File:
        self._need(self.capabilities.start_upload, "uploads in parts")
        ordered = sorted(parts, key=lambda part: part.number)
        check_parts(session, ordered, self.manifest.limits)
        return await super().finish_upload(session, ordered)

    async def abort_upload(self, session: UploadSession) -> None:
        self._need(self.capabilities.start_upload, "uploads in parts")
        await super().abort_upload(session)

    async def list_uploads(self, parent: RawId, name: str) -> list[UploadSession]:
        self._need(self.capabilities.list_uploads, "a list of unfinished uploads")
        return await super().list_uploads(parent, name)

    async def list_recursive(self, folder: RawId, *, cursor: str | None = None, limit: int = 1000) -> Page:
        self._need(self.capabilities.list_recursive, "recursive listing")
        return await super().list_recursive(folder, cursor=cursor, limit=self._page_limit(limit))

    async def list_recent(self, *, after: datetime | None = None, limit: int = 1000) -> Page:
        self._need(self.capabilities.list_recent, "recent files")
        return await super().list_recent(after=after, limit=limit)

    async def list_changes(self, *, cursor: str | None = None, limit: int = 1000) -> ChangePage:
        self._need(self.capabilities.list_changes, "a feed of changes")
        return await super().list_changes(cursor=cursor, limit=self._page_limit(limit))

    async def list_versions(self, file: RawId, *, cursor: str | None = None, limit: int = 1000) -> VersionPage:
        self._need(self.capabilities.list_versions, "versions")
        return await super().list_versions(file, cursor=cursor, limit=self._page_limit(limit))

    def open_version(
        self, file: RawId, version: VersionId, *, byte_range: ByteRange | None = None
    ) -> AbstractAsyncContextManager[Download]:
        self._need(self.capabilities.list_versions, "versions")
        self._need(byte_range is None or self.capabilities.download_range, "a part of a file")
        return super().open_version(file, version, byte_range=byte_range)

    async def restore_version(self, file: RawId, version: VersionId) -> File:
        self._need(self.capabilities.list_versions, "versions")
        return await super().restore_version(file, version)

    def open_export(self, file: RawId, export_format: str) -> AbstractAsyncContextManager[Download]:
        self._need(self.capabilities.open_export, "exports in a format of one's choice")
        return super().open_export(file, export_format)

    async def list_trash(self, *, cursor: str | None = None, limit: int = 1000) -> Page:
        self._need(self.capabilities.list_trash, "a list of what was deleted")
        return await super().list_trash(cursor=cursor, limit=self._page_limit(limit))

    async def restore(self, ref: Ref) -> Resource:
        self._need(self.capabilities.restore, "taking things out of the trash")
        self._need(ref.kind == "file" or self.capabilities.restore_folder, "taking folders out of the trash")
        return await super().restore(ref)

    async def get_thumbnail(
        self, file: RawId, *, size_px: int, image_format: Literal["png", "jpeg"]
    ) -> Thumbnail | None:
        self._need(self.capabilities.get_thumbnail, "thumbnails")
        return await super().get_thumbnail(file, size_px=size_px, image_format=image_format)

    async def list_links(self, ref: Ref) -> list[SharedLink]:
        self._need(self.capabilities.list_links, "links of its own")
        return await super().list_links(ref)

    async def create_link(self, ref: Ref, wish: LinkChange) -> SharedLink:
        self._check_link(wish)
        return await super().create_link(ref, wish)

    async def update_link(self, ref: Ref, link: str, change: LinkChange) -> SharedLink:
        self._check_link(change)
        return await super().update_link(ref, link, change)

    async def delete_link(self, ref: Ref, link: str) -> None:
        self._need(self.capabilities.create_link, "making and ending links")
        await super().delete_link(ref, link)

    async def subscribe(self, *, url: str, secret: str, seconds: int) -> Subscription:
        self._need(self.capabilities.subscribe, "notices of changes")
        return await super().subscribe(url=url, secret=secret, seconds=self._subscription_seconds(seconds))

    async def renew_subscription(
        self, subscription: Subscription, *, url: str, secret: str, seconds: int
    ) -> Subscription:
        self._need(self.capabilities.subscribe, "notices of changes")
        seconds = self._subscription_seconds(seconds)
        return await super().renew_subscription(subscription, url=url, secret=secret, seconds=seconds)

    async def unsubscribe(self, subscription: Subscription) -> None:
        self._need(self.capabilities.subscribe, "notices of changes")
        await super().unsubscribe(subscription)

    async def list_permissions(self, ref: Ref) -> list[Permission]:
        self._need(self.capabilities.list_permissions, "permissions")
        return await super().list_permissions(ref)

    async def set_permissions(
        self, ref: Ref, changes: Sequence[PermissionChange], *, is_replacing: bool
    ) -> list[Permission]:
        self._need(self.capabilities.set_permissions, "changing permissions")
        return await super().set_permissions(ref, changes, is_replacing=is_replacing)

    async def list_properties(self, file: RawId) -> list[Property]:
        self._need(self.capabilities.list_properties, "properties")
        return await super().list_properties(file)

    async def update_properties(
        self, file: RawId, changes: Mapping[str, str | None], *, is_replacing: bool = False
    ) -> list[Property]:
        self._need(self.capabilities.list_properties, "properties")
        check_properties(changes, self.manifest.limits)
        return await super().update_properties(file, changes, is_replacing=is_replacing)

    async def create_download_url(self, file: RawId, *, seconds: int, version: VersionId | None = None) -> SignedUrl:
        self._need(self.capabilities.create_download_url, "signed addresses to download from")
        self._check_seconds(seconds)
        return await super().create_download_url(file, seconds=seconds, version=version)

    async def create_upload_url(self, parent: RawId, name: str, *, seconds: int) -> SignedUrl:
        self._need(self.capabilities.create_upload_url, "signed addresses to upload to")
        check_name(name, self.manifest.limits)
        self._check_seconds(seconds)
        return await super().create_upload_url(parent, name, seconds=seconds)

    def call_raw(self, call: RawCall) -> AbstractAsyncContextManager[RawReply]:
        self._need(self.capabilities.call_raw, "requests of its own kind")
        return super().call_raw(call)

    def _check_link(self, change: LinkChange) -> None:
        offered = self.capabilities
        self._need(offered.create_link, "making and changing links")
        self._need(not change.password or offered.link_password, "links with a password")
        self._need(not change.expires_at or offered.link_expiry, "links that expire")
        self._need(change.role != "writer" or offered.link_writer, "links to change things with")
        self._need(change.can_download is not False or offered.link_without_download, "links without download")

    def _subscription_seconds(self, seconds: int) -> int:
        seconds_max = self.manifest.limits.subscription_seconds_max
        if seconds < 1:
            raise ConnectorError(ErrorKind.UNSUPPORTED, f"a subscription lasts at least a second, not {seconds}")
        return seconds if seconds_max is None else min(seconds, seconds_max)

    def _check_seconds(self, seconds: int) -> None:
        seconds_max = self.manifest.limits.signed_url_seconds_max
        if not 1 <= seconds <= seconds_max:
            text = f"a signed address lives 1 to {seconds_max} seconds, not {seconds}"
            raise ConnectorError(ErrorKind.UNSUPPORTED, text)

    def _need(self, is_offered: bool, what: str) -> None:
        if not is_offered:
            raise ConnectorError(ErrorKind.UNSUPPORTED, f"{self.manifest.title} does not offer {what}")

    def _page_limit(self, limit: int) -> int:
        items_max = self.manifest.limits.page_items_max
        if limit < 1:
            raise ConnectorError(ErrorKind.UNSUPPORTED, f"a page holds 1 to {items_max} entries, not {limit}")
        return min(limit, items_max)

    def _check_size(self, size_bytes: int | None) -> None:
        if size_bytes is None:
            self._need(self.capabilities.upload_size_unknown, "uploads of unknown size; say the size beforehand")
            return
        if size_bytes < 0:
            raise ConnectorError(ErrorKind.SOURCE_FAILED, "a size cannot be negative")
        file_bytes_max = self.manifest.limits.file_bytes_max
        if file_bytes_max is not None and size_bytes > file_bytes_max:
            text = f"{self.manifest.title} takes files of at most {file_bytes_max} bytes, this one has {size_bytes}"
            raise ConnectorError(ErrorKind.TOO_LARGE, text)

    def _refuse_root(self, ref: Ref, done: str) -> None:
        if ref == self.manifest.root:
            raise ConnectorError(ErrorKind.PERMISSION_DENIED, f"the root folder cannot be {done}")

    def _refuse_inside_itself(self, ref: Ref, parent: RawId) -> None:
        if parent == ref.raw_id or ref == self.manifest.root:
            raise ConnectorError(ErrorKind.INVALID_TARGET, "a folder cannot be moved or copied into itself")


def check_name(name: str, limits: Limits) -> None:
    """Refuses a name that the provider cannot store: invalid_name, with the rule that it breaks."""
    if not name:
        raise _invalid_name("a name cannot be empty")
    if name in limits.names_forbidden:
        raise _invalid_name(f"the name {name!r} is reserved; choose another")
    forbidden = sorted(set(name) & set(limits.name_characters_forbidden))
    if forbidden:
        raise _invalid_name(f"a name cannot contain {' '.join(map(repr, forbidden))}; leave it out")
    _check_length("name", name, limits.name_bytes_max)
    _check_characters("a name", name, limits.name_characters_max)


def check_path(path: str, limits: Limits) -> None:
    """Refuses a path that does not start at the root, or that no names of this provider can make up."""
    if not path.startswith("/"):
        raise _invalid_name("a path starts with a slash")
    _check_length("path", path, limits.path_bytes_max)
    for name in path.strip("/").split("/") if path.strip("/") else ():
        check_name(name, limits)


def check_properties(changes: Mapping[str, str | None], limits: Limits) -> None:
    """Refuses properties that the provider cannot store: invalid_name, with the rule that they break."""
    for key, value in changes.items():
        if not key:
            raise _invalid_name("a property's key cannot be empty")
        _check_characters(f"the key {key[:40]!r}", key, limits.property_key_characters_max)
        _check_characters(f"the value of {key[:40]!r}", value or "", limits.property_value_characters_max)
    if (
        limits.properties_max is not None
        and sum(value is not None for value in changes.values()) > limits.properties_max
    ):
        raise _invalid_name(f"a file can have {limits.properties_max} properties")


def check_part(session: UploadSession, number: int, size_bytes: int | None, limits: Limits) -> None:
    """Refuses a part number out of range, or a size that this part cannot have: invalid_parts."""
    if not 1 <= number <= limits.upload_parts_max:
        raise _invalid_parts(f"part numbers go from 1 to {limits.upload_parts_max}, not {number}")
    if size_bytes is None:
        return
    if size_bytes < 0:
        raise ConnectorError(ErrorKind.SOURCE_FAILED, "a size cannot be negative")
    if session.size_bytes is None:
        if size_bytes > session.part_size_bytes:
            raise _invalid_parts(f"part {number} has {size_bytes} bytes, more than {session.part_size_bytes}")
        return
    expected_bytes = min(session.part_size_bytes, session.size_bytes - (number - 1) * session.part_size_bytes)
    if expected_bytes < (number > 1):  # only an empty file may have an empty part, the first
        raise _invalid_parts(f"part {number} begins behind the end of the file, which has {session.size_bytes} bytes")
    if size_bytes != expected_bytes:
        raise _invalid_parts(f"part {number} has {size_bytes} bytes instead of {expected_bytes}")


def check_parts(session: UploadSession, parts: list[Part], limits: Limits) -> None:
    """Refuses parts, given in order, that do not make one whole file: invalid_parts."""
    for expected_number, part in enumerate(parts, start=1):
        if part.number > expected_number:
            raise _invalid_parts(f"part {expected_number} is missing; upload it and finish again")
        if part.number < expected_number:
            raise _invalid_parts(f"part {part.number} is listed twice or below 1")
        check_part(session, part.number, part.size_bytes, limits)
        if expected_number < len(parts) and part.size_bytes != session.part_size_bytes:
            raise _invalid_parts(f"part {part.number} has {part.size_bytes} bytes instead of {session.part_size_bytes}")
    total_bytes = sum(part.size_bytes for part in parts)
    if session.size_bytes is not None and total_bytes != session.size_bytes:
        raise _invalid_parts(f"the parts have {total_bytes} bytes together, the file should have {session.size_bytes}")


def _check_length(what: str, text: str, bytes_max: int | None) -> None:
    try:
        size_bytes = len(text.encode())
    except UnicodeEncodeError as error:
        raise _invalid_name(f"a {what} is made of whole Unicode characters") from error
    if bytes_max is not None and size_bytes > bytes_max:
        raise _invalid_name(f"a {what} can have {bytes_max} bytes in UTF-8, this one has {size_bytes}; shorten it")


def _check_characters(what: str, text: str, characters_max: int | None) -> None:
    if characters_max is not None and len(text) > characters_max:
        raise _invalid_name(f"{what} can have {characters_max} characters, this one has {len(text)}")


def _invalid_name(message: str) -> ConnectorError:
    return ConnectorError(ErrorKind.INVALID_NAME, message)


def _invalid_parts(message: str) -> ConnectorError:
    return ConnectorError(ErrorKind.INVALID_PARTS, message)
