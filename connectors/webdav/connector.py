"""The operations, in the interface's order."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from http import HTTPStatus

from connectors.core.bytesource import ByteSource, CheckedSource
from connectors.core.connector import Connector
from connectors.core.errors import ConnectorError, ErrorKind
from connectors.core.manifest import Capabilities
from connectors.core.paths import Parts, read_name, read_path, read_raw_id
from connectors.core.raw import RawCall, RawReply
from connectors.core.resources import (
    ByteRange,
    Download,
    File,
    Folder,
    Identity,
    OnConflict,
    Page,
    Probe,
    Property,
    Quota,
    RawId,
    Ref,
    Resource,
)
from connectors.webdav.api import QUOTA, Server
from connectors.webdav.downloads import Downloader
from connectors.webdav.listings import Listings
from connectors.webdav.manifest import MANIFEST
from connectors.webdav.mapping import Entry, read_quota
from connectors.webdav.probing import Prober
from connectors.webdav.properties import Properties
from connectors.webdav.reading import Reader
from connectors.webdav.traits import Traits, choose_capabilities, describe_account, write_traits
from connectors.webdav.writing import NAME_BYTES_MAX, Placed, Writer

_CONNECTING = {
    ErrorKind.GRANT_REVOKED: "the server does not accept this user name and password",
    ErrorKind.PERMISSION_DENIED: "the server does not let this user see this folder",
    ErrorKind.NOT_FOUND: "the server has no folder at this address",
    ErrorKind.WRONG_TYPE: "the address leads to a file, not to a folder",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Whose folder it is, and where."""

    key: str
    username: str


class WebDavConnector(Connector):
    """One account's folder on a server."""

    manifest = MANIFEST

    def __init__(self, *, account: Account, server: Server, traits: Traits, listings: Listings) -> None:
        self.__dict__["manifest"] = describe_account(traits)  # with the names that this account's server can store
        self._account = account
        self._server = server
        self._traits = traits
        self._properties = Properties(server, frozenset(traits.live_properties))
        self._reader = Reader(server, listings, account.key)
        self._writer = Writer(server, traits, self._properties)
        self._downloader = Downloader(server, traits)

    @property
    def capabilities(self) -> Capabilities:
        return choose_capabilities(self._traits)

    async def probe(self) -> Probe:
        return Probe(learned=write_traits(await Prober(self._server).run()))

    async def get_identity(self) -> Identity:
        address = self._server.address
        try:
            there = await self._server.look((), is_folder=True)
            if not there.is_folder:
                raise ConnectorError(ErrorKind.WRONG_TYPE)  # noqa: TRY301 - gets its words below, as the server's own do
        except ConnectorError as error:
            text = _CONNECTING.get(error.kind)
            if text is None:
                raise
            raise error.restated(message=text) from error
        who = self._account.username
        label = f"{who}@{address.host}" if who else address.host
        return Identity(key=f"{address.base}/ {who}".rstrip(), label=label)

    async def get(self, ref: Ref) -> Resource:
        parts = read_raw_id(ref.raw_id)
        return self._build(parts, await self._look(parts, ref.kind == "folder"))

    async def list_folder(self, folder: RawId, *, cursor: str | None = None, limit: int = 1000) -> Page:
        return await self._reader.list_folder(read_raw_id(folder), cursor, limit)

    def open_download(
        self, file: RawId, *, byte_range: ByteRange | None = None, if_match: str | None = None
    ) -> AbstractAsyncContextManager[Download]:
        return self._downloader.open(_read_file(file), byte_range, if_match)

    async def upload(self, parent: RawId, name: str, source: ByteSource, *, on_conflict: OnConflict) -> File:
        above, encoded = read_raw_id(parent), read_name(name, name_bytes_max=NAME_BYTES_MAX)
        return await self._stored(await self._writer.upload(above, encoded, CheckedSource(source), on_conflict))

    async def replace(self, file: RawId, source: ByteSource) -> File:
        return await self._stored(await self._writer.replace(_read_file(file), CheckedSource(source)))

    async def create_folder(self, parent: RawId, name: str) -> Folder:
        target = (*read_raw_id(parent), read_name(name, name_bytes_max=NAME_BYTES_MAX))
        await self._writer.make_folder(target)
        folder = self._build(target, await self._look(target, is_folder=True))
        if not isinstance(folder, Folder):
            raise AssertionError("a folder was made")  # noqa: TRY004 - not a caller's type error
        return folder

    async def update(self, ref: Ref, *, name: str | None = None, parent: RawId | None = None) -> Resource:
        parts = read_raw_id(ref.raw_id)
        is_folder = ref.kind == "folder"
        entry = await self._look(parts, is_folder)
        target = _choose_target(ref, parts, name, parent)
        if target == parts:
            return self._build(parts, entry)
        await self._writer.move(parts, target, is_folder=is_folder)
        return self._build(target, await self._look(target, is_folder))

    async def delete(self, ref: Ref, *, is_recursive: bool = False, is_permanent: bool = False) -> None:  # noqa: ARG002 - no trash
        parts = read_raw_id(ref.raw_id)
        is_folder = ref.kind == "folder"
        if is_folder and not is_recursive:
            # DELETE takes all that a folder holds along, so it is looked into first; what is put in meanwhile goes too
            if (await self._server.list_members(parts)).entries:
                raise ConnectorError(ErrorKind.FOLDER_NOT_EMPTY, "the folder is not empty")
        else:
            await self._look(parts, is_folder)
        try:
            await self._server.delete(parts, is_folder=is_folder)
        except ConnectorError as error:
            if error.status != HTTPStatus.METHOD_NOT_ALLOWED or not is_folder:
                raise
            left = await self._server.list_members(parts)
            if not left.entries and not left.hidden:
                raise
            text = "the server does not delete the folder; maybe others put something in it meanwhile"
            raise ConnectorError(ErrorKind.FOLDER_NOT_EMPTY, text) from error

    async def get_by_path(self, path: str) -> Resource:
        parts = read_path(path.removesuffix("/") or "/")
        entry = await self._server.look(parts, is_folder=None if parts else True)
        if path.endswith("/") and not entry.is_folder:
            raise ConnectorError(ErrorKind.NOT_FOUND, "there is no such folder")
        return self._build(parts, entry)

    async def copy(
        self, ref: Ref, *, parent: RawId, name: str | None = None, on_conflict: OnConflict = OnConflict.RENAME
    ) -> Resource:
        parts = read_raw_id(ref.raw_id)
        is_folder = ref.kind == "folder"
        target = _choose_target(ref, parts, name, parent)
        await self._look(parts, is_folder)
        placed = await self._writer.copy(parts, target, on_conflict, is_folder=is_folder)
        return self._build(placed.parts, await self._look(placed.parts, is_folder))

    async def get_quota(self) -> Quota:
        told = await self._server.describe((), is_folder=True, names=("resourcetype", *QUOTA))
        return read_quota(told.properties) or Quota(None, None, None)

    async def list_recursive(self, folder: RawId, *, cursor: str | None = None, limit: int = 1000) -> Page:
        return await self._reader.list_recursive(read_raw_id(folder), cursor, limit)

    async def list_properties(self, file: RawId) -> list[Property]:
        return await self._properties.read(_read_file(file))

    async def update_properties(
        self, file: RawId, changes: Mapping[str, str | None], *, is_replacing: bool = False
    ) -> list[Property]:
        return await self._properties.change(_read_file(file), changes, is_replacing=is_replacing)

    def call_raw(self, call: RawCall) -> AbstractAsyncContextManager[RawReply]:
        return self._server.pass_on(call)

    async def _look(self, parts: Parts, is_folder: bool) -> Entry:
        """What stands there, if it is of that kind; else wrong_type or not_found."""
        entry = await self._server.look(parts, is_folder=is_folder)
        if entry.is_folder != is_folder:
            text = "this is a folder, not a file" if entry.is_folder else "this is a file, not a folder"
            raise ConnectorError(ErrorKind.WRONG_TYPE, text)
        return entry

    async def _stored(self, placed: Placed) -> File:
        file = self._build(placed.parts, await self._look(placed.parts, is_folder=False), placed.is_replacement)
        if not isinstance(file, File):
            raise AssertionError("a file was stored")  # noqa: TRY004 - not a caller's type error
        return file

    def _build(self, parts: Parts, entry: Entry, is_replacement: bool = False) -> Resource:
        mapper = self._server.mapper
        above = mapper.build_above(parts[:-1]) if parts else None
        return mapper.build(above, entry, is_replacement=is_replacement)


def _read_file(file: RawId) -> Parts:
    parts = read_raw_id(file)
    if not parts:
        raise ConnectorError(ErrorKind.WRONG_TYPE, "this is a folder, not a file")
    return parts


def _choose_target(ref: Ref, parts: Parts, name: str | None, parent: RawId | None) -> Parts:
    """Where something is to be; invalid_target for a folder in itself."""
    if not parts:
        raise ConnectorError(ErrorKind.INVALID_TARGET, "a folder cannot be put into itself")
    above = parts[:-1] if parent is None else read_raw_id(parent)
    if ref.kind == "folder" and above[: len(parts)] == parts:
        raise ConnectorError(ErrorKind.INVALID_TARGET, "a folder cannot be put into itself")
    return (*above, parts[-1] if name is None else read_name(name, name_bytes_max=NAME_BYTES_MAX))
