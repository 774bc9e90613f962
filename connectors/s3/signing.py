"""Signatures of version 4: in headers for calls, in the query for addresses that are given away.

https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-authenticating-requests.html
"""

from __future__ import annotations

import httpx
from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from connectors.core.layers.authorize import Sign
from connectors.s3.account import Account

REGION = "kloudless.region"
"""Where a request's extensions say for which region it is to be signed."""

IS_SIGNED = "kloudless.is_signed"
"""Where a request's extensions say that its address is signed already."""

SERVICE = "s3"
PAYLOAD = "UNSIGNED-PAYLOAD"
SIGNED_HEADERS = frozenset({"content-md5", "content-type", "host"})
"""What is covered beside the protocol's own headers. Proxies in front of stores are known to rewrite others."""


class _HeaderAuth(S3SigV4Auth):  # type: ignore[misc]  # botocore has no types
    """Bodies are streams, so they are not hashed beforehand."""

    def payload(self, request: AWSRequest) -> str:  # noqa: ARG002 - botocore's interface
        return PAYLOAD


def build_sign(account: Account) -> Sign:
    """Signs one attempt for the region that its request names."""
    credentials = _build_credentials(account)

    def sign(request: httpx.Request, _token: str | None) -> None:
        if request.extensions.get(IS_SIGNED):
            return
        headers = {name: value for name, value in request.headers.items() if _is_signed(name)}
        unsigned = AWSRequest(request.method, str(request.url), headers=headers)
        _HeaderAuth(credentials, SERVICE, request.extensions[REGION]).add_auth(unsigned)
        for name, value in unsigned.headers.items():
            request.headers[name] = value

    return sign


def sign_url(
    account: Account, method: str, url: httpx.URL, *, region: str, seconds: int, headers: dict[str, str]
) -> str:
    """The address with a signature in it that covers these headers too."""
    unsigned = AWSRequest(method, str(url), headers=headers)
    S3SigV4QueryAuth(_build_credentials(account), SERVICE, region, expires=seconds).add_auth(unsigned)
    return str(unsigned.url)


def _is_signed(name: str) -> bool:
    return name in SIGNED_HEADERS or name.startswith("x-amz-")


def _build_credentials(account: Account) -> Credentials:
    return Credentials(account.access_key_id, account.secret_access_key, account.session_token)
