"""What stores' errors mean. https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html"""

from __future__ import annotations

import httpx
import pytest

from connectors.core.clock import ManualClock
from connectors.core.errors import ConnectorError, ErrorKind
from connectors.core.layers.classify import WHOLE_BODY_BYTES_MAX, classify
from connectors.s3.errors import REGION, classify_reply, read_code
from connectors.s3.signing import REGION as SIGNED_REGION
from tests.connectors.core.fakes import FakeSend, http_request


async def fail(reply: httpx.Response, *, region: str = "us-east-1") -> ConnectorError:
    """What the stack makes of a reply to a request that was signed for a region."""
    request = http_request()
    request.extensions |= {SIGNED_REGION: region, WHOLE_BODY_BYTES_MAX: 1000}
    reply.request = request
    with pytest.raises(ConnectorError) as caught:
        await classify(FakeSend(reply), clock=ManualClock(), classify_reply=classify_reply)(request)
    return caught.value


def document(status: int, code: str, more: str = "", **headers: str) -> httpx.Response:
    body = f"<Error><Code>{code}</Code><Message>The store's  own\n words.</Message>{more}</Error>"
    return httpx.Response(status, content=body.encode(), headers=headers)


@pytest.mark.parametrize(
    ("status", "code", "kind", "maybe_applied"),
    [
        (403, "InvalidAccessKeyId", "grant_revoked", False),
        (403, "SignatureDoesNotMatch", "grant_revoked", False),
        (400, "ExpiredToken", "grant_revoked", False),
        (400, "InvalidToken", "grant_revoked", False),
        (403, "RequestTimeTooSkewed", "unexpected", False),
        (403, "AccessDenied", "permission_denied", False),
        (403, "InvalidObjectState", "permission_denied", False),
        (404, "NoSuchKey", "not_found", False),
        (404, "NoSuchBucket", "not_found", False),
        (404, "NoSuchUpload", "not_found", False),
        (404, "NoSuchVersion", "not_found", False),
        (409, "BucketAlreadyExists", "already_exists", False),
        (409, "BucketAlreadyOwnedByYou", "already_exists", False),
        (409, "BucketNotEmpty", "folder_not_empty", False),
        (400, "KeyTooLongError", "invalid_name", False),
        (400, "InvalidBucketName", "invalid_name", False),
        (400, "InvalidTag", "invalid_name", False),
        (400, "MetadataTooLarge", "invalid_name", False),
        (416, "InvalidRange", "range_invalid", False),
        (412, "PreconditionFailed", "precondition_failed", False),
        (409, "ConditionalRequestConflict", "unavailable", False),
        (409, "OperationAborted", "unavailable", False),
        (400, "EntityTooLarge", "too_large", False),
        (400, "EntityTooSmall", "invalid_parts", False),
        (400, "InvalidPart", "invalid_parts", False),
        (400, "InvalidPartOrder", "invalid_parts", False),
        (400, "TooManyBuckets", "quota_exceeded", False),
        (501, "NotImplemented", "unsupported", False),
        (405, "MethodNotAllowed", "unsupported", False),
        (400, "AccessControlListNotSupported", "unsupported", False),
        (400, "UnresolvableGrantByEmailAddress", "not_found", False),
        (503, "SlowDown", "rate_limited", False),
        (503, "ServiceUnavailable", "unavailable", True),
        (500, "InternalError", "unavailable", True),
        (400, "RequestTimeout", "timed_out", False),
        (400, "SomethingElse", "unexpected", False),
        (500, "SomethingElse", "unavailable", True),
        (200, "InternalError", "unavailable", True),
        (200, "SlowDown", "rate_limited", False),
        (200, "PreconditionFailed", "precondition_failed", False),
    ],
)
async def test_code_decides_when_there_is_one(status: int, code: str, kind: str, maybe_applied: bool) -> None:
    error = await fail(document(status, code))
    assert (error.kind, error.maybe_applied, error.status) == (kind, maybe_applied, status)
    assert error.message


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, "unexpected"),
        (403, "permission_denied"),
        (404, "not_found"),
        (412, "precondition_failed"),
        (416, "range_invalid"),
        (500, "unavailable"),
        (503, "unavailable"),
    ],
)
@pytest.mark.parametrize("body", [b"", b"<html>not here</html>", b"<Error><Code>half"], ids=["empty", "page", "half"])
async def test_status_decides_when_the_body_tells_nothing(status: int, kind: str, body: bytes) -> None:
    assert (await fail(httpx.Response(status, content=body))).kind == kind


async def test_message_is_the_stores_own_when_ours_would_say_less() -> None:
    assert "The store's own words." in (await fail(document(403, "AccessDenied"))).message
    error = await fail(document(403, "SignatureDoesNotMatch"))
    assert "secret_access_key" in error.message
    assert read_code(error) == "SignatureDoesNotMatch"


async def test_whole_size_is_told_when_a_range_is_invalid() -> None:
    more = "<ActualObjectSize>123</ActualObjectSize>"
    assert (await fail(document(416, "InvalidRange", more))).size_bytes == 123
    assert (await fail(document(416, "InvalidRange", **{"Content-Range": "bytes */45"}))).size_bytes == 45


@pytest.mark.parametrize(
    "reply",
    [
        document(
            301, "PermanentRedirect", "<Endpoint>bucket.s3.example</Endpoint>", **{"x-amz-bucket-region": "eu-west-1"}
        ),
        document(
            307, "TemporaryRedirect", **{"x-amz-bucket-region": "eu-west-1", "Location": "https://elsewhere.example/"}
        ),
        document(400, "AuthorizationHeaderMalformed", "<Region>eu-west-1</Region>"),
        httpx.Response(400, headers={"x-amz-bucket-region": "eu-west-1"}),
        httpx.Response(301, headers={"x-amz-bucket-region": "eu-west-1"}),
        httpx.Response(403, headers={"x-amz-bucket-region": "eu-west-1"}),
    ],
    ids=["301", "307", "malformed", "mute 400", "mute 301", "mute 403"],
)
async def test_region_is_told_when_the_bucket_is_in_another(reply: httpx.Response) -> None:
    error = await fail(reply)
    assert error.context[REGION] == "eu-west-1"
    assert "eu-west-1" in error.message


async def test_it_is_no_question_of_regions_when_the_request_was_signed_for_the_right_one() -> None:
    error = await fail(httpx.Response(403, headers={"x-amz-bucket-region": "eu-west-1"}), region="eu-west-1")
    assert error.kind is ErrorKind.PERMISSION_DENIED
    assert REGION not in error.context


async def test_good_reply_passes_when_it_is_a_document_without_an_error() -> None:
    request = http_request()
    request.extensions[WHOLE_BODY_BYTES_MAX] = 1000
    reply = httpx.Response(200, content=b"<CopyObjectResult><ETag>e</ETag></CopyObjectResult>")
    sent = await classify(FakeSend(reply), clock=ManualClock(), classify_reply=classify_reply)(request)
    assert sent.content == reply.content
