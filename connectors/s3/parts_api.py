"""One function per endpoint about uploads in parts: arguments to a call, its answer to a payload. No decisions.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpuoverview.html
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from connectors.core.bytesource import ByteSource
from connectors.core.call import Repeat
from connectors.s3 import bodies, documents
from connectors.s3.api import IF_ABSENT, name_source, quote_etag, read_etag
from connectors.s3.client import Call, Client
from connectors.s3.keys import Place
from connectors.s3.payloads import Copied, Upload


class Receipt(NamedTuple):
    """A stored part, as it is named at the end."""

    number: int
    etag: str


class PartsApi:
    """The endpoints, for one account."""

    def __init__(self, client: Client, *, is_plus_space: bool) -> None:
        self._client = client
        self._is_plus_space = is_plus_space

    async def create(self, place: Place, headers: Mapping[str, str]) -> str:
        """The new upload's id."""
        call = Call(
            operation="create_multipart_upload",
            repeat=Repeat.UNSAFE,  # a second one would stay behind, unknown to anybody
            method="POST",
            place=place,
            query=(("uploads", None),),
            headers=headers,
        )
        return documents.read_upload_id((await self._client.ask(call)).content)

    async def put(self, place: Place, upload_id: str, number: int, body: ByteSource) -> str:
        """The part's etag."""
        call = Call(
            operation="upload_part",
            repeat=Repeat.IDEMPOTENT,
            method="PUT",
            place=place,
            query=_name_part(upload_id, number),
            body=body,
        )
        return read_etag((await self._client.ask(call)).headers)

    async def copy(
        self,
        source: Place,
        place: Place,
        upload_id: str,
        number: int,
        headers: Mapping[str, str],
        version_id: str | None,
    ) -> Copied:
        call = Call(
            operation="upload_part_copy",
            repeat=Repeat.IDEMPOTENT,
            method="PUT",
            place=place,
            query=_name_part(upload_id, number),
            headers={**headers, **name_source(source, version_id)},
        )
        return documents.read_copied((await self._client.ask(call)).content)

    async def complete(self, place: Place, upload_id: str, parts: Iterable[Receipt], *, if_absent: bool) -> Copied:
        rows = [[("PartNumber", str(part.number)), ("ETag", quote_etag(part.etag))] for part in parts]
        call = Call(
            operation="complete_multipart_upload",
            repeat=Repeat.IDEMPOTENT,
            method="POST",
            place=place,
            query=(("uploadId", upload_id),),
            headers={"Content-Type": "application/xml", **(IF_ABSENT if if_absent else {})},
            body=bodies.write("CompleteMultipartUpload", [("Part", row) for row in rows]),
        )
        return documents.read_copied((await self._client.ask(call)).content)

    async def abort(self, place: Place, upload_id: str) -> None:
        call = Call(
            operation="abort_multipart_upload",
            repeat=Repeat.IDEMPOTENT,
            method="DELETE",
            place=place,
            query=(("uploadId", upload_id),),
        )
        await self._client.ask(call)

    async def check(self, place: Place, upload_id: str) -> None:
        """not_found when the upload is not, or no longer, known."""
        call = Call(
            operation="list_parts",
            repeat=Repeat.SAFE,
            method="GET",
            place=place,
            query=(("uploadId", upload_id), ("max-parts", "1")),
        )
        await self._client.ask(call)

    async def list_uploads(self, prefix: Place) -> list[Upload]:
        """The first thousand of the uploads to keys that begin so."""
        call = Call(
            operation="list_multipart_uploads",
            repeat=Repeat.SAFE,
            method="GET",
            place=Place(prefix.bucket, ""),
            query=(("uploads", None), ("encoding-type", "url"), ("prefix", prefix.key)),
        )
        return documents.read_uploads((await self._client.ask(call)).content, is_plus_space=self._is_plus_space)


def _name_part(upload_id: str, number: int) -> tuple[tuple[str, str | None], ...]:
    return ("partNumber", str(number)), ("uploadId", upload_id)
