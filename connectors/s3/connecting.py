"""The first call with new credentials: who they belong to, or what is wrong with them, field by field."""

from __future__ import annotations

from connectors.core.errors import ConnectorError, ErrorKind
from connectors.core.resources import Identity
from connectors.s3.errors import read_code
from connectors.s3.listing import BUCKETS_MAX
from connectors.s3.storage import Storage


async def get_identity(storage: Storage) -> Identity:
    """Names the storage: the same for every key that opens it."""
    account = storage.account
    try:
        if account.bucket is not None:
            await storage.api.list_objects(storage.layout.root, limit=1)
            return Identity(key=f"{account.endpoint.name}/{account.bucket}/{account.prefix}", label=account.place_name)
        buckets = await storage.api.list_buckets(token=None, limit=BUCKETS_MAX)
    except ConnectorError as error:
        raise explain(storage, error) from error
    owner_id = buckets.owner_id or account.access_key_id
    label = buckets.owner_name or account.access_key_id
    return Identity(key=f"{account.endpoint.name}#{owner_id}", label=label)


def explain(storage: Storage, error: ConnectorError) -> ConnectorError:
    """The same error in words that name the field to look at."""
    account = storage.account
    if error.kind in {ErrorKind.UNAVAILABLE, ErrorKind.TIMED_OUT, ErrorKind.ADDRESS_REFUSED} and error.status is None:
        where = "endpoint: " if account.is_host_users else ""
        return error.restated(message=f"{where}{error.message}")
    if error.kind is ErrorKind.PERMISSION_DENIED:
        if account.bucket is None:
            words = "these keys may not list buckets; name the bucket to use in the field bucket"
        else:
            words = f"these keys may not list the bucket {account.bucket!r}; allow them s3:ListBucket on it"
        return error.restated(message=f"bucket: {words}")
    if error.kind is ErrorKind.NOT_FOUND and account.bucket is not None:
        return error.restated(ErrorKind.PERMISSION_DENIED, f"bucket: there is no bucket {account.bucket!r} here")
    if error.kind is ErrorKind.UNEXPECTED and not read_code(error) and account.is_host_users:
        return error.restated(message=f"endpoint: what answers there does not speak S3 ({error.message})")
    return error
