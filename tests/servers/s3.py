"""What servers that speak S3 have in common for their users in tests."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from tests.servers.secrecy import mark
from tests.servers.tls import Certificate

CALL_SECONDS_MAX = 30
BUCKET = "tests"
READY_KEY = "ready"


@dataclass(frozen=True, slots=True, kw_only=True)
class S3Server:
    """A running server with a bucket for everybody."""

    url: str
    access_key_id: str = field(default_factory=lambda: f"AK{secrets.token_hex(9).upper()}")
    secret_access_key: str = field(default_factory=lambda: mark(secrets.token_hex(20)))
    region: str = "us-east-1"
    bucket: str = BUCKET
    certificate: Certificate | None = None

    @contextmanager
    def client(self, service: str = "s3") -> Iterator[Any]:
        """An independent client: boto3's, which asks once and does not repeat."""
        config = Config(
            connect_timeout=CALL_SECONDS_MAX,
            read_timeout=CALL_SECONDS_MAX,
            retries={"total_max_attempts": 1},
            signature_version="s3v4" if service == "s3" else "v4",
            s3={"addressing_style": "path"},
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        )
        client = boto3.session.Session().client(
            service,
            endpoint_url=self.url,
            verify=str(self.certificate.authority_path) if self.certificate else None,
            region_name=self.region,
            aws_access_key_id=self.access_key_id,
            aws_secret_access_key=self.secret_access_key,
            config=config,
        )
        try:
            yield client
        finally:
            client.close()

    def make_bucket(self) -> bool:
        """Makes the bucket if need be and writes to it; False if the server does not do that yet."""
        try:
            with self.client() as client:
                if self.bucket not in {bucket["Name"] for bucket in client.list_buckets()["Buckets"]}:
                    client.create_bucket(Bucket=self.bucket)
                client.put_object(Bucket=self.bucket, Key=READY_KEY, Body=b"")
                client.delete_object(Bucket=self.bucket, Key=READY_KEY)
        except (BotoCoreError, ClientError):
            return False
        return True
