"""From what stores answer to our resources. No input or output."""

from __future__ import annotations

from dataclasses import dataclass

from connectors.core.media_types import read_media_type
from connectors.core.resources import File, Folder, Parent, RawId, Version, VersionId
from connectors.s3.keys import Layout, Place
from connectors.s3.payloads import Entry, ObjectVersion


@dataclass(frozen=True, slots=True)
class Above:
    """What is above the resources of one folder, made once for all of them."""

    folder: Place
    path: str  # of the folder, with a slash at its end; raw ids of files begin with it too
    ancestors: tuple[Parent, ...]  # nearest first
    can_be_sent: bool


@dataclass(frozen=True, slots=True)
class Mapper:
    """Builds resources for one account."""

    layout: Layout
    root_name: str
    include_raw: bool = False

    def find_above(self, folder: Place) -> Above:
        """What is above whatever a folder holds."""
        ancestors = []
        place: Place | None = folder
        while place is not None:
            ancestors.append(Parent(self.layout.write(place), self._name_folder(place)))
            place = self.layout.parent(place, is_folder=True)
        return Above(folder, self.layout.write(folder), tuple(ancestors), folder.can_be_sent)

    def build_file(self, place: Place, entry: Entry, *, is_replacement: bool = False) -> File:
        """The file at a place."""
        folder = self.layout.parent(place, is_folder=False)
        if folder is None:
            raise AssertionError("a file stands in a folder")
        return self.build_child(self.find_above(folder), entry, is_replacement=is_replacement)

    def build_child(self, above: Above, entry: Entry, *, is_replacement: bool = False) -> File:
        """A file of the folder."""
        name = entry.key[len(above.folder.key) :]
        path = above.path + name
        return File(  # by their places, which costs a fifth: a listing has a thousand of them
            RawId(path),
            name,
            above.ancestors[0],
            above.ancestors,
            path,
            entry.size_bytes,
            None,  # stores do not tell when an object was created
            entry.modified_at,
            read_media_type(name),
            entry.etag,
            None,  # an etag is not always a hash
            above.can_be_sent and name not in {".", ".."},
            is_replacement=is_replacement,
            raw=self._build_raw(entry),
        )

    def build_folder(self, place: Place) -> Folder:
        """The folder at a place."""
        folder = self.layout.parent(place, is_folder=True)
        if folder is not None:
            return self.build_child_folder(self.find_above(folder), place)
        return Folder(
            raw_id=self.layout.write(place),
            name=self.root_name,
            ancestors=(),
            path="/",
            can_upload_files=not place.is_above_buckets,
            raw={} if self.include_raw else None,
        )

    def build_child_folder(self, above: Above, place: Place) -> Folder:
        """A folder in a folder."""
        return Folder(
            raw_id=self.layout.write(place),
            name=place.folder_name,
            parent=above.ancestors[0],
            ancestors=above.ancestors,
            path=self.layout.path(place),
            raw={"Bucket": place.bucket, "Prefix": place.key} if self.include_raw else None,
        )

    def build_version(self, version: ObjectVersion) -> Version:
        """One version of a file."""
        return Version(
            raw_id=VersionId(version.version_id),
            size_bytes=version.entry.size_bytes,
            modified_at=version.entry.modified_at,
            etag=version.entry.etag,
            is_current=version.is_latest,
        )

    def _name_folder(self, place: Place) -> str:
        return self.root_name if place == self.layout.root else place.folder_name

    def _build_raw(self, entry: Entry) -> dict[str, object] | None:
        if not self.include_raw:
            return None
        return {
            "Key": entry.key,
            "ETag": entry.etag,
            "Size": entry.size_bytes,
            "LastModified": entry.modified_at.isoformat() if entry.modified_at else None,
            "StorageClass": entry.storage_class,
        }
