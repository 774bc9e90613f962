"""One account's credentials, read and checked: where the store is, how it is addressed, which part of it is shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from urllib.parse import urlsplit

import httpx

from connectors.core.errors import ConnectorError, ErrorKind
from connectors.core.guard import read_target
from connectors.s3.keys import OLD_BUCKET_RULE, can_be_in_host
from connectors.s3.manifest import KEY_BYTES_MAX, STYLES

DEFAULT_REGION = "us-east-1"
REGION_CHARACTERS_MAX = 64
AWS_DOMAINS = (("cn-", "amazonaws.com.cn"), ("eusc-", "amazonaws.eu"), ("", "amazonaws.com"))
"""How regions begin, and the domain that they are in."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An address of a store. AWS has one per region, others have one."""

    url: str | None  # without a slash at its end; None is AWS's own, by region
    is_virtual: bool  # a bucket's name goes in front of the host where it can

    def build_base(self, region: str, bucket: str) -> tuple[str, str]:
        """The beginning of a bucket's URLs, and the path in them that the bucket takes."""
        url = self.url or f"https://s3.{region}.{_find_domain(region)}"
        scheme, _, rest = url.partition("://")
        is_certificate_right = scheme == "http" or "." not in bucket  # a wildcard stands for one label
        if bucket and self.is_virtual and can_be_in_host(bucket) and is_certificate_right and not _is_address(rest):
            return f"{scheme}://{bucket}.{rest}", ""
        return url, bucket

    @property
    def name(self) -> str:
        """What tells this store from others."""
        return self.url or "aws"

    @property
    def hosts(self) -> tuple[str, ...]:
        """Where signatures may go; empty for AWS, whose hosts the manifest lists."""
        if self.url is None:
            return ()
        url = httpx.URL(self.url)
        host = url.raw_host.decode("ascii")
        name = host if url.port is None else f"{host}:{url.port}"  # as hosts are compared
        return (name, f"*.{name}") if self.is_virtual else (name,)


@dataclass(frozen=True, slots=True)
class Account:
    """What a person filled in."""

    endpoint: Endpoint
    region: str | None
    access_key_id: str
    secret_access_key: str = field(repr=False)
    session_token: str | None = field(repr=False)
    bucket: str | None
    prefix: str  # "" or ends in "/"
    is_host_users: bool  # the address was filled in, so it is nobody's whom the operator trusts

    @property
    def place_name(self) -> str:
        """The bucket and folder, for people; empty when all buckets are shown."""
        return f"{self.bucket}/{self.prefix}".rstrip("/") if self.bucket else ""


def read_account(credentials: Mapping[str, str], *, operator_endpoint: str | None, has_endpoint_field: bool) -> Account:
    """The account that these credentials are for.

    - permission_denied, or address_refused for the endpoint, names the field that is wrong.
    """
    given = {name: value.strip() for name, value in credentials.items()}
    style = given.get("style") or ("path" if has_endpoint_field else "virtual")
    if style not in STYLES:
        raise _refuse("style", f"is one of {', '.join(STYLES)}")
    url = read_endpoint(given.get("endpoint", "")) if has_endpoint_field else operator_endpoint
    bucket = given.get("bucket") or None
    if bucket is not None and (not OLD_BUCKET_RULE.fullmatch(bucket) or bucket in {".", ".."}):
        raise _refuse("bucket", f"{bucket!r} cannot be the name of a bucket")
    prefix = _read_prefix(credentials.get("prefix", ""))
    if prefix and bucket is None:
        raise _refuse("prefix", "needs a bucket to be in")
    return Account(
        endpoint=Endpoint(url, is_virtual=style == "virtual"),
        region=_read_region(given.get("region", "")),
        access_key_id=_read_visible("access_key_id", given.get("access_key_id", "")),
        secret_access_key=given.get("secret_access_key", ""),
        session_token=_read_visible("session_token", given.get("session_token", "")) or None,
        bucket=bucket,
        prefix=prefix,
        is_host_users=has_endpoint_field,
    )


def read_endpoint(text: str) -> str:
    """A store's address without a slash at its end; address_refused for what is no address of a store."""
    url = text if "://" in text else f"https://{text}"
    try:
        read_target(url)
        parts = urlsplit(url)
    except (ConnectorError, ValueError) as error:
        reason = error.message if isinstance(error, ConnectorError) else "the address is malformed"
        raise ConnectorError(ErrorKind.ADDRESS_REFUSED, f"endpoint: {reason}") from error
    if parts.query or parts.fragment:
        raise ConnectorError(ErrorKind.ADDRESS_REFUSED, 'endpoint: the address of a store has no "?" and no "#"')
    return url.rstrip("/")


def _read_prefix(text: str) -> str:
    prefix = text.strip("/")
    if not prefix:
        return ""
    if len(prefix.encode("utf-8", "replace")) > KEY_BYTES_MAX // 2 or set(prefix.split("/")) & {"", ".", ".."}:
        raise _refuse("prefix", 'is a path like "a/b", without empty, "." and ".." segments')
    return f"{prefix}/"


def _read_region(text: str) -> str | None:
    if not text:
        return None
    if len(text) > REGION_CHARACTERS_MAX or not text.replace("-", "").isalnum() or not text.isascii():
        raise _refuse("region", f"{text[:REGION_CHARACTERS_MAX]!r} cannot be the name of a region")
    return text


def _read_visible(name: str, text: str) -> str:
    if not text.isascii() or not text.isprintable() or " " in text:
        raise _refuse(name, "has a character in it that no key has; copy it once more")
    return text


def _find_domain(region: str) -> str:
    return next(domain for beginning, domain in AWS_DOMAINS if region.startswith(beginning))


def _is_address(rest: str) -> bool:
    """True when an address without its scheme begins with an IP address."""
    netloc = rest.partition("/")[0]
    host = netloc.partition("]")[0].removeprefix("[") if netloc.startswith("[") else netloc.partition(":")[0]
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _refuse(name: str, text: str) -> ConnectorError:
    return ConnectorError(ErrorKind.PERMISSION_DENIED, f"{name}: {text}")
