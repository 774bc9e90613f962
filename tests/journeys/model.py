"""A tree of files and folders as it should be, and the same operations on it and on an account, which must agree."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from tests.app.drive import Drive, read_error, read_json

NAMES = ("a", "b", "a.txt", "A", "\u00fc b+c%20.txt", "\u65e5\u672c", "a (1)", "x" * 100)
DATA = (b"", b"x", b"some bytes", bytes(range(256)) * 40)
PAGE_SIZES = (1, 2, 1000)


@dataclass(eq=False)
class Node:
    """A file if it has `data`. `history` are a file's bytes, newest first; None when that is not known."""

    name: str
    parent: Node | None
    data: bytes | None = None
    history: list[bytes] | None = None
    children: dict[str, Node] = field(default_factory=dict)

    @property
    def is_folder(self) -> bool:
        return self.data is None

    def walk(self) -> Iterator[Node]:
        """All that is below."""
        for child in list(self.children.values()):
            yield child
            yield from child.walk()

    def is_inside(self, folder: Node) -> bool:
        """True also for the folder itself."""
        return self is folder or (self.parent is not None and self.parent.is_inside(folder))

    def path(self) -> str:
        return "" if self.parent is None else f"{self.parent.path()}/{self.name}"

    def put(self, name: str, data: bytes | None) -> Node:
        """A new child."""
        assert name not in self.children
        child = self.children[name] = Node(name, self, data, None if data is None else [data])
        return child

    def copy_into(self, folder: Node, name: str) -> None:
        """The same under another name or elsewhere; what versions it has then is the storage's business."""
        copied = folder.put(name, self.data)
        copied.history = None
        for child in list(self.children.values()):
            if child is not copied:
                child.copy_into(copied, child.name)

    def go(self, folder: Node, name: str) -> None:
        """Moves and renames."""
        assert self.parent is not None
        del self.parent.children[self.name]
        self.name, self.parent = name, folder
        folder.children[name] = self
        for each in (self, *self.walk()):
            each.history = None


class TreeMachine(RuleBasedStateMachine):
    """Does the same to a new folder of an account and to a model of it. Subclasses say where."""

    drive: Drive
    has_versions = False
    folder_count = 0

    def __init__(self) -> None:
        super().__init__()
        type(self).folder_count += 1
        self.top = self.drive.create_folder(f"top {self.folder_count}")
        self.root = Node(self.top["name"], None)

    # ---- what both are asked to do

    @rule(data=st.data(), name=st.sampled_from(NAMES), is_strict=st.booleans())
    def create_folder(self, data: st.DataObject, name: str, is_strict: bool) -> None:
        parent = self.draw_folder(data)
        body = {"name": name, "parent_id": self.find_id(parent)}
        reply = self.post("folders", params={"conflict_if_exists": str(is_strict)}, json=body)
        there = parent.children.get(name)
        if there is None:
            parent.put(name, None)
            assert read_json(reply, status=201)["name"] == name
        elif is_strict or not there.is_folder:
            assert read_error(reply) == (409, "naming_conflict")
        else:
            assert read_json(reply)["id"] == self.find_id(there)

    @rule(data=st.data(), name=st.sampled_from(NAMES), content=st.sampled_from(DATA), is_overwriting=st.booleans())
    def upload(self, data: st.DataObject, name: str, content: bytes, is_overwriting: bool) -> None:
        parent = self.draw_folder(data)
        params = {"overwrite": str(is_overwriting)}
        reply = self.drive.send_file(name, content, parent=self.find_id(parent), params=params)
        there = parent.children.get(name)
        if there is not None and is_overwriting and there.is_folder:
            assert read_error(reply) == (409, "naming_conflict")
        elif there is not None and is_overwriting:
            assert read_json(reply)["size"] == len(content)
            self.write(there, content)
        else:
            stored = read_json(reply, status=201)
            assert (stored["name"] == name) == (there is None)
            parent.put(stored["name"], content)

    @precondition(lambda self: self.list_nodes(is_folder=False))
    @rule(data=st.data(), content=st.sampled_from(DATA))
    def replace(self, data: st.DataObject, content: bytes) -> None:
        file = self.draw_node(data, is_folder=False)
        reply = self.drive.client.put(self.url(file), content=content)
        assert read_json(reply)["size"] == len(content)
        self.write(file, content)

    @precondition(lambda self: self.list_nodes())
    @rule(data=st.data(), name=st.none() | st.sampled_from(NAMES), is_moving=st.booleans())
    def update(self, data: st.DataObject, name: str | None, is_moving: bool) -> None:
        node = self.draw_node(data)
        assert node.parent is not None
        folder = self.draw_folder(data) if is_moving else node.parent
        body = {} if name is None else {"name": name}
        if is_moving:
            body["parent_id"] = self.find_id(folder)
        reply = self.drive.client.patch(self.url(node), json=body)
        new_name = name or node.name
        if not body:
            assert read_error(reply) == (400, "invalid_parameters")
        elif folder.is_inside(node):
            assert read_error(reply) == (400, "invalid_parent_folder")
        elif folder.children.get(new_name) not in {None, node}:
            assert read_error(reply) == (409, "naming_conflict")
        else:
            assert read_json(reply)["name"] == new_name
            node.go(folder, new_name)

    @precondition(lambda self: self.list_nodes())
    @rule(data=st.data(), name=st.none() | st.sampled_from(NAMES))
    def copy(self, data: st.DataObject, name: str | None) -> None:
        node, folder = self.draw_node(data), self.draw_folder(data)
        body = {"parent_id": self.find_id(folder), **({} if name is None else {"name": name})}
        reply = self.drive.client.post(f"{self.url(node)}/copy", json=body)
        if folder.is_inside(node):
            assert read_error(reply) == (400, "invalid_parent_folder")
            return
        copied = read_json(reply, status=201)
        wanted = name or node.name
        assert (copied["name"] == wanted) == (wanted not in folder.children)
        node.copy_into(folder, copied["name"])

    @precondition(lambda self: self.list_nodes())
    @rule(data=st.data(), is_recursive=st.booleans())
    def delete(self, data: st.DataObject, is_recursive: bool) -> None:
        node = self.draw_node(data)
        params = {"recursive": str(is_recursive)} if node.is_folder else {}
        reply = self.drive.client.delete(self.url(node), params=params)
        if node.children and not is_recursive:
            assert read_error(reply) == (403, "folder_not_empty")
            return
        assert (reply.status_code, reply.content) == (204, b""), reply.text
        assert node.parent is not None
        del node.parent.children[node.name]
        assert read_error(self.look_up(node)) == (404, "not_found")

    # ---- what both must say

    @precondition(lambda self: self.list_nodes(is_folder=False))
    @rule(data=st.data(), first=st.integers(0, 300), length=st.integers(1, 20_000))
    def download_range(self, data: st.DataObject, first: int, length: int) -> None:
        file = self.draw_node(data, is_folder=False)
        headers = {"Range": f"bytes={first}-{first + length - 1}"}
        reply = self.drive.client.get(f"{self.url(file)}/contents", headers=headers)
        content = file.data or b""
        if first >= len(content):
            assert read_error(reply) == (416, "range_not_satisfiable")
        else:
            assert (reply.status_code, reply.content) == (206, content[first : first + length])

    @rule(data=st.data(), page_size=st.sampled_from(PAGE_SIZES), is_recursive=st.booleans())
    def list_contents(self, data: st.DataObject, page_size: int, is_recursive: bool) -> None:
        folder = self.draw_folder(data)
        pages = self.drive.walk(self.find_id(folder), page_size=page_size, is_recursive=is_recursive)
        self.compare(pages, list(folder.walk()) if is_recursive else list(folder.children.values()))

    @rule(query=st.sampled_from(["a", "TXT", "\u00fc", "(1)", "nothing"]))
    def search(self, query: str) -> None:
        pages = self.drive.walk_pages("search", page_size=1000, q=query, parents=self.top["id"])
        self.compare(pages, [node for node in self.root.walk() if query.casefold() in node.name.casefold()])

    @precondition(lambda self: self.has_versions and self.list_nodes(is_folder=False))
    @rule(data=st.data())
    def look_at_versions(self, data: st.DataObject) -> None:
        file = self.draw_node(data, is_folder=False)
        pages = self.drive.walk_pages(f"files/{self.find_id(file)}/versions", page_size=1000)
        contents = [
            self.drive.client.get(f"{each['href']}/contents").content for page in pages for each in page["objects"]
        ]
        assert contents[0] == file.data
        if file.history is not None:
            assert contents[: len(file.history)] == file.history

    def teardown(self) -> None:
        pages = self.drive.walk(self.top["id"], page_size=1000, is_recursive=True)
        self.compare(pages, list(self.root.walk()))
        for node in self.root.walk():
            if not node.is_folder:
                assert self.drive.read(self.find_id(node)) == node.data
        deleted = self.drive.client.delete(self.drive.url(f"folders/{self.top['id']}"), params={"recursive": "true"})
        assert deleted.status_code == 204, deleted.text

    # ---- how they are asked

    def list_nodes(self, *, is_folder: bool | None = None) -> list[Node]:
        return [node for node in self.root.walk() if is_folder in {None, node.is_folder}]

    def draw_node(self, data: st.DataObject, *, is_folder: bool | None = None) -> Node:
        nodes = self.list_nodes(is_folder=is_folder)
        return nodes[data.draw(st.integers(0, len(nodes) - 1))]

    def draw_folder(self, data: st.DataObject) -> Node:
        folders = [self.root, *self.list_nodes(is_folder=True)]
        return folders[data.draw(st.integers(0, len(folders) - 1))]

    def write(self, file: Node, content: bytes) -> None:
        file.data = content
        file.history = None if file.history is None else [content, *file.history]

    def post(self, path: str, **options: Any) -> httpx.Response:
        return self.drive.client.post(self.drive.url(path), **options)

    def look_up(self, node: Node) -> httpx.Response:
        path = f"/{self.root.name}{node.path()}"
        return self.drive.client.get(self.drive.url("path"), params={"path": path})

    def find_id(self, node: Node) -> str:
        """Ids change with a path at some storages, so it is asked for anew."""
        if node is self.root:
            top: str = self.top["id"]
            return top
        found: str = read_json(self.look_up(node))["id"]
        return found

    def url(self, node: Node) -> str:
        return self.drive.url(f"{'folders' if node.is_folder else 'files'}/{self.find_id(node)}")

    def compare(self, pages: list[dict[str, Any]], nodes: list[Node]) -> None:
        told = [(entry["path"], entry["type"], entry["size"]) for page in pages for entry in page["objects"]]
        known = [
            (
                f"/{self.root.name}{node.path()}",
                "folder" if node.is_folder else "file",
                None if node.data is None else len(node.data),
            )
            for node in nodes
        ]
        assert sorted(told, key=str) == sorted(known, key=str)
