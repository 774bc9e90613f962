"""What a bad reply means, by the reason that Drive gives. https://developers.google.com/drive/api/guides/handle-errors"""

from __future__ import annotations

from http import HTTPStatus

import httpx
import msgspec

from connectors.core.errors import ConnectorError, ErrorKind
from connectors.gdrive.payloads import Detail, Refusal

_WAIT = (ErrorKind.RATE_LIMITED, "Google Drive wants fewer requests for a while")
_FULL = (ErrorKind.QUOTA_EXCEEDED, "there is no space left in this Drive, or no room for more files in this folder")
_NOBODY = (ErrorKind.NOT_FOUND, "Google knows nobody of that name")
_RIGHTS = (ErrorKind.PERMISSION_DENIED, "the account may not do this")
_INHERITED = (ErrorKind.PERMISSION_DENIED, "it comes from a folder above, and can be changed there only")
_RULES = (ErrorKind.PERMISSION_DENIED, "the rules of the account's organisation do not allow to share so")
_ADDRESS = (ErrorKind.ADDRESS_REFUSED, "Google calls HTTPS addresses only, with a certificate that is good")
_DOCUMENT = (ErrorKind.WRONG_TYPE, "this has no bytes of its own")

_MEANINGS: dict[str, tuple[ErrorKind, str]] = {
    "rateLimitExceeded": _WAIT,
    "userRateLimitExceeded": _WAIT,
    "sharingRateLimitExceeded": _WAIT,
    "dailyLimitExceeded": _WAIT,
    "quotaExceeded": _WAIT,
    "storageQuotaExceeded": _FULL,
    "teamDriveFileLimitExceeded": _FULL,
    "activeItemCreationLimitExceeded": _FULL,
    "numChildrenInNonRootLimitExceeded": _FULL,
    "teamDriveHierarchyTooDeep": (ErrorKind.INVALID_TARGET, "the folders would lie too deep in a shared drive"),
    "parentNotAFolder": (ErrorKind.INVALID_TARGET, "the target is no folder"),
    "cannotAddParent": (ErrorKind.INVALID_TARGET, "a file is in one folder only"),
    "teamDrivesFolderMoveInNotSupported": (ErrorKind.UNSUPPORTED, "folders cannot be moved into shared drives"),
    "invalidSharingRequest": _NOBODY,
    "fileNotDownloadable": _DOCUMENT,
    "fileNotExportable": _DOCUMENT,
    "exportSizeLimitExceeded": (ErrorKind.TOO_LARGE, "the document is too large to be exported"),
    "uploadTooLarge": (ErrorKind.TOO_LARGE, "the file is larger than Google Drive takes"),
    "cannotDownloadAbusiveFile": (
        ErrorKind.PERMISSION_DENIED,
        "Google takes this file for malware or spam and does not give it out",
    ),
    "propertyTooLarge": (ErrorKind.INVALID_NAME, "a property is too long"),
    "tooManyProperties": (ErrorKind.INVALID_NAME, "the file has too many properties"),
    "insufficientFilePermissions": _RIGHTS,
    "cannotModifyInheritedPermission": _INHERITED,
    "cannotModifyInheritedTeamDrivePermission": _INHERITED,
    "publishOutNotPermitted": _RULES,
    "shareOutNotPermitted": _RULES,
    "channelIdNotUnique": (ErrorKind.ALREADY_EXISTS, "there is a channel with this id already"),
    "push.webhookUrlNotHttps": _ADDRESS,
    "push.webhookUrlUnauthorized": _ADDRESS,
    "insufficientPermissions": (ErrorKind.PERMISSION_DENIED, "the user's consent does not cover this"),
    "notFound": (ErrorKind.NOT_FOUND, "there is nothing with this id, or the account may not see it"),
    "fileIdInUse": (ErrorKind.ALREADY_EXISTS, "there is a file with this id already"),
    "backendError": (ErrorKind.UNAVAILABLE, "Google Drive could not do it just now"),
}


def classify_reply(reply: httpx.Response, body: bytes) -> ConnectorError | None:
    """The kind of a bad reply; None where the common table is right."""
    detail = _read_detail(body)
    if detail is None:
        return None
    if reply.status_code == HTTPStatus.BAD_REQUEST and detail.location == "pageToken":
        return ConnectorError(ErrorKind.CURSOR_INVALID, "Google Drive does not know this cursor, or not any more")
    meaning = _MEANINGS.get(detail.reason)
    return None if meaning is None else ConnectorError(*meaning)


def build_unexpected() -> ConnectorError:
    """For an answer that makes no sense; what was asked for may have been done all the same."""
    return ConnectorError(ErrorKind.UNEXPECTED, "Google Drive's answer cannot be read", maybe_applied=True)


def _read_detail(body: bytes) -> Detail | None:
    try:
        errors = msgspec.json.decode(body, type=Refusal).error.errors
    except (msgspec.DecodeError, ValueError, RecursionError):
        return None
    return errors[0] if errors else None
