"""Keys and raw ids: where a file or folder stands in a bucket, and which names may be given.

A raw id is "/" and the key, below the account's bucket and prefix; the bucket's name comes first where the account
shows all buckets. A folder's ends in "/". Keys stay exactly as they are: "a//b" is the file "b" in folder "" of "a".
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import ip_address

from connectors.core.errors import ConnectorError, ErrorKind
from connectors.core.resources import RawId, Ref
from connectors.s3.manifest import HIDDEN_PREFIX, KEY_BYTES_MAX

FOLDER_FILE = f"{HIDDEN_PREFIX}folder"
"""Stands in an empty folder where the store forgets keys that end in "/"."""

BUCKET_RULE = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
BUCKET_HOST_RULE = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*")
NOT_TEXT = re.compile("[\ud800-\udfff]")
OLD_BUCKET_RULE = re.compile(r"[A-Za-z0-9._-]{1,255}")
BUCKET_HOST_CHARACTERS_MAX = 63


@dataclass(frozen=True, slots=True)
class Place:
    """A bucket and a key in it. A folder's key is "" or ends in "/"; without a bucket it is the root above all."""

    bucket: str
    key: str

    @property
    def is_above_buckets(self) -> bool:
        return not self.bucket

    @property
    def is_bucket(self) -> bool:
        return bool(self.bucket) and not self.key

    @property
    def can_be_sent(self) -> bool:
        """False for a key that no URL can hold: one that is no text, or has "." or ".." in it, directions there."""
        return is_text(self.key) and not any(segment in {".", ".."} for segment in self.key.split("/"))

    @property
    def is_short_enough(self) -> bool:
        """False for a key that no store keeps."""
        return len(self.key.encode()) <= KEY_BYTES_MAX

    @property
    def name(self) -> str:
        """The last segment; a key that ends in "/" has it before that when it is a folder's (see folder_name)."""
        return self.key.rpartition("/")[2]

    @property
    def folder_name(self) -> str:
        return self.key[:-1].rpartition("/")[2] if self.key else self.bucket

    def file(self, name: str) -> Place:
        """A file of that name in this folder."""
        return Place(self.bucket, self.key + name)

    def folder(self, name: str) -> Place:
        """A folder of that name in this folder; at the very top, a bucket."""
        return Place(self.bucket, f"{self.key}{name}/") if self.bucket else Place(name, "")


@dataclass(frozen=True, slots=True)
class Layout:
    """What an account's tree begins with. Without a bucket its folders at the top are buckets."""

    bucket: str | None
    prefix: str  # "" or ends in "/"
    keeps_empty_segments: bool

    @property
    def root(self) -> Place:
        return Place(self.bucket or "", self.prefix)

    def read(self, raw_id: str) -> Place:
        """The place that a raw id stands for; not_found for one that this account cannot have."""
        place = self._read(raw_id)
        if place is None:
            raise ConnectorError(ErrorKind.NOT_FOUND, "there is nothing with this id")
        return place

    def write(self, place: Place) -> RawId:
        if self.bucket is not None:
            return RawId("/" + place.key[len(self.prefix) :])
        return RawId(f"/{place.bucket}/{place.key}" if place.bucket else "/")

    def parent(self, place: Place, *, is_folder: bool) -> Place | None:
        """The folder that holds a place; None for the root."""
        if place == self.root and is_folder:
            return None
        if is_folder and place.is_bucket:
            return self.root
        key = place.key[:-1] if is_folder else place.key
        return Place(place.bucket, key[: key.rfind("/") + 1])

    def path(self, place: Place) -> str:
        """The path that people see: a folder's without the slash at its end."""
        raw_id = self.write(place)
        return raw_id[:-1] or "/" if raw_id.endswith("/") else raw_id

    def _read(self, raw_id: str) -> Place | None:
        try:
            size_bytes = len(raw_id.encode())
        except UnicodeEncodeError:
            return None
        if not raw_id.startswith("/") or "\0" in raw_id or size_bytes > 2 * KEY_BYTES_MAX:
            return None
        if any(segment.startswith(HIDDEN_PREFIX) for segment in raw_id.split("/")):
            return None
        if self.bucket is not None:
            place = Place(self.bucket, self.prefix + raw_id[1:])
        else:
            bucket, slash, key = raw_id[1:].partition("/")
            place = Place(bucket, key)
            if bucket and (not slash or not OLD_BUCKET_RULE.fullmatch(bucket) or bucket in {".", ".."}):
                return None
            if not bucket and slash:
                return None
        is_well_kept = self.keeps_empty_segments or not has_empty_segment(place.key[len(self.prefix) :])
        return place if is_well_kept and place.is_short_enough else None


def has_empty_segment(key: str) -> bool:
    """True for "/a" and "a//b", not for the slash at a folder's end."""
    return key.startswith("/") or "//" in key


def is_marker(key: str, folder: str) -> bool:
    """True for a key that only says that the folder is there."""
    return key in {folder, folder + FOLDER_FILE}


def is_hidden(key: str) -> bool:
    """True when a segment of the key is the connector's own, or the key is no text, which S3 does not allow."""
    return (HIDDEN_PREFIX in key and (key.startswith(HIDDEN_PREFIX) or f"/{HIDDEN_PREFIX}" in key)) or not is_text(key)


def is_text(key: str) -> bool:
    """False for a key that was bytes of another encoding."""
    return key.isascii() or NOT_TEXT.search(key) is None


def check_name(name: str, folder: Place, *, is_folder: bool) -> None:
    """Refuses a name for something new in a folder: invalid_name, with the rule that it breaks."""
    if folder.is_above_buckets:
        check_bucket_name(name)
        return
    if name.startswith(HIDDEN_PREFIX):
        raise ConnectorError(ErrorKind.INVALID_NAME, f'names that begin with "{HIDDEN_PREFIX}" are reserved')
    place = folder.folder(name) if is_folder else folder.file(name)
    if not place.is_short_enough:
        text = f"a path in a bucket has at most {KEY_BYTES_MAX} bytes in UTF-8; take a shorter name"
        raise ConnectorError(ErrorKind.INVALID_NAME, text)


def check_bucket_name(name: str) -> None:
    """Refuses what cannot name a bucket: invalid_name, with the rule that it breaks."""
    rule = ""
    if not BUCKET_RULE.fullmatch(name):
        rule = "has 3 to 63 lowercase letters, digits, dots and hyphens, and begins and ends with a letter or digit"
    elif ".." in name:
        rule = "has no two dots side by side"
    elif _is_address(name):
        rule = "does not look like an IP address"
    if rule:
        raise ConnectorError(ErrorKind.INVALID_NAME, f"folders at the top are buckets; a bucket's name {rule}")


def can_be_in_host(bucket: str) -> bool:
    """True when a bucket's name can stand in front of a host."""
    return bool(BUCKET_HOST_RULE.fullmatch(bucket)) and len(bucket) <= BUCKET_HOST_CHARACTERS_MAX


def number_name(name: str, number: int, *, is_folder: bool, bytes_max: int) -> str:
    """Makes "a (1).txt" of "a.txt", and "b.c (1)" of a folder "b.c"; a stem that gets too long is shortened."""
    stem, ending = split_name(name, is_folder=is_folder)
    suffix = f" ({number}){ending}"
    if len(suffix.encode()) >= bytes_max:  # nearly all of the name is its ending
        stem, suffix = name, f" ({number})"
    room = bytes_max - len(suffix.encode())
    return stem.encode()[:room].decode("utf-8", "ignore") + suffix


def split_name(name: str, *, is_folder: bool) -> tuple[str, str]:
    """What stands before the number, and after it: "a" and ".txt"."""
    stem, dot, ending = name.rpartition(".")
    return (name, "") if is_folder or not stem.strip(".") or not dot else (stem, f".{ending}")


def build_ref(layout: Layout, place: Place, *, is_folder: bool) -> Ref:
    """How to name a place in a call."""
    return Ref("folder" if is_folder else "file", layout.write(place))


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True
