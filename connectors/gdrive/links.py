"""Shared links: a file's one address, and the permissions that let anyone, or a whole domain, open it.

https://developers.google.com/drive/api/guides/manage-sharing
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from msgspec import UNSET, structs

from connectors.core.cleanup import giving_up
from connectors.core.errors import ConnectorError, ErrorKind
from connectors.core.resources import Ref
from connectors.core.sharing import Audience, LinkChange, LinkRole, SharedLink
from connectors.gdrive.drive import Drive
from connectors.gdrive.mapping import ROLES
from connectors.gdrive.payloads import LINK_FIELDS, DriveFile, Grant
from connectors.gdrive.permissions import read_grants, remove

DOMAINS_OF_NOBODY = frozenset({"gmail.com", "googlemail.com"})
"""Of people who belong to no organisation."""


async def list_links(drive: Drive, ref: Ref) -> list[SharedLink]:
    """At most one for each audience."""
    file = await drive.get_kind(ref, LINK_FIELDS)
    return [_build(ref, file, grant) for grant in await _read(drive, file)]


async def create_link(drive: Drive, ref: Ref, wish: LinkChange) -> SharedLink:
    """Lets the audience in, or changes what it may do."""
    file = await drive.get_kind(ref, LINK_FIELDS)
    grants = await _read(drive, file)
    place = await _find_place(drive, grants, "anyone" if wish.audience is UNSET else wish.audience)
    return await _Change(drive, ref, file, wish).run(place)


async def update_link(drive: Drive, ref: Ref, link: str, change: LinkChange) -> SharedLink:
    """Changes a link's permission; for another audience it is replaced by another permission.

    Downloads that are kept back stay so, unless the change says otherwise.
    """
    file = await drive.get_kind(ref, LINK_FIELDS)
    grants = await _read(drive, file)
    known = _get(grants, link)
    if change.can_download is UNSET and not _build(ref, file, known).can_download:
        change = structs.replace(change, can_download=False)
    audience = _read_audience(known) if change.audience is UNSET else change.audience
    is_moved = audience != _read_audience(known)
    place = await _find_place(drive, grants, audience) if is_moved else _Place({}, known)
    changed = await _Change(drive, ref, file, change).run(place, role=_read_role(known))
    if changed.raw_id != known.id:
        await remove(drive, file.id, known)
    return changed


async def delete_link(drive: Drive, ref: Ref, link: str) -> None:
    file = await drive.get_kind(ref, LINK_FIELDS)
    await remove(drive, file.id, _get(await _read(drive, file), link))


@dataclass(frozen=True, slots=True)
class _Place:
    """Whom a link lets in, in Drive's words, and the permission that does so already."""

    audience: Mapping[str, str]
    known: Grant | None


@dataclass(frozen=True, slots=True)
class _Change:
    """A wish for a link to a file."""

    drive: Drive
    ref: Ref
    file: DriveFile
    wish: LinkChange

    async def run(self, place: _Place, *, role: LinkRole = "reader") -> SharedLink:
        """Whether downloads are offered is said first, so that no link ever offers more than was wished."""
        role = (_read_role(place.known) if place.known else role) if self.wish.role is UNSET else self.wish.role
        is_kept_back = self._is_kept_back(role)
        if is_kept_back == self.file.copy_requires_writer_permission:
            return await self._grant(place, role, is_kept_back=is_kept_back)
        await self._keep_back(is_kept_back)
        try:
            return await self._grant(place, role, is_kept_back=is_kept_back)
        except BaseException:
            async with giving_up():
                await self._keep_back(not is_kept_back)
            raise

    def _is_kept_back(self, role: LinkRole) -> bool:
        """Drive says it of a file, for all who may only read it; unsupported where it cannot be said."""
        can_download = self.wish.can_download
        if can_download is False and (self.file.is_folder or role == "writer"):
            text = "Google Drive keeps downloads from those only who may read a file, not from writers, nor of folders"
            raise ConnectorError(ErrorKind.UNSUPPORTED, text)
        if can_download is UNSET or role == "writer":
            return self.file.copy_requires_writer_permission
        return not can_download

    async def _keep_back(self, is_kept_back: bool) -> None:
        await self.drive.api.update_file(self.file.id, {"copyRequiresWriterPermission": is_kept_back})

    async def _grant(self, place: _Place, role: LinkRole, *, is_kept_back: bool) -> SharedLink:
        api, file, known = self.drive.api, self.file, place.known
        if known is None:
            known = await api.create_permission(file.id, {**place.audience, "role": role}, {})
        elif _read_role(known) != role:
            known = await api.update_permission(file.id, known, role, {})
        return _build(self.ref, file, known, is_kept_back=is_kept_back)


async def _read(drive: Drive, file: DriveFile) -> list[Grant]:
    """The permissions that are links: those of a folder above are no links of the file's own."""
    return [grant for grant in await read_grants(drive, file.id) if grant.type in {"anyone", "domain"} and grant.is_own]


async def _find_place(drive: Drive, grants: Sequence[Grant], audience: Audience) -> _Place:
    """What opens a file for anyone, or for the account's own organisation; unsupported for any other audience."""
    if audience == "anyone":
        return _Place({"type": audience}, next((grant for grant in grants if grant.type == audience), None))
    if audience != "domain":
        raise ConnectorError(ErrorKind.UNSUPPORTED, "who may see a file anyway needs no link to it in Google Drive")
    user = (await drive.api.get_about("user(emailAddress)")).user
    domain = ((user and user.email_address) or "").rpartition("@")[2].lower()
    if not domain or domain in DOMAINS_OF_NOBODY:
        raise ConnectorError(ErrorKind.UNSUPPORTED, "this account belongs to no organisation that a link could be for")
    known = next((grant for grant in grants if (grant.domain or "").lower() == domain), None)
    return _Place({"type": audience, "domain": domain}, known)


def _get(grants: Sequence[Grant], link: str) -> Grant:
    for grant in grants:
        if grant.id == link:
            return grant
    raise ConnectorError(ErrorKind.NOT_FOUND, "there is no such link to it")


def _read_audience(grant: Grant) -> Audience:
    return "domain" if grant.type == "domain" else "anyone"


def _read_role(grant: Grant) -> LinkRole:
    return "writer" if ROLES.get(grant.role) == "writer" else "reader"


def _build(ref: Ref, file: DriveFile, grant: Grant, *, is_kept_back: bool | None = None) -> SharedLink:
    role = _read_role(grant)
    kept_back = file.copy_requires_writer_permission if is_kept_back is None else is_kept_back
    return SharedLink(
        raw_id=grant.id,
        ref=ref,
        url=file.web_view_link or "",
        audience=_read_audience(grant),
        role=role,
        can_download=role == "writer" or not kept_back,
    )
