"""What a store's error documents mean. https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import NamedTuple

import httpx

from connectors.core.errors import ConnectorError, ErrorKind
from connectors.s3.documents import read_failure
from connectors.s3.payloads import Failure
from connectors.s3.signing import REGION as SIGNED_REGION

CODE = "code"
REGION = "region"
"""Where an error's context keeps the store's own code, and the region that it says a bucket is in."""

MESSAGE_CHARACTERS_MAX = 300
REGION_HEADER = "x-amz-bucket-region"
CONFLICT_CODES = frozenset({"ConditionalRequestConflict", "OperationAborted"})


class _Meaning(NamedTuple):
    kind: ErrorKind
    message: str = ""  # empty is the store's own words


MEANINGS = {
    # who asks
    "InvalidAccessKeyId": _Meaning(ErrorKind.GRANT_REVOKED, "access_key_id: the store does not know this access key"),
    "SignatureDoesNotMatch": _Meaning(
        ErrorKind.GRANT_REVOKED,
        "secret_access_key: it does not belong to this access key ID, or something between here and the store changes "
        "requests",
    ),
    "ExpiredToken": _Meaning(
        ErrorKind.GRANT_REVOKED, "session_token: the temporary keys have expired; fill in new ones"
    ),
    "InvalidToken": _Meaning(ErrorKind.GRANT_REVOKED, "session_token: it does not belong to these keys"),
    "TokenRefreshRequired": _Meaning(ErrorKind.GRANT_REVOKED, "session_token: the temporary keys must be renewed"),
    "NotSignedUp": _Meaning(ErrorKind.GRANT_REVOKED, "the keys' owner has not signed up for this store"),
    "AccountProblem": _Meaning(ErrorKind.GRANT_REVOKED),
    "RequestTimeTooSkewed": _Meaning(
        ErrorKind.UNEXPECTED, "this server's clock and the store's differ by more than the store allows; set the clock"
    ),
    # may they
    "AccessDenied": _Meaning(ErrorKind.PERMISSION_DENIED),
    "AccountAccessDenied": _Meaning(ErrorKind.PERMISSION_DENIED),
    "AllAccessDisabled": _Meaning(ErrorKind.PERMISSION_DENIED),
    "InvalidObjectState": _Meaning(
        ErrorKind.PERMISSION_DENIED, "the file is archived; it can be read when it was restored at the provider"
    ),
    "InvalidPayer": _Meaning(ErrorKind.PERMISSION_DENIED),
    # what is there
    "NoSuchKey": _Meaning(ErrorKind.NOT_FOUND, "there is no such file"),
    "NoSuchVersion": _Meaning(ErrorKind.NOT_FOUND, "there is no such version"),
    "NoSuchUpload": _Meaning(ErrorKind.NOT_FOUND, "there is no such upload; it was finished, aborted or cleaned up"),
    "NoSuchBucket": _Meaning(ErrorKind.NOT_FOUND, "bucket: there is no bucket of this name"),
    "BucketAlreadyExists": _Meaning(ErrorKind.ALREADY_EXISTS, "a bucket of this name exists, maybe somebody else's"),
    "BucketAlreadyOwnedByYou": _Meaning(ErrorKind.ALREADY_EXISTS, "there is a bucket of this name"),
    "BucketNotEmpty": _Meaning(
        ErrorKind.FOLDER_NOT_EMPTY, "the bucket is not empty; older versions of files count too"
    ),
    "UnresolvableGrantByEmailAddress": _Meaning(ErrorKind.NOT_FOUND, "nobody has this email address at the provider"),
    # what was asked
    "KeyTooLongError": _Meaning(
        ErrorKind.INVALID_NAME, "the name, or the path in the bucket, is too long for the store"
    ),
    "KeyTooLong": _Meaning(ErrorKind.INVALID_NAME, "the name, or the path in the bucket, is too long for the store"),
    "InvalidBucketName": _Meaning(ErrorKind.INVALID_NAME, "the store does not allow this name for a bucket"),
    "InvalidURI": _Meaning(ErrorKind.INVALID_NAME, "the store cannot read this name"),
    "InvalidTag": _Meaning(ErrorKind.INVALID_NAME),
    "MetadataTooLarge": _Meaning(ErrorKind.INVALID_NAME, "the properties that begin with x-amz-meta- are too large"),
    "InvalidRange": _Meaning(ErrorKind.RANGE_INVALID, "the range touches no byte of the file"),
    "PreconditionFailed": _Meaning(ErrorKind.PRECONDITION_FAILED, "the file is not as it was expected to be"),
    "EntityTooLarge": _Meaning(ErrorKind.TOO_LARGE, "the file is larger than the store takes"),
    "EntityTooSmall": _Meaning(ErrorKind.INVALID_PARTS, "a part is smaller than the store takes"),
    "InvalidPart": _Meaning(ErrorKind.INVALID_PARTS, "the store misses a part, or has other bytes for it"),
    "InvalidPartOrder": _Meaning(ErrorKind.INVALID_PARTS, "the parts are not in order"),
    "TooManyBuckets": _Meaning(ErrorKind.QUOTA_EXCEEDED, "the keys' owner can have no more buckets"),
    "QuotaExceeded": _Meaning(ErrorKind.QUOTA_EXCEEDED),
    "InsufficientStorage": _Meaning(ErrorKind.QUOTA_EXCEEDED),
    "XMinioStorageFull": _Meaning(ErrorKind.QUOTA_EXCEEDED),
    "NotImplemented": _Meaning(ErrorKind.UNSUPPORTED),
    "MethodNotAllowed": _Meaning(ErrorKind.UNSUPPORTED),
    "AccessControlListNotSupported": _Meaning(
        ErrorKind.UNSUPPORTED, "access control lists are switched off for this bucket"
    ),
    # not now
    "SlowDown": _Meaning(ErrorKind.RATE_LIMITED, "the store asks to slow down"),
    "RequestLimitExceeded": _Meaning(ErrorKind.RATE_LIMITED, "the store asks to slow down"),
    "TooManyRequests": _Meaning(ErrorKind.RATE_LIMITED, "the store asks to slow down"),
    "ServiceUnavailable": _Meaning(ErrorKind.UNAVAILABLE),
    "InternalError": _Meaning(ErrorKind.UNAVAILABLE),
    "RequestTimeout": _Meaning(ErrorKind.TIMED_OUT, "the store waited too long for the bytes"),
    "ConditionalRequestConflict": _Meaning(ErrorKind.UNAVAILABLE, "another write to this file is under way; try again"),
    "OperationAborted": _Meaning(ErrorKind.UNAVAILABLE, "another operation on this bucket is under way; try again"),
}
"""Codes to kinds. What stands between is read by its status, as everybody's replies are."""

WRONG_REGION_CODES = frozenset({"AuthorizationHeaderMalformed", "PermanentRedirect", "TemporaryRedirect", "Redirect"})

STATUS_CODES: Mapping[int, str] = {
    HTTPStatus.NOT_FOUND: "NoSuchKey",
    HTTPStatus.PRECONDITION_FAILED: "PreconditionFailed",
    HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE: "InvalidRange",
}
"""What a reply without a body means, as that to a HEAD is."""


def classify_reply(reply: httpx.Response, body: bytes) -> ConnectorError | None:
    """The error that a reply tells of, also one that says 200; None where the common table is right."""
    failure = read_failure(body)
    if failure is None and reply.is_success:
        return None
    failure = failure or Failure(code="" if body else STATUS_CODES.get(reply.status_code, ""))
    error = build_error(failure.code, failure.message)
    region = failure.region or reply.headers.get(REGION_HEADER)
    is_elsewhere = failure.code in WRONG_REGION_CODES or _may_be_elsewhere(reply, body)
    if region and is_elsewhere and region != reply.request.extensions.get(SIGNED_REGION):
        error = ConnectorError(ErrorKind.UNEXPECTED, f"region: the bucket is in {region}")
        error.context[REGION] = region
    if error is None:
        return None
    error.context[CODE] = failure.code
    if reply.is_success and error.kind is ErrorKind.UNAVAILABLE and failure.code not in CONFLICT_CODES:
        error.maybe_applied = True
    error.size_bytes = failure.size_bytes
    return error


def build_error(code: str, message: str) -> ConnectorError | None:
    """What a code means; None for one that is not in the table."""
    meaning = MEANINGS.get(code)
    if meaning is None:
        return None
    words = " ".join(message.split())[:MESSAGE_CHARACTERS_MAX]
    return ConnectorError(meaning.kind, meaning.message or f"the store says: {words or code}")


def read_code(error: ConnectorError) -> str:
    """The store's own code, empty when it gave none."""
    return error.context.get(CODE, "")


def _may_be_elsewhere(reply: httpx.Response, body: bytes) -> bool:
    """True for redirects, and for refusals of requests whose replies have no body to tell more."""
    is_mute = not body and reply.status_code in {HTTPStatus.BAD_REQUEST, HTTPStatus.FORBIDDEN}
    return HTTPStatus.MULTIPLE_CHOICES <= reply.status_code < HTTPStatus.BAD_REQUEST or is_mute
