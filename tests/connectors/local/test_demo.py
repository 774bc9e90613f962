from __future__ import annotations

import csv
import json
import re
from pathlib import Path

from PIL import Image

from connectors.core.resources import RawId
from connectors.core.service import AccountContext, Options, Registry
from connectors.core.stack import Runtime
from connectors.local.service import build_service


def test_files_are_what_their_names_say_when_seeded(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "files"
    demo = build_service(Options(demo_folder=folder)).demo
    assert demo is not None
    demo.prepare()
    with Image.open(next(folder.rglob("*.png"))) as picture:
        assert (picture.format, picture.size) == ("PNG", (64, 64))
        picture.load()
    rows = list(csv.DictReader((folder / "orders.csv").read_text(encoding="utf-8").splitlines()))
    assert [row["city"] for row in rows] == [
        order["city"] for order in json.loads((folder / "orders.json").read_bytes())["orders"]
    ]
    document = (folder / "report.pdf").read_bytes()
    start = re.search(rb"startxref\n(\d+)\n%%EOF\n$", document)
    assert start is not None
    table = document[int(start[1]) :]
    offsets = [int(offset) for offset in re.findall(rb"(\d{10}) 00000 n ", table)]
    assert [document[offset:].split(b"\n", 1)[0] for offset in offsets] == [b"%d 0 obj" % n for n in range(1, 6)]
    length = re.search(rb"/Length (\d+) >>\nstream\n(.*)\nendstream", document)
    assert length is not None
    assert len(length[2]) == int(length[1])
    assert (folder / "empty.txt").read_bytes() == b""
    assert any(len(path.relative_to(folder).parts) >= 5 for path in folder.rglob("*"))
    assert any(not path.name.isascii() for path in folder.rglob("*"))


def test_nothing_changes_when_the_folder_holds_something(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_bytes(b"mine")
    demo = build_service(Options(demo_folder=tmp_path)).demo
    assert demo is not None
    demo.prepare()
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


async def test_demo_account_sees_the_files_when_it_is_the_demos_application(tmp_path: Path) -> None:
    service = build_service(Options(demo_folder=tmp_path, demo_application_id="the demo"))
    assert service.demo is not None
    service.demo.prepare()
    context = AccountContext(
        account_key="1", application_id="the demo", credentials=service.demo.credentials, runtime=Runtime()
    )
    page = await Registry([service]).open("local", context).list_folder(RawId("/"))
    assert "Welcome.md" in [resource.name for resource in page.resources]
