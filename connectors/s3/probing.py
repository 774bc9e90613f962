"""Finds out what a store does, by trying it on hidden objects that are removed again.

Nothing is believed that was not seen: there are stores that answer a condition, a tag or an access control list with
success, and overwrite the object instead.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any

import msgspec

from connectors.core.bytesource import BytesSource
from connectors.core.crew import Crew
from connectors.core.errors import TEMPORARY_KINDS, ConnectorError, ErrorKind
from connectors.core.resources import Probe
from connectors.s3.account import DEFAULT_REGION
from connectors.s3.api import METADATA_PREFIX, Api, quote_etag
from connectors.s3.bodies import write_access_control
from connectors.s3.deleting import delete_folder, walk_entries
from connectors.s3.dialect import Dialect
from connectors.s3.keys import Place
from connectors.s3.links import sign_place
from connectors.s3.listing import BUCKETS_MAX
from connectors.s3.manifest import HIDDEN_PREFIX, KEY_BYTES_MAX
from connectors.s3.parts_api import Receipt
from connectors.s3.payloads import Grant
from connectors.s3.permissions import READ, build_grant_headers
from connectors.s3.storage import Storage

Trial = Callable[[], Awaitable[None]]

CAUTIOUS = Dialect()
BUCKETS_TRIED_MAX = 3
BUCKETS_ASKED_MAX = 20
CALLS_PARALLEL_MAX = 6
NAME_BYTES_TRIED = {256: KEY_BYTES_MAX, 255: 255, 240: 240}
NAME_BYTES_LEAST = 200
"""How long a name to try, and how long names may be where it works."""

SIGNED_SECONDS = 60

BYTES = b"a probe"
OTHER_BYTES = b"another probe"
HEADERS = {"Content-Type": "text/x-probe", f"{METADATA_PREFIX}probe": "1"}
TAGS = {"probe": "a tag"}

CONTROLS = "".join(map(chr, (*range(1, 0x20), 0x7F)))
ODD_CHARACTERS = {"\\": "\\", "\n": "\n", "\r": "\r", "\x01": CONTROLS, "\x7f": "\x7f"}
"""What to try in a name, and what cannot be in names where it fails."""


async def probe(storage: Storage) -> Probe:
    """What the account's store does. Where nothing may be written, what is known beforehand has to do."""
    buckets = [storage.account.bucket] if storage.account.bucket else await _list_buckets(storage)
    region = await _find_region(storage, buckets[0]) if buckets else None
    versions = await _keep_versions(storage, buckets)
    for bucket in buckets[:BUCKETS_TRIED_MAX]:
        folder = Place(bucket, f"{storage.account.prefix}{HIDDEN_PREFIX}probe-{secrets.token_hex(8)}/")
        dialect = await _Prober(storage, folder).run(msgspec.structs.replace(storage.dialect, versions=versions))
        if dialect is not None:
            learned: dict[str, Any] = {"dialect": msgspec.to_builtins(dialect)}
            return Probe(region=region, learned={**learned, "region": region} if region else learned)
    return Probe(region=region, learned={"region": region} if region else {})


async def _list_buckets(storage: Storage) -> list[str]:
    with suppress(ConnectorError):
        return [bucket.name for bucket in (await storage.api.list_buckets(token=None, limit=BUCKETS_MAX)).buckets]
    return []


async def _find_region(storage: Storage, bucket: str) -> str:
    """Where a bucket is, as far as the store says."""
    with suppress(ConnectorError):
        region = await storage.api.head_bucket(bucket)
        if region is not None:
            return region
    with suppress(ConnectorError):
        return await storage.api.get_location(bucket)
    return storage.account.region or DEFAULT_REGION


async def _keep_versions(storage: Storage, buckets: list[str]) -> bool:
    """True when one of the first buckets keeps versions, and tells of them."""
    for bucket in buckets[:BUCKETS_ASKED_MAX]:
        with suppress(ConnectorError):
            if await storage.api.get_versioning(bucket):
                await storage.api.list_versions(Place(bucket, HIDDEN_PREFIX), limit=1)
                return True
    return False


class _Prober:
    """One run in one hidden folder."""

    def __init__(self, storage: Storage, folder: Place) -> None:
        self._storage = storage
        self._api = storage.api
        self._folder = folder
        self._object = folder.file("object")
        self._facts: dict[str, Any] = {}

    async def run(self, dialect: Dialect) -> Dialect | None:
        """The dialect with what was found out; None when nothing may be written here."""
        try:
            try:
                is_first_right = await self._put_first()
            except ConnectorError:
                return None
            self._facts["put_if_absent"] = is_first_right
            async with Crew(CALLS_PARALLEL_MAX) as crew:
                for trial, names in self._list_trials().items():
                    await crew.wait_for_slot()
                    crew.start(self._run(trial, names))
        finally:
            await self._clean(dialect)
        # By itself, since there are stores that cannot delete it again.
        await self._run(self._try_long_name, ("name_bytes_max",))
        return msgspec.structs.replace(dialect, **self._facts)

    def _list_trials(self) -> dict[Trial, tuple[str, ...]]:
        """What to try, and which facts each of them finds out."""
        return {
            self._try_names: ("is_plus_space", "characters_forbidden"),
            self._try_markers: ("keeps_markers",),
            self._try_directories: ("has_directories",),
            self._try_order: ("walks_directories",),
            self._try_empty_segments: ("keeps_empty_segments",),
            self._try_copies: ("copies_metadata", "copy_if_absent"),
            self._try_parts: ("complete_if_absent", "copies_parts"),
            self._try_sending_parts_again: ("replaces_parts",),
            self._try_reads: ("hashes_etags", "reads_if_match"),
            self._try_signed_url: ("signs_urls",),
            self._try_tags: ("tags",),
            self._try_access: ("access",),
        }

    async def _run(self, trial: Trial, names: tuple[str, ...]) -> None:
        """One trial. What a store refuses it cannot do; where it just fails, what was known before has to do."""
        try:
            await trial()
        except ConnectorError as error:
            if error.kind not in TEMPORARY_KINDS:
                for name in names:
                    self._facts.setdefault(name, getattr(CAUTIOUS, name))

    async def _put_first(self) -> bool:
        """Puts the object, and True when putting it once more on a condition leaves it as it is."""
        try:
            await self._put_new(self._object, HEADERS, if_absent=True)
        except ConnectorError as error:
            if error.kind in {ErrorKind.PERMISSION_DENIED, ErrorKind.NOT_FOUND, ErrorKind.GRANT_REVOKED}:
                raise
            await self._api.put_object(self._object, BYTES, HEADERS)
            return False
        is_refused = await _is_refused(self._api.put_object(self._object, OTHER_BYTES, HEADERS, if_absent=True))
        if not is_refused:
            await self._api.put_object(self._object, BYTES, HEADERS)
        return is_refused and await self._is_whole(self._object)

    async def _put_new(self, place: Place, headers: dict[str, str], *, if_absent: bool) -> None:
        """Puts an object; one that is found there after a doubtful failure is its own."""
        try:
            await self._api.put_object(place, BYTES, headers, if_absent=if_absent)
        except ConnectorError as error:
            if error.kind is not ErrorKind.PRECONDITION_FAILED or not error.is_replay:
                raise

    async def _try_names(self) -> None:
        space = self._folder.folder("space").file("a +b")
        await self._api.put_object(space, BYTES, {})
        folder = self._folder.folder("space")
        listing = await Api(self._api.client, is_plus_space=True).list_objects(folder, limit=10)
        self._facts["is_plus_space"] = space.key in {entry.key for entry in listing.entries}
        if await self._can_name("".join(ODD_CHARACTERS)):
            return
        refused = [forbidden for tried, forbidden in ODD_CHARACTERS.items() if not await self._can_name(tried)]
        self._facts["characters_forbidden"] = "".join(dict.fromkeys("".join(refused)))

    async def _can_name(self, characters: str) -> bool:
        place = self._folder.folder("names").file(f"a{characters}b")
        is_there = False
        with suppress(ConnectorError):
            put = await self._api.put_object(place, BYTES, {})
            api = Api(self._api.client, is_plus_space=bool(self._facts.get("is_plus_space", True)))
            listing = await api.list_objects(self._folder.folder("names"), limit=100)
            is_there = place.key in {entry.key for entry in listing.entries}
            await self._api.delete_object(place, version_id=put.version_id)  # lists of versions may not tell the key
        return is_there

    async def _try_long_name(self) -> None:
        self._facts["name_bytes_max"] = NAME_BYTES_LEAST
        for tried_bytes, bytes_max in NAME_BYTES_TRIED.items():
            with suppress(ConnectorError):
                folder = self._folder.folder("n" * tried_bytes)
                marker = folder if self._facts.get("keeps_markers") else folder.file("a")
                await self._api.put_object(marker, b"", {})
                place = self._folder.file("m" * tried_bytes)
                await self._put_new(place, {}, if_absent=self._facts["put_if_absent"])
                if await self._is_whole(place):
                    self._facts["name_bytes_max"] = bytes_max
                    break
        await delete_folder(self._storage, self._folder, is_permanent=True)

    async def _try_markers(self) -> None:
        marker = self._folder.folder("marker")
        await self._api.put_object(marker, b"", {})
        listing = await self._api.list_objects(self._folder.file("marker"), limit=10)
        self._facts["keeps_markers"] = [entry.key for entry in listing.entries] == [marker.key]

    async def _try_directories(self) -> None:
        folder = self._folder.folder("directory")
        await self._api.put_object(folder.file("a"), BYTES, {})
        await self._api.delete_object(folder.file("a"))
        listing = await self._api.list_objects(self._folder, limit=100, has_delimiter=True)
        if folder.key in listing.prefixes:
            self._facts["has_directories"] = await self._storage.find_head(folder) is not None

    async def _try_order(self) -> None:
        folder = self._folder.folder("order")
        await self._api.put_object(folder.file("a.b"), BYTES, {})
        await self._api.put_object(folder.folder("a").file("b"), BYTES, {})
        listing = await self._api.list_objects(folder, limit=1)
        self._facts["walks_directories"] = [entry.key for entry in listing.entries] == [f"{folder.key}a/b"]

    async def _try_empty_segments(self) -> None:
        place = self._folder.folder("segment").folder("").file("a")
        await self._api.put_object(place, BYTES, {})
        listing = await self._api.list_objects(self._folder.folder("segment"), limit=10)
        self._facts["keeps_empty_segments"] = [entry.key for entry in listing.entries] == [place.key]

    async def _try_copies(self) -> None:
        copy = self._folder.file("copy")
        await self._api.copy_object(self._object, copy, {})
        head = await self._api.head_object(copy)
        is_kept = head.headers.get("content-type") == HEADERS["Content-Type"] and head.metadata.get("probe") == "1"
        self._facts["copies_metadata"] = is_kept
        is_refused = await _is_refused(self._api.copy_object(self._object, copy, {}, if_absent=True))
        self._facts["copy_if_absent"] = is_refused and await self._is_whole(copy)

    async def _try_reads(self) -> None:
        digest = hashlib.md5(BYTES, usedforsecurity=False).hexdigest()
        self._facts["hashes_etags"] = (await self._api.head_object(self._object)).entry.etag == digest
        try:
            async with self._api.get_object(self._object, {"If-Match": quote_etag("another")}):
                pass
        except ConnectorError as error:
            self._facts["reads_if_match"] = error.kind is ErrorKind.PRECONDITION_FAILED

    async def _try_signed_url(self) -> None:
        self._facts["signs_urls"] = False
        signed = sign_place(self._storage, "GET", self._object, (), SIGNED_SECONDS, {})
        reply = await self._api.client.ask_signed(signed.url)
        self._facts["signs_urls"] = reply.content == BYTES

    async def _try_sending_parts_again(self) -> None:
        place, parts = self._folder.file("parts"), self._storage.parts
        upload_id = await parts.create(place, {})
        try:
            for data in (OTHER_BYTES, BYTES):
                etag = await parts.put(place, upload_id, 1, BytesSource(data))
            await parts.complete(place, upload_id, [Receipt(1, etag or "")], if_absent=False)
            self._facts["replaces_parts"] = await self._is_whole(place)
        finally:
            with suppress(ConnectorError):
                await parts.abort(place, upload_id)

    async def _try_parts(self) -> None:
        """Copies the object into an upload to a key that is taken."""
        taken, parts = self._folder.file("taken"), self._storage.parts
        await self._api.put_object(taken, OTHER_BYTES, {})
        upload_id = await parts.create(taken, HEADERS)
        try:
            copied = await parts.copy(self._object, taken, upload_id, 1, {}, None)
            receipts = [Receipt(1, copied.etag or "")]
            is_refused = await _is_refused(parts.complete(taken, upload_id, receipts, if_absent=True))
            self._facts["complete_if_absent"] = is_refused
            if is_refused:
                await parts.complete(taken, upload_id, receipts, if_absent=False)
            self._facts["copies_parts"] = bool(copied.etag) and await self._is_whole(taken)
        finally:
            with suppress(ConnectorError):
                await parts.abort(taken, upload_id)

    async def _try_tags(self) -> None:
        place = self._folder.file("tags")
        await self._api.put_object(place, BYTES, {})
        await self._api.put_tags(place, TAGS)
        self._facts["tags"] = await self._is_whole(place) and await self._api.get_tags(place) == TAGS

    async def _try_access(self) -> None:
        self._facts["access"] = ""
        place = self._folder.file("access")
        await self._api.put_object(place, BYTES, {})
        access = await self._api.get_access(place)
        owner = next((grant for grant in access.grants if grant.id and grant.id == access.owner_id), None)
        if owner is None:
            return
        wanted = msgspec.structs.replace(access, grants=[owner, Grant(permission=READ, id=owner.id)])
        forms: dict[str, dict[str, Any]] = {
            "document": {"headers": {}, "body": write_access_control(wanted)},
            "headers": {"headers": build_grant_headers(wanted.grants)},
        }
        for form, arguments in forms.items():
            with suppress(ConnectorError):
                await self._api.put_access(place, **arguments)
                held = {grant.permission for grant in (await self._api.get_access(place)).grants}
                if READ in held and await self._is_whole(place):
                    self._facts["access"] = form
                    return

    async def _is_whole(self, place: Place) -> bool:
        """True when an object still has the bytes that were put there first."""
        return (await self._api.head_object(place)).entry.size_bytes == len(BYTES)

    async def _clean(self, dialect: Dialect) -> None:
        """Removes all that was written, many keys in one call, and notes whether that works."""
        dialect = msgspec.structs.replace(dialect, **self._facts)
        for deletes_batches in (True, False):
            storage = replace(
                self._storage,
                api=Api(self._api.client, is_plus_space=dialect.is_plus_space),
                dialect=msgspec.structs.replace(dialect, deletes_batches=deletes_batches),
            )
            self._storage = storage
            with suppress(ConnectorError):
                await delete_folder(storage, self._folder, is_permanent=True)
            with suppress(ConnectorError):
                if not [page async for page in walk_entries(storage, self._folder)]:
                    self._facts["deletes_batches"] = deletes_batches
                    return


async def _is_refused(call: Awaitable[object]) -> bool:
    """True when a call on a condition finds it broken."""
    try:
        await call
    except ConnectorError as error:
        return error.kind is ErrorKind.PRECONDITION_FAILED
    return False
