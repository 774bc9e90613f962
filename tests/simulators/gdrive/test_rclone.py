"""rclone, which knows the real Drive, takes the simulator for it."""

from __future__ import annotations

import random
import ssl
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from simulators.core.faults import SAFE_KINDS, Chance
from simulators.gdrive.exports import DOCUMENT
from tests.servers.missing import skipping_when_missing
from tests.simulators.gdrive.rclone import Rclone, running_rclone_on_drive

CHUNK_BYTES = 256 * 1024
BIG_BYTES = 4 * CHUNK_BYTES + 17


@pytest.fixture
def rclone(tmp_path: Path) -> Iterator[Rclone]:
    with skipping_when_missing(), running_rclone_on_drive(tmp_path) as rclone:
        yield rclone


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A local folder with files of several kinds."""
    root = tmp_path / "tree"
    (root / "sub" / "deep ü").mkdir(parents=True)
    (root / "a.txt").write_bytes(b"hello")
    (root / "empty").write_bytes(b"")
    (root / "sub" / "it's + b&c.txt").write_bytes(b"quote")
    (root / "sub" / "deep ü" / "big.bin").write_bytes(random.Random(2).randbytes(BIG_BYTES))
    return root


def test_a_tree_is_the_same_by_its_hashes_when_it_was_copied_there(rclone: Rclone, tree: Path) -> None:
    rclone.run("copy", tree, "gd:tree")
    rclone.run("check", tree, "gd:tree")
    rclone.run("check", "--download", tree, "gd:tree")
    listed = rclone.run("lsf", "-R", "--files-only", "--format", "sp", "gd:tree").splitlines()
    assert sorted(listed) == ["0;empty", f"{BIG_BYTES};sub/deep ü/big.bin", "5;a.txt", "5;sub/it's + b&c.txt"]
    assert rclone.place.world.grants.refresh_count >= 1
    assert rclone.detour.hosts == {"www.googleapis.com", "oauth2.googleapis.com"}
    assert rclone.place.listening.requests.count(("POST", "/upload/drive/v3/files", 308)) == BIG_BYTES // CHUNK_BYTES


def test_both_sides_are_equal_when_they_were_synced_after_changes(rclone: Rclone, tree: Path) -> None:
    rclone.run("sync", tree, "gd:tree")
    (tree / "a.txt").write_bytes(b"changed")
    (tree / "empty").unlink()
    (tree / "sub" / "new.txt").write_bytes(b"new")
    rclone.run("sync", tree, "gd:tree")
    rclone.run("check", tree, "gd:tree")
    revised = rclone.run("lsf", "--format", "sp", "--files-only", "gd:tree").splitlines()
    assert revised == ["7;a.txt"]


def test_a_file_arrives_when_every_third_request_fails(rclone: Rclone, tree: Path) -> None:
    rclone.place.world.faults.chance = Chance(seed=3, every=3, seconds=None, path="drive/v3")
    rclone.run("copyto", "--low-level-retries=20", tree / "a.txt", "gd:folder/a.txt")
    assert rclone.place.world.faults.counts.keys() == set(SAFE_KINDS)
    rclone.place.world.faults.clear()
    assert rclone.run("cat", "gd:folder/a.txt") == "hello"


def test_a_part_is_read_when_cat_begins_in_the_middle(rclone: Rclone, tree: Path) -> None:
    rclone.run("copyto", tree / "a.txt", "gd:one.txt")
    assert rclone.run("cat", "--offset", "1", "--count", "3", "gd:one.txt") == "ell"


def test_files_keep_their_ids_when_they_are_moved(rclone: Rclone, tree: Path) -> None:
    rclone.run("copy", tree, "gd:tree")
    before = rclone.run("lsf", "-R", "--files-only", "--format", "i", "gd:tree").splitlines()
    rclone.run("moveto", "gd:tree", "gd:other/place")
    after = rclone.run("lsf", "-R", "--files-only", "--format", "i", "gd:other/place").splitlines()
    assert sorted(before) == sorted(after)
    rclone.run("copyto", "gd:other/place/a.txt", "gd:copied.txt")
    assert rclone.run("cat", "gd:copied.txt") == "hello"


def test_one_of_each_is_left_when_names_that_came_twice_are_cleaned_up(rclone: Rclone) -> None:
    for data in (b"same", b"same", b"other"):
        rclone.place.store(1, "twin", data)
    assert rclone.run("lsf", "gd:").splitlines() == ["twin"] * 3
    rclone.run("dedupe", "--dedupe-mode", "rename", "gd:")
    names = rclone.run("lsf", "gd:").splitlines()
    assert len(names) == len(set(names)) == 2


def test_folders_of_one_name_become_one_when_they_are_cleaned_up(rclone: Rclone, tree: Path) -> None:
    for name in ("first", "second"):
        rclone.run("copyto", tree / "a.txt", f"gd:{name}/{name}.txt")
    with_ids = rclone.run("lsf", "--dirs-only", "--format", "pi", "gd:").splitlines()
    for line in with_ids:
        rclone.place.drive.store.get(line.partition(";")[2]).name = "twins"
    rclone.run("dedupe", "--dedupe-mode", "skip", "gd:")
    assert sorted(rclone.run("lsf", "-R", "gd:").splitlines()) == ["twins/", "twins/first.txt", "twins/second.txt"]


def test_nothing_is_left_when_a_folder_is_purged(rclone: Rclone, tree: Path) -> None:
    rclone.run("copy", tree, "gd:tree")
    rclone.run("purge", "gd:tree")
    assert rclone.run("lsf", "gd:") == ""
    rclone.run("lsf", "gd:tree", fails=True)


def test_documents_come_in_an_office_format_when_they_are_copied(rclone: Rclone, tmp_path: Path) -> None:
    rclone.place.store(1, "Minutes", b"Who came: everybody", DOCUMENT)
    rclone.run("copy", "gd:", tmp_path / "got")
    assert (tmp_path / "got" / "Minutes.docx").read_bytes().startswith(b"PK")


def test_a_time_is_kept_when_a_file_is_touched(rclone: Rclone) -> None:
    rclone.run("touch", "--timestamp", "2020-01-02T03:04:05", "gd:touched")
    assert rclone.run("lsf", "--format", "t", "--time-format", "RFC3339", "gd:touched").startswith(
        "2020-01-02T03:04:05"
    )


def test_quota_is_told_when_rclone_asks(rclone: Rclone, tree: Path) -> None:
    rclone.run("copyto", tree / "a.txt", "gd:a.txt")
    assert '"used": 5' in rclone.run("about", "--json", "gd:")


def test_a_link_is_public_when_rclone_makes_one(rclone: Rclone, tree: Path) -> None:
    rclone.run("copyto", tree / "a.txt", "gd:a.txt")
    link = urlsplit(rclone.run("link", "gd:a.txt").strip())
    trust = ssl.create_default_context(cafile=rclone.authority)
    with httpx.Client(base_url=rclone.place.url, verify=trust, trust_env=False, timeout=60) as stranger:
        assert "a.txt" in stranger.get(f"{link.path}?{link.query}").text


def test_a_file_comes_back_when_it_is_taken_out_of_the_trash(rclone: Rclone, tree: Path) -> None:
    rclone.run("copyto", tree / "a.txt", "gd:kept.txt")
    rclone.run("deletefile", "gd:kept.txt")
    assert rclone.run("lsf", "--drive-trashed-only", "gd:") == "kept.txt\n"
    rclone.run("backend", "untrash", "gd:")
    rclone.run("backend", "shortcut", "gd:", "kept.txt", "link.txt")
    assert rclone.run("cat", "gd:link.txt") == "hello"
    rclone.run("deletefile", "gd:kept.txt")
    rclone.run("cleanup", "gd:")
    assert rclone.run("lsf", "--drive-trashed-only", "gd:") == ""


def test_a_shared_drive_is_worked_in_when_it_is_named(rclone: Rclone, tree: Path) -> None:
    shared = rclone.place.drive.store.add_drive("0Ateamdrive", "Team", rclone.place.get_user(1))
    rclone.add_remote("team", 1, team_drive=shared.id)
    rclone.run("copy", tree, "team:tree")
    rclone.run("check", tree, "team:tree")
    assert rclone.run("lsf", "gd:") == ""
    assert "Team" in rclone.run("backend", "drives", "team:")
