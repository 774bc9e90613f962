"""What a bad reply means: tags inside tags, the innermost known one decides.

https://www.dropbox.com/developers/documentation/http/documentation#error-handling
"""

from __future__ import annotations

from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

import httpx
import msgspec

from connectors.core.errors import ConnectorError, ErrorKind

REASON = "reason"
"""Where an error's context keeps Dropbox's own tags, like "path/conflict/file"."""

WORDS_CHARACTERS_MAX = 300
PATH_ROOT_STATUS = HTTPStatus.UNPROCESSABLE_ENTITY

_KINDS: dict[ErrorKind, str] = {
    ErrorKind.NOT_FOUND: "not_found invalid_revision invalid_file invalid_id invalid_member not_a_member bad_member "
    "invalid_dropbox_id invalid_email template_not_found unmounted unknown_user shared_link_not_found "
    "shared_link_malformed",
    ErrorKind.ALREADY_EXISTS: "conflict shared_link_already_exists",
    ErrorKind.WRONG_TYPE: "not_file not_folder is_file is_folder",
    ErrorKind.INVALID_NAME: "malformed_path disallowed_name invalid_argument does_not_fit_template "
    "property_field_too_large",
    ErrorKind.INVALID_TARGET: "file_ancestor cant_move_folder_into_itself duplicated_or_nested_paths "
    "cant_nest_shared_folder",
    ErrorKind.PERMISSION_DENIED: "no_write_permission no_permission access_restricted operation_suppressed "
    "restricted_content locked team_folder access_denied cant_move_shared_folder cant_transfer_ownership "
    "cant_move_into_vault cant_move_into_family email_unverified missing_scope invalid_select_user "
    "invalid_select_admin team_policy_disallows_member_policy folder_owner insufficient_plan banned_member "
    "email_not_verified shared_link_access_denied",
    ErrorKind.GRANT_REVOKED: "user_suspended",
    ErrorKind.TOKEN_EXPIRED: "expired_access_token invalid_access_token",
    ErrorKind.QUOTA_EXCEEDED: "insufficient_space insufficient_quota too_many_members too_many_shared_folders",
    ErrorKind.TOO_LARGE: "too_many_files too_large payload_too_large",
    ErrorKind.RATE_LIMITED: "too_many_write_operations too_many_requests rate_limit",
    ErrorKind.RANGE_INVALID: "not_satisfiable",
    ErrorKind.FORMAT_INVALID: "invalid_export_format",
    ErrorKind.CURSOR_INVALID: "invalid_cursor invalid_before_rev",
    ErrorKind.CURSOR_RESET: "reset",
    ErrorKind.INVALID_PARTS: "incorrect_offset closed not_closed concurrent_session_not_closed "
    "concurrent_session_missing_data",
    ErrorKind.UNSUPPORTED: "unsupported_file unsupported_content_type inside_shared_folder contains_shared_folder "
    "non_exportable unsupported_link_type not_authorized invalid_settings unsupported_extension unsupported_image "
    "encrypted_content conversion_error",
    ErrorKind.UNAVAILABLE: "content_hash_mismatch internal_error retry_error in_progress",
}
_KIND_OF_TAG = {tag: kind for kind, tags in _KINDS.items() for tag in tags.split()}
_WORDS = {
    "missing_scope": "the app was not given the scope for this; add it in the App Console and connect again",
    "content_hash_mismatch": "the bytes did not arrive as they were sent",
    "not_authorized": "the plan or the team of this account does not allow such a link",
    "invalid_settings": "a link cannot be like this",
    "email_not_verified": "the owner of this account must confirm the email address at Dropbox first",
}


class _Failure(msgspec.Struct):
    error: dict[str, Any] | str
    error_summary: str = ""


def classify_reply(reply: httpx.Response, body: bytes) -> ConnectorError | None:
    """The error that a reply tells of; None where the common table is right."""
    if reply.is_success or reply.is_server_error:
        return None
    try:
        failure = msgspec.json.decode(body, type=_Failure)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _classify_text(reply, body)
    tags = list(read_tags(failure.error)) or failure.error_summary.rstrip("./").split("/")
    if reply.status_code == HTTPStatus.TOO_MANY_REQUESTS:
        seconds = failure.error.get("retry_after") if isinstance(failure.error, dict) else None
        error = build_error(tags) or ConnectorError(ErrorKind.RATE_LIMITED, "Dropbox asks to slow down")
        error.retry_after_seconds = float(seconds) if isinstance(seconds, int | float) else None
        return error
    if reply.status_code == PATH_ROOT_STATUS:
        return ConnectorError(
            ErrorKind.PERMISSION_DENIED, "the team's space is not this account's any more; connect it again"
        )
    known = build_error(tags)
    if known is not None:
        return known
    unknown = ConnectorError(ErrorKind.UNEXPECTED, f"Dropbox says: {'/'.join(tags)}")
    unknown.context[REASON] = "/".join(tags)
    return unknown


def build_error(tags: list[str]) -> ConnectorError | None:
    """What nested tags mean, from the innermost one that is known; None if none is."""
    for tag in reversed(tags):
        kind = _KIND_OF_TAG.get(tag)
        if kind is not None:
            error = ConnectorError(kind, _WORDS.get(tag) or f"Dropbox says: {'/'.join(tags)}")
            error.maybe_applied = tag == "internal_error"
            error.context[REASON] = "/".join(tags)
            return error
    return None


def build_unexpected() -> ConnectorError:
    """For an answer that is none to what was asked; it may have been done all the same."""
    text = "Dropbox answered with something else than was expected"
    return ConnectorError(ErrorKind.UNEXPECTED, text, maybe_applied=True)


def read_reason(error: ConnectorError) -> str:
    """Dropbox's own tags, empty when it gave none."""
    return error.context.get(REASON, "")


def read_tags(error: object) -> Iterator[str]:
    """The tags of unions in unions, from the outside in. A failed upload has its reason beside a session."""
    while isinstance(error, dict):
        tag = error.get(".tag")
        if isinstance(tag, str):
            yield tag
        error = error.get("reason") or error.get(str(tag))


def _classify_text(reply: httpx.Response, body: bytes) -> ConnectorError | None:
    """A request that cannot be read is answered in words. A refusal without any may mean all sorts of things."""
    if reply.status_code == HTTPStatus.CONFLICT:
        return ConnectorError(ErrorKind.UNAVAILABLE, "Dropbox refused this, and the answer that says why broke off")
    if reply.status_code != HTTPStatus.BAD_REQUEST:
        return None
    words = " ".join(body.decode("utf-8", "replace").split())[:WORDS_CHARACTERS_MAX]
    kind = ErrorKind.CURSOR_INVALID if '"cursor"' in words or "cursor:" in words else ErrorKind.UNEXPECTED
    return ConnectorError(kind, f"Dropbox says: {words}")
