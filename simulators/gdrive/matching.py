"""Does a file match a search? The meaning of each term of query.py."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from simulators.core.users import User
from simulators.gdrive import access
from simulators.gdrive.errors import DriveError
from simulators.gdrive.query import Not, Query, Several, Term
from simulators.gdrive.records import DriveFile, rank
from simulators.gdrive.store import Store

COMPARISONS: dict[str, Callable[[datetime, datetime], bool]] = {
    "<=": operator.le,
    "<": operator.lt,
    "=": operator.eq,
    "!=": operator.ne,
    ">": operator.gt,
    ">=": operator.ge,
}
INDEXED_BYTES_MAX = 1024 * 1024
INDEXED_TYPES = ("text/", "application/json", "application/vnd.google-apps.")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(slots=True)
class Matcher:
    """Says of files whether they match; `client_id` is whose appProperties are meant."""

    store: Store
    user: User
    client_id: str
    _texts: dict[str, str] = field(default_factory=dict)

    def matches(self, file: DriveFile, query: Query) -> bool:
        if isinstance(query, Not):
            return not self.matches(file, query.inner)
        if isinstance(query, Several):
            return (all if query.needs_all else any)(self.matches(file, part) for part in query.parts)
        return MEANINGS[query.field](self, file, query)

    def compare_flag(self, file: DriveFile, term: Term) -> bool:
        return (self._get_flag(file, term.field) is (term.value == "true")) is (term.operator == "=")

    def has_property(self, file: DriveFile, term: Term) -> bool:
        return file.properties.get(term.key) == term.value

    def has_app_property(self, file: DriveFile, term: Term) -> bool:
        return file.app_properties.get(self.client_id, {}).get(term.key) == term.value

    def compare_visibility(self, file: DriveFile, term: Term) -> bool:
        return (get_visibility(self.store, file) == term.value) is (term.operator == "=")

    def compare_text(self, file: DriveFile, term: Term) -> bool:
        return _compare_text(file, term)

    def _get_flag(self, file: DriveFile, name: str) -> bool:
        if name == "trashed":
            return access.is_trashed(self.store, file)
        if name == "starred":
            return self.user.number in file.starred_by
        return find_sharing(file, self.user) is not None

    def compare_time(self, file: DriveFile, term: Term) -> bool:
        moments: dict[str, datetime | None] = {
            "modifiedTime": file.modified_at,
            "createdTime": file.created_at,
            "viewedByMeTime": file.viewed_at.get(self.user.number),
        }
        if term.field == "sharedWithMeTime":
            moments[term.field] = find_sharing(file, self.user)
        return COMPARISONS[term.operator](moments[term.field] or EPOCH, read_time(term.value, location="q"))

    def contains(self, file: DriveFile, term: Term) -> bool:
        if term.field == "parents":
            if term.value == "root":
                return file.parent_id == self.store.get_root(self.user).id
            if term.value == "appDataFolder":
                root = self.store.get_root(self.user, space="appDataFolder", client_id=self.client_id)
                return file.parent_id == root.id
            return file.parent_id == term.value
        email = self.user.email if term.value == "me" else term.value
        for granted in access.list_granted(self.store, file):
            if (granted.permission.email or "").casefold() == email.casefold():
                return _has_part(granted.role, term.field)
        return False

    def contains_text(self, file: DriveFile, term: Term) -> bool:
        wanted = term.value
        text = self._texts.get(file.id)
        if text is None:
            text = self._texts[file.id] = _read_text(file)
        if wanted.startswith('"') and wanted.endswith('"') and len(wanted) > 1:
            return wanted[1:-1].casefold() in text
        words, wanted_words = set(_split(text)), _split(wanted.casefold())
        return bool(wanted_words) and all(word in words for word in wanted_words)


MEANINGS: dict[str, Callable[[Matcher, DriveFile, Term], bool]] = {
    "name": Matcher.compare_text,
    "mimeType": Matcher.compare_text,
    "shortcutDetails.targetId": Matcher.compare_text,
    "fullText": Matcher.contains_text,
    "trashed": Matcher.compare_flag,
    "starred": Matcher.compare_flag,
    "sharedWithMe": Matcher.compare_flag,
    "modifiedTime": Matcher.compare_time,
    "createdTime": Matcher.compare_time,
    "viewedByMeTime": Matcher.compare_time,
    "sharedWithMeTime": Matcher.compare_time,
    "parents": Matcher.contains,
    "owners": Matcher.contains,
    "writers": Matcher.contains,
    "readers": Matcher.contains,
    "properties": Matcher.has_property,
    "appProperties": Matcher.has_app_property,
    "visibility": Matcher.compare_visibility,
}


def find_sharing(file: DriveFile, user: User) -> datetime | None:
    """When somebody else shared this very file with the user by name; None if that never happened."""
    if file.owner in {None, user.number}:
        return None
    for permission in file.permissions.values():
        if permission.kind in {"user", "group"} and access.applies(permission, user):
            return permission.created_at
    return None


def get_visibility(store: Store, file: DriveFile) -> str:
    """How far it can be seen, as the search language names it."""
    found = "limited"
    for granted in access.list_granted(store, file):
        permission = granted.permission
        if permission.kind == "anyone":
            return "anyoneCanFind" if permission.allows_discovery else "anyoneWithLink"
        if permission.kind == "domain":
            found = "domainCanFind" if permission.allows_discovery else "domainWithLink"
    return found


def read_time(text: str, *, location: str) -> datetime:
    """RFC 3339, in UTC where it names no zone."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise DriveError.invalid(location) from None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _compare_text(file: DriveFile, term: Term) -> bool:
    if term.field == "shortcutDetails.targetId":
        return (file.target_id == term.value) is (term.operator == "=")
    have = file.name if term.field == "name" else file.mime_type
    if term.operator == "contains":
        if term.field == "mimeType":
            return have.startswith(term.value)
        return all(_begins_word(have.casefold(), word) for word in term.value.casefold().split())
    return (have == term.value) is (term.operator == "=")


def _begins_word(text: str, wanted: str) -> bool:
    """`contains` finds the beginnings of words only: `HelloWorld` contains Hello, not World."""
    return re.search(rf"(?:^|(?<=\W)|(?<=_)){re.escape(wanted)}", text) is not None


def _has_part(role: str, collection: str) -> bool:
    match collection:
        case "owners":
            return role == "owner"
        case "writers":
            return rank(role) >= rank("writer")
    return True


def _split(text: str) -> list[str]:
    return re.findall(r"\w+", text)


def _read_text(file: DriveFile) -> str:
    parts = [file.name, file.description or "", file.indexable_text]
    blob = file.blob
    if blob is not None and file.mime_type.startswith(INDEXED_TYPES):
        parts.append(blob.content.read(0, INDEXED_BYTES_MAX).decode("utf-8", "replace"))
    return "\n".join(parts).casefold()
