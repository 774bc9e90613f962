"""Drive's own small pictures. https://developers.google.com/drive/api/guides/file-metadata#thumbnails"""

from __future__ import annotations

import re

import httpx

from connectors.core.layers.authorize import is_allowed_host
from connectors.core.resources import RawId, Ref
from connectors.core.sharing import Thumbnail
from connectors.gdrive.drive import Drive
from connectors.gdrive.payloads import THUMBNAIL_FIELDS

SIDE_PX_MAX = 1600
_SIZE = re.compile(r"=s\d+$")


async def get_thumbnail(drive: Drive, raw_id: str, size_px: int) -> Thumbnail | None:
    """A picture whose longer side has that many pixels; None also where the token must not go to."""
    file = await drive.get_kind(Ref("file", RawId(raw_id)), THUMBNAIL_FIELDS)
    link = file.thumbnail_link
    if link is None or not _may_be_asked(link, drive):
        return None
    picture = await drive.api.get_picture(_SIZE.sub(f"=s{min(size_px, SIDE_PX_MAX)}", link))
    return None if picture is None else Thumbnail(*picture)


def _may_be_asked(link: str, drive: Drive) -> bool:
    try:
        return is_allowed_host(httpx.URL(link), drive.hosts)
    except httpx.InvalidURL:
        return False
