"""A store in memory that is as good or as bad as a test wants, behind a real socket."""

from __future__ import annotations

import hashlib
import re
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlsplit
from xml.sax.saxutils import escape

from connectors.core.connector import Connector
from tests.connectors.s3.accounts import open_account
from tests.servers.scripted import Reply, ScriptedServer, Seen

BUCKET = "bucket"
OWNER = "owner-id"
MODIFIED = "2024-05-17T12:00:00.000Z"
MODIFIED_HTTP = "Fri, 17 May 2024 12:00:00 GMT"
GOOD = frozenset({"put", "complete", "copy", "read"})

Answer = Reply | None


@dataclass(slots=True)
class Stored:
    """One object."""

    data: bytes
    headers: dict[str, str] = field(default_factory=dict)
    tags: bytes = b"<Tagging><TagSet/></Tagging>"
    access: bytes = f"""<AccessControlPolicy><Owner><ID>{OWNER}</ID></Owner><AccessControlList><Grant><Grantee>
        <ID>{OWNER}</ID></Grantee><Permission>FULL_CONTROL</Permission></Grant></AccessControlList>
        </AccessControlPolicy>""".encode()

    @property
    def etag(self) -> str:
        return hashlib.md5(self.data, usedforsecurity=False).hexdigest()


@dataclass(slots=True, kw_only=True)
class TinyStore:
    """Call it with a request. `objects` are its keys; `seen` what it was asked.

    - `obeys` names where conditions mean something; what is not in it is ignored, as some stores do.
    - `beside` is what happens to documents put beside an object: kept, refused, or taken for its bytes.
    - `intercept` answers in its place when it returns a reply.
    """

    obeys: frozenset[str] = GOOD
    beside: str = "kept"
    access_error: str = ""
    is_read_only: bool = False
    copies_metadata: bool = True
    keeps_plus: bool = False  # in listings, where others write it as %2B
    deletes_batches: bool = True
    forbidden: str = ""
    region: str | None = "eu-west-1"
    intercept: Callable[[Seen], Answer] = lambda _: None
    objects: dict[str, Stored] = field(default_factory=dict)
    uploads: dict[str, dict[int, bytes]] = field(default_factory=dict)
    seen: list[Seen] = field(default_factory=list)

    def __call__(self, request: Seen) -> Reply:  # noqa: PLR0911 - one line per kind of request
        self.seen.append(request)
        answer = self.intercept(request)
        if answer is not None:
            return answer
        parts = urlsplit(request.target)
        bucket, _, key = unquote(parts.path[1:]).partition("/")
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        if bucket != BUCKET:
            return fail(404, "NoSuchBucket")
        if self.is_read_only and request.method in {"PUT", "POST", "DELETE"}:
            return fail(403, "AccessDenied")
        if any(character in key for character in self.forbidden):
            return fail(400, "InvalidURI")
        if not key:
            return self._answer_bucket(request, query)
        if "uploads" in query or "uploadId" in query:
            return self._answer_upload(request, key, query)
        if {"tagging", "acl"} & set(query):
            return self._answer_beside(request, key, query)
        return self._answer_object(request, key)

    def _answer_bucket(self, request: Seen, query: dict[str, str]) -> Reply:  # noqa: PLR0911 - one line per endpoint
        if request.method == "HEAD":
            return Reply(headers={"x-amz-bucket-region": self.region} if self.region else {})
        if "location" in query:
            return document(f"<LocationConstraint>{self.region or ''}</LocationConstraint>")
        if "versioning" in query:
            return document("<VersioningConfiguration/>")
        if "uploads" in query:
            return document("<ListMultipartUploadsResult/>")
        if "delete" in query:
            if not self.deletes_batches:
                return fail(501, "NotImplemented")
            for key in re.findall(r"<Key>(.*?)</Key>", request.body.decode()):
                self.objects.pop(key, None)
            return document("<DeleteResult/>")
        return self._list(query)

    def _list(self, query: dict[str, str]) -> Reply:
        prefix, limit = query.get("prefix", ""), int(query.get("max-keys", "1000"))
        after = query.get("continuation-token", query.get("start-after", ""))
        found: dict[str, str] = {}
        for key in sorted(self.objects):
            if key.startswith(prefix):
                end = key.find("/", len(prefix)) if "delimiter" in query else -1
                if end >= 0:
                    found[key[: end + 1]] = (
                        f"<CommonPrefixes><Prefix>{self._quote(key[: end + 1])}</Prefix></CommonPrefixes>"
                    )
                else:
                    found[key] = self._describe(key)
        rows = [(key, row) for key, row in found.items() if key > after]
        more = f"<NextContinuationToken>{escape(rows[limit - 1][0])}</NextContinuationToken>" if rows[limit:] else ""
        truncated = "true" if more else "false"
        body = "".join(row for _, row in rows[:limit])
        return document(
            f"<ListBucketResult><EncodingType>url</EncodingType><IsTruncated>{truncated}</IsTruncated>"
            f"{more}{body}</ListBucketResult>"
        )

    def _quote(self, key: str) -> str:
        return quote(key, safe="/+" if self.keeps_plus else "/")

    def _describe(self, key: str) -> str:
        stored = self.objects[key]
        return (
            f"<Contents><Key>{self._quote(key)}</Key><LastModified>{MODIFIED}</LastModified><Size>{len(stored.data)}</Size>"
            f"<ETag>&quot;{stored.etag}&quot;</ETag><StorageClass>STANDARD</StorageClass></Contents>"
        )

    def _answer_object(self, request: Seen, key: str) -> Reply:
        if request.method == "PUT":
            return self._put(request, key)
        if request.method == "DELETE":
            self.objects.pop(key, None)
            return Reply(204)
        if key not in self.objects:
            return fail(404, "NoSuchKey") if request.method == "GET" else Reply(404)
        stored = self.objects[key]
        wanted = request.headers.get("if-match", f'"{stored.etag}"')
        if "read" in self.obeys and wanted != f'"{stored.etag}"':
            return fail(412, "PreconditionFailed")
        headers = {"ETag": f'"{stored.etag}"', "Last-Modified": MODIFIED_HTTP, **stored.headers}
        if request.method == "HEAD":
            return Reply(headers={**headers, "Content-Length": str(len(stored.data))})
        return Reply(body=stored.data, headers=headers)

    def _put(self, request: Seen, key: str) -> Reply:
        source = request.headers.get("x-amz-copy-source")
        kind = "copy" if source else "put"
        if kind in self.obeys and "if-none-match" in request.headers and key in self.objects:
            return fail(412, "PreconditionFailed")
        own = {name: value for name, value in request.headers.items() if is_kept(name)}
        if source is None:
            self.objects[key] = Stored(request.body, own)
            return Reply(headers={"ETag": f'"{self.objects[key].etag}"'})
        original = self.objects.get(unquote(source).lstrip("/").partition("/")[2])
        if original is None:
            return fail(404, "NoSuchKey")
        is_told = request.headers.get("x-amz-metadata-directive") == "REPLACE"
        kept = original.headers if self.copies_metadata else {}
        self.objects[key] = Stored(original.data, own if is_told else dict(kept), original.tags)
        return document(f"<CopyObjectResult><ETag>&quot;{original.etag}&quot;</ETag></CopyObjectResult>")

    def _answer_upload(self, request: Seen, key: str, query: dict[str, str]) -> Reply:  # noqa: PLR0911 - as above
        if "uploads" in query:
            upload_id = str(len(self.uploads) + 1)
            self.uploads[upload_id] = {}
            return document(
                f"<InitiateMultipartUploadResult><UploadId>{upload_id}</UploadId></InitiateMultipartUploadResult>"
            )
        parts = self.uploads.get(query["uploadId"])
        if parts is None:
            return fail(404, "NoSuchUpload")
        if request.method == "DELETE":
            del self.uploads[query["uploadId"]]
            return Reply(204)
        if request.method == "PUT":
            return self._put_part(request, parts, int(query["partNumber"]))
        if request.method == "GET":
            return document("<ListPartsResult/>")
        if "complete" in self.obeys and "if-none-match" in request.headers and key in self.objects:
            return fail(412, "PreconditionFailed")
        self.objects[key] = Stored(b"".join(data for _, data in sorted(parts.items())))
        del self.uploads[query["uploadId"]]
        return document(
            f"<CompleteMultipartUploadResult><ETag>{self.objects[key].etag}</ETag></CompleteMultipartUploadResult>"
        )

    def _put_part(self, request: Seen, parts: dict[int, bytes], number: int) -> Reply:
        source = request.headers.get("x-amz-copy-source")
        parts[number] = self.objects[unquote(source).split("/", 2)[2]].data if source else request.body
        etag = hashlib.md5(parts[number], usedforsecurity=False).hexdigest()
        if source:
            return document(f"<CopyPartResult><ETag>{etag}</ETag></CopyPartResult>")
        return Reply(headers={"ETag": f'"{etag}"'})

    def _answer_beside(self, request: Seen, key: str, query: dict[str, str]) -> Reply:
        stored, kind = self.objects[key], "tags" if "tagging" in query else "access"
        if kind == "access" and self.access_error:
            return fail(400, self.access_error)
        if self.beside == "refused":
            return fail(501, "NotImplemented")
        if request.method == "GET":
            return Reply(body=getattr(stored, kind))
        if self.beside == "taken for bytes":
            stored.data = request.body
        elif kind == "tags":
            stored.tags = request.body or Stored(b"").tags
        elif request.body:
            stored.access = request.body
        return Reply()


@asynccontextmanager
async def open_tiny(
    store: TinyStore, *, learned: Mapping[str, Any] | None = None, **credentials: str
) -> AsyncIterator[Connector]:
    """An account of s3_compatible at a store, probed unless `learned` is given."""
    async with ScriptedServer(store) as server:
        place = {"endpoint": server.url, "bucket": BUCKET, **credentials}
        async with open_account(place, learned=learned) as connector:
            store.seen.clear()
            yield connector


def is_kept(name: str) -> bool:
    return name == "content-type" or name.startswith("x-amz-meta-")


def document(body: str) -> Reply:
    return Reply(body=f'<?xml version="1.0" encoding="UTF-8"?>{body}'.encode())


def fail(status: int, code: str, more: str = "") -> Reply:
    body = f"<Error><Code>{code}</Code><Message>In the store's words: {code}.</Message>{more}</Error>"
    return Reply(status, body=body.encode())
