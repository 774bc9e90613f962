"""Shared links: as a rule one for each file or folder, with settings that the account's plan and team may forbid.

https://www.dropbox.com/developers/reference/sharing-guide
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC
from hashlib import blake2b
from typing import Any
from urllib.parse import urlsplit

import msgspec
from msgspec import UNSET

from connectors.core.call import Repeat
from connectors.core.errors import ConnectorError, ErrorKind
from connectors.core.moments import read_moment
from connectors.core.resources import Ref
from connectors.core.sharing import Audience, LinkChange, SharedLink
from connectors.dropbox.api import write_tag
from connectors.dropbox.mapping import ROOT
from connectors.dropbox.payloads import Entry, LinkInfo, LinkList, LinkPermissions
from connectors.dropbox.reading import Reader

AUDIENCES: dict[Audience, str] = {"anyone": "public", "domain": "team", "members": "no_one"}
OWN_AUDIENCES: dict[str, Audience] = {
    "public": "anyone",
    "password": "anyone",
    "team": "domain",
    "team_only": "domain",
    "team_and_password": "domain",
}
"""In Dropbox's words for audiences and for visibilities; all others leave it to who may see the thing anyway."""


@dataclass(frozen=True, slots=True)
class Links:
    """The links that one account made."""

    reader: Reader

    async def list_all(self, ref: Ref) -> list[SharedLink]:
        """Those to the very thing; none to the root, which has none."""
        if ref.raw_id == ROOT:
            await self.reader.get(ref.raw_id, ref.kind)
            return []
        entry = await self.reader.look(ref.raw_id, ref.kind)
        return [build_link(ref, link) for link in await self._list(entry)]

    async def create(self, ref: Ref, wish: LinkChange) -> SharedLink:
        """A new one, or the one that there is, made as it is wished."""
        if ref.raw_id == ROOT:
            raise ConnectorError(ErrorKind.UNSUPPORTED, "the root folder cannot be shared by a link")
        entry = await self.reader.look(ref.raw_id, ref.kind)
        settings = dict(_write_settings(wish))
        if wish.role is not UNSET:
            settings["access"] = write_tag("editor" if wish.role == "writer" else "viewer")
        argument = {"path": entry.id, **({"settings": settings} if settings else {})}
        try:
            made = await self._ask("create_shared_link_with_settings", argument, LinkInfo)
        except ConnectorError as error:
            if error.kind is not ErrorKind.ALREADY_EXISTS:
                raise
            return await self._adopt(ref, entry, wish)
        unkept = _find_unkept(build_link(ref, made), wish)
        if unkept is not None:
            await self._revoke(made)
            raise ConnectorError(ErrorKind.UNSUPPORTED, f"Dropbox makes no link to this with {unkept}; none was made")
        return build_link(ref, made)

    async def update(self, ref: Ref, link: str, change: LinkChange) -> SharedLink:
        """The link with other settings."""
        return await self._change(ref, await self._get(ref, link), change)

    async def delete(self, ref: Ref, link: str) -> None:
        """Its address opens nothing any more."""
        await self._revoke(await self._get(ref, link))

    async def _adopt(self, ref: Ref, entry: Entry, wish: LinkChange) -> SharedLink:
        links = await self._list(entry)
        if not links:
            raise ConnectorError(ErrorKind.UNAVAILABLE, "there was a link to this a moment ago; try again")
        alike = (link for link in links if wish.role in {UNSET, build_link(ref, link).role})
        return await self._change(ref, next(alike, links[0]), wish)

    async def _change(self, ref: Ref, link: LinkInfo, change: LinkChange) -> SharedLink:
        """What the link's own words forbid is refused before anything is changed."""
        now = build_link(ref, link)
        change = _drop_needless(now, change)
        if change == LinkChange():
            return now
        refusal = _find_refusal(link.link_permissions, change)
        if refusal is not None:
            raise ConnectorError(ErrorKind.UNSUPPORTED, refusal)
        argument = {
            "url": link.url,
            "settings": dict(_write_settings(change)),
            "remove_expiration": change.expires_at is None,
        }
        changed = build_link(ref, await self._ask("modify_shared_link_settings", argument, LinkInfo))
        unkept = _find_unkept(changed, change)
        if unkept is not None:
            raise ConnectorError(ErrorKind.UNSUPPORTED, f"Dropbox did not give the link {unkept}; look at it again")
        return changed

    async def _list(self, entry: Entry) -> list[LinkInfo]:
        argument = {"path": entry.id, "direct_only": True}
        found = (await self._ask("list_shared_links", argument, LinkList, Repeat.SAFE)).links
        return [link for link in found if link.id in {entry.id, ""}]

    async def _get(self, ref: Ref, link: str) -> LinkInfo:
        if ref.raw_id != ROOT:
            for found in await self._list(await self.reader.look(ref.raw_id, ref.kind)):
                if build_link_id(found.url) == link:
                    return found
        raise ConnectorError(ErrorKind.NOT_FOUND, "there is no such link to this")

    async def _revoke(self, link: LinkInfo) -> None:
        try:
            await self._ask("revoke_shared_link", {"url": link.url}, msgspec.Raw)
        except ConnectorError as error:
            if not error.is_replay or error.kind is not ErrorKind.NOT_FOUND:
                raise

    async def _ask(self, route: str, argument: Mapping[str, Any], kind: Any, repeat: Repeat = Repeat.IDEMPOTENT) -> Any:
        return await self.reader.api.ask(f"sharing/{route}", argument, kind, repeat)


def build_link(ref: Ref, link: LinkInfo) -> SharedLink:
    """A link as it is; of its settings those that are in force."""
    told = link.link_permissions
    visibility = told.resolved_visibility.tag if told.resolved_visibility else ""
    audience = told.effective_audience.tag if told.effective_audience else visibility
    has_password = "password" in visibility if told.require_password is None else told.require_password
    return SharedLink(
        raw_id=build_link_id(link.url),
        ref=ref,
        url=link.url,
        audience=OWN_AUDIENCES.get(audience, "members"),
        role="writer" if told.link_access_level and told.link_access_level.tag == "editor" else "reader",
        has_password=has_password,
        expires_at=read_moment(link.expires),
        can_download=told.allow_download,
    )


def build_link_id(url: str) -> str:
    """Dropbox has no name for a link but its address, which opens it: a hash of that part which never changes."""
    parts = urlsplit(url).path.strip("/").split("/")
    lasting = parts[: 3 if parts[0] == "scl" else 2]
    return blake2b("/".join(lasting).encode(), digest_size=16).hexdigest()


def _write_settings(change: LinkChange) -> Iterator[tuple[str, Any]]:
    if change.audience is not UNSET:
        yield "audience", write_tag(AUDIENCES[change.audience])
    if change.password:
        yield "require_password", True
        yield "link_password", change.password
    elif change.password is None:
        yield "require_password", False
    if change.expires_at:
        yield "expires", change.expires_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    if change.can_download is not UNSET:
        yield "allow_download", change.can_download


def _drop_needless(link: SharedLink, change: LinkChange) -> LinkChange:
    """The change without what is so already. Whether a password is the one that there is nobody can tell."""
    same = {
        name: UNSET
        for name in ("audience", "role", "expires_at", "can_download")
        if getattr(change, name) == getattr(link, name)
    }
    if change.password is None and not link.has_password:
        same["password"] = UNSET
    return msgspec.structs.replace(change, **same)


def _find_refusal(may: LinkPermissions, change: LinkChange) -> str | None:
    """What of a change the link's owner may not do."""
    if change.role is not UNSET:
        return "Dropbox does not change what a link allows to do; end it and make a new one"
    options = {option.audience.tag: option.allowed for option in may.audience_options or ()}
    forbidden = {
        "who may open this link": change.audience is not UNSET and not options.get(AUDIENCES[change.audience], True),
        "when this link ends": (bool(change.expires_at) and not may.can_set_expiry)
        or (change.expires_at is None and not may.can_remove_expiry),
        "the password of this link": (bool(change.password) and may.can_set_password is False)
        or (change.password is None and may.can_remove_password is False),
        "whether this link gives the bytes": (change.can_download is False and not may.can_disallow_download)
        or (change.can_download is True and not may.can_allow_download),
    }
    what = next((what for what, is_forbidden in forbidden.items() if is_forbidden), None)
    return None if what is None else f"the plan or the team of this account does not let it choose {what}"


def _find_unkept(link: SharedLink, wish: LinkChange) -> str | None:
    """What of a wish Dropbox took, and did not do."""
    unkept = {
        "this audience": wish.audience not in {UNSET, link.audience},
        "this role": wish.role not in {UNSET, link.role},
        "a password": bool(wish.password) and not link.has_password,
        "no password": wish.password is None and link.has_password,
        "an end": bool(wish.expires_at) and link.expires_at is None,
        "no end": wish.expires_at is None and link.expires_at is not None,
        "this choice about downloads": wish.can_download not in {UNSET, link.can_download},
    }
    return next((what for what, is_unkept in unkept.items() if is_unkept), None)
