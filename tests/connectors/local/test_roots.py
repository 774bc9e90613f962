# ruff: noqa: ASYNC240 - the disk is looked at directly
from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from connectors.core.connector import Connector
from connectors.core.errors import ErrorKind
from connectors.core.resources import RawId, Ref
from connectors.core.service import AccountContext, Options
from connectors.core.stack import Runtime
from connectors.local.roots import read_settings
from connectors.local.service import build_service
from tests.connectors.behavior.space import refused
from tests.connectors.local.conftest import OpenAccount

ROOT = {"folder": "/srv/photos", "applications": ["app"]}


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"root": {}}, "local has the settings roots and allow_api_accounts, not root"),
        ({"roots": ["/srv"]}, "local.roots maps"),
        ({"roots": {"photos": "/srv"}}, "local.roots.photos has exactly two settings"),
        ({"roots": {"photos": {"folder": "/srv"}}}, "local.roots.photos has exactly two settings"),
        ({"roots": {"photos": {**ROOT, "more": 1}}}, "local.roots.photos has exactly two settings"),
        ({"roots": {"photos": {**ROOT, "folder": "srv"}}}, "local.roots.photos.folder is an absolute path"),
        ({"roots": {"photos": {**ROOT, "folder": None}}}, "local.roots.photos.folder is an absolute path"),
        ({"roots": {"photos": {**ROOT, "applications": []}}}, "local.roots.photos.applications is a list"),
        ({"roots": {"photos": {**ROOT, "applications": "*"}}}, "local.roots.photos.applications is a list"),
        ({"roots": {"photos": {**ROOT, "applications": [1]}}}, "local.roots.photos.applications is a list"),
        ({"roots": {"a/b": ROOT}}, "without"),
        ({"roots": {"": ROOT}}, "without"),
        ({"roots": {"demo": ROOT}}, "kept for the demo"),
        ({"allow_api_accounts": "yes"}, "local.allow_api_accounts is true or false"),
    ],
)
def test_words_say_what_is_wrong_when_settings_have_another_shape(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        build_service(Options(settings={"local": settings}))


def test_demo_is_the_only_root_when_nothing_is_set(tmp_path: Path) -> None:
    settings = read_settings(Options(demo_folder=tmp_path, demo_application_id="the demo"))
    assert list(settings.roots) == ["demo"]
    assert settings.roots["demo"].folder == tmp_path
    assert settings.roots["demo"].allows("the demo")
    assert not settings.roots["demo"].allows("another")


@pytest.mark.parametrize(("allowed", "by_operator"), [(None, True), (False, True), (True, False)])
def test_only_the_operator_adds_accounts_when_nothing_else_is_set(allowed: bool | None, by_operator: bool) -> None:
    settings: dict[str, Any] = {} if allowed is None else {"allow_api_accounts": allowed}
    assert build_service(Options(settings={"local": settings})).manifest.added_by_operator_only is by_operator


async def test_every_application_may_come_in_when_a_star_is_listed(root: Path) -> None:
    service = build_service(Options(settings={"local": {"roots": {"r": {"folder": str(root), "applications": ["*"]}}}}))
    context = AccountContext(account_key="1", application_id="whoever", credentials={"root": "r"}, runtime=Runtime())
    assert (await service.build(context).get_identity()).key == "r"


@pytest.mark.parametrize(
    ("credentials", "application_id"),
    [
        ({"root": "root"}, "another"),
        ({"root": "no such root"}, "app"),
        ({"folder": "x"}, "app"),
        ({"root": "demo"}, "app"),
    ],
    ids=["not bound", "not listed", "none named", "another's demo"],
)
async def test_every_call_says_grant_revoked_when_root_is_not_this_applications(
    open_account: OpenAccount, root: Path, credentials: dict[str, str], application_id: str
) -> None:
    (root / "a.txt").write_bytes(b"bytes")
    connector = open_account(credentials, application_id=application_id)
    file = Ref("file", RawId("/a.txt"))
    for call in (
        connector.get_identity(),
        connector.get(file),
        connector.list_folder(RawId("/")),
        connector.create_folder(RawId("/"), "b"),
        connector.update(file, name="b"),
        connector.delete(file),
        connector.get_by_path("/a.txt"),
        connector.search("a"),
        connector.get_quota(),
    ):
        with refused(ErrorKind.GRANT_REVOKED) as caught:
            await call
        assert str(root) not in caught.value.message
    with refused(ErrorKind.GRANT_REVOKED):
        async with connector.open_download(file.raw_id):
            pass
    assert [each.name for each in root.iterdir()] == ["a.txt"]


async def test_account_sees_only_its_folder_when_it_stays_inside_the_root(
    open_account: OpenAccount, root: Path
) -> None:
    (root / "a" / "b").mkdir(parents=True)
    (root / "a" / "b" / "in.txt").write_bytes(b"in")
    (root / "a" / "out.txt").write_bytes(b"out")
    (root / "a" / "b" / "link").symlink_to("../out.txt")
    (root / "a" / "b" / "same").symlink_to(root / "a" / "b" / "in.txt")
    connector = open_account({"root": "root", "folder": "/a/b/"})
    assert (await connector.get_identity()).key == "root/a/b"
    page = await connector.list_folder(RawId("/"))
    assert [resource.raw_id for resource in page.resources] == ["/in.txt", "/same"]
    with refused(ErrorKind.PERMISSION_DENIED):
        await connector.get(Ref("file", RawId("/link")))


@pytest.mark.parametrize("folder", ["none", "file.txt", "link", "..", "a//b", "a/../..", "a\0b"])
async def test_permission_denied_when_there_is_no_such_folder_in_the_root(
    open_account: OpenAccount, root: Path, outside: Path, folder: str
) -> None:
    (root / "a").mkdir()
    (root / "file.txt").write_bytes(b"")
    (root / "link").symlink_to(outside)
    with refused(ErrorKind.PERMISSION_DENIED) as caught:
        await open_account({"root": "root", "folder": folder}).get_identity()
    assert str(root) not in caught.value.message


async def test_unavailable_when_the_roots_folder_is_not_there(connector: Connector, root: Path) -> None:
    root.rmdir()
    with refused(ErrorKind.UNAVAILABLE) as caught:
        await connector.list_folder(RawId("/"))
    assert str(root) not in caught.value.message


async def test_facts_of_the_disk_come_along_when_raw_is_asked_for(open_account: OpenAccount, root: Path) -> None:
    (root / "a.txt").write_bytes(b"bytes")
    file = await open_account(include_raw=True).get(Ref("file", RawId("/a.txt")))
    assert file.raw is not None
    assert file.raw["inode"] == (root / "a.txt").stat().st_ino
    assert file.raw["size"] == 5
