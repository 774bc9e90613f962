"""A small WebDAV server in memory whose ways can be chosen, for what no real server of ours does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from urllib.parse import quote, unquote, urlsplit
from xml.sax.saxutils import escape

from tests.servers.scripted import Cut, Reply, Seen

BASE = "/dav/"
MODIFIED = "Wed, 25 Nov 2026 17:45:15 GMT"


@dataclass
class Fake:
    """Answers requests as a scripted server's function; paths are below BASE, without slashes at their ends.

    `answers` come first: by method, for the next request of that method a reply, or a function of it, or None to answer
    as usual.
    """

    files: dict[str, bytes] = field(default_factory=dict)
    folders: set[str] = field(default_factory=lambda: {""})
    takes_chunked: bool = True
    honours_overwrite: bool = True
    honours_if_none_match: bool = True
    gives_ranges: bool = True
    gives_etags: bool = True
    makes_parents: bool = False
    is_writable: bool = True
    deletes_full_folders: bool = True
    modified: dict[str, str] = field(default_factory=dict)
    date: str = "Wed, 25 Nov 2026 18:00:00 GMT"
    answers: dict[str, list[Reply | Cut | Callable[[Seen], Reply | Cut | None] | None]] = field(default_factory=dict)
    seen: list[Seen] = field(default_factory=list)
    writes_count: int = 0

    def __call__(self, seen: Seen) -> Reply | Cut:
        self.seen.append(seen)
        waiting = self.answers.get(seen.method)
        answer = waiting.pop(0) if waiting else None
        return (answer(seen) if callable(answer) else answer) or self._answer(seen)

    def count(self, method: str) -> int:
        """How many requests of a method came."""
        return sum(seen.method == method for seen in self.seen)

    def _answer(self, seen: Seen) -> Reply:
        path = self._read_path(seen.target)
        handler = {
            "PROPFIND": self._propfind,
            "GET": self._get,
            "PUT": self._put,
            "MKCOL": self._mkcol,
            "DELETE": self._delete,
            "MOVE": self._move,
            "COPY": self._move,
        }.get(seen.method)
        is_read = seen.method in {"PROPFIND", "GET"}
        if handler is None or not (self.is_writable or is_read):
            return Reply(403 if handler else 405)
        return handler(path, seen)

    def _propfind(self, path: str, seen: Seen) -> Reply:
        if path not in self.files and path not in self.folders:
            return Reply(404)
        members = [path]
        if seen.headers.get("depth") == "1":
            inside = [*self.files, *self.folders - {""}]
            members += [each for each in inside if each != path and each.rpartition("/")[0] == path]
        body = "".join(self._describe(member) for member in members)
        document = f'<?xml version="1.0"?><D:multistatus xmlns:D="DAV:">{body}</D:multistatus>'
        return Reply(207, document.encode(), {"Content-Type": "application/xml", "Date": self.date})

    def _describe(self, path: str) -> str:
        is_folder = path in self.folders
        href = quote(BASE + path) + ("/" if is_folder and path else "")
        facts = "<D:resourcetype><D:collection/></D:resourcetype>" if is_folder else "<D:resourcetype/>"
        if not is_folder:
            facts += f"<D:getcontentlength>{len(self.files[path])}</D:getcontentlength>"
            facts += f"<D:getetag>{escape(self._etag(path))}</D:getetag>" if self.gives_etags else ""
        facts += f"<D:getlastmodified>{self.modified.get(path, MODIFIED)}</D:getlastmodified>"
        status = "<D:status>HTTP/1.1 200 OK</D:status>"
        return (
            f"<D:response><D:href>{href}</D:href><D:propstat><D:prop>{facts}</D:prop>{status}</D:propstat></D:response>"
        )

    def _get(self, path: str, seen: Seen) -> Reply:
        if path not in self.files:
            return Reply(404)
        data = self.files[path]
        headers = {"Last-Modified": self.modified.get(path, MODIFIED)}
        headers |= {"ETag": self._etag(path)} if self.gives_etags else {}
        asked = seen.headers.get("range")
        if asked is None or not self.gives_ranges:
            return Reply(200, data, headers)
        first, _, last = asked.removeprefix("bytes=").partition("-")
        start, end = int(first), min(int(last or len(data) - 1), len(data) - 1)
        return Reply(206, data[start : end + 1], {**headers, "Content-Range": f"bytes {start}-{end}/{len(data)}"})

    def _put(self, path: str, seen: Seen) -> Reply:
        if not self.takes_chunked and seen.headers.get("transfer-encoding"):
            return Reply(411)
        if self.honours_if_none_match and seen.headers.get("if-none-match") == "*" and path in self.files:
            return Reply(412)
        return self._place(path, seen.body)

    def _mkcol(self, path: str, _: Seen) -> Reply:
        if path in self.files or path in self.folders:
            return Reply(405)
        return self._place(path, None)

    def _delete(self, path: str, _: Seen) -> Reply:
        if not self.deletes_full_folders and any(self._below(path)):
            return Reply(405)
        return Reply(204 if self._take(path) else 404)

    def _move(self, path: str, seen: Seen) -> Reply:
        target = self._read_path(urlsplit(seen.headers["destination"]).path)
        if path not in self.files and path not in self.folders:
            return Reply(404)
        is_there = target in self.files or target in self.folders
        if is_there and self.honours_overwrite and seen.headers.get("overwrite") == "F":
            return Reply(412)
        data = self.files.get(path)
        copied = {each.removeprefix(path): self.files.get(each) for each in self._below(path)}
        if seen.method == "MOVE":
            self._take(path)
        reply = self._place(target, data)
        if reply.status == 201:
            for rest, inside in copied.items():
                self._place(target + rest, inside)
        return Reply(204 if is_there else reply.status)

    def _place(self, path: str, data: bytes | None) -> Reply:
        above = path.rpartition("/")[0]
        if above not in self.folders:
            if not self.makes_parents:
                return Reply(409)
            self.folders |= {path[:end] for end in range(len(path)) if path[end] == "/"}
        self.writes_count += 1
        is_there = path in self.files
        self.modified.pop(path, None)
        if data is None:
            self.folders.add(path)
        else:
            self.files[path] = data
        return Reply(204 if is_there else 201)

    def _take(self, path: str) -> bool:
        taken = [path, *self._below(path)]
        is_there = path in self.files or path in self.folders
        for each in taken:
            self.files.pop(each, None)
            self.folders.discard(each)
        return is_there

    def _below(self, path: str) -> Iterator[str]:
        return iter([each for each in [*sorted(self.folders), *self.files] if each.startswith(f"{path}/")])

    def _etag(self, path: str) -> str:
        return f'"{hash((path, self.files[path]))}"'

    def _read_path(self, target: str) -> str:
        return unquote(target).removeprefix(BASE.rstrip("/")).strip("/")
